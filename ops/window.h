// Windows of convolutions and pools: the attributes as stated, and what they come to for an input
// of known size (pads after auto_pad, output sizes). Used by kernels, shape rules and rewrites.
#pragma once

#include "ir/graph.h"
#include "ir/type.h"

namespace fettle::ops {

enum class AutoPad { kNotSet, kValid, kSameUpper, kSameLower };

// The attributes of a node, checked and with defaults filled in; one entry per spatial axis.
// kernel, strides and dilations are in [1, 2^31), pads and output_padding in [0, 2^31).
struct WindowSpec {
  ir::Dims kernel;
  ir::Dims strides;
  ir::Dims dilations;
  ir::Dims pads_begin;  // zeros unless auto_pad is kNotSet
  ir::Dims pads_end;
  ir::Dims output_padding;  // ConvTranspose
  ir::Dims output_shape;    // ConvTranspose; empty when absent
  AutoPad auto_pad = AutoPad::kNotSet;
  bool ceil_mode = false;  // pools
  int64_t group = 1;

  size_t rank() const { return kernel.size(); }
  // Extent of the dilated kernel: (kernel - 1) * dilation + 1.
  int64_t extent(size_t axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }
};

// The same resolved for one input size. For a pool or convolution, tap k of output position o along
// an axis reads input position o * stride - pad_begin + k * dilation; for a transposed convolution
// input position i adds to output position i * stride - pad_begin + k * dilation.
struct Window {
  ir::Dims kernel;
  ir::Dims strides;
  ir::Dims dilations;
  ir::Dims pads_begin;
  // Of a transposed convolution possibly negative: output_padding and what output_shape adds lie
  // beyond the last tap.
  ir::Dims pads_end;
  ir::Dims input;  // spatial extents
  ir::Dims output;
  int64_t group = 1;

  size_t rank() const { return kernel.size(); }
  int64_t extent(size_t axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }
};

// Output positions [begin, end) along an axis for which tap `k` reads inside the input; empty when
// begin >= end.
struct TapRange {
  int64_t begin = 0;
  int64_t end = 0;
};
TapRange tap_range(const Window& window, size_t axis, int64_t k);

// Attributes of a convolution (or transposed one) whose weights have these spatial extents. Throws
// kBadInput for attributes out of range or in contradiction with the kernel.
WindowSpec conv_spec(const ir::Node& node, const ir::Dims& kernel);
// Attributes of a pool over `spatial_rank` axes; the kernel is kernel_shape.
WindowSpec pool_spec(const ir::Node& node, size_t spatial_rank);

// Resolves for spatial extents `input`. Throws kBadInput when the window does not fit.
Window resolve_window(const WindowSpec& spec, const ir::Dims& input);
Window resolve_transposed(const WindowSpec& spec, const ir::Dims& input);

// Resolved parameters from full shapes: x [N, C, spatial...], w [M, C/group, kernel...]
// (transposed: [C, M/group, kernel...]). Also checks ranks and channels against the group.
Window conv_window(const ir::Node& node, const ir::Dims& x, const ir::Dims& w);
Window conv_transpose_window(const ir::Node& node, const ir::Dims& x, const ir::Dims& w);
Window pool_window(const ir::Node& node, const ir::Dims& x);
// Output shape [N, M, spatial...] of the same.
ir::Dims conv_output_dims(const Window& window, const ir::Dims& x, const ir::Dims& w);
ir::Dims conv_transpose_output_dims(const Window& window, const ir::Dims& x, const ir::Dims& w);
ir::Dims pool_output_dims(const Window& window, const ir::Dims& x);

// Output extent along one axis for an input extent that may be a symbol or unknown.
ir::Dim window_output_dim(const WindowSpec& spec, size_t axis, const ir::Dim& input);
ir::Dim transposed_output_dim(const WindowSpec& spec, size_t axis, const ir::Dim& input);

}  // namespace fettle::ops
