#include "interp/channel_affine.h"

#include <algorithm>
#include <cmath>

#include "interp/parallel.h"
#include "interp/simd.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

struct Extents {
  int64_t batch;
  int64_t channels;
  int64_t positions;  // product of the axes after the channel axis
};

Extents extents_of(const ir::Dims& x) {
  Extents e{x[0], x[1], 1};
  for (size_t i = 2; i < x.size(); ++i) e.positions *= x[i];
  return e;
}

void affine_plain(const float* x, float* y, const Extents& e, const std::vector<float>& scale,
                  const std::vector<float>& shift) {
  for_each_row(e.batch * e.channels, e.positions, [&](int64_t row) {
    const auto c = static_cast<size_t>(row % e.channels);
    const float a = scale[c];
    const float b = shift[c];
    affine_row(x + row * e.positions, a, b, y + row * e.positions, e.positions);
  });
}

// to[p][lane] = from[p][lane] * scale[lane] + shift[lane].
FETTLE_VECTORIZED
void affine_lanes(const float* from, const float* scale, const float* shift, int64_t positions,
                  int64_t block, float* to) {
  constexpr int64_t kLanes = 16;
  if (block == kLanes) {
    for (int64_t p = 0; p < positions; ++p) {
#pragma omp simd
      for (int64_t j = 0; j < kLanes; ++j) {
        to[p * kLanes + j] = from[p * kLanes + j] * scale[j] + shift[j];
      }
    }
    return;
  }
  for (int64_t p = 0; p < positions; ++p) {
#pragma omp simd
    for (int64_t j = 0; j < block; ++j) {
      to[p * block + j] = from[p * block + j] * scale[j] + shift[j];
    }
  }
}

// Padding channels get scale and shift 0 and so stay zero.
void affine_blocked(const float* x, float* y, const ChannelLayout& layout,
                    const std::vector<float>& scale, const std::vector<float>& shift) {
  const int64_t block = layout.block;
  const auto width = static_cast<size_t>(layout.groups * block);
  std::vector<float> padded;
  if (width != scale.size()) {
    padded.resize(2 * width, 0.0f);
    std::copy(scale.begin(), scale.end(), padded.begin());
    std::copy(shift.begin(), shift.end(), padded.begin() + static_cast<int64_t>(width));
  }
  const float* scales = padded.empty() ? scale.data() : padded.data();
  const float* shifts = padded.empty() ? shift.data() : padded.data() + width;
  const int64_t step = std::max<int64_t>(1, kChunk / block);  // positions at a time
  const int64_t steps = (layout.positions + step - 1) / step;
  for_each_row(layout.batch * layout.groups * steps, std::min(step, layout.positions) * block,
               [&](int64_t row) {
                 const int64_t plane = row / steps;
                 const int64_t begin = row % steps * step;
                 const int64_t count = std::min(layout.positions - begin, step);
                 const int64_t at = (plane * layout.positions + begin) * block;
                 const int64_t lane = plane % layout.groups * block;
                 affine_lanes(x + at, scales + lane, shifts + lane, count, block, y + at);
               });
}

class BatchNormalization : public AcceleratedKernel {
 public:
  BatchNormalization(std::vector<float> scale, std::vector<float> shift)
      : scale_(std::move(scale)), shift_(std::move(shift)) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat) return false;
    const ir::Dims& x = *call.dims(0);
    if (x.size() < 2 || x[1] != static_cast<int64_t>(scale_.size())) return false;
    apply_channel_affine(call, 0, scale_, shift_);
    return true;
  }

 private:
  std::vector<float> scale_;
  std::vector<float> shift_;
};

}  // namespace

void apply_channel_affine(Call& call, size_t operand, const std::vector<float>& scale,
                          const std::vector<float>& shift) {
  const Blocked* own = call.blocked(operand);
  const auto layout = own != nullptr ? channel_layout(*own) : std::nullopt;
  std::shared_ptr<ir::Buffer> storage = call.reusable(operand);
  if (layout) {
    if (storage == nullptr) storage = ir::Buffer::allocate(own->desc.get_size());
    affine_blocked(reinterpret_cast<const float*>(own->buffer->data()),
                   reinterpret_cast<float*>(storage->mutable_data()), *layout, scale, shift);
    call.set(0, Blocked{own->desc, storage, kFloat});
    return;
  }
  const ir::Tensor& x = *call.tensor(operand);
  if (own != nullptr || storage == nullptr) storage = ir::Buffer::allocate(x.byte_size());
  affine_plain(x.data<float>().data(), reinterpret_cast<float*>(storage->mutable_data()),
               extents_of(x.dims()), scale, shift);
  call.set(0, ir::Tensor(kFloat, x.dims(), storage));
}

std::unique_ptr<AcceleratedKernel> accelerate_batch_normalization(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  if (node.outputs().size() > 1 || node.attr_int("training_mode", 0) != 0 ||
      node.attr_int("spatial", 1) == 0) {
    return nullptr;
  }
  for (size_t i = 1; i <= 4; ++i) {
    const ir::Tensor* t = facts.constant(i);
    if (t == nullptr || t->type() != kFloat || t->size() != facts.constant(1)->size()) {
      return nullptr;
    }
  }
  const double epsilon = node.attr_float("epsilon", 1e-5f);
  const auto gamma = facts.constant(1)->data<float>();
  const auto beta = facts.constant(2)->data<float>();
  const auto mean = facts.constant(3)->data<float>();
  const auto variance = facts.constant(4)->data<float>();
  std::vector<float> scale;
  std::vector<float> shift;
  for (size_t c = 0; c < gamma.size(); ++c) {
    const double s = gamma[c] / std::sqrt(variance[c] + epsilon);
    scale.push_back(static_cast<float>(s));
    shift.push_back(static_cast<float>(beta[c] - mean[c] * s));
  }
  return std::make_unique<BatchNormalization>(std::move(scale), std::move(shift));
}

}  // namespace fettle::interp
