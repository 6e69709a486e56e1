#include "ops/scale_layout.h"

#include "ir/error.h"
#include "ops/checked.h"
#include "ops/kernel_context.h"

namespace fettle::ops {
namespace {

[[noreturn]] void wrong_shape(const ir::Dims& x, const ir::Dims& scale, int64_t block_size) {
  fail(ErrorCode::kBadInput,
       "scale of shape {} fits an input of shape {} neither per tensor, per axis nor blocked "
       "(block_size {})",
       ir::to_string(scale), ir::to_string(x), block_size);
}

}  // namespace

ScaleLayout::ScaleLayout(const ir::Dims& x, const ir::Dims& scale, int64_t axis,
                         int64_t block_size) {
  if (block_size < 0) {
    fail(ErrorCode::kBadInput, "attribute block_size: expected >= 0, found {}", block_size);
  }
  if (block_size == 0 && ir::element_count(scale) == 1) {
    inner_ = ir::element_count(x);
    return;
  }
  const bool blocked = block_size > 0;
  if (x.empty() || (blocked ? scale.size() != x.size() : scale.size() != 1)) {
    wrong_shape(x, scale, block_size);
  }
  const auto at = static_cast<size_t>(normalized_axis(axis, static_cast<int64_t>(x.size())));
  extent_ = x[at];
  for (size_t a = 0; a < x.size(); ++a) {
    if (a != at && blocked && scale[a] != x[a]) wrong_shape(x, scale, block_size);
    if (a < at) outer_ = checked_mul(outer_, x[a]);
    if (a > at) inner_ = checked_mul(inner_, x[a]);
  }
  const int64_t wanted = blocked ? ceil_div(extent_, block_size) : extent_;
  if (scale[blocked ? at : 0] != wanted) wrong_shape(x, scale, block_size);
  block_ = std::min(block_size, std::max<int64_t>(extent_, 1));
  if (!blocked) block_ = 0;
}

}  // namespace fettle::ops
