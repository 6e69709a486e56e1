#include "interp/transpose.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "interp/box_copy.h"
#include "interp/movement_kernel.h"
#include "ops/kernel_context.h"

namespace fettle::interp {
namespace {

// The operand seen under `split` dims, its axes permuted, the result seen under `dims`.
struct Permutation {
  ir::Dims split;
  std::vector<size_t> order;  // axis of the operand by axis of the result
  ir::Dims dims;
};

class Permute : public MovementKernel {
 protected:
  virtual std::optional<Permutation> permutation(const ir::Dims& in) const = 0;

  bool prepare(Call& call) override {
    const size_t width = element_width(call.type(0));
    if (width == 0 || call.dims(0)->size() > kMostMovedAxes) return false;
    std::optional<Permutation> p = permutation(*call.dims(0));
    if (!p) return false;
    const auto strides = ops::row_major_strides(p->split);
    std::vector<BoxAxis> axes;
    for (const size_t axis : p->order) axes.push_back({p->split[axis], strides[axis], 0});
    int64_t stride = 1;
    for (size_t k = axes.size(); k-- > 0;) {
      axes[k].to = stride;
      stride *= axes[k].extent;
    }
    copy_ = BoxCopy(width, axes);
    dims_ = std::move(p->dims);
    return true;
  }

  bool execute(Call& call) override {
    const ir::Tensor& in = *call.tensor(0);
    if (copy_.contiguous()) {
      call.set(0, view_of(in, dims_));
      return true;
    }
    ir::Tensor out(in.type(), dims_);
    copy_.run(in.bytes(), out.mutable_bytes());
    call.set(0, std::move(out));
    return true;
  }

 private:
  BoxCopy copy_;
  ir::Dims dims_;
};

// The axes of an image [N, C, spatial...] with the channels last.
std::vector<size_t> channels_to_back(size_t rank) {
  std::vector<size_t> order{0};
  for (size_t k = 2; k < rank; ++k) order.push_back(k);
  order.push_back(1);
  return order;
}

// The inverse.
std::vector<size_t> channels_to_front(size_t rank) {
  std::vector<size_t> order{0, rank - 1};
  for (size_t k = 1; k + 1 < rank; ++k) order.push_back(k);
  return order;
}

// True when an operator that takes images in layouts of their own reads the value.
bool read_as_image(const ir::Value& value) {
  constexpr std::array<std::string_view, 9> kImageOperators{
      "AveragePool", "BatchNormalization", "Conv",   "ConvTranspose",  "GlobalAveragePool",
      "MaxPool",     "Pad",                "Resize", "QuantizeLinear",
  };
  return std::any_of(value.uses().begin(), value.uses().end(), [&](const ir::Use& use) {
    return use.node != nullptr && std::find(kImageOperators.begin(), kImageOperators.end(),
                                            use.node->op_type) != kImageOperators.end();
  });
}

// Nothing is copied where channels go to the back of an image that has them there already, or come
// from there for an operator that takes them there.
class Transpose : public Permute {
 public:
  explicit Transpose(const ir::Node& node)
      : reverses_(!node.has_attribute("perm")),
        perm_(node.attr_ints("perm")),
        makes_image_(node.output(0) != nullptr && read_as_image(*node.output(0))) {}

 protected:
  bool execute(Call& call) override {
    if (to_back_ && call.blocked(0) != nullptr) {
      Blocked last;
      const ir::Dims image = *call.dims(0);
      in_layout(call, 0, channels_last_desc(image, call.type(0)), last);
      if (last.buffer == nullptr) last = *call.blocked(0);
      ir::Dims dims = image;
      std::rotate(dims.begin() + 1, dims.begin() + 2, dims.end());
      call.set(0, ir::Tensor(last.type, std::move(dims), std::move(last.buffer)));
      return true;
    }
    if (to_front_ && call.blocked(0) == nullptr) {
      const ir::Tensor& in = *call.tensor(0);
      const auto& buffer = in.buffer();
      if (buffer != nullptr && in.bytes() == buffer->data()) {
        ir::Dims image = in.dims();
        std::rotate(image.begin() + 1, image.end() - 1, image.end());
        call.set(0, Blocked{channels_last_desc(image, in.type()), buffer, in.type()});
        return true;
      }
    }
    return Permute::execute(call);
  }

