// Resampling of one axis at a time: where each output position lies in the input, and the input
// elements and weights that make it (ONNX Resize).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/tensor.h"

namespace fettle::ops {

enum class Interpolation { kNearest, kLinear, kCubic };

enum class CoordinateMode {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfHalfPixelForNn,
  kTfCropAndResize,
};

enum class NearestMode {
  kRoundPreferFloor,
  kRoundPreferCeil,
  kFloor,
  kCeil,
  kCeilWhenShrinking,  // Resize of opset 10: ceil for scales below 1, else floor
};

struct ResampleOptions {
  Interpolation interpolation = Interpolation::kNearest;
  CoordinateMode coordinates = CoordinateMode::kHalfPixel;
  NearestMode nearest = NearestMode::kRoundPreferFloor;
  bool antialias = false;
  bool exclude_outside = false;
  double cubic_coefficient = -0.75;
};

// One axis to resample: from `input` to `output` elements.
struct AxisScale {
  size_t axis = 0;
  int64_t input = 1;
  int64_t output = 1;
  double scale = 1;      // > 0
  double roi_begin = 0;  // normalised, for tf_crop_and_resize
  double roi_end = 1;
};

// Input position of output position `x`. The formulas are those of ONNX Resize 19; align_corners
// takes the fractional length input * scale for "length_resized", as ONNX's conformance cases do
// (runtimes take the output's extent; both agree for whole lengths).
double source_position(CoordinateMode mode, const AxisScale& axis, double x);

// For every output position: the input elements it is made of. Position o has the taps
// [first[o], first[o + 1]); none where it lies outside a cropped input (extrapolation).
struct AxisTaps {
  std::vector<int64_t> first;
  std::vector<int64_t> index;  // within [0, input)
  std::vector<double> weight;
};

// Throws kLimit when the taps would not fit the memory limit.
AxisTaps axis_taps(const ResampleOptions& options, const AxisScale& axis);

// x (doubles) resampled along one axis; positions without taps get `extrapolation`.
ir::Tensor resample_axis(const ir::Tensor& x, size_t axis, const AxisTaps& taps,
                         double extrapolation);
// The same for elements of any type of whole bytes, where every position has at most one tap.
// `extrapolation` is a scalar of the type of x.
ir::Tensor gather_axis(const ir::Tensor& x, size_t axis, const AxisTaps& taps,
                       const ir::Tensor& extrapolation);

}  // namespace fettle::ops
