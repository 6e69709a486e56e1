// Transposed convolution of images in float32: products of rows of the input with the weights,
// added to the output where their taps lie. Results do not depend on the number of threads.
#pragma once

#include <vector>

#include "interp/float_functions.h"
#include "interp/packed_matrix.h"
#include "ops/window.h"

namespace fettle::interp {

// Input position i adds to output position i * stride + tap * dilation - pad.
struct TransposedAxis {
  int64_t input = 1;
  int64_t output = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad = 0;

  // Taps neither overlap nor leave gaps, and all of them lie inside the output.
  bool tiles() const {
    return kernel == stride && dilation == 1 && pad == 0 && output == input * stride;
  }
  // Input positions that may add to outputs [begin, end): from first_input() up to last_input().
  int64_t first_input(int64_t begin) const;
  int64_t last_input(int64_t end) const;
};

struct TransposedGeometry {
  int64_t batch = 1;
  int64_t channels = 1;  // of the input
  int64_t filters = 1;   // channels of the output
  int64_t group = 1;
  TransposedAxis height, width;

  bool tiles() const { return height.tiles() && width.tiles() && group == 1; }
  bool depthwise() const { return group == channels && group == filters && group > 1; }
  int64_t taps() const { return height.kernel * width.kernel; }
};

// `window` has one or two spatial axes.
TransposedGeometry transposed_geometry(const ops::Window& window, const ir::Dims& x,
                                       const ir::Dims& w);

// Weights in the order in which the loops read them.
class TransposedWeights {
 public:
  TransposedWeights() = default;
  // `weights`: [C, M/group, taps].
  TransposedWeights(const float* weights, const TransposedGeometry& g);

  bool empty() const { return matrices_.empty() && by_tap_.empty(); }
  // Rows of taps whose products one matrix holds: one row or all of them.
  int64_t rows_of_taps() const { return rows_; }
  // The products of `group` with rows of taps from `row` on: column (row of taps, tap, filter).
  const PackedMatrix& matrix(int64_t group, int64_t row) const {
    return matrices_[static_cast<size_t>(group * parts_ + row / rows_)];
  }
  // Depthwise: weight of channel c for tap t at [t * channels + c].
  const float* by_tap() const { return by_tap_.data(); }

 private:
  std::vector<PackedMatrix> matrices_;
  std::vector<float> by_tap_;
  int64_t rows_ = 1;
  int64_t parts_ = 1;
};

struct TransposedOperands {
  const float* x = nullptr;
  int64_t x_position = 0;           // from one position to the next
  int64_t x_channel = 1;            // from one channel to the next; 1 for depthwise weights
  int64_t x_image = 0;              // from one sample to the next
  const float* bias = nullptr;      // one number per filter, may be null
  const float* residual = nullptr;  // like the output; may be the output, may be null
  float low = 0;
  float high = 0;
  UnaryFunction function;  // loop null: none
  float* out = nullptr;    // [N, positions, filters]
};

// out = function(clamp(sums + bias + residual, low, high)).
void transposed_convolution(const TransposedGeometry& g, const TransposedWeights& weights,
                            const TransposedOperands& operands);

}  // namespace fettle::interp
