// Resampling of elements in memory order, along axes whose taps are known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/resample.h"

namespace fettle::interp {

// Elements of `run` bytes in a box of `axes`, outermost first, each with the position in the input
// that an output position comes from.
class NearestCopy {
 public:
  struct Axis {
    int64_t extent = 1;            // of the input
    std::vector<int32_t> sources;  // by output position; empty where the axis stays
    int64_t result() const {
      return sources.empty() ? extent : static_cast<int64_t>(sources.size());
    }
  };
  NearestCopy() = default;
  // The last axis changes.
  NearestCopy(std::vector<Axis> axes, size_t run);

  void run(const std::byte* from, std::byte* to) const;

 private:
  int64_t source_row(int64_t row) const;
  void expand(const std::byte* from, std::byte* to) const;

  std::vector<Axis> axes_;
  size_t run_ = 0;
  int64_t rows_ = 1;
  bool doubles_ = false;  // the last axis repeats every element twice
};

// x [outer, extent, inner] to y [outer, positions, inner]: each position is a sum of weighted
// elements along the middle axis, computed in float32.
class WeightedPass {
 public:
  // `taps` has at least one tap for every position.
  WeightedPass(const ops::AxisTaps& taps, int64_t outer, int64_t extent, int64_t inner);

  int64_t size() const { return outer_ * positions_ * inner_; }  // elements of y
  void run(const float* x, float* y) const;

 private:
  int64_t outer_;
  int64_t extent_;
  int64_t inner_;
  int64_t positions_;
  int64_t most_ = 1;            // taps per position; those that it lacks weigh nothing
  std::vector<int32_t> index_;  // [positions, most]
  std::vector<float> weight_;   // [positions, most]
};

}  // namespace fettle::interp
