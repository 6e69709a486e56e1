#include "calib/same_outputs.h"

#include <algorithm>
#include <cmath>

#include "calib/range_scan.h"

namespace fettle::calib {
namespace {

constexpr double kOfRange = 1e-4;
constexpr double kOfMagnitude = 1e-6;

double tolerance_of(const TensorRange& range) {
  const double low = range.min, high = range.max;
  return std::max(kOfRange * (high - low),
                  kOfMagnitude * std::max(std::abs(low), std::abs(high)));
}

bool near(const ir::Tensor& a, const ir::Tensor& b, double tolerance) {
  for (int64_t i = 0; i < a.size(); ++i) {
    const double x = ir::element_as_double(a, i), y = ir::element_as_double(b, i);
    if (std::isnan(x) && std::isnan(y)) continue;
    if (x != y && !(std::abs(x - y) <= tolerance)) return false;  // also for just one infinity
  }
  return true;
}

bool holds(const TensorRange& outer, const TensorRange& inner) {
  if (inner.count == 0) return true;
  const double tolerance = tolerance_of(outer);
  return outer.count > 0 && inner.min >= outer.min - tolerance &&
         inner.max <= outer.max + tolerance;
}

}  // namespace

bool same_rows(const std::vector<ir::Tensor>& singles, const ir::Tensor& together) {
  const bool floating = ir::is_floating(together.type());
  TensorRange range;
  for (size_t i = 0; i < singles.size(); ++i) {
    const ir::Tensor row = together.slice_front(static_cast<int64_t>(i), 1);
    if (singles[i].type() != row.type() || singles[i].dims() != row.dims()) return false;
    if (floating) merge_range(range, scan_range(singles[i]));
  }
  for (size_t i = 0; i < singles.size(); ++i) {
    const ir::Tensor row = together.slice_front(static_cast<int64_t>(i), 1);
    if (floating ? !near(singles[i], row, tolerance_of(range)) : !ir::identical(singles[i], row)) {
      return false;
    }
  }
  return true;
}

bool ranges_agree(const Ranges& single, int64_t singles, const Ranges& together, int64_t count) {
  if (single.size() != together.size()) return false;
  return std::all_of(single.begin(), single.end(), [&](const auto& entry) {
    const auto found = together.find(entry.first);
    if (found == together.end()) return false;
    const TensorRange &few = entry.second, &many = found->second;
    const int64_t few_elements = few.count + few.non_finite;
    return few_elements % singles == 0 &&
           few_elements / singles * count == many.count + many.non_finite &&
           few.non_finite <= many.non_finite && holds(many, few);
  });
}

}  // namespace fettle::calib
