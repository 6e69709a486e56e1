#include "ops/channels_last.h"

#include "ops/strided_copy.h"

namespace fettle::ops {
namespace {

// [N, rows, columns] transposed to [N, columns, rows], under the dimensions `dims`.
ir::Tensor transposed(const ir::Tensor& tensor, int64_t rows, int64_t columns, ir::Dims dims) {
  if (ir::is_sub_byte(tensor.type())) {
    fail(ErrorCode::kBadInput, "expected elements of whole bytes, found {}",
         ir::data_type_name(tensor.type()));
  }
  ir::Tensor out(tensor.type(), std::move(dims));
  if (out.size() == 0) return out;
  const int64_t size = rows * columns;
  copy_box(tensor, {0, {size, 1, columns}}, out, {0, {size, rows, 1}}, {out.dim(0), columns, rows});
  return out;
}

}  // namespace

ir::Tensor channels_moved_forward(const ir::Tensor& tensor) {
  ir::Dims dims = channels_moved_forward(tensor.dims());
  const int64_t pixels = ir::element_count(ir::Dims(dims.begin() + 2, dims.end()));
  const int64_t channels = dims[1];
  return transposed(tensor, pixels, channels, std::move(dims));
}

ir::Tensor channels_moved_back(const ir::Tensor& tensor) {
  ir::Dims dims = channels_moved_back(tensor.dims());
  const int64_t pixels = ir::element_count(ir::Dims(dims.begin() + 1, dims.end() - 1));
  const int64_t channels = dims.back();
  return transposed(tensor, channels, pixels, std::move(dims));
}

}  // namespace fettle::ops
