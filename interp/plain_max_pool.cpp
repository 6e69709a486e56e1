#include "interp/plain_max_pool.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "interp/parallel.h"
#include "interp/simd.h"

namespace fettle::interp {
namespace {

// A window over exactly three axes; missing leading ones have one position and one tap.
struct Taps {
  std::array<int64_t, 3> kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, pad{0, 0, 0};
  std::array<int64_t, 3> input{1, 1, 1}, output{1, 1, 1};
};

Taps three_axes(const ops::Window& window) {
  Taps t;
  const size_t shift = 3 - window.rank();
  for (size_t i = 0; i < window.rank(); ++i) {
    t.kernel[i + shift] = window.kernel[i];
    t.stride[i + shift] = window.strides[i];
    t.dilation[i + shift] = window.dilations[i];
    t.pad[i + shift] = window.pads_begin[i];
    t.input[i + shift] = window.input[i];
    t.output[i + shift] = window.output[i];
  }
  return t;
}

// The greater of both, or NaN when either is.
[[gnu::always_inline]] inline float greater(float best, float v) {
  const bool replace = static_cast<int>(v > best) | static_cast<int>(v != v);
  return replace ? v : best;
}

// best[i] = greater(best[i], row[i]).
FETTLE_VECTORIZED
void take_row(const float* row, float* best, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) best[i] = greater(best[i], row[i]);
}

// out[o] = greater(out[o], row[o * stride]).
FETTLE_VECTORIZED
void take_tap(const float* row, int64_t stride, float* out, int64_t n) {
  if (stride == 1) {
#pragma omp simd
    for (int64_t o = 0; o < n; ++o) out[o] = greater(out[o], row[o]);
  } else if (stride == 2) {
#pragma omp simd
    for (int64_t o = 0; o < n; ++o) out[o] = greater(out[o], row[2 * o]);
  } else {
    for (int64_t o = 0; o < n; ++o) out[o] = greater(out[o], row[o * stride]);
  }
}

// One row of the output: rows of the window are joined first, then its columns. `joined` is scratch
// for one row of the input.
void pool_row(const float* plane, const Taps& t, int64_t depth, int64_t height, float* joined,
              float* out) {
  std::fill_n(joined, t.input[2], -std::numeric_limits<float>::infinity());
  for (int64_t kd = 0; kd < t.kernel[0]; ++kd) {
    const int64_t d = depth * t.stride[0] - t.pad[0] + kd * t.dilation[0];
    if (d < 0 || d >= t.input[0]) continue;
    for (int64_t kh = 0; kh < t.kernel[1]; ++kh) {
      const int64_t h = height * t.stride[1] - t.pad[1] + kh * t.dilation[1];
      if (h < 0 || h >= t.input[1]) continue;
      take_row(plane + (d * t.input[1] + h) * t.input[2], joined, t.input[2]);
    }
  }
  const int64_t stride = t.stride[2];
  std::fill_n(out, t.output[2], -std::numeric_limits<float>::infinity());
  for (int64_t kw = 0; kw < t.kernel[2]; ++kw) {
    // Outputs whose tap lies inside the row.
    const int64_t shift = kw * t.dilation[2] - t.pad[2];
    const int64_t room = t.input[2] - 1 - shift;
    const int64_t begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    const int64_t end = room < 0 ? 0 : std::min(t.output[2], room / stride + 1);
    if (begin >= end) continue;
    take_tap(joined + begin * stride + shift, stride, out + begin, end - begin);
  }
}

}  // namespace

ir::Tensor plain_max_pool(const ir::Tensor& x, const ops::Window& window) {
  const Taps t = three_axes(window);
  ir::Tensor out(ir::DataType::kFloat, ops::pool_output_dims(window, x.dims()));
  const float* from = x.data<float>().data();
  float* to = out.mutable_data<float>().data();
  const int64_t rows = t.output[0] * t.output[1];
  const int64_t taps = t.kernel[0] * t.kernel[1] * t.kernel[2];
  for_each_row(x.dim(0) * x.dim(1) * rows, t.output[2] * taps, [&](int64_t row) {
    const int64_t plane = row / rows;
    thread_local std::vector<float> joined;
    if (joined.size() < static_cast<size_t>(t.input[2])) {
      joined.resize(static_cast<size_t>(t.input[2]));
    }
    pool_row(from + plane * t.input[0] * t.input[1] * t.input[2], t, row % rows / t.output[1],
             row % t.output[1], joined.data(), to + row * t.output[2]);
  });
  return out;
}

}  // namespace fettle::interp