  std::optional<Permutation> permutation(const ir::Dims& in) const override {
    Permutation p{in, {}, {}};
    if (reverses_) {
      for (size_t k = in.size(); k-- > 0;) p.order.push_back(k);
    } else {
      const auto order = distinct_axes_within(perm_, in.size());
      if (!order || order->size() != in.size()) return std::nullopt;
      p.order = *order;
    }
    for (const size_t axis : p.order) p.dims.push_back(in[axis]);
    return p;
  }

  bool prepare(Call& call) override {
    const ir::DataType type = call.type(0);
    const ir::Dims& in = *call.dims(0);
    const bool image = in.size() >= 3 && in.size() <= 5 && ir::element_count(in) > 0 &&
                       (type == ir::DataType::kFloat || type == ir::DataType::kInt8 ||
                        type == ir::DataType::kUint8);
    const auto p = image ? permutation(in) : std::nullopt;
    to_back_ = p && p->order == channels_to_back(in.size());
    to_front_ = p && makes_image_ && p->order == channels_to_front(in.size());
    return Permute::prepare(call);
  }

 private:
  bool reverses_;
  std::vector<int64_t> perm_;
  bool makes_image_;
  bool to_back_ = false;
  bool to_front_ = false;
};

// [N, C b b, H, W] as [N, b, b, C, H, W] (DCR) or [N, C, b, b, H, W] (CRD) to [N, C, H, b, W, b].
class DepthToSpace : public Permute {
 public:
  DepthToSpace(int64_t block, bool channel_first) : block_(block), channel_first_(channel_first) {}

 protected:
  std::optional<Permutation> permutation(const ir::Dims& in) const override {
    const int64_t b = block_;
    if (in.size() != 4 || in[1] % (b * b) != 0) return std::nullopt;
    const int64_t c = in[1] / (b * b);
    Permutation p;
    p.dims = {in[0], c, in[2] * b, in[3] * b};
    if (channel_first_) {
      p.split = {in[0], c, b, b, in[2], in[3]};
      p.order = {0, 1, 4, 2, 5, 3};
    } else {
      p.split = {in[0], b, b, c, in[2], in[3]};
      p.order = {0, 3, 4, 1, 5, 2};
    }
    return p;
  }

 private:
  int64_t block_;
  bool channel_first_;
};

// [N, C, H b, W b] as [N, C, H, b, W, b] to [N, b, b, C, H, W].
class SpaceToDepth : public Permute {
 public:
  explicit SpaceToDepth(int64_t block) : block_(block) {}

 protected:
  std::optional<Permutation> permutation(const ir::Dims& in) const override {
    const int64_t b = block_;
    if (in.size() != 4 || in[2] % b != 0 || in[3] % b != 0) return std::nullopt;
    const int64_t h = in[2] / b;
    const int64_t w = in[3] / b;
    return Permutation{
        {in[0], in[1], h, b, w, b}, {0, 3, 5, 1, 2, 4}, {in[0], in[1] * b * b, h, w}};
  }

 private:
  int64_t block_;
};

constexpr int64_t kLargestBlock = 1024;

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_transpose(const NodeFacts& facts) {
  return std::make_unique<Transpose>(*facts.node);
}

std::unique_ptr<AcceleratedKernel> accelerate_depth_to_space(const NodeFacts& facts) {
  const int64_t block = facts.node->attr_int("blocksize", 0);
  const std::string mode = facts.node->attr_string("mode", "DCR");
  if (block < 1 || block > kLargestBlock || (mode != "DCR" && mode != "CRD")) return nullptr;
  return std::make_unique<DepthToSpace>(block, mode == "CRD");
}

std::unique_ptr<AcceleratedKernel> accelerate_space_to_depth(const NodeFacts& facts) {
  const int64_t block = facts.node->attr_int("blocksize", 0);
  if (block < 1 || block > kLargestBlock) return nullptr;
  return std::make_unique<SpaceToDepth>(block);
}

}  // namespace fettle::interp
