#include "passes/rewrite.h"

#include <cmath>

#include "ir/error.h"
#include "ir/float16.h"

namespace fettle::passes {

void PassContext::decline(const ir::Node& node, std::string reason) {
  declined.push_back({current_pass, node.describe(), std::move(reason)});
}

const ir::Tensor* PassContext::constant(const ir::Value* value) const {
  return value != nullptr && value->is_constant() ? value->constant() : nullptr;
}

int64_t for_each_node(ir::Model& model, const std::function<int64_t(ir::Node&)>& rewrite) {
  int64_t count = 0;
  ir::for_each_graph(*model.graph, [&](ir::Graph& graph) {
    for (ir::Node& node : graph.nodes()) {
      if (!node.erased()) count += rewrite(node);
    }
  });
  return count;
}

ir::Node* only_user(const ir::Value& value) {
  if (value.uses().size() != 1 || value.is_graph_output()) return nullptr;
  ir::Node* user = value.uses().front().node;
  return &user->graph() == &value.graph() ? user : nullptr;
}

bool absorb(ir::Value& value, ir::Node& follower) {
  ir::Graph& graph = follower.graph();
  ir::Value& result = *follower.output(0);
  const bool takes_name = result.is_graph_output();
  const std::string name = result.name();
  const ir::Type type = result.type;
  if (!graph.replace_all_uses(result, value)) return false;
  graph.erase(follower);
  if (!takes_name) graph.rename(value, name);
  if (type.known()) value.type = type;
  return true;
}

ir::Tensor spilled(ir::Tensor tensor) {
  const size_t size = tensor.byte_size();
  if (size < kLargeTensor || tensor.buffer() == nullptr || !tensor.buffer()->writable()) {
    return tensor;
  }
  return ir::Tensor(tensor.type(), tensor.dims(), ir::Buffer::spill(tensor.bytes(), size));
}

ir::Value& add_weight(ir::Graph& graph, const std::string& base, ir::Tensor tensor) {
  return graph.add_constant(graph.unique_name(base), spilled(std::move(tensor)));
}

namespace {

template <typename T>
ir::Tensor rounded(ir::DataType type, ir::Dims dims, const std::vector<double>& values) {
  ir::Tensor tensor(type, std::move(dims));
  FETTLE_ASSERT(static_cast<size_t>(tensor.size()) == values.size());
  auto out = tensor.mutable_data<T>();
  for (size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_same_v<T, double>) {
      out[i] = values[i];
    } else {
      out[i] = T(static_cast<float>(values[i]));
    }
  }
  return tensor;
}

}  // namespace

ir::Tensor tensor_of(ir::DataType type, ir::Dims dims, const std::vector<double>& values) {
  switch (type) {
    case ir::DataType::kFloat: return rounded<float>(type, std::move(dims), values);
    case ir::DataType::kDouble: return rounded<double>(type, std::move(dims), values);
    case ir::DataType::kFloat16: return rounded<ir::Float16>(type, std::move(dims), values);
    case ir::DataType::kBfloat16: return rounded<ir::Bfloat16>(type, std::move(dims), values);
    default:
      fail(ErrorCode::kUnsupported, "cannot store weights as {}", ir::data_type_name(type));
  }
}

std::vector<double> doubles_of(const ir::Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = ir::element_as_double(tensor, static_cast<int64_t>(i));
  }
  return values;
}

bool all_finite(const std::vector<double>& values) {
  for (const double v : values) {
    if (!std::isfinite(v)) return false;
  }
  return true;
}

const ir::Shape* shape_of(const ir::Value* value) {
  return value != nullptr && value->type.is_tensor() && value->type.shape ? &*value->type.shape
                                                                          : nullptr;
}

std::optional<ir::Dims> dims_of(const ir::Value* value) {
  const ir::Shape* shape = shape_of(value);
  return shape != nullptr ? ir::known_dims(*shape) : std::nullopt;
}

std::optional<std::vector<int64_t>> constant_ints(const PassContext& context, const ir::Node& node,
                                                  size_t i) {
  const ir::Tensor* tensor = context.constant(node.input(i));
  if (tensor == nullptr || !ir::is_integer(tensor->type())) return std::nullopt;
  return ir::elements_as_ints(*tensor);
}

}  // namespace fettle::passes
