// y[c] = x[c] / (bias + alpha / size * sum of x[i]^2 over the window of c)^beta, with i from
// c - (size - 1) / 2 to c + size / 2 among the channels.
#include "interp/local_response.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "interp/parallel.h"
#include "interp/simd.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

struct Settings {
  float scale = 0;  // alpha / size
  float bias = 1;
  float beta = 0.75f;
  int64_t below = 0;  // channels of the window before its own
  int64_t above = 0;
};

// One sample.
struct Image {
  const float* in;
  float* out;
  int64_t channels;
  int64_t positions;
};

// to[i] = sum of x[i + t * step]^2 for t < taps.
FETTLE_VECTORIZED
void window_squares(const float* x, int64_t taps, int64_t step, float* to, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] = x[i] * x[i];
  for (int64_t t = 1; t < taps; ++t) {
    const float* y = x + t * step;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) to[i] += y[i] * y[i];
  }
}

// y[i] = x[i] / (bias + scale * sums[i])^0.75.
FETTLE_VECTORIZED
void divide_three_quarters(const float* x, const float* sums, float scale, float bias, float* y,
                           int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float root = __builtin_sqrtf(bias + scale * sums[i]);
    y[i] = x[i] / (root * __builtin_sqrtf(root));
  }
}

// y[i] = x[i] * factors[i].
FETTLE_VECTORIZED
void multiply_rows(const float* x, const float* factors, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * factors[i];
}

// `sums` is overwritten.
void divide(const Settings& s, const float* x, float* sums, float* y, int64_t n) {
  if (s.beta == 0.75f) {
    divide_three_quarters(x, sums, s.scale, s.bias, y, n);
    return;
  }
  affine_row(sums, s.scale, s.bias, sums, n);
  log_row(sums, sums, n);
  affine_row(sums, -s.beta, 0.0f, sums, n);
  exp_row(sums, sums, n);
  multiply_rows(x, sums, y, n);
}

float* scratch_floats(int64_t count) {
  return static_cast<float*>(scratch(static_cast<size_t>(count) * sizeof(float)));
}

// Positions [begin, end) of one sample in [channels, positions].
void plain_positions(const Settings& s, const Image& image, int64_t begin, int64_t end) {
  const int64_t n = end - begin;
  float* sums = scratch_floats(n);
  for (int64_t c = 0; c < image.channels; ++c) {
    const int64_t first = std::max<int64_t>(0, c - s.below);
    const int64_t last = c + std::min(s.above, image.channels - 1 - c);
    window_squares(image.in + first * image.positions + begin, last - first + 1, image.positions,
                   sums, n);
    const int64_t at = c * image.positions + begin;
    divide(s, image.in + at, sums, image.out + at, n);
  }
}

// Positions [begin, end) in [positions, channels]: each row of channels between zeros.
void channels_last_positions(const Settings& s, const Image& image, int64_t begin, int64_t end) {
  const int64_t channels = image.channels;
  const int64_t below = std::min(s.below, channels);
  const int64_t above = std::min(s.above, channels);
  float* sums = scratch_floats(2 * channels + below + above);
  float* row = sums + channels;
  std::fill_n(row, below, 0.0f);
  std::fill_n(row + below + channels, above, 0.0f);
  for (int64_t p = begin; p < end; ++p) {
    const float* x = image.in + p * channels;
    std::copy_n(x, channels, row + below);
    window_squares(row, below + above + 1, 1, sums, channels);
    divide(s, x, sums, image.out + p * channels, channels);
  }
}

class LocalResponse : public AcceleratedKernel {
 public:
  explicit LocalResponse(const Settings& settings) : settings_(settings) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat) return false;
    const ir::Dims x = *call.dims(0);
    if (x.size() < 3 || std::any_of(x.begin(), x.end(), [](int64_t d) { return d <= 0; })) {
      return false;
    }
    const Blocked* own = call.blocked(0);
    if (own == nullptr) {
      const ir::Tensor& in = *call.tensor(0);
      ir::Tensor out(kFloat, x);
      compute(in.data<float>().data(), x, false, out.mutable_data<float>().data());
      call.set(0, std::move(out));
      return true;
    }
    if (x.size() > 5) return false;
    Blocked converted;
    const auto layout = channels_last_desc(x, kFloat);
    const auto* in = reinterpret_cast<const float*>(in_layout(call, 0, layout, converted));
    Blocked out = allocate_blocked(layout, kFloat);
    compute(in, x, true, reinterpret_cast<float*>(out.buffer->mutable_data()));
    call.set(0, std::move(out));
    return true;
  }

 private:
  void compute(const float* in, const ir::Dims& x, bool channels_last, float* out) const {
    const int64_t channels = x[1];
    const int64_t image = ir::element_count(x) / x[0];
    const int64_t positions = image / channels;
    constexpr int64_t kPlainPositions = 512;
    const int64_t most = channels_last ? std::max<int64_t>(1, kChunk / channels) : kPlainPositions;
    const int64_t blocks = (positions + most - 1) / most;
    const int64_t block = std::min(most, positions) * channels;
    const int64_t cost = settings_.below + settings_.above + 16;
    for_each_row(x[0] * blocks, block * cost, [&](int64_t task) {
      const int64_t first = task / blocks * image;
      const int64_t begin = task % blocks * most;
      const int64_t end = std::min(positions, begin + most);
      const Image here{in + first, out + first, channels, positions};
      (channels_last ? channels_last_positions : plain_positions)(settings_, here, begin, end);
    });
  }

  Settings settings_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_local_response(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  const int64_t size = node.attr_int("size", 0);
  const float alpha = node.attr_float("alpha", 1e-4f);
  const float bias = node.attr_float("bias", 1.0f);
  // Wide windows would need running sums; bases below zero have no logarithm.
  constexpr int64_t kWidest = 64;
  if (size < 1 || size > kWidest || !(alpha >= 0.0f) || !(bias > 0.0f)) return nullptr;
  Settings s;
  s.scale = alpha / static_cast<float>(size);
  s.bias = bias;
  s.beta = node.attr_float("beta", 0.75f);
  s.below = (size - 1) / 2;
  s.above = size - 1 - s.below;
  return std::make_unique<LocalResponse>(s);
}

}  // namespace fettle::interp
