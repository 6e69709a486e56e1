// A pool of three axes whose first one are channels:
//
//   x [N, C, H, W] -- Unsqueeze(a) -- MaxPool, kernel [1, h, w] -- Squeeze(a) -- y
//
// with a = 0 or 1, as one step on channels-last data: y holds every s-th channel of the maxima over
// windows of [H, W], s being the first stride. Conditions: constant axes; nothing else reads what
// lies between. The kernel declines operands that are not in a layout of their own.
#include <algorithm>
#include <limits>

#include "interp/fusion.h"
#include "interp/movement_kernel.h"
#include "interp/parallel.h"
#include "interp/simd.h"
#include "ops/window.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// best[i] = the greater of best[i] and row[i], or NaN when either is.
FETTLE_VECTORIZED
void take_greater(const float* row, float* best, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float v = row[i];
    const bool replace = static_cast<int>(v > best[i]) | static_cast<int>(v != v);
    best[i] = replace ? v : best[i];
  }
}

class ChannelPool : public AcceleratedKernel {
 public:
  explicit ChannelPool(const ir::Node& pool) : pool_(pool) {}

  bool run(Call& call) override {
    const Blocked* own = call.blocked(0);
    if (own == nullptr || own->type != kFloat) return false;
    const ir::Dims x = own->dims();
    if (x.size() != 4 || std::any_of(x.begin(), x.end(), [](int64_t d) { return d <= 0; })) {
      return false;
    }
    const ops::Window window = ops::pool_window(pool_, {x[0], 1, x[1], x[2], x[3]});
    if (!handles(window)) return false;
    Blocked converted;
    const auto* in = reinterpret_cast<const float*>(
        in_layout(call, 0, channels_last_desc(x, kFloat), converted));
    const ir::Dims y{x[0], window.output[0], window.output[1], window.output[2]};
    Blocked out = allocate_blocked(channels_last_desc(y, kFloat), kFloat);
    auto* to = reinterpret_cast<float*>(out.buffer->mutable_data());
    const int64_t taps = window.kernel[1] + window.kernel[2];
    for_each_row(y[0] * y[2], x[3] * x[1] * taps / 4, [&](int64_t row) {
      pool_row(in + row / y[2] * x[1] * x[2] * x[3], x[1], window, row % y[2],
               to + row * y[3] * y[1]);
    });
    call.set(0, std::move(out));
    return true;
  }

 private:
  // Single taps on the first axis; on the others every window reaches into the input.
  static bool handles(const ops::Window& w) {
    if (w.kernel[0] != 1 || w.pads_begin[0] != 0 || w.output[0] <= 0) return false;
    if ((w.output[0] - 1) * w.strides[0] >= w.input[0]) return false;
    for (size_t i = 1; i < 3; ++i) {
      const int64_t last = (w.output[i] - 1) * w.strides[i] - w.pads_begin[i];
      if (w.output[i] <= 0 || w.pads_begin[i] >= w.extent(i) || last >= w.input[i]) return false;
      if (w.dilations[i] > 1 && w.extent(i) > w.input[i]) return false;
    }
    return true;
  }

  // One row of the output from an image [H, W, channels].
  static void pool_row(const float* image, int64_t channels, const ops::Window& w, int64_t y,
                       float* out) {
    const int64_t row = w.input[2] * channels;
    auto* joined =
        static_cast<float*>(scratch(static_cast<size_t>(row + channels) * sizeof(float)));
    float* best = joined + row;
    std::fill_n(joined, row, -std::numeric_limits<float>::infinity());
    for (int64_t k = 0; k < w.kernel[1]; ++k) {
      const int64_t from = y * w.strides[1] - w.pads_begin[1] + k * w.dilations[1];
      if (from >= 0 && from < w.input[1]) take_greater(image + from * row, joined, row);
    }
    for (int64_t x = 0; x < w.output[2]; ++x) {
      std::fill_n(best, channels, -std::numeric_limits<float>::infinity());
      for (int64_t k = 0; k < w.kernel[2]; ++k) {
        const int64_t from = x * w.strides[2] - w.pads_begin[2] + k * w.dilations[2];
        if (from >= 0 && from < w.input[2]) take_greater(joined + from * channels, best, channels);
      }
      for (int64_t c = 0; c < w.output[0]; ++c) *out++ = best[c * w.strides[0]];
    }
  }

  const ir::Node& pool_;
};

// The only axis that a Squeeze or Unsqueeze names, or -1.
int64_t only_axis(const ir::Node& node, const FusionView& view) {
  const auto axes = view.opset(node) < 13 ? std::optional(node.attr_ints("axes"))
                                          : small_ints(view.constant(node.input(1)));
  return axes && axes->size() == 1 ? axes->front() : -1;
}

}  // namespace

std::optional<Fusion> fuse_channel_pool(const ir::Node& unsqueeze, const FusionView& view) {
  const int64_t axis = only_axis(unsqueeze, view);
  if (axis != 0 && axis != 1) return std::nullopt;
  const ir::Node* pool = view.sole_reader(unsqueeze.output(0));
  if (pool == nullptr || !pool->is("MaxPool") || view.taken(*pool) || pool->output(1) != nullptr ||
      pool->attr_ints("kernel_shape").size() != 3) {
    return std::nullopt;
  }
  const ir::Node* squeeze = view.sole_reader(pool->output(0));
  if (squeeze == nullptr || !squeeze->is("Squeeze") || view.taken(*squeeze) ||
      only_axis(*squeeze, view) != axis) {
    return std::nullopt;
  }
  Fusion fusion;
  fusion.members = {&unsqueeze, pool, squeeze};
  fusion.inputs = {unsqueeze.input(0)};
  fusion.kernel = std::make_unique<ChannelPool>(*pool);
  return fusion;
}

}  // namespace fettle::interp
