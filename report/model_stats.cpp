#include "report/model_stats.h"

#include <filesystem>

#include "ops/infer.h"
#include "ops/table.h"

namespace fettle::report {
namespace {

void count_tensor(ModelStats& stats, const ir::Tensor& t) {
  if (!t.defined()) return;
  int64_t bytes = static_cast<int64_t>(t.byte_size());
  if (t.type() == ir::DataType::kString) {
    for (const std::string& s : t.strings()) bytes += static_cast<int64_t>(s.size());
  }
  stats.parameters += t.size();
  stats.weight_bytes += bytes;
  stats.weight_types[std::string(ir::data_type_name(t.type()))] += bytes;
}

void count_attributes(ModelStats& stats, const ir::Node& node) {
  if (!node.is("Constant")) return;
  for (const ir::Attribute& a : node.attributes()) {
    if (const auto* t = std::get_if<ir::StoredTensor>(&a.payload)) count_tensor(stats, t->tensor);
  }
}

void count_graph(ModelStats& stats, ir::Graph& graph) {
  ir::for_each_graph(graph, [&stats](ir::Graph& g) {
    for (const ir::Value* v : g.constants()) {
      if (v->constant() != nullptr) count_tensor(stats, *v->constant());
      if (v->sparse() != nullptr) {
        count_tensor(stats, v->sparse()->values.tensor);
        count_tensor(stats, v->sparse()->indices.tensor);
      }
    }
    for (ir::Node& node : g.nodes()) {
      ++stats.nodes;
      ++stats.operators[node.is_default_domain() ? node.op_type : node.domain + "::" + node.op_type];
      count_attributes(stats, node);
    }
  });
}

// Shapes of a node's operands when all are known; empty for omitted ones.
bool operand_dims(const std::vector<ir::Value*>& values, std::vector<ir::Dims>& dims) {
  for (const ir::Value* v : values) {
    dims.emplace_back();
    if (v == nullptr) continue;
    if (!v->type.is_tensor() || !v->type.shape) return false;
    auto known = ir::known_dims(*v->type.shape);
    if (!known) return false;
    dims.back() = std::move(*known);
  }
  return true;
}

void count_macs(ModelStats& stats, const ir::Model& original) {
  ir::Model model = ir::clone(original);
  ops::InferOptions options;
  for (const ir::Value* input : model.graph->inputs()) {
    if (!input->type.is_tensor() || !input->type.shape) continue;
    ir::Type type = input->type;
    for (ir::Dim& d : *type.shape) {
      if (!d.known()) d = ir::Dim::of(1);
    }
    options.inputs[input->name()] = type;
  }
  // Declared intermediate shapes name the symbols that were just replaced: infer them afresh.
  for (ir::Value* v : model.graph->values()) {
    if (!v->is_input() && !v->has_initializer() && v->type.is_tensor()) v->type.shape.reset();
  }
  try {
    ops::infer_shapes(model, options);
  } catch (const Error&) {
    stats.macs_complete = false;
    return;
  }
  for (ir::Node& node : model.graph->nodes()) {
    const ops::OpDef* op = ops::find_op(node, model.opset(node.domain));
    if (op == nullptr || op->macs == nullptr) continue;
    std::vector<ir::Dims> inputs;
    std::vector<ir::Dims> outputs;
    if (operand_dims(node.inputs(), inputs) && operand_dims(node.outputs(), outputs)) {
      stats.macs += op->macs(node, inputs, outputs);
    } else {
      stats.macs_complete = false;
    }
  }
}

int64_t file_bytes(const ir::Model& model) {
  std::error_code error;
  if (model.path.empty()) return 0;
  auto total = static_cast<int64_t>(std::filesystem::file_size(model.path, error));
  if (error) return 0;
  for (const auto& path : model.data_files) {
    const auto bytes = std::filesystem::file_size(path, error);
    if (!error) total += static_cast<int64_t>(bytes);
  }
  return total;
}

}  // namespace

ModelStats model_stats(const ir::Model& model) {
  ModelStats stats;
  count_graph(stats, *model.graph);
  for (const ir::Function& f : model.functions) count_graph(stats, *f.body);
  count_macs(stats, model);
  stats.file_bytes = file_bytes(model);
  for (const ir::Value* input : model.graph->inputs()) {
    if (input->has_initializer() || !input->type.shape) continue;
    for (size_t i = 0; i < input->type.shape->size(); ++i) {
      const ir::Dim& d = (*input->type.shape)[i];
      if (d.known()) continue;
      stats.dynamic_axes.push_back(fmt::format("{}[{}] = {}", input->name(), i,
                                               d.symbolic() ? d.symbol : "?"));
    }
  }
  return stats;
}

}  // namespace fettle::report
