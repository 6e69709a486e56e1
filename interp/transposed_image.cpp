#include "interp/transposed_image.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "interp/blocked.h"
#include "interp/float_product.h"
#include "interp/parallel.h"
#include "interp/simd.h"

namespace fettle::interp {
namespace {

constexpr int64_t kNarrow = 16;                // columns of a matrix that is worth its own products
constexpr int64_t kScratchFloats = 16 * 1024;  // of products before they are added

int64_t floor_div(int64_t a, int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}
int64_t ceil_div(int64_t a, int64_t b) {
  return -floor_div(-a, b);
}

// to[i * to_step + j] += from[i * from_step + j] for i < count, j < run.
FETTLE_VECTORIZED
void add_runs(const float* from, int64_t from_step, float* to, int64_t to_step, int64_t run,
              int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float* x = from + i * from_step;
    float* y = to + i * to_step;
#pragma omp simd
    for (int64_t j = 0; j < run; ++j) y[j] += x[j];
  }
}

// to[i * to_step + j] += from[i * from_step + j] * w[j].
FETTLE_VECTORIZED
void add_scaled_runs(const float* from, int64_t from_step, const float* w, float* to,
                     int64_t to_step, int64_t run, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float* x = from + i * from_step;
    float* y = to + i * to_step;
#pragma omp simd
    for (int64_t j = 0; j < run; ++j) y[j] += x[j] * w[j];
  }
}

template <size_t kBytes>
void copy_fixed(const float* from, int64_t from_step, float* to, int64_t to_step, int64_t count) {
  for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * to_step, from + i * from_step, kBytes);
}

void copy_runs(const float* from, int64_t from_step, float* to, int64_t to_step, int64_t run,
               int64_t count) {
  if (run == 1) return copy_fixed<4>(from, from_step, to, to_step, count);
  if (run == 2) return copy_fixed<8>(from, from_step, to, to_step, count);
  if (run == 4) return copy_fixed<16>(from, from_step, to, to_step, count);
  for (int64_t i = 0; i < count; ++i) std::copy_n(from + i * from_step, run, to + i * to_step);
}

// x[i] = min(high, max(low, x[i])), NaN stays.
FETTLE_VECTORIZED
void clamp_row(float* x, float low, float high, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float raised = x[i] < low ? low : x[i];
    x[i] = raised > high ? high : raised;
  }
}

// Output rows [begin, end) of one sample.
class RowBlock {
 public:
  RowBlock(const TransposedGeometry& g, const TransposedWeights& weights,
           const TransposedOperands& o, int64_t sample, int64_t begin, int64_t end)
      : g_(g),
        weights_(weights),
        o_(o),
        x_(o.x + sample * o.x_image),
        row_(g.width.output * g.filters),
        first_(sample * g.height.output * row_),
        begin_(begin),
        end_(end) {}

  void run() {
    if (g_.depthwise()) {
      by_channel();
    } else if (g_.tiles() && weights_.rows_of_taps() == 1) {
      tile_wide();
    } else if (g_.tiles() && o_.residual == nullptr) {
      tile_narrow();
    } else {
      by_products();
    }
  }

 private:
  float* out_row(int64_t y) const { return o_.out + first_ + y * row_; }
  const float* input(int64_t y, int64_t x) const {
    return x_ + (y * g_.width.input + x) * o_.x_position;
  }

  // Output rows start as bias and residual.
  void start(int64_t y) const {
    float* to = out_row(y);
    if (o_.residual != nullptr) {
      const float* from = o_.residual + first_ + y * row_;
      if (from != to) std::copy_n(from, row_, to);
      if (o_.bias == nullptr) return;
      for (int64_t x = 0; x < g_.width.output; ++x) {
        add_runs(o_.bias, 0, to + x * g_.filters, 0, g_.filters, 1);
      }
    } else if (o_.bias == nullptr || g_.filters == 1) {
      std::fill_n(to, row_, o_.bias == nullptr ? 0.0f : o_.bias[0]);
    } else {
      for (int64_t x = 0; x < g_.width.output; ++x) {
        std::copy_n(o_.bias, g_.filters, to + x * g_.filters);
      }
    }
  }

