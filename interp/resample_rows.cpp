#include "interp/resample_rows.h"

#include <algorithm>
#include <cstring>

#include "interp/parallel.h"
#include "interp/simd.h"

namespace fettle::interp {
namespace {

constexpr int64_t kPart = 16384;  // elements that a thread takes at a time

template <size_t run>
void expand_runs(const std::byte* from, std::byte* to, const std::vector<int32_t>& sources) {
  for (const int32_t source : sources) {
    std::memcpy(to, from + static_cast<size_t>(source) * run, run);
    to += run;
  }
}

FETTLE_VECTORIZED void double_floats(const std::byte* from, std::byte* to, int64_t count) {
  const auto* x = reinterpret_cast<const uint32_t*>(from);
  auto* y = reinterpret_cast<uint32_t*>(to);
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    y[2 * i] = x[i];
    y[2 * i + 1] = x[i];
  }
}

FETTLE_VECTORIZED void weigh_two(const float* a, const float* b, float wa, float wb, float* y,
                                 int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = wa * a[i] + wb * b[i];
}
FETTLE_VECTORIZED void weigh(const float* x, float weight, float* y, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = weight * x[i];
}
FETTLE_VECTORIZED void add_weighted(const float* x, float weight, float* y, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] += weight * x[i];
}
FETTLE_VECTORIZED void gather_two(const float* x, const int32_t* index, const float* weight,
                                  float* y, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    y[i] = weight[2 * i] * x[index[2 * i]] + weight[2 * i + 1] * x[index[2 * i + 1]];
  }
}

void gather_many(const float* x, const int32_t* index, const float* weight, int64_t most, float* y,
                 int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    float sum = 0;
    for (int64_t t = 0; t < most; ++t) sum += *weight++ * x[*index++];
    y[i] = sum;
  }
}

}  // namespace

NearestCopy::NearestCopy(std::vector<Axis> axes, size_t run) : axes_(std::move(axes)), run_(run) {
  for (size_t k = 0; k + 1 < axes_.size(); ++k) rows_ *= axes_[k].result();
  const Axis& inner = axes_.back();
  doubles_ = run == 4 && inner.result() == 2 * inner.extent;
  for (size_t i = 0; i < inner.sources.size(); ++i) {
    doubles_ = doubles_ && inner.sources[i] == static_cast<int32_t>(i / 2);
  }
}

// Row of the input that an output row comes from.
int64_t NearestCopy::source_row(int64_t row) const {
  int64_t source = 0;
  int64_t scale = 1;
  for (size_t k = axes_.size() - 1; k-- > 0;) {
    const Axis& axis = axes_[k];
    const int64_t at = row % axis.result();
    source += (axis.sources.empty() ? at : axis.sources[static_cast<size_t>(at)]) * scale;
    scale *= axis.extent;
    row /= axis.result();
  }
  return source;
}

void NearestCopy::expand(const std::byte* from, std::byte* to) const {
  const std::vector<int32_t>& sources = axes_.back().sources;
  if (doubles_) return double_floats(from, to, axes_.back().extent);
  switch (run_) {
    case 1:
      return expand_runs<1>(from, to, sources);
    case 4:
      return expand_runs<4>(from, to, sources);
    case 32:
      return expand_runs<32>(from, to, sources);
    case 64:
      return expand_runs<64>(from, to, sources);
    default:
      for (const int32_t source : sources) {
        std::memcpy(to, from + static_cast<size_t>(source) * run_, run_);
        to += run_;
      }
  }
}

void NearestCopy::run(const std::byte* from, std::byte* to) const {
  const size_t in_row = static_cast<size_t>(axes_.back().extent) * run_;
  const size_t out_row = static_cast<size_t>(axes_.back().result()) * run_;
  const int64_t elements = std::max<int64_t>(static_cast<int64_t>(out_row / 4), 1);
  const int64_t part = std::max<int64_t>(kPart / elements, 1);
  for_each_row((rows_ + part - 1) / part, part * elements, [&](int64_t i) {
    const int64_t end = std::min(rows_, (i + 1) * part);
    int64_t before = -1;
    for (int64_t row = i * part; row < end; ++row) {
      const int64_t source = source_row(row);
      std::byte* target = to + static_cast<size_t>(row) * out_row;
      if (source == before) {
        std::memcpy(target, target - out_row, out_row);
      } else {
        expand(from + static_cast<size_t>(source) * in_row, target);
      }
      before = source;
    }
  });
}

WeightedPass::WeightedPass(const ops::AxisTaps& taps, int64_t outer, int64_t extent, int64_t inner)
    : outer_(outer),
      extent_(extent),
      inner_(inner),
      positions_(static_cast<int64_t>(taps.first.size()) - 1) {
  for (size_t o = 0; o + 1 < taps.first.size(); ++o) {
    most_ = std::max(most_, taps.first[o + 1] - taps.first[o]);
  }
  if (inner == 1) most_ = std::max<int64_t>(most_, 2);
  for (size_t o = 0; o + 1 < taps.first.size(); ++o) {
    const auto first = static_cast<size_t>(taps.first[o]);
    const auto count = static_cast<int64_t>(taps.first[o + 1] - taps.first[o]);
    for (int64_t t = 0; t < most_; ++t) {
      const size_t tap = first + static_cast<size_t>(std::min(t, count - 1));
      index_.push_back(static_cast<int32_t>(taps.index[tap]));
      weight_.push_back(t < count ? static_cast<float>(taps.weight[tap]) : 0.0f);
    }
  }
}

void WeightedPass::run(const float* x, float* y) const {
  // Parts of whole rows of positions where a position is one element, else of positions.
  const int64_t count = inner_ == 1 ? outer_ : outer_ * positions_;
  const int64_t each = inner_ == 1 ? positions_ : inner_;
  const int64_t part = std::max<int64_t>(kPart / each, 1);
  for_each_row((count + part - 1) / part, part * each * most_, [&](int64_t p) {
    const int64_t end = std::min(count, (p + 1) * part);
    for (int64_t i = p * part; i < end; ++i) {
      float* target = y + i * each;
      if (inner_ == 1) {
        const float* row = x + i * extent_;
        if (most_ == 2) {
          gather_two(row, index_.data(), weight_.data(), target, positions_);
        } else {
          gather_many(row, index_.data(), weight_.data(), most_, target, positions_);
        }
        continue;
      }
      const float* row = x + i / positions_ * extent_ * inner_;
      const int64_t first = i % positions_ * most_;
      const int32_t* index = index_.data() + first;
      const float* weight = weight_.data() + first;
      if (most_ == 2) {
        if (weight[1] == 0) {
          weigh(row + index[0] * inner_, weight[0], target, inner_);
        } else {
          weigh_two(row + index[0] * inner_, row + index[1] * inner_, weight[0], weight[1], target,
                    inner_);
        }
        continue;
      }
      weigh(row + index[0] * inner_, weight[0], target, inner_);
      for (int64_t t = 1; t < most_; ++t) {
        if (weight[t] != 0) add_weighted(row + index[t] * inner_, weight[t], target, inner_);
      }
    }
  });
}

}  // namespace fettle::interp
