#include "ops/table.h"

#include <algorithm>
#include <tuple>

#include "ops/families.h"

namespace fettle::ops {
namespace {

std::string_view canonical(std::string_view domain) {
  return domain == "ai.onnx" ? std::string_view() : domain;
}

auto key(const OpDef& op) { return std::tuple(op.domain, op.name, op.since_version); }

std::vector<OpDef> joined() {
  std::vector<OpDef> rows;
  for (const auto family :
       {activation_ops(), arithmetic_ops(), attention_ops(), cast_ops(), control_flow_ops(),
        convolution_ops(), fused_ops(), generator_ops(), indexing_ops(), logic_ops(), matrix_ops(), movement_ops(),
        normalization_ops(), pooling_ops(), quantization_ops(), quantized_ops(), recurrent_ops(),
        reduction_ops(), resize_ops(), sequence_ops(), sorting_ops(), softmax_ops(), unary_ops(),
        view_ops(), loss_ops(), signal_ops(), window_function_ops(),
        geometry_ops(), sampling_ops(), string_ops(), ml_encoder_ops(),
        ml_feature_ops(), ml_model_ops()}) {
    rows.insert(rows.end(), family.begin(), family.end());
  }
  std::sort(rows.begin(), rows.end(),
            [](const OpDef& a, const OpDef& b) { return key(a) < key(b); });
  const auto twice = std::adjacent_find(
      rows.begin(), rows.end(), [](const OpDef& a, const OpDef& b) { return key(a) == key(b); });
  FETTLE_ASSERT(twice == rows.end());
  return rows;
}

}  // namespace

std::span<const OpDef> all_ops() {
  static const std::vector<OpDef> rows = joined();
  return rows;
}

const OpDef* find_op(std::string_view domain, std::string_view name, int64_t opset) {
  const auto rows = all_ops();
  const auto wanted = std::tuple(canonical(domain), name);
  auto it = std::upper_bound(rows.begin(), rows.end(), std::tuple_cat(wanted, std::tuple(opset)),
                             [](const auto& k, const OpDef& op) {
                               return k < std::tuple(op.domain, op.name,
                                                     static_cast<int64_t>(op.since_version));
                             });
  if (it == rows.begin()) return nullptr;
  --it;
  return std::tuple(it->domain, it->name) == wanted ? &*it : nullptr;
}

const OpDef* find_op(const ir::Node& node, int64_t opset) {
  return find_op(node.domain, node.op_type, opset);
}

}  // namespace fettle::ops
