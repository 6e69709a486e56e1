// What kernels that move elements share: they prepare a copy for the shapes at hand and repeat it
// while these stay.
#pragma once

#include <optional>
#include <vector>

#include "interp/accelerated.h"

namespace fettle::interp {

inline constexpr size_t kMostMovedAxes = 8;

// Elements of an int32 or int64 tensor of rank 0 or 1 and at most 64 elements; nothing otherwise.
std::optional<std::vector<int64_t>> small_ints(const ir::Tensor* tensor);
// `axis` counted from the end when negative; nothing out of range.
std::optional<size_t> axis_within(int64_t axis, size_t rank);
// Each axis as by axis_within(); nothing when one is out of range or named twice.
std::optional<std::vector<size_t>> distinct_axes_within(const std::vector<int64_t>& axes,
                                                        size_t rank);
// The tensor's elements under other dims of equal element count; shares the bytes.
ir::Tensor view_of(const ir::Tensor& tensor, ir::Dims dims, size_t byte_offset = 0);
// Broadcast of two shapes by numpy's rule; nothing when they do not fit.
std::optional<ir::Dims> broadcast_of(const ir::Dims& a, const ir::Dims& b);
// Product of dims [begin, end).
int64_t extents_between(const ir::Dims& dims, size_t begin, size_t end);

// A kernel whose work is fixed by the types and dims of its first `shapes` operands and the
// contents of the others, which are small lists of integers or scalars.
class MovementKernel : public AcceleratedKernel {
 public:
  explicit MovementKernel(size_t shapes = 1) : shapes_(shapes) {}
  bool run(Call& call) final;

 protected:
  // Called when what fixes the work has changed. False: not handled. May throw what the reference
  // kernel throws.
  virtual bool prepare(Call& call) = 0;
  virtual bool execute(Call& call) = 0;

 private:
  struct Operand {
    ir::DataType type = ir::DataType::kUndefined;
    ir::Dims dims;
    std::vector<std::byte> contents;
  };
  bool unchanged(Call& call) const;
  bool remember(Call& call);
  // True when the operand's contents must be compared.
  bool by_contents(Call& call, size_t i) const {
    return i >= shapes_ && call.has(i) && !call.is_constant(i);
  }

  size_t shapes_;
  bool prepared_ = false;
  std::vector<Operand> operands_;
};

}  // namespace fettle::interp
