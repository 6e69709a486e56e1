#include "interp/normalization.h"

#include <cmath>

#include "interp/parallel.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

bool is_vector_of(Call& call, size_t i, int64_t count) {
  return call.type(i) == kFloat && call.dims(i)->size() == 1 && call.dims(i)->front() == count;
}

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias over the last axes; without `centers`
// (RMSNormalization) y = x / sqrt(mean square + epsilon) * scale.
class LayerNormalization : public AcceleratedKernel {
 public:
  LayerNormalization(int64_t axis, float epsilon, bool centers)
      : axis_(axis), epsilon_(epsilon), centers_(centers) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat || call.type(1) != kFloat) return false;
    const bool biased = centers_ && call.has(2);
    if (biased && call.type(2) != kFloat) return false;
    std::shared_ptr<ir::Buffer> storage = call.reusable(0);
    if (call.blocked(0) != nullptr) storage = nullptr;
    const ir::Tensor& x = *call.tensor(0);
    const auto rank = static_cast<int64_t>(x.rank());
    const int64_t axis = axis_ < 0 ? axis_ + rank : axis_;
    if (axis < 0 || axis >= rank || x.size() == 0) return false;
    if (!is_tail(*call.dims(1), x.dims(), axis)) return false;
    if (biased && !is_tail(*call.dims(2), x.dims(), axis)) return false;
    int64_t length = 1;
    for (int64_t i = axis; i < rank; ++i) length *= x.dims()[static_cast<size_t>(i)];
    const float* scale = call.tensor(1)->data<float>().data();
    const float* bias = biased ? call.tensor(2)->data<float>().data() : nullptr;
    if (storage == nullptr) storage = ir::Buffer::allocate(x.byte_size());
    const float* from = x.data<float>().data();
    auto* to = reinterpret_cast<float*>(storage->mutable_data());
    for_each_row(x.size() / length, length * 4, [&](int64_t row) {
      normalize(from + row * length, to + row * length, length, scale, bias);
    });
    call.set(0, ir::Tensor(kFloat, x.dims(), std::move(storage)));
    return true;
  }

 private:
  static bool is_tail(const ir::Dims& dims, const ir::Dims& x, int64_t axis) {
    return std::equal(dims.begin(), dims.end(), x.begin() + axis, x.end());
  }

  void normalize(const float* x, float* y, int64_t n, const float* scale, const float* bias) const {
    const auto count = static_cast<double>(n);
    const double mean = centers_ ? sum_row(x, n) / count : 0.0;
    const double deviation =
        std::sqrt(squares_row(x, mean, n) / count + static_cast<double>(epsilon_));
    normalize_row(x, static_cast<float>(mean), static_cast<float>(1.0 / deviation), scale, bias, y,
                  n);
  }

  int64_t axis_;
  float epsilon_;
  bool centers_;
};

// Statistics over groups of channels of [N, C, spatial...]; scale and bias per channel, or per
// group (GroupNormalization of opset 18). `groups` is 0 for groups of one channel.
class GroupNormalization : public AcceleratedKernel {
 public:
  GroupNormalization(int64_t groups, float epsilon, bool per_group)
      : groups_(groups), epsilon_(epsilon), per_group_(per_group) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat || call.dims(0)->size() < 2) return false;
    const ir::Tensor& x = *call.tensor(0);
    const int64_t channels = x.dims()[1];
    const int64_t groups = groups_ == 0 ? channels : groups_;
    if (x.size() == 0 || groups < 1 || channels % groups != 0) return false;
    const int64_t width = per_group_ ? groups : channels;
    if (!is_vector_of(call, 1, width) || !is_vector_of(call, 2, width)) return false;
    const float* scale = call.tensor(1)->data<float>().data();
    const float* bias = call.tensor(2)->data<float>().data();
    const int64_t positions = x.size() / (x.dims()[0] * channels);
    const int64_t together = channels / groups;
    const int64_t length = together * positions;
    ir::Tensor out(kFloat, x.dims());
    const float* from = x.data<float>().data();
    float* to = out.mutable_data<float>().data();
    for_each_row(x.dims()[0] * groups, length * 4, [&](int64_t row) {
      const float* group = from + row * length;
      const double mean = sum_row(group, length) / static_cast<double>(length);
      const double variance = squares_row(group, mean, length) / static_cast<double>(length);
      const double factor = 1.0 / std::sqrt(variance + static_cast<double>(epsilon_));
      for (int64_t c = 0; c < together; ++c) {
        const int64_t at = per_group_ ? row % groups : row % groups * together + c;
        const auto slope = static_cast<float>(static_cast<double>(scale[at]) * factor);
        centered_affine_row(group + c * positions, static_cast<float>(mean), slope, bias[at],
                            to + row * length + c * positions, positions);
      }
    });
    call.set(0, std::move(out));
    return true;
  }

 private:
  int64_t groups_;
  float epsilon_;
  bool per_group_;
};

bool has_further_outputs(const ir::Node& node) {
  return node.output(1) != nullptr || node.output(2) != nullptr;
}

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_layer_normalization(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  if (has_further_outputs(node) || node.attr_int("stash_type", 1) != 1) return nullptr;
  return std::make_unique<LayerNormalization>(node.attr_int("axis", -1),
                                              node.attr_float("epsilon", 1e-5f), true);
}

std::unique_ptr<AcceleratedKernel> accelerate_rms_normalization(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  if (has_further_outputs(node) || node.attr_int("stash_type", 1) != 1) return nullptr;
  return std::make_unique<LayerNormalization>(node.attr_int("axis", -1),
                                              node.attr_float("epsilon", 1e-5f), false);
}

std::unique_ptr<AcceleratedKernel> accelerate_group_normalization(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  const float epsilon = node.attr_float("epsilon", 1e-5f);
  if (node.is("InstanceNormalization")) {
    return facts.opset < 6 ? nullptr : std::make_unique<GroupNormalization>(0, epsilon, false);
  }
  const int64_t groups = node.attr_int("num_groups", 0);
  if (groups < 1 || node.attr_int("stash_type", 1) != 1) return nullptr;
  return std::make_unique<GroupNormalization>(groups, epsilon, facts.opset < 21);
}

}  // namespace fettle::interp
