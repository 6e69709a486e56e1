#include "quant/weight_table.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace fettle::quant {

namespace {

int64_t first_axis(const ir::Node&, const ir::Tensor&) {
  return 0;
}

int64_t gemm_axis(const ir::Node& node, const ir::Tensor&) {
  return node.attr_int("transB", 0) != 0 ? 0 : 1;
}

int64_t matmul_axis(const ir::Node&, const ir::Tensor& weight) {
  return weight.rank() == 2 ? 1 : -1;
}

// The weight is [input channels, output channels / group, ...]. With groups, equal positions of the
// second axis belong to unrelated outputs; the first axis tells the groups apart.
int64_t transposed_conv_axis(const ir::Node& node, const ir::Tensor&) {
  return node.attr_int("group", 1) == 1 ? 1 : 0;
}

// Columns of an embedding table; rows are chosen at run time.
int64_t gather_axis(const ir::Node& node, const ir::Tensor& table) {
  return node.attr_int("axis", 0) == 0 && table.rank() == 2 ? 1 : -1;
}

std::string conv_declines(const ir::Node&, const ir::Tensor& weight) {
  return weight.rank() < 3 ? "its weight has no spatial axes" : "";
}

std::string gemm_declines(const ir::Node& node, const ir::Tensor& weight) {
  if (node.attr_int("transA", 0) != 0) return "its first operand is transposed";
  if (weight.rank() != 2) return "its weight is not a matrix";
  if (node.attr_float("alpha", 1) != 1 || node.attr_float("beta", 1) != 1) {
    return "alpha or beta is not 1 and belongs to an operand that is not a constant";
  }
  return {};
}

std::string matmul_declines(const ir::Node&, const ir::Tensor& weight) {
  return weight.rank() != 2 ? "its constant operand is not a matrix" : "";
}

constexpr WeightRow kRows[] = {
    {.op = "Conv", .channel_axis = first_axis, .declines = conv_declines},
    {.op = "ConvTranspose", .channel_axis = transposed_conv_axis, .declines = conv_declines},
    {.op = "Gather", .operand = 0, .channel_axis = gather_axis, .dequantize_result = true},
    {.op = "Gemm", .channel_axis = gemm_axis, .dynamic = true, .declines = gemm_declines},
    {.op = "MatMul", .channel_axis = matmul_axis, .dynamic = true, .declines = matmul_declines},
};

}  // namespace

const WeightRow* find_weight_row(const ir::Node& node) {
  if (!node.is_default_domain()) return nullptr;
  const auto it = std::find_if(std::begin(kRows), std::end(kRows),
                               [&](const WeightRow& row) { return row.op == node.op_type; });
  return it != std::end(kRows) ? it : nullptr;
}

const ir::Value* quantizable_weight(const ir::Node& node, const WeightRow& row,
                                    std::string& reason) {
  const ir::Value* v = node.input(row.operand);
  if (v == nullptr || !v->is_constant()) {
    reason = "its weight is not a constant";
    return nullptr;
  }
  const ir::Tensor& weight = *v->constant();
  if (weight.type() != ir::DataType::kFloat || weight.size() == 0) {
    reason = fmt::format("its weight is {}, not float", ir::data_type_name(weight.type()));
    return nullptr;
  }
  if (row.declines != nullptr) {
    reason = row.declines(node, weight);
    if (!reason.empty()) return nullptr;
  }
  const auto values = weight.data<float>();
  if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) {
    reason = fmt::format("its weight '{}' holds NaN or infinity", v->name());
    return nullptr;
  }
  return v;
}

}  // namespace fettle::quant
