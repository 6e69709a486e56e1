// GridSample: interpolation at positions that a second operand names, over any number of axes.
#pragma once

#include <array>

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// x [N, C, spatial...], grid [N, out..., spatial rank] with coordinates in [-1, 1], last axis of x
// first; y [N, C, out...].
void infer_grid_sample(InferContext& context);
void grid_sample(KernelContext& context);

enum class GridPadding { kZeros, kBorder, kReflection };

struct GridOptions {
  size_t support = 2;  // taps per axis: 1 nearest, 2 linear, 4 cubic
  GridPadding padding = GridPadding::kZeros;
  bool align_corners = false;
};
// Throws kBadInput for values that are not known.
GridOptions grid_options(const ir::Node& node);

// One axis of x and where a normalized coordinate falls on it.
struct GridAxis {
  int64_t extent = 1;
  double low = 0;  // borders of reflection
  double high = 0;

  GridAxis(int64_t e, bool align_corners)
      : extent(e),
        low(align_corners ? 0.0 : -0.5),
        high(static_cast<double>(e) - (align_corners ? 1.0 : 0.5)) {}
};

struct GridTaps {
  std::array<int64_t, 4> index;  // -1: a zero beyond the border
  std::array<double, 4> weight;
};
GridTaps taps_at(const GridOptions& options, const GridAxis& axis, double coordinate);

}  // namespace fettle::ops
