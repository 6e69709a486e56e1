#include "interp/integer_convolution.h"

#include <algorithm>

#include "interp/byte_convolution.h"
#include "interp/convolution_geometry.h"
#include "interp/exact_float_convolution.h"
#include "interp/parallel.h"
#include "ir/error.h"

namespace fettle::interp {
namespace {

// int8 weights without zero point, when the given ones are equivalent to such: uint8 with zero
// point 128 becomes int8 with 0.
std::optional<ir::Tensor> as_signed(const ir::Tensor& w, const std::vector<int32_t>& zero) {
  const int32_t wanted = w.type() == ir::DataType::kUint8 ? 128 : 0;
  if (!std::all_of(zero.begin(), zero.end(), [&](int32_t z) { return z == wanted; })) {
    return std::nullopt;
  }
  if (w.type() == ir::DataType::kInt8) return w;
  ir::Tensor out(ir::DataType::kInt8, w.dims());
  const auto from = w.data<uint8_t>();
  auto to = out.mutable_data<int8_t>();
  for (size_t i = 0; i < from.size(); ++i) to[i] = static_cast<int8_t>(from[i] - 128);
  return out;
}

// Through float32 convolutions of exact integer values.
class FloatConvolution : public AcceleratedKernel {
 public:
  explicit FloatConvolution(const IntegerConvolutionSpec& spec)
      : spec_(spec), convolution_(*spec.node, spec.w, spec.w_zero) {}

  bool run(Call& call) override {
    const ir::Tensor acc = convolution_.accumulate(*call.tensor(0), spec_.x.zero_point);
    ir::Tensor out(spec_.y.type, acc.dims());
    const int64_t channels = acc.dim(1);
    const int64_t positions = acc.size() / std::max<int64_t>(1, acc.dim(0) * channels);
    const int32_t* from = acc.data<int32_t>().data();
    auto* to = reinterpret_cast<uint8_t*>(out.mutable_bytes());
    for_each_row(acc.dim(0) * channels, positions, [&](int64_t r) {
      const auto c = static_cast<size_t>(r % channels);
      requantize_channel(from + r * positions, spec_.bias.empty() ? 0 : spec_.bias[c],
                         spec_.multiplier[c], positions, spec_.y, to + r * positions);
    });
    call.set(0, std::move(out));
    return true;
  }

 private:
  IntegerConvolutionSpec spec_;
  ExactFloatConvolution convolution_;
};

// Checks x, then takes the 8-bit path, or the other one for weights or windows that it does not
// take.
class IntegerConvolution : public AcceleratedKernel {
 public:
  IntegerConvolution(IntegerConvolutionSpec spec, std::unique_ptr<AcceleratedKernel> bytes)
      : spec_(std::move(spec)), bytes_(std::move(bytes)) {}

  bool run(Call& call) override {
    const ir::Dims* x = call.dims(0);
    if (x == nullptr || call.type(0) != spec_.x.type || x->size() != spec_.w.rank()) {
      fail(ErrorCode::kBadInput, "expected a quantized input of type {} and rank {}, found {} {}",
           ir::data_type_name(spec_.x.type), spec_.w.rank(), ir::data_type_name(call.type(0)),
           x == nullptr ? "" : ir::to_string(*x));
    }
    if (bytes_ != nullptr && *x == known_) return bytes_->run(call);
    const ir::Dims y = convolution_geometry(*spec_.node, *x, spec_.w.dims(), false).dst;
    if (ir::element_count(y) == 0) {
      call.set(0, ir::Tensor(spec_.y.type, y));
      return true;
    }
    if (ir::element_count(*x) == 0) {
      fail(ErrorCode::kBadInput, "empty input {}", ir::to_string(*x));
    }
    if (bytes_ != nullptr) {
      const ir::Dims dims = *x;
      if (bytes_->run(call)) {
        known_ = dims;
        return true;
      }
    }
    if (floats_ == nullptr) floats_ = std::make_unique<FloatConvolution>(spec_);
    return floats_->run(call);
  }

