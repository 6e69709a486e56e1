#include "interp/transposed_image.h"

#include <algorithm>
#include <cstring>

#include "interp/blocked.h"
#include "interp/float_product.h"
#include "interp/parallel.h"
#include "interp/simd.h"
#include "interp/transposed_rows.h"

namespace fettle::interp {
namespace {

constexpr int64_t kNarrow = 16;                // columns of a matrix that is worth its own products
constexpr int64_t kScratchFloats = 16 * 1024;  // of products before they are added
constexpr int64_t kHeldFloats = 256 * 1024;    // of products of a whole sample
constexpr int64_t kHeavyFloats = 16 * 1024;    // of weights that are not read again for every row
constexpr int64_t kHeldRows = 8 * kTileRows;   // positions whose products are a piece of work

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

void multiply_panel(Strip s, const PackedMatrix& b, int64_t panel) {
  const int64_t first = b.place(panel, s);
  s.out += first;
  if (s.start != nullptr) s.start += first;
  if (s.bias != nullptr) s.bias += first;
  tile_kernels().multiply(s);
}

// A strip that multiplies `count` positions, from number `first` of a sample on.
Strip strip_of(const TransposedGeometry& g, const TransposedOperands& o, int64_t sample,
               int64_t group, int64_t first, int64_t count) {
  Strip s;
  s.depth = g.channels / g.group;
  s.a = o.x + sample * o.x_image + first * o.x_position + group * s.depth * o.x_channel;
  s.a_row = o.x_position;
  s.a_step = o.x_channel;
  s.rows = count;
  return s;
}

// Output rows [begin, end) of one sample.
class RowBlock : TransposedRows {
 public:
  RowBlock(const TransposedGeometry& g, const TransposedWeights& weights,
           const TransposedOperands& o, int64_t sample, int64_t begin, int64_t end)
      : TransposedRows(g, o, sample),
        weights_(weights),
        sample_(sample),
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
  const float* input(int64_t y, int64_t x) const {
    return o_.x + sample_ * o_.x_image + (y * g_.width.input + x) * o_.x_position;
  }

  // A strip that multiplies input positions [x, x + count) of row y.
  Strip strip(int64_t group, int64_t y, int64_t x, int64_t count) const {
    return strip_of(g_, o_, sample_, group, y * g_.width.input + x, count);
  }

  static void multiply(const Strip& whole, const PackedMatrix& b) {
    for (int64_t p = 0; p < b.panels(); ++p) multiply_panel(whole, b, p);
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

  const TransposedWeights& weights_;
  int64_t sample_;
  int64_t begin_;
  int64_t end_;
};

// A sample with few positions and many weights: all products first, so that the weights are read
// once, then row by row what each output row is the sum of.
class WholeSample : TransposedRows {
 public:
  WholeSample(const TransposedGeometry& g, const TransposedWeights& weights,
              const TransposedOperands& o, int64_t sample, float* products)
      : TransposedRows(g, o, sample),
        weights_(weights),
        sample_(sample),
        products_(products),
        columns_(weights.rows_of_taps() * g.width.kernel * (g.filters / g.group)) {}

  // Floats of the products of one sample.
  static int64_t products(const TransposedGeometry& g) {
    return positions(g) * g.taps() * g.filters;
  }
  static bool suits(const TransposedGeometry& g) {
    return !g.depthwise() && !g.tiles() && products(g) <= kHeldFloats &&
           g.channels / g.group * g.filters * g.taps() >= kHeavyFloats;
  }

  void run(bool shared) const {
    const int64_t parts = g_.height.kernel / weights_.rows_of_taps();
    const int64_t panels = weights_.matrix(0, 0).panels();
    const int64_t blocks = ceil_div(positions(g_), kHeldRows);
    for_each_index(g_.group * parts * panels * blocks, shared, [&](int64_t task) {
      const int64_t first = task % blocks * kHeldRows;
      const int64_t matrix = task / blocks / panels;
      const int64_t group = matrix / parts;
      Strip s = strip_of(g_, o_, sample_, group, first, std::min(kHeldRows, positions(g_) - first));
      s.out = products_ + matrix * positions(g_) * columns_ + first * columns_;
      s.out_row = columns_;
      multiply_panel(s, weights_.matrix(group, matrix % parts * weights_.rows_of_taps()),
                     task / blocks % panels);
    });
    for_each_row(g_.height.output, products(g_) / g_.height.output, [&](int64_t y) {
      start(y);
      for (int64_t k = 0; k < g_.height.kernel; ++k) add_taps_of(y, k);
      finish(y, y + 1);
    });
  }

 private:
  static int64_t positions(const TransposedGeometry& g) { return g.height.input * g.width.input; }

  // What row `k` of taps adds to output row `y`.
  void add_taps_of(int64_t y, int64_t k) const {
    const TransposedAxis& h = g_.height;
    const int64_t from = y + h.pad - k * h.dilation;
    if (from < 0 || from % h.stride != 0 || from / h.stride >= h.input) return;
    const int64_t parts = h.kernel / weights_.rows_of_taps();
    const int64_t filters = g_.filters / g_.group;
    for (int64_t group = 0; group < g_.group; ++group) {
      const int64_t matrix = group * parts + k / weights_.rows_of_taps();
      const float* products = products_ + matrix * positions(g_) * columns_ +
                              from / h.stride * g_.width.input * columns_ +
                              k % weights_.rows_of_taps() * g_.width.kernel * filters;
      add_row(products, columns_, 0, g_.width.input, out_row(y) + group * filters);
    }
  }

  const TransposedWeights& weights_;
  int64_t sample_;
  float* products_;
  int64_t columns_;  // of a matrix
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
  const int64_t depth = g.channels / g.group;
  const bool shared = worth_sharing(positions * depth * columns, depth * columns);
  if (WholeSample::suits(g)) {
    auto* products =
        static_cast<float*>(scratch(static_cast<size_t>(WholeSample::products(g)) * 4));
    for (int64_t n = 0; n < g.batch; ++n) {
      WholeSample(g, weights, operands, n, products).run(shared);
    }
    return;
  }
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
