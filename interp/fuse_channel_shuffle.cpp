// Channels that change places:
//
//   x [N, C, H, W] -- Reshape [N, g, C/g, H, W] -- Transpose [N, C/g, g, H, W] -- Reshape [N, C, H,
//   W] -- y
//
// as one step that keeps a channels-blocked operand in its layout. Conditions: constant shapes;
// nothing else reads what lies between.
#include "interp/box_copy.h"
#include "interp/channel_gather.h"
#include "interp/fusion.h"
#include "interp/movement_kernel.h"

namespace fettle::interp {
namespace {

class ChannelShuffle : public AcceleratedKernel {
 public:
  // `split` and `joined` as the two Reshapes give them, with 0 and -1 for extents to find.
  ChannelShuffle(ir::Dims split, ir::Dims joined)
      : split_(std::move(split)), joined_(std::move(joined)) {}

  bool run(Call& call) override {
    const size_t width = element_width(call.type(0));
    if (width == 0 || call.dims(0)->size() != 4) return false;
    if (*call.dims(0) != dims_ || width != width_) {
      width_ = 0;
      if (!arrange(*call.dims(0), width)) return false;
      dims_ = *call.dims(0);
      width_ = width;
    }
    if (const Blocked* own = call.blocked(0)) {
      if (auto out = gather_channels({own}, picks_)) {
        call.set(0, std::move(*out));
        return true;
      }
    }
    const ir::Tensor& in = *call.tensor(0);
    ir::Tensor out(in.type(), dims_);
    copy_.run(in.bytes(), out.mutable_bytes());
    call.set(0, std::move(out));
    return true;
  }

 private:
  // True when `shape` is `dims` with some of its entries left to find.
  static bool stands_for(const ir::Dims& shape, const ir::Dims& dims, const ir::Dims& in) {
    if (shape.size() != dims.size()) return false;
    bool open = false;
    for (size_t k = 0; k < shape.size(); ++k) {
      if (shape[k] == -1) {
        if (open) return false;
        open = true;
      } else if (shape[k] == 0 ? k >= in.size() || in[k] != dims[k] : shape[k] != dims[k]) {
        return false;
      }
    }
    return true;
  }

  bool arrange(const ir::Dims& in, size_t width) {
    if (split_.size() != 5 || ir::element_count(in) == 0) return false;
    int64_t groups = split_[1];
    if (groups == -1 && split_[2] > 0) groups = in[1] / split_[2];
    if (groups < 1 || in[1] % groups != 0) return false;
    const int64_t each = in[1] / groups;
    const ir::Dims split{in[0], groups, each, in[2], in[3]};
    const ir::Dims shuffled{in[0], each, groups, in[2], in[3]};
    if (!stands_for(split_, split, in) || !stands_for(joined_, in, shuffled)) return false;
    picks_.clear();
    for (int64_t c = 0; c < in[1]; ++c) picks_.push_back({0, c % groups * each + c / groups});
    const int64_t positions = in[2] * in[3];
    copy_ = BoxCopy(width, {{in[0], in[1] * positions, in[1] * positions},
                            {each, positions, groups * positions},
                            {groups, each * positions, positions},
                            {positions, 1, 1}});
    return true;
  }

  ir::Dims split_;
  ir::Dims joined_;
  ir::Dims dims_;  // of the operand that the rest is prepared for
  size_t width_ = 0;
  std::vector<ChannelPick> picks_;
  BoxCopy copy_;
};

// The constant new shape of a Reshape whose zeros stand for extents of the operand.
std::optional<ir::Dims> shape_of(const ir::Node& node, const FusionView& view) {
  if (view.opset(node) < 5 || node.attr_int("allowzero", 0) != 0) return std::nullopt;
  const ir::Tensor* shape = view.constant(node.input(1));
  if (shape == nullptr) return std::nullopt;
  return small_ints(shape);
}

}  // namespace

std::optional<Fusion> fuse_channel_shuffle(const ir::Node& node, const FusionView& view) {
  const ir::Node* transpose = view.sole_reader(node.output(0));
  if (transpose == nullptr || !transpose->is("Transpose") || view.taken(*transpose) ||
      transpose->attr_ints("perm") != std::vector<int64_t>{0, 2, 1, 3, 4}) {
    return std::nullopt;
  }
  const ir::Node* join = view.sole_reader(transpose->output(0));
  if (join == nullptr || !join->is("Reshape") || view.taken(*join) ||
      join->input(0) != transpose->output(0)) {
    return std::nullopt;
  }
  auto split = shape_of(node, view);
  auto joined = shape_of(*join, view);
  if (!split || !joined) return std::nullopt;
  Fusion fusion;
  fusion.members = {&node, transpose, join};
  fusion.inputs = {node.input(0)};
  fusion.kernel = std::make_unique<ChannelShuffle>(std::move(*split), std::move(*joined));
  return fusion;
}

}  // namespace fettle::interp
