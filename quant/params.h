// Scale and zero point arithmetic, and the quantization of constant tensors.
// Conventions are those of ONNX Runtime's quantize_static, so that results are comparable.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ir/tensor.h"
#include "quant/plan.h"

namespace fettle::quant {

// Scales below these are raised to them: the product of an activation and a weight scale must stay
// a normal float, and a tensor that is this small carries no information.
inline constexpr float kSmallestActivationScale = 0x1p-40f;
inline constexpr float kSmallestWeightScale = 0x1p-60f;
// Bound on the magnitude of quantized biases: half the int32 range is left to the accumulator.
inline constexpr double kLargestBias = 1073741824.0;  // 2^30

// Asymmetric uint8 for values in [min, max], widened to hold zero: scale = (max - min) / 255,
// zero point = round_half_even(-min / scale) with the double scale. A range of zero width gives
// scale 1 and zero point 0. Throws kBadInput for NaN or min > max.
QuantParams activation_params(float min, float max);
// What an operator with a fixed output range uses: scale 1/256, zero point 0 (Sigmoid, Softmax).
QuantParams unit_interval_params();

// Symmetric int8 of a float32 constant: scale = max|w| / 127, or max|w| / 64 with `reduce_range`
// (two products of a uint8 and such a weight fit VPMADDUBSW's int16). `axis` -1: per tensor.
// A channel of zeros takes the largest scale of the others, so that its bias keeps its resolution.
QuantParams weight_params(const ir::Tensor& weight, int64_t axis, bool reduce_range);
// Asymmetric uint8 of a float32 constant, per tensor: for operands of Add, Mul and their like.
QuantParams constant_params(const ir::Tensor& constant);

// A bias of one value, or one per channel, as one value per channel. Throws kBadInput for others.
std::vector<float> bias_per_channel(const ir::Tensor& bias, int64_t channels);
// Raises weight scales (per tensor or per channel) until |bias[c]| / (input_scale * scale[c]) is at
// most kLargestBias. `bias` has one element per output channel. Returns the channels changed.
int64_t guard_bias_overflow(QuantParams& weight, float input_scale, std::span<const float> bias);
// int32, zero point 0, scale = input_scale * weight scale in float32; per channel on axis 0 when
// the weight is per channel.
QuantParams bias_params(const QuantParams& weight, float input_scale);

// q = saturate(round_half_even(x / scale) + zero_point) as int8 or uint8, and for int32 biases
// q = round_half_even(double(b) / double(scale)) saturated. Symmetric int8 saturates at
// [-127, 127]. Throws kBadInput for another element type than float32, or scales that do not match
// the extent of the axis. Results of at least kSpillBytes leave the heap (ir::Buffer::spill).
ir::Tensor quantize_tensor(const ir::Tensor& values, const QuantParams& params);
// (q - zero_point) * scale, float32.
ir::Tensor dequantize_tensor(const ir::Tensor& quantized, const QuantParams& params);

inline constexpr size_t kSpillBytes = size_t{1} << 20;
// The same tensor, moved out of the heap when it is large.
ir::Tensor spill_if_large(ir::Tensor tensor);

// The real interval that the codes of these per-tensor parameters span.
struct RealInterval {
  double low = 0;
  double high = 0;
};
RealInterval representable_interval(const QuantParams& params);

// Lowest and highest code of an 8-bit type. Throws kInternal for others.
struct CodeRange {
  int32_t low = 0;
  int32_t high = 0;
};
CodeRange code_range(ir::DataType type);

}  // namespace fettle::quant
