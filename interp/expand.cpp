#include "interp/expand.h"

#include "interp/box_copy.h"
#include "interp/movement_kernel.h"
#include "ops/kernel_context.h"

namespace fettle::interp {
namespace {

class Repeat : public MovementKernel {
 protected:
  // Dims of the result and the axes of the copy; false where the operands are not handled.
  virtual bool plan(Call& call, const ir::Dims& in, ir::Dims& dims,
                    std::vector<BoxAxis>& axes) const = 0;

  bool prepare(Call& call) override {
    const size_t width = element_width(call.type(0));
    if (width == 0 || call.dims(0)->size() > kMostMovedAxes) return false;
    const ir::Dims& in = *call.dims(0);
    std::vector<BoxAxis> axes;
    dims_.clear();
    if (!plan(call, in, dims_, axes)) return false;
    same_ = dims_ == in;
    if (ir::element_count(dims_) == 0) axes.assign(1, BoxAxis{0, 0, 0});
    copy_ = BoxCopy(width, axes);
    return true;
  }

  bool execute(Call& call) override {
    if (same_) {
      call.forward(0, 0);
      return true;
    }
    const ir::Tensor& in = *call.tensor(0);
    ir::Tensor out(in.type(), dims_);
    copy_.run(in.bytes(), out.mutable_bytes());
    call.set(0, std::move(out));
    return true;
  }

 private:
  ir::Dims dims_;
  BoxCopy copy_;
  bool same_ = false;
};

class Expand : public Repeat {
 protected:
  bool plan(Call& call, const ir::Dims& in, ir::Dims& dims,
            std::vector<BoxAxis>& axes) const override {
    const auto target = small_ints(call.tensor(1));
    if (!target || target->size() > kMostMovedAxes) return false;
    for (const int64_t d : *target) {
      if (d < 0) return false;
    }
    auto expanded = broadcast_of(in, *target);
    if (!expanded) return false;
    dims = std::move(*expanded);
    if (ir::element_count(dims) == 0) return true;
    const auto from = ops::broadcast_strides(in, dims);
    const auto to = ops::row_major_strides(dims);
    for (size_t k = 0; k < dims.size(); ++k) axes.push_back({dims[k], from[k], to[k]});
    return true;
  }
};

class Tile : public Repeat {
 protected:
  // Every axis becomes two: the repeat, which stays in place in the operand, and the extent.
  bool plan(Call& call, const ir::Dims& in, ir::Dims& dims,
            std::vector<BoxAxis>& axes) const override {
    const auto repeats = small_ints(call.tensor(1));
    if (!repeats || repeats->size() != in.size()) return false;
    dims = in;
    for (size_t k = 0; k < in.size(); ++k) {
      if ((*repeats)[k] < 0 || __builtin_mul_overflow(in[k], (*repeats)[k], &dims[k])) return false;
    }
    if (ir::element_count(dims) == 0) return true;
    const auto from = ops::row_major_strides(in);
    const auto to = ops::row_major_strides(dims);
    for (size_t k = 0; k < dims.size(); ++k) {
      axes.push_back({(*repeats)[k], 0, to[k] * in[k]});
      axes.push_back({in[k], from[k], to[k]});
    }
    return true;
  }
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_expand(const NodeFacts&) {
  return std::make_unique<Expand>();
}

std::unique_ptr<AcceleratedKernel> accelerate_tile(const NodeFacts& facts) {
  if (facts.opset < 6) return nullptr;
  return std::make_unique<Tile>();
}

}  // namespace fettle::interp
