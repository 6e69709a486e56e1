#include "calib/range_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "ir/error.h"
#include "ir/float16.h"

namespace fettle::calib {
namespace {

constexpr size_t kLanes = 16;
constexpr size_t kBlock = 4096;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Independent lanes with a fixed trip count, which compilers turn into vector instructions.
struct Lanes {
  std::array<float, kLanes> low;
  std::array<float, kLanes> high;
  std::array<int32_t, kLanes> finite;

  Lanes() {
    low.fill(kInfinity);
    high.fill(-kInfinity);
    finite.fill(0);
  }
  void add(const float* x) {
    for (size_t i = 0; i < kLanes; ++i) {
      const auto magnitude = static_cast<int32_t>(std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu);
      const bool is_finite = magnitude < 0x7f800000;
      const float for_low = is_finite ? x[i] : kInfinity;
      const float for_high = is_finite ? x[i] : -kInfinity;
      low[i] = for_low < low[i] ? for_low : low[i];
      high[i] = for_high > high[i] ? for_high : high[i];
      finite[i] += is_finite ? 1 : 0;
    }
  }
};

// Adds up to kBlock elements.
void scan_block(const float* x, size_t count, TensorRange& range) {
  Lanes lanes;
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) lanes.add(x + i);
  if (i < count) {
    std::array<float, kLanes> rest;
    rest.fill(kInfinity);  // counted as not finite, which changes nothing
    std::copy(x + i, x + count, rest.begin());
    lanes.add(rest.data());
  }
  TensorRange block;
  float low = kInfinity, high = -kInfinity;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    low = std::min(low, lanes.low[lane]);
    high = std::max(high, lanes.high[lane]);
    block.count += lanes.finite[lane];
  }
  block.non_finite = static_cast<int64_t>(count) - block.count;
  if (block.count > 0) {
    block.min = low + 0.0f;  // -0 becomes 0
    block.max = high + 0.0f;
  }
  merge_range(range, block);
}

template <typename T>
void widen(const std::byte* bytes, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    out[i] = static_cast<float>(value);
  }
}

using Widen = void (*)(const std::byte* bytes, size_t count, float* out);

}  // namespace

TensorRange scan_range(const ir::Tensor& tensor) {
  TensorRange range;
  const std::byte* bytes = tensor.bytes();
  std::array<float, kBlock> block;
  const auto total = static_cast<size_t>(tensor.size());
  Widen widen_type = nullptr;
  if (tensor.type() == ir::DataType::kFloat) widen_type = widen<float>;
  if (tensor.type() == ir::DataType::kDouble) widen_type = widen<double>;
  if (tensor.type() == ir::DataType::kFloat16) widen_type = widen<ir::Float16>;
  if (tensor.type() == ir::DataType::kBfloat16) widen_type = widen<ir::Bfloat16>;
  const size_t width = total == 0 ? 0 : tensor.byte_size() / total;
  for (size_t begin = 0; begin < total; begin += kBlock) {
    const size_t count = std::min(kBlock, total - begin);
    if (widen_type != nullptr) {
      widen_type(bytes + begin * width, count, block.data());
    } else {
      for (size_t i = 0; i < count; ++i) {
        block[i] = static_cast<float>(
            ir::element_as_double(tensor, static_cast<int64_t>(begin + i)));
      }
    }
    scan_block(block.data(), count, range);
  }
  return range;
}

void merge_range(TensorRange& into, const TensorRange& more) {
  if (more.count > 0) {
    into.min = into.count > 0 ? std::min(into.min, more.min) : more.min;
    into.max = into.count > 0 ? std::max(into.max, more.max) : more.max;
  }
  if (__builtin_add_overflow(into.count, more.count, &into.count) ||
      __builtin_add_overflow(into.non_finite, more.non_finite, &into.non_finite)) {
    fail(ErrorCode::kLimit, "a calibration table counts more elements than 2^63");
  }
}

}  // namespace fettle::calib
