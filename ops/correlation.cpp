#include "ops/correlation.h"

#include <algorithm>

#include "ops/checked.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

// `count` consecutive output positions that one tap joins with input positions `stride` apart.
struct Run {
  int64_t tap = 0;
  int64_t out = 0;
  int64_t in = 0;
  int64_t count = 0;
};

// A window without taps beyond the first is a row of independent positions.
Window merged(const Window& window) {
  for (size_t a = 0; a < window.rank(); ++a) {
    if (window.kernel[a] != 1 || window.strides[a] != 1 || window.input[a] != window.output[a] ||
        window.pads_begin[a] != 0) {
      return window;
    }
  }
  Window one;
  one.kernel = one.strides = one.dilations = {1};
  one.pads_begin = one.pads_end = {0};
  one.input = one.output = {ir::element_count(window.input)};
  one.group = window.group;
  return one;
}

// The window of a convolution without channels, whose kernel extents no memory backs.
Window without_taps(Window window) {
  std::fill(window.kernel.begin(), window.kernel.end(), 1);
  return window;
}

// Lists the runs of one output row (all positions along the last axis) at a time.
class Rows {
 public:
  explicit Rows(const Window& window) : w_(window), last_(window.rank() - 1) {
    rows_ = 1;
    outer_taps_ = 1;
    for (size_t a = 0; a < last_; ++a) {
      rows_ *= w_.output[a];
      outer_taps_ *= w_.kernel[a];
    }
    for (int64_t k = 0; k < w_.kernel[last_]; ++k) ranges_.push_back(tap_range(w_, last_, k));
  }

  int64_t count() const { return w_.output[last_] == 0 ? 0 : rows_; }
  int64_t stride() const { return w_.strides[last_]; }

  // Runs of row `row`, with offsets into one input map and one output map.
  const std::vector<Run>& runs(int64_t row) {
    runs_.clear();
    const int64_t width = w_.kernel[last_];
    for (int64_t tap = 0; tap < outer_taps_; ++tap) {
      const int64_t input_row = input_row_of(row, tap);
      if (input_row < 0) continue;
      for (int64_t k = 0; k < width; ++k) {
        const TapRange range = ranges_[static_cast<size_t>(k)];
        if (range.begin >= range.end) continue;
        const int64_t first =
            range.begin * w_.strides[last_] - w_.pads_begin[last_] + k * w_.dilations[last_];
        runs_.push_back({tap * width + k, row * w_.output[last_] + range.begin,
                         input_row * w_.input[last_] + first, range.end - range.begin});
      }
    }
    return runs_;
  }

 private:
  // Index of the input row that outer tap `tap` reads for output row `row`, or -1 in the padding.
  int64_t input_row_of(int64_t row, int64_t tap) const {
    int64_t index = 0;
    int64_t scale = 1;
    for (size_t a = last_; a-- > 0;) {
      const int64_t position = row % w_.output[a] * w_.strides[a] - w_.pads_begin[a] +
                               tap % w_.kernel[a] * w_.dilations[a];
      if (position < 0 || position >= w_.input[a]) return -1;
      index += position * scale;
      scale *= w_.input[a];
      row /= w_.output[a];
      tap /= w_.kernel[a];
    }
    return index;
  }

  const Window& w_;
  size_t last_;
  int64_t rows_;
  int64_t outer_taps_;
  std::vector<TapRange> ranges_;
  std::vector<Run> runs_;
};

// out[i * out_stride] += weight * in[i * in_stride].
void add_scaled(double weight, const double* in, int64_t in_stride, double* out, int64_t out_stride,
                int64_t count) {
  if (in_stride == 1 && out_stride == 1) {
    for (int64_t i = 0; i < count; ++i) out[i] += weight * in[i];
    return;
  }
  for (int64_t i = 0; i < count; ++i) out[i * out_stride] += weight * in[i * in_stride];
}

// Positions of a long row worked on at once, so that their sums stay in the first-level cache.
constexpr int64_t kRowChunk = 1024;

