#include "interp/convolution_geometry.h"

#include "ops/window.h"

namespace fettle::interp {
namespace {

// [M, C/g, k...] as [g, M/g, C/g, k...]; of a transposed convolution [C, M/g, k...] as
// [g, M/g, C/g, k...] with the two channel axes exchanged.
void set_weights(ConvolutionGeometry& g, const ir::Dims& w, int64_t group, bool transposed) {
  g.weights = {group, w[0] / group, w[1]};
  g.weights.insert(g.weights.end(), w.begin() + 2, w.end());
  g.weights_strides.assign(g.weights.size(), 1);
  for (size_t i = g.weights.size(); i-- > 1;) {
    g.weights_strides[i - 1] = g.weights_strides[i] * g.weights[i];
  }
  if (transposed) {
    std::swap(g.weights[1], g.weights[2]);
    std::swap(g.weights_strides[1], g.weights_strides[2]);
  }
  if (group == 1) {
    g.weights.erase(g.weights.begin());
    g.weights_strides.erase(g.weights_strides.begin());
  }
}

}  // namespace

ConvolutionGeometry convolution_geometry(const ir::Node& node, const ir::Dims& x, const ir::Dims& w,
                                         bool transposed) {
  ConvolutionGeometry g;
  const ops::Window window =
      transposed ? ops::conv_transpose_window(node, x, w) : ops::conv_window(node, x, w);
  g.src = x;
  g.dst = transposed ? ops::conv_transpose_output_dims(window, x, w)
                     : ops::conv_output_dims(window, x, w);
  set_weights(g, w, window.group, transposed);
  g.strides = window.strides;
  g.pads_begin = window.pads_begin;
  for (size_t i = 0; i < window.rank(); ++i) {
    g.dilations.push_back(window.dilations[i] - 1);
    // The end padding that the last output position really needs.
    const int64_t large = transposed ? window.output[i] : window.input[i];
    const int64_t small = transposed ? window.input[i] : window.output[i];
    g.pads_end.push_back((small - 1) * window.strides[i] + window.extent(i) - large -
                         window.pads_begin[i]);
  }
  const ir::Dims& stepped = transposed ? g.src : g.dst;
  for (size_t i = 2; i < stepped.size(); ++i) g.positions *= stepped[i];
  g.positions *= stepped[0];
  return g;
}

int64_t ConvolutionGeometry::macs() const {
  return positions * ir::element_count(weights);
}

bool has_empty_windows(const ConvolutionGeometry& g) {
  const size_t axes = g.strides.size();
  for (size_t i = 0; i < axes; ++i) {
    const int64_t extent = g.src[i + 2];
    const int64_t taps = g.weights[g.weights.size() - axes + i];
    for (int64_t o = 0; o < g.dst[i + 2]; ++o) {
      const int64_t first = o * g.strides[i] - g.pads_begin[i];
      bool inside = false;
      for (int64_t t = 0; t < taps && !inside; ++t) {
        const int64_t at = first + t * (g.dilations[i] + 1);
        inside = at >= 0 && at < extent;
      }
      if (!inside) return true;
    }
  }
  return false;
}

}  // namespace fettle::interp