  void finish(int64_t first, int64_t last, bool clamped = false) const {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const int64_t count = (last - first) * row_;
    if (count <= 0) return;
    float* at = out_row(first);
    if (!clamped && (o_.low > -kInfinity || o_.high < kInfinity)) {
      clamp_row(at, o_.low, o_.high, count);
    }
    if (o_.function.loop != nullptr) o_.function.apply(at, at, count);
  }

  // A strip that multiplies input positions [x, x + count) of row y.
  Strip strip(int64_t group, int64_t y, int64_t x, int64_t count) const {
    Strip s;
    s.a = input(y, x) + group * (g_.channels / g_.group) * o_.x_channel;
    s.a_row = o_.x_position;
    s.a_step = o_.x_channel;
    s.depth = g_.channels / g_.group;
    s.rows = count;
    return s;
  }

  static void multiply(const Strip& whole, const PackedMatrix& b) {
    const TileKernels& kernels = tile_kernels();
    for (int64_t p = 0; p < b.panels(); ++p) {
      Strip s = whole;
      const int64_t first = b.place(p, s);
      s.out += first;
      if (s.start != nullptr) s.start += first;
      if (s.bias != nullptr) s.bias += first;
      kernels.multiply(s);
    }
  }

  std::vector<float> repeated_bias(int64_t times) const {
    std::vector<float> bias;
    for (int64_t i = 0; o_.bias != nullptr && i < times; ++i) {
      bias.insert(bias.end(), o_.bias, o_.bias + g_.filters);
    }
    return bias;
  }

  // Each row of taps gives whole rows of the output.
  void tile_wide() const {
    const std::vector<float> bias = repeated_bias(g_.width.kernel);
    const int64_t stride = g_.height.stride;
    for (int64_t y = begin_ / stride; y * stride < end_; ++y) {
      for (int64_t k = 0; k < stride; ++k) {
        Strip s = strip(0, y, 0, g_.width.input);
        s.out = out_row(y * stride + k);
        s.out_row = s.start_row = g_.width.stride * g_.filters;
        s.bias = bias.empty() ? nullptr : bias.data();
        if (o_.residual != nullptr) s.start = o_.residual + (s.out - o_.out);
        s.low = o_.low;
        s.high = o_.high;
        multiply(s, weights_.matrix(0, k));
      }
      finish(y * stride, (y + 1) * stride, true);
    }
  }

  // All taps of a few positions at once, then copied to their rows.
  void tile_narrow() const {
    const std::vector<float> bias = repeated_bias(g_.taps());
    const int64_t stride = g_.height.stride;
    const int64_t run = g_.width.kernel * g_.filters;
    const int64_t columns = run * stride;
    const int64_t most = segment(columns);
    auto* products = static_cast<float*>(scratch(static_cast<size_t>(most * columns) * 4));
    for (int64_t y = begin_ / stride; y * stride < end_; ++y) {
      for (int64_t x = 0; x < g_.width.input; x += most) {
        const int64_t count = std::min(most, g_.width.input - x);
        Strip s = strip(0, y, x, count);
        s.out = products;
        s.out_row = columns;
        s.bias = bias.empty() ? nullptr : bias.data();
        s.low = o_.low;
        s.high = o_.high;
        multiply(s, weights_.matrix(0, 0));
        for (int64_t k = 0; k < stride; ++k) {
          copy_runs(products + k * run, columns, out_row(y * stride + k) + x * run, run, run,
                    count);
        }
      }
      finish(y * stride, (y + 1) * stride, true);
    }
  }

  // Positions whose products are held at once, for so many columns.
  static int64_t segment(int64_t columns) {
    return std::max<int64_t>(kScratchFloats / columns / kTileRows, 1) * kTileRows;
  }

  void by_products() const {
    const TransposedAxis& h = g_.height;
    const int64_t columns = weights_.rows_of_taps() * g_.width.kernel * (g_.filters / g_.group);
    auto* products = static_cast<float*>(
        scratch(static_cast<size_t>(std::min(segment(columns), g_.width.input) * columns) * 4));
    int64_t started = begin_;
    int64_t finished = begin_;
    const int64_t last = h.last_input(end_);
    for (int64_t y = h.first_input(begin_); y <= last; ++y) {
      const int64_t reach = std::min(end_, y * h.stride - h.pad + (h.kernel - 1) * h.dilation + 1);
      while (started < reach) start(started++);
      for (int64_t k = 0; k < h.kernel; k += weights_.rows_of_taps()) {
        if (reaches(y, k)) add_products(y, k, columns, products);
      }
      const int64_t complete = std::min(started, (y + 1) * h.stride - h.pad);
      if (complete > finished) {
        finish(finished, complete);
        finished = complete;
      }
    }
    while (started < end_) start(started++);
    finish(finished, end_);
  }

