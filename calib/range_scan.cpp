#include "calib/range_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <mutex>

#include "interp/parallel.h"
#include "ir/error.h"
#include "ir/float16.h"

namespace fettle::calib {
namespace {

constexpr size_t kBlock = 4096;
constexpr uint32_t kExponent = 0x7f800000u;  // all ones: NaN or infinity

// Vectors of the size that every x86-64 and ARMv8 has. Loops over them compile to vector
// instructions at any level of optimization.
constexpr size_t kLanes = 4;
using Floats [[gnu::vector_size(4 * kLanes)]] = float;
using Words [[gnu::vector_size(4 * kLanes)]] = int32_t;

template <typename Vector>
Vector load(const float* x) {
  Vector v;
  std::memcpy(&v, x, sizeof(v));
  return v;
}

bool is_finite(float x) {
  return (std::bit_cast<uint32_t>(x) & kExponent) != kExponent;
}

bool all_finite(const float* x, size_t count) {
  Words found{};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    found |=
        (load<Words>(x + i) & static_cast<int32_t>(kExponent)) == static_cast<int32_t>(kExponent);
  }
  bool finite = true;
  for (size_t lane = 0; lane < kLanes; ++lane) finite &= found[lane] == 0;
  for (; i < count; ++i) finite &= is_finite(x[i]);
  return finite;
}

struct Extremes {
  float low;
  float high;
  void add(float x) {
    low = x < low ? x : low;
    high = x > high ? x : high;
  }
};

// Extremes of vectors, lane by lane; two of them hide the latency of comparing.
struct LaneExtremes {
  Floats low;
  Floats high;
  void add(Floats x) {
    low = x < low ? x : low;
    high = x > high ? x : high;
  }
};

// Requires count >= 1 and finite elements.
Extremes extremes_of(const float* x, size_t count) {
  Extremes result{x[0], x[0]};
  const Floats first{x[0], x[0], x[0], x[0]};
  LaneExtremes even{first, first}, odd{first, first};
  size_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    even.add(load<Floats>(x + i));
    odd.add(load<Floats>(x + i + kLanes));
  }
  even.add(odd.low);
  even.add(odd.high);
  for (size_t lane = 0; lane < kLanes; ++lane) {
    result.add(even.low[lane]);
    result.add(even.high[lane]);
  }
  for (; i < count; ++i) result.add(x[i]);
  return result;
}

// Moves the finite elements to the front; returns their number.
size_t keep_finite(const float* x, size_t count, float* out) {
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    if (is_finite(x[i])) out[kept++] = x[i];
  }
  return kept;
}

// Adds up to kBlock elements.
void scan_block(const float* x, size_t count, TensorRange& range) {
  std::array<float, kBlock> kept;
  size_t finite = count;
  if (!all_finite(x, count)) {
    finite = keep_finite(x, count, kept.data());
    x = kept.data();
  }
  TensorRange block;
  block.count = static_cast<int64_t>(finite);
  block.non_finite = static_cast<int64_t>(count - finite);
  if (finite > 0) {
    const Extremes extremes = extremes_of(x, finite);
    block.min = extremes.low + 0.0f;  // -0 becomes 0
    block.max = extremes.high + 0.0f;
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
