#include "calib/range_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <mutex>

#include "interp/parallel.h"
#include "interp/simd.h"
#include "ir/error.h"
#include "ir/float16.h"

namespace fettle::calib {
namespace {

constexpr size_t kBlock = 4096;
// Maps the bits of floats to integers of the same order, NaN beyond the infinities, and back.
constexpr int32_t ordered(int32_t bits) {
  return bits ^ ((bits >> 31) & 0x7fffffff);
}
constexpr int32_t kInfinity = 0x7f800000;
constexpr int32_t kMinusInfinity = ~0x7f800000;

bool is_finite(float x) {
  const int32_t value = ordered(std::bit_cast<int32_t>(x));
  return value < kInfinity && value > kMinusInfinity;
}

struct Extremes {
  int32_t low;
  int32_t high;
  bool finite() const { return high < kInfinity && low > kMinusInfinity; }
};

// Ordered extremes; requires count >= 1.
FETTLE_VECTORIZED
Extremes extremes_of(const float* x, size_t count) {
  int32_t low = std::numeric_limits<int32_t>::max();
  int32_t high = std::numeric_limits<int32_t>::min();
#pragma omp simd simdlen(16) reduction(min : low) reduction(max : high)
  for (size_t i = 0; i < count; ++i) {
    const int32_t value = ordered(std::bit_cast<int32_t>(x[i]));
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  return {low, high};
}

// Moves the finite elements to the front; returns their number.
size_t keep_finite(const float* x, size_t count, float* out) {
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    if (is_finite(x[i])) out[kept++] = x[i];
  }
  return kept;
}

// Adds 1 to kBlock elements.
void scan_block(const float* x, size_t count, TensorRange& range) {
  Extremes extremes = extremes_of(x, count);
  size_t finite = count;
  if (!extremes.finite()) {
    std::array<float, kBlock> kept;
    finite = keep_finite(x, count, kept.data());
    if (finite > 0) extremes = extremes_of(kept.data(), finite);
  }
  TensorRange block;
  block.count = static_cast<int64_t>(finite);
  block.non_finite = static_cast<int64_t>(count - finite);
  if (finite > 0) {
    block.min = std::bit_cast<float>(ordered(extremes.low)) + 0.0f;  // -0 becomes 0
    block.max = std::bit_cast<float>(ordered(extremes.high)) + 0.0f;
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

Widen widen_of(ir::DataType type) {
  switch (type) {
    case ir::DataType::kDouble:
      return widen<double>;
    case ir::DataType::kFloat16:
      return widen<ir::Float16>;
    case ir::DataType::kBfloat16:
      return widen<ir::Bfloat16>;
    default:
      return nullptr;
  }
}

// Adds elements [first, last).
void scan_elements(const ir::Tensor& tensor, size_t first, size_t last, TensorRange& range) {
  const bool direct = tensor.type() == ir::DataType::kFloat;
  const Widen widen_type = widen_of(tensor.type());
  const size_t width = tensor.byte_size() / static_cast<size_t>(tensor.size());
  std::array<float, kBlock> block;
  for (size_t begin = first; begin < last; begin += kBlock) {
    const size_t count = std::min(kBlock, last - begin);
    if (direct) {
      scan_block(tensor.data<float>().data() + begin, count, range);
      continue;
    }
    if (widen_type != nullptr) {
      widen_type(tensor.bytes() + begin * width, count, block.data());
    } else {
      for (size_t i = 0; i < count; ++i) {
        block[i] =
            static_cast<float>(ir::element_as_double(tensor, static_cast<int64_t>(begin + i)));
      }
    }
    scan_block(block.data(), count, range);
  }
}

}  // namespace

TensorRange scan_range(const ir::Tensor& tensor) {
  TensorRange range;
  std::mutex merging;
  interp::for_chunks(tensor.size(), [&](int64_t first, int64_t last) {
    TensorRange part;
    scan_elements(tensor, static_cast<size_t>(first), static_cast<size_t>(last), part);
    const std::lock_guard<std::mutex> lock(merging);
    merge_range(range, part);
  });
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
