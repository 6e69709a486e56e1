// DequantizeLinear(x), DequantizeLinear(w) -> Conv [-> Relu or Clip] -> QuantizeLinear as one
// integer convolution:
//
//   xq -- DQ --.
//   wq -- DQ -- Conv -- [Relu] -- Q -- yq     =>     xq -- integer Conv (wq, bias) -- yq
//   bq -- DQ --'
//
// accumulator = sum (xq - zx)(wq - zw) + bq, requantized by x_scale * w_scale / y_scale.
// Conditions: 8-bit x and y with one scale each; constant 8-bit weights with one scale or one per
// output channel; the activation does not change the quantized result; nothing else reads what lies
// between Conv and Q.
#include "interp/fusion.h"
#include "interp/integer_convolution.h"
#include "interp/qdq_pattern.h"

namespace fettle::interp {

std::optional<Fusion> fuse_qdq_convolution(const ir::Node& conv, const FusionView& view) {
  const auto x = quantized_operand(conv.input(0), view);
  const auto w = quantized_weights(conv.input(1), 0, view);
  const auto y = quantized_result(conv.output(0), view);
  if (!x || !w || !y || w->values.rank() < 3) return std::nullopt;
  IntegerConvolutionSpec spec;
  std::vector<float> scales;
  for (size_t c = 0; c < static_cast<size_t>(w->values.dim(0)); ++c) {
    scales.push_back(x->scale * w->scale_at(c));
    spec.multiplier.push_back(ops::requantize_multiplier(x->scale, w->scale_at(c), y->scale));
  }
  auto bias = accumulator_bias(conv.input(2), scales, view);
  if (!bias) return std::nullopt;
  spec.node = &conv;
  spec.x = x->bytes;
  spec.w = w->values;
  spec.w_zero = w->zero;
  spec.bias = std::move(*bias);
  spec.y = y->bytes;
  Fusion fusion;
  fusion.kernel = make_integer_convolution(std::move(spec));
  if (fusion.kernel == nullptr) return std::nullopt;
  fusion.members = {&conv};
  fusion.members.insert(fusion.members.end(), y->members.begin(), y->members.end());
  fusion.inputs = {x->quantized};
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
