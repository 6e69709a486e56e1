#include "interp/slice.h"

#include <algorithm>
#include <numeric>

#include "interp/box_copy.h"
#include "interp/channel_range.h"
#include "interp/movement_kernel.h"
#include "ops/kernel_context.h"
#include "ops/slice_range.h"

namespace fettle::interp {
namespace {

using ops::SliceRange;

// A part of a tensor: copied, or shared where it is one run of bytes.
class Part {
 public:
  Part() = default;
  Part(size_t width, const ir::Dims& in, const std::vector<SliceRange>& ranges) {
    const auto strides = ops::row_major_strides(in);
    std::vector<BoxAxis> axes;
    int64_t offset = 0;
    for (size_t k = 0; k < in.size(); ++k) {
      // With one element the step, which may be huge, is never taken.
      const SliceRange& r = ranges[k];
      axes.push_back({r.count, r.count > 1 ? strides[k] * r.step : 0, 0});
      offset += r.start * strides[k];
      dims_.push_back(r.count);
    }
    int64_t stride = 1;
    for (size_t k = axes.size(); k-- > 0;) {
      axes[k].to = stride;
      stride *= axes[k].extent;
    }
    empty_ = stride == 0;
    copy_ = BoxCopy(width, axes, empty_ ? 0 : offset);
  }

  ir::Tensor of(const ir::Tensor& in) const {
    if (copy_.contiguous() && !empty_) {
      return view_of(in, dims_, static_cast<size_t>(copy_.from_offset()));
    }
    ir::Tensor out(in.type(), dims_);
    copy_.run(in.bytes(), out.mutable_bytes());
    return out;
  }
  const ir::Dims& dims() const { return dims_; }

 private:
  BoxCopy copy_;
  ir::Dims dims_;
  bool empty_ = false;
};

class Slice : public MovementKernel {
 public:
  Slice(const ir::Node& node, int64_t opset) : node_(node), operands_(opset >= 10) {}

 protected:
  bool prepare(Call& call) override {
    const size_t width = element_width(call.type(0));
    if (width == 0 || call.dims(0)->size() > kMostMovedAxes) return false;
    const ir::Dims& in = *call.dims(0);
    const auto ranges = ranges_of(call, in);
    if (!ranges) return false;
    part_ = Part(width, in, *ranges);
    whole_ = true;
    channels_.reset();
    bool others_whole = true;
    for (size_t k = 0; k < in.size(); ++k) {
      const bool all = (*ranges)[k].step == 1 && (*ranges)[k].count == in[k];
      whole_ = whole_ && all;
      others_whole = others_whole && (all || k == 1);
    }
    if (others_whole && in.size() > 1 && (*ranges)[1].step == 1) channels_ = (*ranges)[1];
    return true;
  }

  bool execute(Call& call) override {
    if (whole_) {
      call.forward(0, 0);
      return true;
    }
    const Blocked* own = call.blocked(0);
    if (own != nullptr && channels_) {
      if (auto out = channel_range(*own, channels_->start, channels_->count)) {
        call.set(0, std::move(*out));
        return true;
      }
    }
    call.set(0, part_.of(*call.tensor(0)));
    return true;
  }

 private:
  // A list that is an operand or an attribute; false when it is there but cannot be read.
  bool list(Call& call, size_t operand, const char* attribute,
            std::optional<std::vector<int64_t>>& to) const {
    if (operands_) {
      to = small_ints(call.tensor(operand));
      return to.has_value() || !call.has(operand);
    }
    if (attribute != nullptr && node_.has_attribute(attribute)) to = node_.attr_ints(attribute);
    return true;
  }

  std::optional<std::vector<SliceRange>> ranges_of(Call& call, const ir::Dims& in) const {
    std::optional<std::vector<int64_t>> starts, ends, given, steps;
    if (!list(call, 1, "starts", starts) || !list(call, 2, "ends", ends) ||
        !list(call, 3, "axes", given) || !list(call, 4, nullptr, steps) || !starts || !ends) {
      return std::nullopt;
    }
    if (!given) {
      given.emplace(starts->size());
      std::iota(given->begin(), given->end(), 0);
    }
    const auto axes = distinct_axes_within(*given, in.size());
    const size_t count = starts->size();
    if (!axes || axes->size() != count || ends->size() != count ||
        (steps && steps->size() != count)) {
      return std::nullopt;
    }
    std::vector<SliceRange> ranges;
    for (const int64_t d : in) ranges.push_back({0, d, 1});
    for (size_t i = 0; i < count; ++i) {
      const int64_t step = steps ? (*steps)[i] : 1;
      if (step == 0) return std::nullopt;
      ranges[(*axes)[i]] = ops::slice_range((*starts)[i], (*ends)[i], step, in[(*axes)[i]]);
    }
    return ranges;
  }

