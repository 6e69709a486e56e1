#include "calib/range_scan.h"

#include <algorithm>

#include "ir/error.h"

namespace fettle::calib {

TensorRange scan_range(const ir::Tensor& tensor) {
  return tensor_range(interp::scan_range(tensor));
}

TensorRange tensor_range(const interp::ElementRange& range) {
  return {range.min, range.max, range.count, range.non_finite};
}

void merge_range(TensorRange& into, const TensorRange& more) {
  if (more.count > 0) {
    into.min = into.count > 0 ? std::min(into.min, more.min) : more.min;
    into.max = into.count > 0 ? std::max(into.max, more.max) : more.max;
  }
  if (__builtin_add_overflow(into.count, more.count, &into.count) ||
      __builtin_add_overflow(into.non_finite, more.non_finite, &into.non_finite)) {
    fail(ErrorCode::kLimit, "a calibration table counts more elements than 2^63");
  }
}

}  // namespace fettle::calib
