#include "quant/params.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/error.h"
#include "quant/channel_loops.h"

namespace fettle::quant {

namespace {

// Half to even, whatever the floating point environment says.
double round_half_even(double value) {
  const double floor = std::floor(value);
  const double fraction = value - floor;
  if (fraction > 0.5) return floor + 1;
  if (fraction < 0.5) return floor;
  return std::fmod(floor, 2.0) == 0 ? floor : floor + 1;
}

float at_least(double scale, float smallest) {
  return std::max(static_cast<float>(std::min<double>(scale, std::numeric_limits<float>::max())),
                  smallest);
}

void require_float(const ir::Tensor& tensor) {
  if (tensor.type() != ir::DataType::kFloat) {
    fail(ErrorCode::kBadInput, "a tensor to quantize: expected float, found {}",
         ir::data_type_name(tensor.type()));
  }
}

void require_matching(const QuantParams& params, const ChannelView& view) {
  const size_t expected = params.axis < 0 ? 1 : static_cast<size_t>(view.channels);
  if (params.scale.size() != expected || params.zero_point.size() != expected) {
    fail(ErrorCode::kBadInput,
         "quantization parameters: expected {} scales and zero points, found {} and {}", expected,
         params.scale.size(), params.zero_point.size());
  }
  for (const float scale : params.scale) {
    if (!(scale > 0) || !std::isfinite(scale)) {
      fail(ErrorCode::kBadInput, "scale: expected a positive finite number, found {}", scale);
    }
  }
}

// int8 or uint8 codes.
ir::Tensor quantize_bytes(const ir::Tensor& values, const QuantParams& params,
                          const ChannelView& view, ops::QuantRange range) {
  ir::Tensor out(params.type, values.dims());
  quantize_channels(values.data<float>(), view, params.scale, params.zero_point, range,
                    reinterpret_cast<uint8_t*>(out.mutable_bytes()));
  return out;
}

ir::Tensor quantize_bias(const ir::Tensor& values, const QuantParams& params,
                         const ChannelView& view) {
  ir::Tensor out(ir::DataType::kInt32, values.dims());
  const std::span<const float> in = values.data<float>();
  const std::span<int32_t> to = out.mutable_data<int32_t>();
  for (size_t i = 0; i < in.size(); ++i) {
    const int64_t c = static_cast<int64_t>(i) / view.inner % view.channels;
    const double q =
        round_half_even(static_cast<double>(in[i]) / params.scale[static_cast<size_t>(c)]);
    to[i] = static_cast<int32_t>(std::clamp<double>(q, std::numeric_limits<int32_t>::min(),
                                                    std::numeric_limits<int32_t>::max()));
  }
  return out;
}

}  // namespace

CodeRange code_range(ir::DataType type) {
  FETTLE_ASSERT(type == ir::DataType::kUint8 || type == ir::DataType::kInt8);
  return type == ir::DataType::kUint8 ? CodeRange{0, 255} : CodeRange{-128, 127};
}

QuantParams activation_params(float min, float max) {
  if (!(min <= max)) {
    fail(ErrorCode::kBadInput, "calibrated range: expected min <= max, found [{}, {}]", min, max);
  }
  const double low = std::min<double>(min, 0);
  const double high = std::max<double>(max, 0);
  if (high == low) return {ir::DataType::kUint8, -1, {1.0f}, {0}};
  const double scale = std::max<double>((high - low) / 255.0, kSmallestActivationScale);
  const double zero = std::clamp(round_half_even(-low / scale), 0.0, 255.0);
  return {ir::DataType::kUint8,
          -1,
          {at_least(scale, kSmallestActivationScale)},
          {static_cast<int32_t>(zero)}};
}

QuantParams unit_interval_params() {
  return {ir::DataType::kUint8, -1, {1.0f / 256}, {0}};
}

QuantParams weight_params(const ir::Tensor& weight, int64_t axis, bool reduce_range) {
  require_float(weight);
  const ChannelView view = channel_view(weight, axis);
  const std::vector<float> largest = largest_magnitudes(weight.data<float>(), view);
  for (const float m : largest) {
    if (!std::isfinite(m)) fail(ErrorCode::kBadInput, "a weight to quantize holds {}", m);
  }
  weight.release_pages();
  const float overall = largest.empty() ? 0 : *std::max_element(largest.begin(), largest.end());
  const double levels = reduce_range ? 64 : 127;
  QuantParams params{ir::DataType::kInt8, axis, {}, {}};
  for (const float m : largest) {
    const double extent = m > 0 ? m : overall;
    params.scale.push_back(extent > 0 ? at_least(extent / levels, kSmallestWeightScale) : 1.0f);
  }
  params.zero_point.assign(largest.size(), 0);
  return params;
}

QuantParams constant_params(const ir::Tensor& constant) {
  require_float(constant);
  float low = 0;
  float high = 0;
  for (const float x : constant.data<float>()) {
    if (!std::isfinite(x)) fail(ErrorCode::kBadInput, "a constant to quantize holds {}", x);
    low = std::min(low, x);
    high = std::max(high, x);
  }
  return activation_params(low, high);
}

int64_t guard_bias_overflow(QuantParams& weight, float input_scale, std::span<const float> bias) {
  int64_t changed = 0;
  std::vector<bool> raised(weight.scale.size(), false);
  for (size_t c = 0; c < bias.size(); ++c) {
    const size_t s = weight.axis < 0 ? 0 : c;
    if (s >= weight.scale.size()) break;
    const double needed = std::fabs(static_cast<double>(bias[c])) / (kLargestBias * input_scale);
    if (static_cast<double>(weight.scale[s]) >= needed) continue;
    constexpr float kMax = std::numeric_limits<float>::max();
    weight.scale[s] = needed < kMax ? std::nextafter(static_cast<float>(needed), kMax) : kMax;
    if (!raised[s]) ++changed;
    raised[s] = true;
  }
  return changed;
}

std::vector<float> bias_per_channel(const ir::Tensor& bias, int64_t channels) {
  require_float(bias);
  const std::span<const float> values = bias.data<float>();
  if (values.size() != 1 && static_cast<int64_t>(values.size()) != channels) {
    fail(ErrorCode::kBadInput, "a bias: expected {} elements, found {}", channels, values.size());
  }
  if (values.size() != 1) return {values.begin(), values.end()};
  return std::vector<float>(static_cast<size_t>(channels), values[0]);
}

QuantParams bias_params(const QuantParams& weight, float input_scale) {
  QuantParams bias{ir::DataType::kInt32, weight.axis < 0 ? -1 : 0, {}, {}};
  for (const float s : weight.scale) {
    bias.scale.push_back(std::max(s * input_scale, std::numeric_limits<float>::min()));
  }
  bias.zero_point.assign(weight.scale.size(), 0);
  return bias;
}

ir::Tensor spill_if_large(ir::Tensor tensor) {
  const size_t bytes = tensor.byte_size();
  if (bytes < kSpillBytes) return tensor;
  return ir::Tensor(tensor.type(), tensor.dims(), ir::Buffer::spill(tensor.bytes(), bytes));
}

namespace {

ir::Tensor quantize_values(const ir::Tensor& values, const QuantParams& params) {
  require_float(values);
  const ChannelView view = channel_view(values, params.axis);
  require_matching(params, view);
  switch (params.type) {
    case ir::DataType::kInt8: {
      const bool symmetric = std::all_of(params.zero_point.begin(), params.zero_point.end(),
                                         [](int32_t z) { return z == 0; });
      return quantize_bytes(values, params, view, {symmetric ? -127 : -128, 127});
    }
    case ir::DataType::kUint8:
      return quantize_bytes(values, params, view, {0, 255});
    case ir::DataType::kInt32:
      return quantize_bias(values, params, view);
    default:
      fail(ErrorCode::kUnsupported, "quantization to {}; expected int8, uint8 or int32",
           ir::data_type_name(params.type));
  }
}

}  // namespace

ir::Tensor quantize_tensor(const ir::Tensor& values, const QuantParams& params) {
  ir::Tensor quantized = spill_if_large(quantize_values(values, params));
  values.release_pages();
  return quantized;
}

ir::Tensor dequantize_tensor(const ir::Tensor& quantized, const QuantParams& params) {
  const ChannelView view = channel_view(quantized, params.axis);
  require_matching(params, view);
  ir::Tensor out(ir::DataType::kFloat, quantized.dims());
  const std::span<float> to = out.mutable_data<float>();
  for (size_t i = 0; i < to.size(); ++i) {
    const size_t c = static_cast<size_t>((static_cast<int64_t>(i) / view.inner) % view.channels);
    const int64_t q = ir::element_as_int(quantized, static_cast<int64_t>(i));
    to[i] = static_cast<float>(q - params.zero_point[c]) * params.scale[c];
  }
  return out;
}

RealInterval representable_interval(const QuantParams& params) {
  FETTLE_ASSERT(params.axis < 0 && params.scale.size() == 1);
  const CodeRange range = code_range(params.type);
  const double scale = params.scale[0];
  return {(range.low - params.zero_point[0]) * scale, (range.high - params.zero_point[0]) * scale};
}

}  // namespace fettle::quant