  const ir::Node& node_;
  bool operands_;
  Part part_;
  bool whole_ = false;
  std::optional<SliceRange> channels_;  // set when only channels are left out
};

class Split : public MovementKernel {
 public:
  // `only`: makes just this output of the node, as output 0.
  Split(const ir::Node& node, int64_t opset, std::optional<size_t> only = std::nullopt)
      : node_(node), opset_(opset), axis_(node.attr_int("axis", 0)), only_(only) {}

 protected:
  bool prepare(Call& call) override {
    const size_t width = element_width(call.type(0));
    if (width == 0 || call.dims(0)->size() > kMostMovedAxes) return false;
    const ir::Dims& in = *call.dims(0);
    const auto axis = axis_within(axis_, in.size());
    if (!axis) return false;
    const auto sizes = sizes_of(call, in[*axis]);
    if (!sizes || sizes->size() != node_.outputs().size()) return false;
    parts_.clear();
    int64_t begin = 0;
    for (const int64_t size : *sizes) {
      if (size < 0 || size > in[*axis] - begin) return false;
      std::vector<SliceRange> ranges;
      for (const int64_t d : in) ranges.push_back({0, d, 1});
      ranges[*axis] = {begin, size, 1};
      parts_.push_back({Part(width, in, ranges), begin, size});
      begin += size;
    }
    by_channel_ = *axis == 1;
    return begin == in[*axis];
  }

  bool execute(Call& call) override {
    if (by_channel_ && call.blocked(0) != nullptr && split_channels(call)) return true;
    const ir::Tensor& in = *call.tensor(0);
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (makes(i)) call.set(only_ ? 0 : i, parts_[i].part.of(in));
    }
    return true;
  }

 private:
  struct Output {
    Part part;
    int64_t begin;
    int64_t count;
  };

  bool makes(size_t i) const { return only_ ? i == *only_ : node_.output(i) != nullptr; }

  bool split_channels(Call& call) const {
    const Blocked& own = *call.blocked(0);
    std::vector<std::optional<Blocked>> results(parts_.size());
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (!makes(i)) continue;
      results[i] = channel_range(own, parts_[i].begin, parts_[i].count);
      if (!results[i]) return false;
    }
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i]) call.set(only_ ? 0 : i, std::move(*results[i]));
    }
    return true;
  }

  std::optional<std::vector<int64_t>> sizes_of(Call& call, int64_t extent) const {
    const auto count = static_cast<int64_t>(node_.outputs().size());
    if (count == 0 || (opset_ >= 18 && node_.attr_int("num_outputs", count) != count)) {
      return std::nullopt;
    }
    if (call.has(1)) return small_ints(call.tensor(1));
    if (opset_ < 13 && node_.has_attribute("split")) return node_.attr_ints("split");
    if (opset_ < 18 && extent % count != 0) return std::nullopt;
    // The last part is smaller when the extent does not divide.
    const int64_t part = (extent + count - 1) / count;
    if (part * (count - 1) > extent) return std::nullopt;
    std::vector<int64_t> sizes(static_cast<size_t>(count), part);
    sizes.back() = extent - part * (count - 1);
    return sizes;
  }

  const ir::Node& node_;
  int64_t opset_;
  int64_t axis_;
  std::optional<size_t> only_;
  bool by_channel_ = false;
  std::vector<Output> parts_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_slice(const NodeFacts& facts) {
  return std::make_unique<Slice>(*facts.node, facts.opset);
}

std::unique_ptr<AcceleratedKernel> make_split_part(const ir::Node& split, int64_t opset,
                                                   size_t output) {
  return std::make_unique<Split>(split, opset, output);
}

std::unique_ptr<AcceleratedKernel> accelerate_split(const NodeFacts& facts) {
  return std::make_unique<Split>(*facts.node, facts.opset);
}

}  // namespace fettle::interp
