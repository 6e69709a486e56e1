#include "interp/channel_pool.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "interp/parallel.h"
#include "interp/simd.h"
#include "ops/window.h"

namespace fettle::interp {
namespace {

// best[i] = the greater of best[i] and row[i], or NaN when either is.
template <typename Element>
inline __attribute__((always_inline)) void take_greater_of(const Element* __restrict row,
                                                           Element* __restrict best, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const Element v = row[i];
    const bool replace = static_cast<int>(v > best[i]) | static_cast<int>(v != v);
    best[i] = replace ? v : best[i];
  }
}

FETTLE_VECTORIZED
void take_greater(const float* row, float* best, int64_t n) {
  take_greater_of(row, best, n);
}
FETTLE_VECTORIZED
void take_greater(const uint8_t* row, uint8_t* best, int64_t n) {
  take_greater_of(row, best, n);
}
FETTLE_VECTORIZED
void take_greater(const int8_t* row, int8_t* best, int64_t n) {
  take_greater_of(row, best, n);
}

// y[i] = x[i * stride] for i < n.
template <typename Element>
inline __attribute__((always_inline)) void pick_of(const Element* __restrict x, int64_t stride,
                                                   int64_t n, Element* __restrict y) {
  if (stride == 2) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = x[2 * i];
  } else if (stride == 4) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = x[4 * i];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = x[stride * i];
  }
}

FETTLE_VECTORIZED
void pick(const uint32_t* x, int64_t stride, int64_t n, uint32_t* y) {
  pick_of(x, stride, n, y);
}
FETTLE_VECTORIZED
void pick(const uint8_t* x, int64_t stride, int64_t n, uint8_t* y) {
  pick_of(x, stride, n, y);
}

// Images [H, W, channels] with windows over [channels, H, W].
template <typename Element>
class Pool {
 public:
  Pool(const ops::Window& w, int64_t channels) : w_(w), c_(channels) {
    const int64_t span = (w.output[2] - 1) * w.strides[2] + w.extent(2);
    line_ = std::max(span, w.pads_begin[2] + w.input[2]) * c_;
  }

  // Row `y` of the output from one image.
  void row(const Element* image, int64_t y, Element* out) const {
    const int64_t found = w_.output[2] * c_;
    auto* line =
        static_cast<Element*>(scratch(static_cast<size_t>(line_ + found) * sizeof(Element)));
    Element* best = line + line_;
    join_rows(image, y, line);
    const int64_t step = w_.dilations[2] * c_;
    const int64_t runs = w_.strides[2] == 1 ? 1 : w_.output[2];
    const int64_t run = found / runs;
    for (int64_t x = 0; x < runs; ++x) {
      const Element* from = line + x * w_.strides[2] * c_;
      Element* to = best + x * run;
      std::memcpy(to, from, static_cast<size_t>(run) * sizeof(Element));
      for (int64_t k = 1; k < w_.kernel[2]; ++k) take_greater(from + k * step, to, run);
    }
    pick_channels(best, out);
  }

 private:
  static constexpr Element least() {
    using Limits = std::numeric_limits<Element>;
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  }

  // The greatest of the rows of the window, with padding on both sides.
  void join_rows(const Element* image, int64_t y, Element* line) const {
    const int64_t row = w_.input[2] * c_;
    std::fill_n(line, line_, least());
    Element* to = line + w_.pads_begin[2] * c_;
    for (int64_t k = 0; k < w_.kernel[1]; ++k) {
      const int64_t from = y * w_.strides[1] - w_.pads_begin[1] + k * w_.dilations[1];
      if (from >= 0 && from < w_.input[1]) take_greater(image + from * row, to, row);
    }
  }

  void pick_channels(const Element* best, Element* out) const {
    using Word = std::conditional_t<sizeof(Element) == 1, uint8_t, uint32_t>;
    const int64_t stride = w_.strides[0];
    const int64_t kept = w_.output[0];
    const bool even = kept * stride == c_;
    const int64_t runs = even ? 1 : w_.output[2];
    const int64_t run = kept * w_.output[2] / runs;
    for (int64_t x = 0; x < runs; ++x) {
      pick(reinterpret_cast<const Word*>(best + x * c_), stride, run,
           reinterpret_cast<Word*>(out + x * run));
    }
  }

  const ops::Window& w_;
  int64_t c_;
  int64_t line_;  // elements of a row with its padding
};

class ChannelPool : public AcceleratedKernel {
 public:
  explicit ChannelPool(const ir::Node& pool) : pool_(pool) {}

  bool run(Call& call) override {
    const Blocked* own = call.blocked(0);
    if (own == nullptr) return false;
    switch (own->type) {
      case ir::DataType::kFloat:
        return run_as<float>(call);
      case ir::DataType::kInt8:
        return run_as<int8_t>(call);
      case ir::DataType::kUint8:
        return run_as<uint8_t>(call);
      default:
        return false;
    }
  }

 private:
  template <typename Element>
  bool run_as(Call& call) const {
    const ir::DataType type = call.type(0);
    const ir::Dims x = *call.dims(0);
    if (x.size() != 4 || std::any_of(x.begin(), x.end(), [](int64_t d) { return d <= 0; })) {
      return false;
    }
    const ops::Window window = ops::pool_window(pool_, {x[0], 1, x[1], x[2], x[3]});
    if (!handles(window)) return false;
    Blocked converted;
    const auto* in = reinterpret_cast<const Element*>(
        in_layout(call, 0, channels_last_desc(x, type), converted));
    const ir::Dims y{x[0], window.output[0], window.output[1], window.output[2]};
    Blocked out = allocate_blocked(channels_last_desc(y, type), type);
    auto* to = reinterpret_cast<Element*>(out.buffer->mutable_data());
    const Pool<Element> pool(window, x[1]);
    const int64_t taps = window.kernel[1] + window.kernel[2];
    const int64_t cost = x[3] * x[1] * taps * static_cast<int64_t>(sizeof(Element)) / 16;
    for_each_row(y[0] * y[2], cost, [&](int64_t row) {
      pool.row(in + row / y[2] * x[1] * x[2] * x[3], row % y[2], to + row * y[3] * y[1]);
    });
    call.set(0, std::move(out));
    return true;
  }

  // Single taps on the first axis; on the others every window reaches into the input.
  static bool handles(const ops::Window& w) {
    if (w.kernel[0] != 1 || w.pads_begin[0] != 0 || w.output[0] <= 0) return false;
    if ((w.output[0] - 1) * w.strides[0] >= w.input[0]) return false;
    for (size_t i = 1; i < 3; ++i) {
      const int64_t last = (w.output[i] - 1) * w.strides[i] - w.pads_begin[i];
      if (w.output[i] <= 0 || w.pads_begin[i] < 0 || w.pads_begin[i] >= w.extent(i) ||
          last >= w.input[i]) {
        return false;
      }
      if (w.dilations[i] > 1 && w.extent(i) > w.input[i]) return false;
    }
    return true;
  }

  const ir::Node& pool_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_channel_pool(const ir::Node& pool) {
  return std::make_unique<ChannelPool>(pool);
}

}  // namespace fettle::interp
