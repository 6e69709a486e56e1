#include "interp/exact_float_convolution.h"

#include <algorithm>
#include <cstdlib>

#include "interp/convolution.h"
#include "interp/qdq_loops.h"
#include "ir/error.h"

namespace fettle::interp {
namespace {

constexpr int64_t kExact = int64_t{1} << 24;
constexpr int64_t kMostX = 255;  // largest |x - x_zero|

int64_t taps_of(const ir::Tensor& w) {
  return w.size() / w.dim(0);
}

// Digits of a base lie in [-base/2, base/2]. 512 stands for one digit: |w - w_zero| <= 255.
int64_t largest_digit(int32_t base) {
  return base == 512 ? 255 : base / 2;
}

// Largest sum over the taps of one output channel of |w - w_zero|.
int64_t largest_sum(const std::vector<int32_t>& shifted, int64_t taps) {
  int64_t most = 0;
  for (size_t begin = 0; begin < shifted.size(); begin += static_cast<size_t>(taps)) {
    int64_t sum = 0;
    for (int64_t i = 0; i < taps; ++i) sum += std::abs(shifted[begin + static_cast<size_t>(i)]);
    most = std::max(most, sum);
  }
  return most;
}

int32_t choose_base(const std::vector<int32_t>& shifted, int64_t taps) {
  if (largest_sum(shifted, taps) * kMostX < kExact) return 512;
  for (const int32_t base : {16, 8, 4}) {
    if (taps * largest_digit(base) * kMostX < kExact) return base;
  }
  return 2;
}

// The digit of `value` in (-base/2, base/2]; `value` becomes the rest divided by the base.
int32_t take_digit(int32_t& value, int32_t base) {
  if (base == 512) return std::exchange(value, 0);
  int32_t digit = value % base;
  if (digit > base / 2) digit -= base;
  if (digit < -(base / 2)) digit += base;
  value = (value - digit) / base;
  return digit;
}

}  // namespace

bool ExactFloatConvolution::possible(const ir::Tensor& w) {
  if (w.rank() < 3 || w.rank() > 5 || w.size() == 0) return false;
  if (w.type() != ir::DataType::kInt8 && w.type() != ir::DataType::kUint8) return false;
  return taps_of(w) * largest_digit(2) * kMostX < kExact;
}

ExactFloatConvolution::ExactFloatConvolution(const ir::Node& node, const ir::Tensor& w,
                                             const std::vector<int32_t>& w_zero) {
  const int64_t taps = taps_of(w);
  std::vector<int32_t> rest(static_cast<size_t>(w.size()));
  for (size_t i = 0; i < rest.size(); ++i) {
    const size_t channel = i / static_cast<size_t>(taps);
    rest[i] = static_cast<int32_t>(ir::element_as_int(w, static_cast<int64_t>(i))) -
              w_zero[w_zero.size() == 1 ? 0 : channel];
  }
  const int32_t base = choose_base(rest, taps);
  const auto remains = [](int32_t v) { return v != 0; };
  int32_t factor = 1;
  do {
    ir::Tensor digits(ir::DataType::kFloat, w.dims());
    auto out = digits.mutable_data<float>();
    for (size_t i = 0; i < rest.size(); ++i) {
      out[i] = static_cast<float>(take_digit(rest[i], base));
    }
    digits_.push_back({factor, ops::RuntimeValue(std::move(digits)), make_convolution(node, {})});
    factor *= base;
  } while (std::any_of(rest.begin(), rest.end(), remains));
}

ir::Tensor ExactFloatConvolution::accumulate(const ir::Tensor& x, int32_t x_zero) {
  Slot slot;
  ir::Tensor values(ir::DataType::kFloat, x.dims());
  dequantize_bytes(reinterpret_cast<const uint8_t*>(x.bytes()), 1.0f, x.size(), {x.type(), x_zero},
                   values.mutable_data<float>().data());
  slot.value = ops::RuntimeValue(std::move(values));
  ir::Tensor acc;
  for (Digit& digit : digits_) {
    Call call({{nullptr, &slot, false}, {&digit.weights, nullptr, false}}, 1);
    if (!digit.kernel->run(call)) {
      fail(ErrorCode::kUnsupported, "no integer convolution for an input of shape {}",
           ir::to_string(x.dims()));
    }
    Slot result{std::move(call.outputs()[0].value), std::move(call.outputs()[0].blocked)};
    const ir::Tensor& sums = result.plain().tensor;
    if (!acc.defined()) {
      acc = ir::Tensor(ir::DataType::kInt32, sums.dims());
      std::ranges::fill(acc.mutable_data<int32_t>(), 0);
    }
    auto to = acc.mutable_data<int32_t>();
    const auto from = sums.data<float>();
    for (size_t i = 0; i < to.size(); ++i) to[i] += digit.factor * static_cast<int32_t>(from[i]);
  }
  return acc;
}

}  // namespace fettle::interp