  bool has_row(int64_t y, int64_t k) const {
    const int64_t to = y * g_.height.stride + k * g_.height.dilation - g_.height.pad;
    return to >= begin_ && to < end_;
  }
  bool reaches(int64_t y, int64_t first) const {
    for (int64_t k = first; k < first + weights_.rows_of_taps(); ++k) {
      if (has_row(y, k)) return true;
    }
    return false;
  }

  // Adds what input row y gives through the rows of taps of one matrix per group.
  void add_products(int64_t y, int64_t first, int64_t columns, float* products) const {
    const int64_t most = segment(columns);
    for (int64_t group = 0; group < g_.group; ++group) {
      for (int64_t x = 0; x < g_.width.input; x += most) {
        const int64_t count = std::min(most, g_.width.input - x);
        Strip s = strip(group, y, x, count);
        s.out = products;
        s.out_row = columns;
        multiply(s, weights_.matrix(group, first));
        for (int64_t k = first; k < first + weights_.rows_of_taps(); ++k) {
          if (!has_row(y, k)) continue;
          float* to = out_row(y * g_.height.stride + k * g_.height.dilation - g_.height.pad) +
                      group * (g_.filters / g_.group);
          const int64_t run = g_.width.kernel * (g_.filters / g_.group);
          add_row(products + (k - first) * run, columns, x, x + count, to);
        }
      }
    }
  }

  // Adds the products of positions [begin, end) with one row of taps to an output row.
  void add_row(const float* from, int64_t step, int64_t begin, int64_t end, float* to) const {
    const TransposedAxis& w = g_.width;
    int64_t inner = end;  // positions [inner, inner_end) have all taps inside the row, in one run
    int64_t inner_end = end;
    if (w.dilation == 1 && g_.group == 1) {
      inner = std::clamp(ceil_div(w.pad, w.stride), begin, end);
      inner_end = std::clamp(floor_div(w.output - w.kernel + w.pad, w.stride) + 1, inner, end);
    }
    add_taps(from, step, begin, begin, inner, to);
    if (inner < inner_end) {
      add_runs(from + (inner - begin) * step, step, to + (inner * w.stride - w.pad) * g_.filters,
               w.stride * g_.filters, w.kernel * g_.filters, inner_end - inner);
    }
    add_taps(from, step, begin, inner_end, end, to);
  }

  // The same tap by tap for positions [begin, end); `from` belongs to position `origin`.
  void add_taps(const float* from, int64_t step, int64_t origin, int64_t begin, int64_t end,
                float* to) const {
    if (begin >= end) return;
    const TransposedAxis& w = g_.width;
    const int64_t run = g_.filters / g_.group;
    for (int64_t k = 0; k < w.kernel; ++k) {
      const int64_t shift = k * w.dilation - w.pad;
      const int64_t first = std::max(begin, ceil_div(-shift, w.stride));
      const int64_t last = std::min(end, floor_div(w.output - 1 - shift, w.stride) + 1);
      if (first >= last) continue;
      add_runs(from + (first - origin) * step + k * run, step,
               to + (first * w.stride + shift) * g_.filters, w.stride * g_.filters, run,
               last - first);
    }
  }

  void by_channel() const {
    const TransposedAxis& h = g_.height;
    const TransposedAxis& w = g_.width;
    for (int64_t to = begin_; to < end_; ++to) {
      start(to);
      for (int64_t k = 0; k < h.kernel; ++k) {
        const int64_t from = to + h.pad - k * h.dilation;
        if (from < 0 || from % h.stride != 0 || from / h.stride >= h.input) continue;
        for (int64_t t = 0; t < w.kernel; ++t) {
          const int64_t shift = t * w.dilation - w.pad;
          const int64_t first = std::max<int64_t>(0, ceil_div(-shift, w.stride));
          const int64_t last = std::min(w.input, floor_div(w.output - 1 - shift, w.stride) + 1);
          if (first >= last) continue;
          add_scaled_runs(input(from / h.stride, first), o_.x_position,
                          weights_.by_tap() + (k * w.kernel + t) * g_.channels,
                          out_row(to) + (first * w.stride + shift) * g_.channels,
                          w.stride * g_.channels, g_.channels, last - first);
        }
      }
      finish(to, to + 1);
    }
  }

