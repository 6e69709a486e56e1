// DeformConv, Col2Im, AffineGrid, Det and MaxRoiPool.
#include <algorithm>
#include <cmath>

#include "ops/axes.h"
#include "ops/col2im.h"
#include "ops/deform_conv.h"
#include "ops/families.h"
#include "ops/max_roi_pool.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

// --- AffineGrid ------------------------------------------------------------------------------

// Position i of `extent` along an axis of [-1, 1].
double grid_position(int64_t i, int64_t extent, bool align_corners) {
  const auto n = static_cast<double>(extent);
  if (!align_corners) return (2.0 * static_cast<double>(i) + 1.0) / n - 1.0;
  return extent == 1 ? -1.0 : 2.0 * static_cast<double>(i) / (n - 1.0) - 1.0;
}

// theta [N, axes, axes + 1] applied to every point of a grid [spatial]; axes in x, y, z order.
void affine_grid(KernelContext& context) {
  const ir::Tensor& theta = context.input(0);
  const auto size = operand_ints(context, 1);
  const size_t axes = size && size->size() >= 2 ? size->size() - 2 : 0;
  const auto count = static_cast<int64_t>(axes);
  const bool known = (axes == 2 || axes == 3) && is_real(theta.type()) &&
                     theta.dims() == ir::Dims{size->front(), count, count + 1};
  if (!known || *std::min_element(size->begin(), size->end()) < 0) {
    fail(ErrorCode::kBadInput,
         "expected a size of 4 or 5 extents and floating-point theta [N, axes, axes + 1], found "
         "size {} and theta {} {}",
         size ? ir::to_string(*size) : "none", ir::data_type_name(theta.type()),
         ir::to_string(theta.dims()));
  }
  const bool align = context.node().attr_int("align_corners", 0) != 0;
  const ir::Dims spatial(size->begin() + 2, size->end());
  ir::Dims dims = {size->front()};
  dims.insert(dims.end(), spatial.begin(), spatial.end());
  dims.push_back(count);
  ir::Tensor& y = context.output(0, theta.type(), dims);
  const ir::Tensor matrices = as_doubles(theta);
  const int64_t points = y.size() == 0 ? 0 : ir::element_count(spatial);
  int64_t next = 0;
  for (int64_t n = 0; points > 0 && n < dims[0]; ++n) {
    const double* matrix = matrices.data<double>().data() + n * count * (count + 1);
    for (int64_t i = 0; i < points; ++i) {
      double point[3] = {};
      int64_t rest = i;
      for (size_t a = 0; a < axes; ++a) {  // the last spatial axis is x
        const int64_t extent = spatial[axes - 1 - a];
        point[a] = grid_position(rest % extent, extent, align);
        rest /= extent;
      }
      for (int64_t r = 0; r < count; ++r) {
        double sum = matrix[r * (count + 1) + count];
        for (int64_t c = 0; c < count; ++c) sum += matrix[r * (count + 1) + c] * point[c];
        store_double(sum, y, next++);
      }
    }
  }
}

void infer_affine_grid(InferContext& context) {
  const auto size = context.ints(1);
  const ir::Shape* theta = context.shape(0);
  if (!size) return context.set(0, context.element(0));
  if (size->size() != 4 && size->size() != 5) {
    fail(ErrorCode::kBadInput, "expected a size of 4 or 5 extents, found {}", size->size());
  }
  ir::Shape out = {size->front()};
  if (theta != nullptr && theta->size() == 3 && !out[0].known()) out[0] = theta->front();
  out.insert(out.end(), size->begin() + 2, size->end());
  out.push_back(ir::Dim::of(static_cast<int64_t>(size->size()) - 2));
  context.set(0, context.element(0), std::move(out));
}

// --- Det -------------------------------------------------------------------------------------

// Determinant of the row-major n x n matrix `a`, which is destroyed: Gaussian elimination with
// partial pivoting.
double determinant(double* a, int64_t n) {
  double result = 1;
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; ++i) {
      if (std::fabs(a[i * n + k]) > std::fabs(a[pivot * n + k])) pivot = i;
    }
    if (a[pivot * n + k] == 0) return 0;
    if (pivot != k) {
      std::swap_ranges(a + k * n, a + (k + 1) * n, a + pivot * n);
      result = -result;
    }
    result *= a[k * n + k];
    for (int64_t i = k + 1; i < n; ++i) {
      const double factor = a[i * n + k] / a[k * n + k];
      for (int64_t j = k + 1; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
    }
  }
  return result;
}

void det(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const size_t rank = x.rank();
  if (rank < 2 || x.dim(rank - 1) != x.dim(rank - 2) || !is_real(x.type())) {
    fail(ErrorCode::kBadInput, "expected floating-point square matrices [..., M, M], found {} {}",
         ir::data_type_name(x.type()), ir::to_string(x.dims()));
  }
  const int64_t n = x.dim(rank - 1);
  ir::Tensor& y = context.output(0, x.type(), ir::Dims(x.dims().begin(), x.dims().end() - 2));
  ir::Tensor values = as_doubles(x);
  double* matrices = values.mutable_data<double>().data();
  for (int64_t i = 0; i < y.size(); ++i) store_double(determinant(matrices + i * n * n, n), y, i);
}

void infer_det(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) return context.set(0, context.element(0));
  const bool square = x->size() >= 2 && (!x->back().known() || !(*x)[x->size() - 2].known() ||
                                         x->back().value == (*x)[x->size() - 2].value);
  if (!square) {
    fail(ErrorCode::kBadInput, "expected square matrices [..., M, M], found {}", ir::to_string(*x));
  }
  context.set(0, context.element(0), ir::Shape(x->begin(), x->end() - 2));
}

}  // namespace

std::span<const OpDef> geometry_ops() {
  static constexpr OpDef kRows[] = {
      {"", "AffineGrid", 20, infer_affine_grid, affine_grid, kNoFacts, 0b10},
      {"", "Col2Im", 18, infer_col2im, col2im, kNoFacts, 0b110},
      {"", "DeformConv", 19, infer_deform_conv, deform_conv, kNoFacts, 0, deform_conv_macs},
      {"", "Det", 11, infer_det, det},
      {"", "MaxRoiPool", 1, infer_max_roi_pool, max_roi_pool},
  };
  return kRows;
}

}  // namespace fettle::ops