  std::string describe() const override {
    return bytes_ != nullptr && floats_ == nullptr ? bytes_->describe() : "exact float32";
  }

 private:
  IntegerConvolutionSpec spec_;
  ir::Dims known_;  // a shape that bytes_ takes
  std::unique_ptr<AcceleratedKernel> bytes_;
  std::unique_ptr<AcceleratedKernel> floats_;
};

// The elements of a constant of 8-bit or 32-bit integers.
std::vector<int32_t> as_int32(const ir::Tensor& t) {
  std::vector<int32_t> out;
  for (int64_t i = 0; i < t.size(); ++i) {
    out.push_back(static_cast<int32_t>(ir::element_as_int(t, i)));
  }
  return out;
}

bool is_scalar(const ir::Tensor* t, ir::DataType type) {
  return t != nullptr && t->type() == type && t->size() == 1;
}

}  // namespace

std::unique_ptr<AcceleratedKernel> make_integer_convolution(IntegerConvolutionSpec spec) {
  if (!ExactFloatConvolution::possible(spec.w)) return nullptr;
  std::unique_ptr<AcceleratedKernel> bytes;
  if (const auto w = as_signed(spec.w, spec.w_zero)) bytes = make_byte_convolution(spec, *w);
  return std::make_unique<IntegerConvolution>(std::move(spec), std::move(bytes));
}

std::unique_ptr<AcceleratedKernel> accelerate_qlinear_conv(const NodeFacts& facts) {
  enum { kX, kXScale, kXZero, kW, kWScale, kWZero, kYScale, kYZero, kBias };
  const ir::Tensor* w = facts.constant(kW);
  const ir::Tensor* w_scale = facts.constant(kWScale);
  const ir::Tensor* w_zero = facts.constant(kWZero);
  const ir::Tensor* x_zero = facts.constant(kXZero);
  const ir::Tensor* y_zero = facts.constant(kYZero);
  if (w == nullptr || w_scale == nullptr || w_zero == nullptr || x_zero == nullptr ||
      y_zero == nullptr || w->rank() < 3 || w_zero->type() != w->type()) {
    return nullptr;
  }
  const int64_t m = w->dim(0);
  const auto per_channel = [m](const ir::Tensor& t) { return t.size() == 1 || t.size() == m; };
  if (!is_scalar(facts.constant(kXScale), ir::DataType::kFloat) || x_zero->size() != 1 ||
      !is_scalar(facts.constant(kYScale), ir::DataType::kFloat) || y_zero->size() != 1 ||
      w_scale->type() != ir::DataType::kFloat || !per_channel(*w_scale) || !per_channel(*w_zero)) {
    return nullptr;
  }
  IntegerConvolutionSpec spec;
  spec.node = facts.node;
  spec.x = {x_zero->type(), as_int32(*x_zero)[0]};
  spec.y = {y_zero->type(), as_int32(*y_zero)[0]};
  spec.w = *w;
  spec.w_zero = as_int32(*w_zero);
  if (facts.node->input(kBias) != nullptr) {
    const ir::Tensor* bias = facts.constant(kBias);
    if (bias == nullptr || bias->type() != ir::DataType::kInt32 || bias->size() != m) {
      return nullptr;
    }
    spec.bias = as_int32(*bias);
  }
  const float x_scale = facts.constant(kXScale)->data<float>()[0];
  const float y_scale = facts.constant(kYScale)->data<float>()[0];
  for (int64_t c = 0; c < m; ++c) {
    const float s = w_scale->data<float>()[w_scale->size() == 1 ? 0 : static_cast<size_t>(c)];
    spec.multiplier.push_back(ops::requantize_multiplier(x_scale, s, y_scale));
  }
  return make_integer_convolution(std::move(spec));
}

}  // namespace fettle::interp
