#include "interp/pad.h"

#include <algorithm>
#include <cstring>

#include "interp/box_copy.h"
#include "interp/movement_kernel.h"
#include "interp/parallel.h"
#include "ops/kernel_context.h"

namespace fettle::interp {
namespace {

enum class Fill { kConstant, kReflect, kEdge, kWrap };

// One axis: `extent` elements of which [skipped, skipped + kept) stay, `before` elements precede
// them in the result of `result` elements.
struct PaddedAxis {
  int64_t extent = 0;
  int64_t skipped = 0;
  int64_t kept = 0;
  int64_t before = 0;
  int64_t result = 0;
};

constexpr int64_t kLargestPad = int64_t{1} << 40;

// Where position `at` of an axis of `extent` elements (at may lie outside) takes its element from.
int64_t folded(int64_t at, int64_t extent, Fill fill) {
  if (fill == Fill::kEdge || extent == 1) return std::clamp<int64_t>(at, 0, extent - 1);
  const int64_t period = fill == Fill::kWrap ? extent : 2 * (extent - 1);
  const int64_t phase = (at % period + period) % period;
  return phase < extent ? phase : period - phase;
}

class Pad : public MovementKernel {
 public:
  Pad(const NodeFacts& facts, Fill fill) : node_(*facts.node), opset_(facts.opset), fill_(fill) {}

 protected:
  bool prepare(Call& call) override {
    width_ = element_width(call.type(0));
    const ir::Dims* in = call.dims(0);
    if (width_ == 0 || in->empty() || in->size() > kMostMovedAxes || !read_axes(call, *in) ||
        !read_value(call)) {
      return false;
    }
    dims_.clear();
    for (const PaddedAxis& axis : axes_) dims_.push_back(axis.result);
    if (ir::element_count(dims_) == 0) return false;
    return fill_ == Fill::kConstant ? prepare_boxes(*in) : prepare_rows();
  }

  bool execute(Call& call) override {
    const ir::Tensor& in = *call.tensor(0);
    ir::Tensor out(in.type(), dims_);
    std::byte* to = out.mutable_bytes();
    if (fill_ == Fill::kConstant) {
      for (const BoxCopy& border : borders_) border.run(value_.data(), to);
      interior_.run(in.bytes(), to);
    } else {
      fold_rows(in.bytes(), to);
    }
    call.set(0, std::move(out));
    return true;
  }

 private:
  bool read_axes(Call& call, const ir::Dims& in) {
    const char* attribute = opset_ < 2 ? "paddings" : "pads";
    std::optional<std::vector<int64_t>> pads;
    if (opset_ >= 11) {
      pads = small_ints(call.tensor(1));
    } else if (node_.has_attribute(attribute)) {
      pads = node_.attr_ints(attribute);
    }
    std::vector<size_t> places(in.size());
    for (size_t k = 0; k < in.size(); ++k) places[k] = k;
    if (opset_ >= 18 && call.has(3)) {
      const auto given = small_ints(call.tensor(3));
      const auto named = given ? distinct_axes_within(*given, in.size()) : std::nullopt;
      if (!named) return false;
      places = *named;
    }
    if (!pads || pads->size() != 2 * places.size()) return false;
    axes_.clear();
    for (const int64_t d : in) axes_.push_back({d, 0, d, 0, d});
    for (size_t i = 0; i < places.size(); ++i) {
      const int64_t begin = (*pads)[i];
      const int64_t end = (*pads)[i + places.size()];
      if (begin < -kLargestPad || begin > kLargestPad || end < -kLargestPad || end > kLargestPad) {
        return false;
      }
      PaddedAxis& axis = axes_[places[i]];
      axis.skipped = std::max<int64_t>(0, -begin);
      axis.before = std::max<int64_t>(0, begin);
      axis.kept = axis.extent - axis.skipped - std::max<int64_t>(0, -end);
      if (axis.kept <= 0) return false;
      axis.result = axis.before + axis.kept + std::max<int64_t>(0, end);
    }
    return true;
  }

  bool read_value(Call& call) {
    value_.assign(width_, std::byte{0});
    if (fill_ != Fill::kConstant) return true;
    if (opset_ < 11) return node_.attr_float("value", 0) == 0 || old_value(call);
    if (!call.has(2)) return true;
    const ir::Tensor* given = call.tensor(2);
    if (given == nullptr || given->size() != 1 || given->type() != call.type(0)) return false;
    std::memcpy(value_.data(), given->bytes(), width_);
    return true;
  }
  bool old_value(Call& call) {
    if (call.type(0) != ir::DataType::kFloat) return false;
    const float value = node_.attr_float("value", 0);
    std::memcpy(value_.data(), &value, sizeof value);
    return true;
  }

