#include "interp/resize.h"

#include <algorithm>

#include "interp/box_copy.h"
#include "interp/movement_kernel.h"
#include "interp/resample_rows.h"
#include "ops/resize_plan.h"

namespace fettle::interp {
namespace {

// An axis to resample with the taps of its output positions.
struct TappedAxis {
  size_t axis;
  ops::AxisTaps taps;
};

class Resize : public MovementKernel {
 public:
  Resize(const ir::Node& node, int64_t opset) : node_(node), opset_(opset) {}

 protected:
  bool prepare(Call& call) override {
    const size_t width = element_width(call.type(0));
    if (width == 0 || call.dims(0)->size() > kMostMovedAxes) return false;
    const auto plan = plan_of(call, *call.dims(0));
    if (!plan || plan->axes.empty() || ir::element_count(plan->output) == 0) return false;
    nearest_ = plan->options.interpolation == ops::Interpolation::kNearest;
    if (!nearest_ && call.type(0) != ir::DataType::kFloat) return false;
    if (plan->options.coordinates == ops::CoordinateMode::kTfCropAndResize) return false;
    input_ = *call.dims(0);
    output_ = plan->output;
    axes_.clear();
    for (const ops::AxisScale& axis : plan->axes) {
      if (std::max(axis.input, axis.output) > kLongestAxis) return false;
      axes_.push_back({axis.axis, ops::axis_taps(plan->options, axis)});
    }
    std::sort(axes_.begin(), axes_.end(),
              [](const TappedAxis& a, const TappedAxis& b) { return a.axis < b.axis; });
    for (const TappedAxis& axis : axes_) {
      for (size_t o = 0; o + 1 < axis.taps.first.size(); ++o) {
        if (axis.taps.first[o] == axis.taps.first[o + 1]) return false;
      }
    }
    lanes_ = 0;
    return true;
  }

  bool execute(Call& call) override {
    const Blocked* own = call.blocked(0);
    if (own != nullptr && axes_.front().axis >= 2) {
      if (const auto layout = channel_layout(*own)) {
        resize_blocked(call, *own, *layout);
        return true;
      }
    }
    const ir::Tensor& in = *call.tensor(0);
    arrange(-1, input_, 0, element_width(in.type()));
    ir::Tensor out(in.type(), output_);
    compute(in.bytes(), out.mutable_bytes());
    call.set(0, std::move(out));
    return true;
  }

 private:
  static constexpr int64_t kLongestAxis = int64_t{1} << 20;

  std::optional<ops::ResizePlan> plan_of(Call& call, const ir::Dims& x) const {
    const bool upsample = node_.op_type == "Upsample";
    if (opset_ >= 11 && !upsample) {
      ops::ResizeOperands operands;
      operands.roi = call.tensor(1);
      operands.scales = call.tensor(2);
      operands.sizes = small_ints(call.tensor(3));
      if (call.has(3) && !operands.sizes) return std::nullopt;
      const bool scales = operands.scales != nullptr && operands.scales->size() > 0;
      if (scales && operands.scales->type() != ir::DataType::kFloat) return std::nullopt;
      return ops::plan_resize(node_, x, operands);
    }
    std::vector<float> scales;
    if (opset_ >= 9) {
      const ir::Tensor* given = call.tensor(1);
      if (given == nullptr || given->type() != ir::DataType::kFloat) return std::nullopt;
      scales.assign(given->data<float>().begin(), given->data<float>().end());
    } else {
      scales = node_.attr_floats("scales");
    }
    if (scales.size() != x.size()) return std::nullopt;
    return ops::plan_upsample(
        node_, x, scales,
        upsample ? ops::NearestMode::kFloor : ops::NearestMode::kCeilWhenShrinking);
  }

  void resize_blocked(Call& call, const Blocked& in, const ChannelLayout& layout) {
    // [N, groups, spatial..., lanes]: spatial axes are one place further to the left than in
    // [N * groups, spatial..., lanes].
    ir::Dims memory{layout.batch * layout.groups};
    memory.insert(memory.end(), input_.begin() + 2, input_.end());
    memory.push_back(layout.block);
    arrange(layout.block, memory, 1, ir::data_type_bytes(in.type, 1));
    const bool last = in.desc == channels_last_desc(in.dims(), in.type);
    Blocked out = allocate_blocked(
        last ? channels_last_desc(output_, in.type) : channel_blocked_desc(output_, layout.block),
        in.type);
    compute(in.buffer->data(), out.buffer->mutable_data());
    call.set(0, std::move(out));
  }

  // Prepares for elements of `width` bytes that lie as `memory` says; axis k of the tensor is axis
  // k - shift of it. `lanes` tells layouts apart.
  void arrange(int64_t lanes, const ir::Dims& memory, size_t shift, size_t width) {
    if (lanes_ == lanes) return;
    lanes_ = lanes;
    if (nearest_) {
      const size_t last = axes_.back().axis - shift;
      std::vector<NearestCopy::Axis> axes(last + 1);
      for (size_t k = 0; k <= last; ++k) axes[k].extent = memory[k];
      for (const TappedAxis& axis : axes_) {
        auto& sources = axes[axis.axis - shift].sources;
        for (const int64_t index : axis.taps.index) sources.push_back(static_cast<int32_t>(index));
      }
      const int64_t run = extents_between(memory, last + 1, memory.size());
      nearest_copy_ = NearestCopy(std::move(axes), static_cast<size_t>(run) * width);
      return;
    }
    passes_.clear();
    ir::Dims dims = memory;
    for (auto axis = axes_.rbegin(); axis != axes_.rend(); ++axis) {
      const size_t k = axis->axis - shift;
      passes_.emplace_back(axis->taps, extents_between(dims, 0, k), dims[k],
                           extents_between(dims, k + 1, dims.size()));
      dims[k] = static_cast<int64_t>(axis->taps.first.size()) - 1;
    }
  }

  void compute(const std::byte* from, std::byte* to) const {
    if (nearest_) return nearest_copy_.run(from, to);
    const auto* x = reinterpret_cast<const float*>(from);
    std::shared_ptr<ir::Buffer> held;
    for (size_t i = 0; i < passes_.size(); ++i) {
      if (i + 1 == passes_.size()) {
        passes_[i].run(x, reinterpret_cast<float*>(to));
        return;
      }
      auto next = ir::Buffer::allocate(static_cast<size_t>(passes_[i].size()) * sizeof(float));
      auto* y = reinterpret_cast<float*>(next->mutable_data());
      passes_[i].run(x, y);
      held = std::move(next);
      x = y;
    }
  }

  const ir::Node& node_;
  int64_t opset_;
  bool nearest_ = false;
  ir::Dims input_;
  ir::Dims output_;
  std::vector<TappedAxis> axes_;  // ascending
  int64_t lanes_ = 0;             // of the layout that what follows is prepared for; 0: none
  NearestCopy nearest_copy_;
  std::vector<WeightedPass> passes_;  // last axis first
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_resize(const NodeFacts& facts) {
  if (facts.opset < 7) return nullptr;
  return std::make_unique<Resize>(*facts.node, facts.opset);
}

}  // namespace fettle::interp
