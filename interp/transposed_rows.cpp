#include "interp/transposed_rows.h"

#include <algorithm>
#include <limits>

#include "interp/simd.h"

namespace fettle::interp {
namespace {

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

// x[i] = min(high, max(low, x[i])), NaN stays.
FETTLE_VECTORIZED
void clamp_row(float* x, float low, float high, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float raised = x[i] < low ? low : x[i];
    x[i] = raised > high ? high : raised;
  }
}

}  // namespace

void TransposedRows::start(int64_t y) const {
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
    std::copy_n(o_.bias, g_.filters, to);
    for (int64_t done = g_.filters; done < row_; done *= 2) {
      std::copy_n(to, std::min(done, row_ - done), to + done);
    }
  }
}

void TransposedRows::finish(int64_t first, int64_t last, bool clamped) const {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const int64_t count = (last - first) * row_;
  if (count <= 0) return;
  float* at = out_row(first);
  if (!clamped && (o_.low > -kInfinity || o_.high < kInfinity)) {
    clamp_row(at, o_.low, o_.high, count);
  }
  if (o_.function.loop != nullptr) o_.function.apply(at, at, count);
}

// Positions all of whose taps lie inside the row. As many taps as the stride at a time: the runs of
// neighboring positions then lie side by side, so that none reads what the last one just wrote.
void TransposedRows::add_inner(const float* from, int64_t step, int64_t begin, int64_t end,
                               float* to) const {
  const TransposedAxis& w = g_.width;
  to += (begin * w.stride - w.pad) * g_.filters;
  for (int64_t k = 0; k < w.kernel; k += w.stride) {
    const int64_t run = std::min(w.stride, w.kernel - k) * g_.filters;
    add_runs(from + k * g_.filters, step, to + k * g_.filters, w.stride * g_.filters, run,
             end - begin);
  }
}

void TransposedRows::add_row(const float* from, int64_t step, int64_t begin, int64_t end,
                             float* to) const {
  const TransposedAxis& w = g_.width;
  int64_t inner = end;  // positions [inner, inner_end) have all taps inside the row, in one run
  int64_t inner_end = end;
  if (w.dilation == 1 && g_.group == 1) {
    inner = std::clamp(ceil_div(w.pad, w.stride), begin, end);
    inner_end = std::clamp(floor_div(w.output - w.kernel + w.pad, w.stride) + 1, inner, end);
  }
  add_taps(from, step, begin, begin, inner, to);
  if (inner < inner_end) {
    add_inner(from + (inner - begin) * step, step, inner, inner_end, to);
  }
  add_taps(from, step, begin, inner_end, end, to);
}

// The same tap by tap for positions [begin, end); `from` belongs to position `origin`.
void TransposedRows::add_taps(const float* from, int64_t step, int64_t origin, int64_t begin,
                              int64_t end, float* to) const {
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

}  // namespace fettle::interp