// Adds the contribution of `channels` input maps to one output map.
void correlate_map(Rows& rows, const double* x, int64_t x_map, const double* w, int64_t taps,
                   int64_t channels, double* out) {
  const int64_t stride = rows.stride();
  for (int64_t row = 0; row < rows.count(); ++row) {
    const std::vector<Run>& runs = rows.runs(row);
    int64_t longest = 0;
    for (const Run& r : runs) longest = std::max(longest, r.count);
    for (int64_t from = 0; from < longest; from += kRowChunk) {
      for (int64_t c = 0; c < channels; ++c) {
        for (const Run& r : runs) {
          const int64_t count = std::min(kRowChunk, r.count - from);
          if (count <= 0) continue;
          add_scaled(w[c * taps + r.tap], x + c * x_map + r.in + from * stride, stride,
                     out + r.out + from, 1, count);
        }
      }
    }
  }
}

}  // namespace

void convolve(const Window& window, const ir::Dims& x, const ir::Dims& w, const LoadOperand& load_x,
              const LoadOperand& load_w, const StoreMap& store) {
  if (x[0] == 0 || w[0] == 0) return;
  const int64_t channels = w[1];
  const int64_t maps = w[0] / window.group;
  const int64_t x_map = ir::element_count(window.input);
  const int64_t taps = ir::element_count(window.kernel);
  const int64_t y_map = ir::element_count(window.output);
  const Window flat = merged(channels == 0 ? without_taps(window) : window);
  Rows rows(flat);
  ir::Tensor x_scratch = scratch_doubles(checked_mul(channels, x_map));
  ir::Tensor w_scratch = scratch_doubles(checked_mul(channels, taps));
  ir::Tensor y_scratch = scratch_doubles(y_map);
  double* in = x_scratch.mutable_data<double>().data();
  double* weights = w_scratch.mutable_data<double>().data();
  const std::span<double> out = y_scratch.mutable_data<double>();
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t g = 0; g < window.group; ++g) {
      load_x((n * window.group + g) * channels * x_map, channels * x_map, in);
      for (int64_t m = g * maps; m < (g + 1) * maps; ++m) {
        load_w(m * channels * taps, channels * taps, weights);
        std::fill(out.begin(), out.end(), 0.0);
        correlate_map(rows, in, x_map, weights, taps, channels, out.data());
        store(n, m, out);
      }
    }
  }
}

void convolve_transposed(const Window& window, const ir::Dims& x, const ir::Dims& w,
                         const LoadOperand& load_x, const LoadOperand& load_w,
                         const StoreMap& store) {
  if (x[0] == 0 || w[1] == 0) return;
  const int64_t maps = w[1];
  const int64_t channels = x[1] / window.group;
  const int64_t x_map = ir::element_count(window.input);
  const int64_t taps = ir::element_count(window.kernel);
  // The adjoint: the rows of the convolution that maps the output back to the input.
  Window adjoint = channels == 0 ? without_taps(window) : window;
  std::swap(adjoint.input, adjoint.output);
  Rows rows(adjoint);
  ir::Tensor x_scratch = scratch_doubles(checked_mul(channels, x_map));
  ir::Tensor w_scratch = scratch_doubles(channels == 0 ? 0 : taps);
  ir::Tensor y_scratch = scratch_doubles(ir::element_count(window.output));
  double* in = x_scratch.mutable_data<double>().data();
  double* weights = w_scratch.mutable_data<double>().data();
  const std::span<double> out = y_scratch.mutable_data<double>();
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t g = 0; g < window.group; ++g) {
      load_x((n * window.group + g) * channels * x_map, channels * x_map, in);
      for (int64_t m = 0; m < maps; ++m) {
        std::fill(out.begin(), out.end(), 0.0);
        for (int64_t c = 0; c < channels; ++c) {
          load_w(((g * channels + c) * maps + m) * taps, taps, weights);
          for (int64_t row = 0; row < rows.count(); ++row) {
            for (const Run& r : rows.runs(row)) {
              add_scaled(weights[r.tap], in + c * x_map + r.out, 1, out.data() + r.in,
                         rows.stride(), r.count);
            }
          }
        }
        store(n, g * maps + m, out);
      }
    }
  }
}

}  // namespace fettle::ops