  // The part that stays, and slabs around it: those of axis k reach over all of the axes after k
  // and over what stays of the axes before it.
  bool prepare_boxes(const ir::Dims& in) {
    const auto from = ops::row_major_strides(in);
    const auto to = ops::row_major_strides(dims_);
    const size_t rank = in.size();
    std::vector<BoxAxis> kept(rank);
    int64_t source = 0;
    int64_t target = 0;
    for (size_t k = 0; k < rank; ++k) {
      kept[k] = {axes_[k].kept, from[k], to[k]};
      source += axes_[k].skipped * from[k];
      target += axes_[k].before * to[k];
    }
    interior_ = BoxCopy(width_, kept, source, target);
    borders_.clear();
    int64_t before = 0;  // offset of what stays of the axes before k
    for (size_t k = 0; k < rank; ++k) {
      const PaddedAxis& axis = axes_[k];
      std::vector<BoxAxis> slab(rank);
      for (size_t j = 0; j < rank; ++j) {
        slab[j] = {j < k ? axes_[j].kept : dims_[j], 0, to[j]};
      }
      const int64_t after = axis.before + axis.kept;
      for (const auto& [at, count] :
           {std::pair{int64_t{0}, axis.before}, std::pair{after, axis.result - after}}) {
        if (count == 0) continue;
        slab[k].extent = count;
        borders_.emplace_back(width_, slab, 0, before + at * to[k]);
      }
      before += axis.before * to[k];
    }
    return true;
  }

  // Rows along the last axis that changes: of runs of `run_` bytes.
  bool prepare_rows() {
    size_t last = axes_.size();
    while (last > 1 && axes_[last - 1].result == axes_[last - 1].kept &&
           axes_[last - 1].skipped == 0) {
      --last;
    }
    run_ = width_;
    for (size_t k = last; k < axes_.size(); ++k) run_ *= static_cast<size_t>(axes_[k].kept);
    maps_.assign(last, {});
    for (size_t k = 0; k < last; ++k) {
      const PaddedAxis& axis = axes_[k];
      if (axis.result > kLargestMap) return false;
      for (int64_t i = 0; i < axis.result; ++i) {
        maps_[k].push_back(axis.skipped + folded(i - axis.before, axis.kept, fill_));
      }
    }
    return true;
  }

  void fold_rows(const std::byte* from, std::byte* to) const {
    const size_t inner = maps_.size() - 1;
    const PaddedAxis& axis = axes_[inner];
    int64_t rows = 1;
    for (size_t k = 0; k < inner; ++k) rows *= axes_[k].result;
    const size_t in_row = static_cast<size_t>(axis.extent) * run_;
    const size_t out_row = static_cast<size_t>(axis.result) * run_;
    for_each_row(rows, static_cast<int64_t>(out_row / 4), [&](int64_t row) {
      int64_t source = 0;
      int64_t scale = 1;
      int64_t rest = row;
      for (size_t k = inner; k-- > 0;) {
        source += maps_[k][static_cast<size_t>(rest % axes_[k].result)] * scale;
        scale *= axes_[k].extent;
        rest /= axes_[k].result;
      }
      fold_row(from + static_cast<size_t>(source) * in_row, to + static_cast<size_t>(row) * out_row,
               axis, maps_[inner]);
    });
  }

  void fold_row(const std::byte* from, std::byte* to, const PaddedAxis& axis,
                const std::vector<int64_t>& map) const {
    std::memcpy(to + static_cast<size_t>(axis.before) * run_,
                from + static_cast<size_t>(axis.skipped) * run_,
                static_cast<size_t>(axis.kept) * run_);
    const auto fold = [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        std::memcpy(to + i * run_, from + static_cast<size_t>(map[i]) * run_, run_);
      }
    };
    fold(0, axis.before);
    fold(axis.before + axis.kept, axis.result);
  }

  static constexpr int64_t kLargestMap = int64_t{1} << 24;

  const ir::Node& node_;
  int64_t opset_;
  Fill fill_;
  size_t width_ = 0;
  std::vector<PaddedAxis> axes_;
  ir::Dims dims_;
  std::vector<std::byte> value_;
  BoxCopy interior_;
  std::vector<BoxCopy> borders_;
  size_t run_ = 0;
  std::vector<std::vector<int64_t>> maps_;  // by axis: the position that an element comes from
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_pad(const NodeFacts& facts) {
  const std::string mode = facts.node->attr_string("mode", "constant");
  if (mode == "constant") return std::make_unique<Pad>(facts, Fill::kConstant);
  if (mode == "reflect") return std::make_unique<Pad>(facts, Fill::kReflect);
  if (mode == "edge") return std::make_unique<Pad>(facts, Fill::kEdge);
  if (mode == "wrap" && facts.opset >= 19) return std::make_unique<Pad>(facts, Fill::kWrap);
  return nullptr;
}

}  // namespace fettle::interp
