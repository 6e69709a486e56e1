// DequantizeLinear(a), DequantizeLinear(b) -> MatMul or Gemm [-> Relu or Clip] [-> QuantizeLinear]
// as one integer product:
//
//   aq -- DQ --.
//   bq -- DQ -- MatMul -- [Q] -- y     =>     (aq, bq) -- integer MatMul -- y
//
// With Q the accumulator is requantized by a_scale * b_scale / y_scale; without it the float result
// is accumulator * (a_scale * b_scale), plus a float bias. An Add after MatMul is part of the step
// when it adds one constant per column. Conditions: 8-bit operands, a with one scale; b constant
// with one scale or one per column, or (MatMul) computed with one scale; Gemm with alpha = beta = 1,
// transA = 0 and a constant bias per column.
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

// The Add that alone reads the product and adds to it a vector with one constant per column, as
// floats or as DequantizeLinear of int32; null when there is none. `bias` is then that operand.
const ir::Node* bias_add(const ir::Node& matmul, size_t columns, const FusionView& view,
                         const ir::Value*& bias) {
  const ir::Node* add = view.sole_reader(matmul.output(0));
  if (add == nullptr || !add->is("Add") || view.taken(*add) || view.opset(*add) < 7) return nullptr;
  const ir::Value* other = add->input(0) == matmul.output(0) ? add->input(1) : add->input(0);
  const ir::Tensor* values = view.constant(other);
  const ir::Node* producer = other == nullptr ? nullptr : other->producer();
  if (values == nullptr && producer != nullptr && producer->is("DequantizeLinear")) {
    values = view.constant(producer->input(0));
  }
  if (values == nullptr || values->rank() != 1 || values->size() != static_cast<int64_t>(columns)) {
    return nullptr;
  }
  bias = other;
  return add;
}

// How the product ends: its bias, and what it is quantized to, if anything. `end` is its last value.
// False when the bias is none that the kernel adds.
bool set_end(const ir::Value* end, const ir::Value* bias_value, bool rounds_floats,
             const std::vector<float>& scales, const FusionView& view, IntegerProductSpec& spec,
             Fusion& fusion) {
  const auto y = quantized_result(end, view);
  const bool exact = rounds_floats || bias_value == nullptr || view.constant(bias_value) == nullptr;
  auto bias = y && exact ? accumulator_bias(bias_value, scales, view) : std::nullopt;
  spec.quantized = y && bias;
  if (!spec.quantized) {
    spec.multiplier = scales;
    return set_float_bias(bias_value, scales, view, spec);
  }
  spec.y = y->bytes;
  spec.bias = std::move(*bias);
  for (const float s : scales) spec.multiplier.push_back(s / y->scale);
  fusion.members.insert(fusion.members.end(), y->members.begin(), y->members.end());
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
  const ir::Value* bias = node.is("Gemm") ? node.input(2) : nullptr;
  const ir::Node* add = node.is("MatMul") && computed == nullptr
                            ? bias_add(node, scales.size(), view, bias)
                            : nullptr;
  if (add != nullptr) fusion.members.push_back(add);
  const ir::Value* end = fusion.members.back()->output(0);
  if (!set_end(end, bias, node.is("Gemm"), scales, view, spec, fusion)) {
    if (add == nullptr) return std::nullopt;
    fusion.members.pop_back();
    if (!set_end(node.output(0), nullptr, false, scales, view, spec, fusion)) return std::nullopt;
  }
  fusion.inputs = {a->quantized, computed};
  fusion.kernel = make_integer_product(std::move(spec));
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
