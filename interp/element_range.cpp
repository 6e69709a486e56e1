#include "interp/element_range.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <mutex>

#include "interp/parallel.h"
#include "interp/simd.h"
#include "ir/float16.h"

namespace fettle::interp {
namespace {

constexpr size_t kBlock = 4096;
constexpr uint32_t kInfinity = 0x7f800000;
constexpr uint32_t kMinusInfinity = 0xff800000;

bool is_finite(float x) {
  return (std::bit_cast<uint32_t>(x) & kInfinity) != kInfinity;
}

// Extremes of the bits of floats, taken as integers. Negative floats are larger than all others as
// unsigned integers, and the larger the lower they are.
struct Extremes {
  int32_t signed_high;  // of the highest float, unless all are negative
  uint32_t high;        // of the lowest float, if any is negative
  uint32_t low;         // of the float next to zero when all have one sign

  bool finite() const {
    return signed_high < static_cast<int32_t>(kInfinity) && high < kMinusInfinity;
  }
  float min() const {
    return std::bit_cast<float>(static_cast<int32_t>(high) < 0 ? high : low) + 0.0f;  // -0 is 0
  }
  float max() const {
    return std::bit_cast<float>(signed_high >= 0 ? static_cast<uint32_t>(signed_high) : low) + 0.0f;
  }
};

// Requires count >= 1. (Reductions of `omp simd` would pass through memory on every turn.)
FETTLE_VECTORIZED __attribute__((optimize("O3")))
Extremes extremes_of(const float* x, size_t count) {
  int32_t signed_high = std::numeric_limits<int32_t>::min();
  uint32_t high = 0;
  uint32_t low = std::numeric_limits<uint32_t>::max();
  for (size_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<uint32_t>(x[i]);
    const auto as_signed = static_cast<int32_t>(bits);
    signed_high = as_signed > signed_high ? as_signed : signed_high;
    high = bits > high ? bits : high;
    low = bits < low ? bits : low;
  }
  return {signed_high, high, low};
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
void scan_block(const float* x, size_t count, ElementRange& range) {
  Extremes extremes = extremes_of(x, count);
  size_t finite = count;
  if (!extremes.finite()) {
    std::array<float, kBlock> kept;
    finite = keep_finite(x, count, kept.data());
    if (finite > 0) extremes = extremes_of(kept.data(), finite);
  }
  ElementRange block;
  block.count = static_cast<int64_t>(finite);
  block.non_finite = static_cast<int64_t>(count - finite);
  if (finite > 0) {
    block.min = extremes.min();
    block.max = extremes.max();
  }
  merge(range, block);
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
void scan_elements(const ir::Tensor& tensor, size_t first, size_t last, ElementRange& range) {
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

ElementRange scan_range(const ir::Tensor& tensor) {
  ElementRange range;
  std::mutex merging;
  for_chunks(
      tensor.size(),
      [&](int64_t first, int64_t last) {
        ElementRange part;
        scan_elements(tensor, static_cast<size_t>(first), static_cast<size_t>(last), part);
        const std::lock_guard<std::mutex> lock(merging);
        merge(range, part);
      },
      2);
  return range;
}

void add_elements(const float* x, int64_t n, ElementRange& range) {
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    scan_block(x + begin, static_cast<size_t>(std::min<int64_t>(kBlock, n - begin)), range);
  }
}

void merge(ElementRange& into, const ElementRange& more) {
  if (more.count > 0) {
    into.min = into.count > 0 ? std::min(into.min, more.min) : more.min;
    into.max = into.count > 0 ? std::max(into.max, more.max) : more.max;
  }
  into.count += more.count;
  into.non_finite += more.non_finite;
}

}  // namespace fettle::interp