  const TransposedGeometry& g_;
  const TransposedWeights& weights_;
  const TransposedOperands& o_;
  const float* x_;
  int64_t row_;    // floats of an output row
  int64_t first_;  // the sample's output
  int64_t begin_;
  int64_t end_;
};

TransposedAxis axis_of(const ops::Window& window, size_t i) {
  return {window.input[i],   window.output[i],    window.kernel[i],
          window.strides[i], window.dilations[i], window.pads_begin[i]};
}

}  // namespace

int64_t TransposedAxis::first_input(int64_t begin) const {
  return std::max<int64_t>(0, ceil_div(begin + pad - (kernel - 1) * dilation, stride));
}

int64_t TransposedAxis::last_input(int64_t end) const {
  return std::min(input - 1, floor_div(end - 1 + pad, stride));
}

TransposedGeometry transposed_geometry(const ops::Window& window, const ir::Dims& x,
                                       const ir::Dims& w) {
  TransposedGeometry g;
  g.batch = x[0];
  g.channels = x[1];
  g.filters = w[1] * window.group;
  g.group = window.group;
  g.width = axis_of(window, window.rank() - 1);
  if (window.rank() == 2) g.height = axis_of(window, 0);
  return g;
}

TransposedWeights::TransposedWeights(const float* weights, const TransposedGeometry& g) {
  const int64_t taps = g.taps();
  if (g.depthwise()) {
    by_tap_.resize(static_cast<size_t>(taps * g.channels));
    for (int64_t c = 0; c < g.channels; ++c) {
      for (int64_t t = 0; t < taps; ++t) {
        by_tap_[static_cast<size_t>(t * g.channels + c)] = weights[c * taps + t];
      }
    }
    return;
  }
  const int64_t filters = g.filters / g.group;
  const int64_t depth = g.channels / g.group;
  const bool wide = g.width.kernel * filters >= kNarrow;
  rows_ = wide ? 1 : g.height.kernel;
  parts_ = g.height.kernel / rows_;
  const int64_t part = rows_ * g.width.kernel;  // taps of a matrix
  std::vector<float> ordered(static_cast<size_t>(depth * part * filters));
  for (int64_t i = 0; i < g.group * parts_; ++i) {
    const float* from = weights + i / parts_ * depth * filters * taps + i % parts_ * part;
    float* to = ordered.data();
    for (int64_t c = 0; c < depth; ++c) {
      for (int64_t t = 0; t < part; ++t) {
        for (int64_t m = 0; m < filters; ++m) *to++ = from[(c * filters + m) * taps + t];
      }
    }
    matrices_.emplace_back(MatrixView{ordered.data(), depth, part * filters, part * filters, 1});
  }
}

void transposed_convolution(const TransposedGeometry& g, const TransposedWeights& weights,
                            const TransposedOperands& operands) {
  const int64_t positions = g.batch * g.height.input * g.width.input;
  const int64_t columns = std::max(g.filters / g.group * g.taps(), kNarrow) * g.group;
  const bool shared = worth_sharing(positions * (g.channels / g.group) * columns, 0);
  // Blocks of whole strides, so that rows of a tile stay together.
  const int64_t strides = ceil_div(g.height.output, g.height.stride);
  const int64_t blocks = shared ? std::clamp<int64_t>(strides / 8, 1, 4) : 1;
  const int64_t rows = ceil_div(strides, blocks) * g.height.stride;
  for_each_index(g.batch * blocks, shared, [&](int64_t task) {
    const int64_t begin = task % blocks * rows;
    const int64_t end = std::min(g.height.output, begin + rows);
    if (begin < end) RowBlock(g, weights, operands, task / blocks, begin, end).run();
  });
}

}  // namespace fettle::interp
