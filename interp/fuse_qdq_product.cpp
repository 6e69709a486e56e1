// DequantizeLinear(a), DequantizeLinear(b) -> MatMul or Gemm [-> Relu or Clip] [-> QuantizeLinear]
// as one integer product:
//
//   aq -- DQ --.
//   bq -- DQ -- MatMul -- [Q] -- y     =>     (aq, bq) -- integer MatMul -- y
//
// With Q the accumulator is requantized by a_scale * b_scale / y_scale; without it the float result
// is accumulator * (a_scale * b_scale), plus a float bias. Conditions: 8-bit operands, a with one
// scale; b constant with one scale or one per column, or (MatMul) computed with one scale; Gemm
// with alpha = beta = 1, transA = 0 and a constant bias per column.
#include "interp/fusion.h"
#include "interp/integer_product.h"
#include "interp/matrix_product.h"
#include "interp/qdq_pattern.h"

namespace fettle::interp {
namespace {

// Fills in B and the products of scales, one or one per column.
bool set_b(const ir::Node& node, bool transposed, float a_scale, const FusionView& view,
           IntegerProductSpec& spec, std::vector<float>& scales, const ir::Value*& computed) {
  if (const auto w = quantized_weights(node.input(1), transposed ? -2 : -1, view)) {
    if (w->values.rank() < 2 || (transposed && w->values.rank() != 2)) return false;
    spec.b = w->values;
    spec.b_zero = w->zero;
    const ir::Dims& dims = w->values.dims();
    const auto columns = static_cast<size_t>(transposed ? dims[0] : dims.back());
    for (size_t j = 0; j < columns; ++j) scales.push_back(a_scale * w->scale_at(j));
    return true;
  }
  const auto b = quantized_operand(node.input(1), view);
  if (!b || transposed || node.is("Gemm")) return false;
  spec.b_type = b->bytes;
  scales = {a_scale * b->scale};
  computed = b->quantized;
  return true;
}

// Bias per column as it is added to the float result.
bool set_float_bias(const ir::Value* value, const std::vector<float>& scales,
                    const FusionView& view, IntegerProductSpec& spec) {
  if (value == nullptr) return true;
  const ir::Tensor* floats = view.constant(value);
  if (floats == nullptr) {
    auto bias = accumulator_bias(value, scales, view);
    if (!bias) return false;
    spec.bias = std::move(*bias);
    return true;
  }
  if (floats->type() != ir::DataType::kFloat || floats->rank() < 1 ||
      floats->dims().back() != floats->size() ||
      floats->size() != static_cast<int64_t>(scales.size())) {
    return false;
  }
  const auto values = floats->data<float>();
  spec.float_bias.assign(values.begin(), values.end());
  return true;
}

}  // namespace

std::optional<Fusion> fuse_qdq_product(const ir::Node& node, const FusionView& view) {
  const auto a = quantized_operand(node.input(0), view);
  if (!a || view.constant(a->quantized) != nullptr) return std::nullopt;
  ProductOptions options;
  if (node.is("Gemm")) options = gemm_options(node);
  if (options.a.swapped || options.alpha != 1.0f || options.beta != 1.0f) return std::nullopt;
  IntegerProductSpec spec;
  std::vector<float> scales;
  const ir::Value* computed = nullptr;
  if (!set_b(node, options.b.swapped, a->scale, view, spec, scales, computed)) {
    return std::nullopt;
  }
  spec.a = a->bytes;
  spec.transpose_b = options.b.swapped;
  Fusion fusion;
  fusion.members = {&node};
  const ir::Value* bias_value = node.is("Gemm") ? node.input(2) : nullptr;
  const auto y = quantized_result(node.output(0), view);
  auto bias = y ? accumulator_bias(bias_value, scales, view) : std::nullopt;
  spec.quantized = y && bias;
  if (spec.quantized) {
    spec.y = y->bytes;
    spec.bias = std::move(*bias);
    for (const float s : scales) spec.multiplier.push_back(s / y->scale);
    fusion.members.insert(fusion.members.end(), y->members.begin(), y->members.end());
  } else {
    if (!set_float_bias(bias_value, scales, view, spec)) return std::nullopt;
    spec.multiplier = scales;
  }
  fusion.inputs = {a->quantized, computed};
  fusion.kernel = make_integer_product(std::move(spec));
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
