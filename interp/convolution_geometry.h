// The shapes and window of one convolution in oneDNN's terms.
#pragma once

#include "interp/blocked.h"
#include "ir/graph.h"

namespace fettle::interp {

struct ConvolutionGeometry {
  dnnl::memory::dims src, weights, bias, dst;  // `bias` stays empty
  dnnl::memory::dims strides, dilations, pads_begin, pads_end;
  dnnl::memory::dims weights_strides;
  int64_t positions = 1;  // of the kernel, over all samples

  // Multiply-accumulates, padding included.
  int64_t macs() const;
  // The ONNX weights as they lie in memory, under the dims `weights`.
  dnnl::memory::desc weights_desc(ir::DataType type) const {
    return dnnl::memory::desc(weights, dnnl_type(type), weights_strides);
  }
};

// True when some output's window lies wholly in padding along an axis. Not for transposed ones.
bool has_empty_windows(const ConvolutionGeometry& geometry);

// For x [N, C, spatial...] and w [M, C/group, kernel...] (transposed: [C, M/group, kernel...]).
// Throws kBadInput when they do not fit the node's attributes.
ConvolutionGeometry convolution_geometry(const ir::Node& node, const ir::Dims& x, const ir::Dims& w,
                                         bool transposed);

}  // namespace fettle::interp
