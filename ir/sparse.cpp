#include "ir/sparse.h"

#include <cstring>

#include "ir/error.h"

namespace fettle::ir {
namespace {

// Row-major position in a tensor of `dims` of entry `row` of [NNZ, rank] indices.
int64_t linear_index(const Tensor& indices, int64_t row, const Dims& dims) {
  const auto rank = static_cast<int64_t>(dims.size());
  int64_t linear = 0;
  for (int64_t axis = 0; axis < rank; ++axis) {
    const int64_t index = element_as_int(indices, row * rank + axis);
    const int64_t extent = dims[static_cast<size_t>(axis)];
    if (index < 0 || index >= extent) {
      fail(ErrorCode::kBadInput, "sparse tensor: index {} of entry {} is outside axis {} of {}",
           index, row, axis, to_string(dims));
    }
    linear = linear * extent + index;
  }
  return linear;
}

int64_t entry_position(const SparseTensor& sparse, int64_t entry, int64_t count) {
  const Tensor& indices = sparse.indices.tensor;
  if (indices.rank() == 2) return linear_index(indices, entry, sparse.dims);
  const int64_t index = element_as_int(indices, entry);
  if (index < 0 || index >= count) {
    fail(ErrorCode::kBadInput, "sparse tensor: index {} of entry {} is outside {} elements", index,
         entry, count);
  }
  return index;
}

}  // namespace

void check_sparse(const SparseTensor& sparse) {
  const Tensor& values = sparse.values.tensor;
  const Tensor& indices = sparse.indices.tensor;
  const int64_t count = element_count(sparse.dims);
  if (values.rank() != 1) {
    fail(ErrorCode::kBadInput, "sparse tensor: expected values of one dimension, found {}",
         to_string(values.dims()));
  }
  if (values.size() == 0 && (!indices.defined() || indices.size() == 0)) return;
  if (indices.type() != DataType::kInt64) {
    fail(ErrorCode::kBadInput, "sparse tensor: expected int64 indices, found {}",
         data_type_name(indices.type()));
  }
  const auto rank = static_cast<int64_t>(sparse.dims.size());
  const bool linear = indices.dims() == Dims{values.size()};
  const bool per_axis = indices.dims() == Dims{values.size(), rank};
  if (!linear && !per_axis) {
    fail(ErrorCode::kBadInput,
         "sparse tensor: expected indices of shape [{}] or [{}, {}], found {}", values.size(),
         values.size(), rank, to_string(indices.dims()));
  }
  int64_t previous = -1;
  for (int64_t i = 0; i < values.size(); ++i) {
    const int64_t position = entry_position(sparse, i, count);
    if (position <= previous) {
      fail(ErrorCode::kBadInput, "sparse tensor: entry {} is not in ascending order", i);
    }
    previous = position;
  }
}

Tensor densify(const SparseTensor& sparse) {
  check_sparse(sparse);
  const Tensor& values = sparse.values.tensor;
  const int64_t count = element_count(sparse.dims);
  Tensor dense(values.type(), sparse.dims);
  if (values.type() == DataType::kString) {
    auto& out = dense.mutable_strings();
    for (int64_t i = 0; i < values.size(); ++i) {
      out[static_cast<size_t>(entry_position(sparse, i, count))] =
          values.strings()[static_cast<size_t>(i)];
    }
    return dense;
  }
  std::byte* out = dense.mutable_bytes();
  if (dense.byte_size() > 0) std::memset(out, 0, dense.byte_size());
  const int bits = data_type_bits(values.type());
  if (bits >= 8) {
    const size_t width = static_cast<size_t>(bits) / 8;
    for (int64_t i = 0; i < values.size(); ++i) {
      const auto position = static_cast<size_t>(entry_position(sparse, i, count));
      std::memcpy(out + position * width, values.bytes() + static_cast<size_t>(i) * width, width);
    }
    return dense;
  }
  const int per_byte = 8 / bits;
  const unsigned mask = (1u << bits) - 1;
  for (int64_t i = 0; i < values.size(); ++i) {
    const int64_t position = entry_position(sparse, i, count);
    const auto packed = static_cast<unsigned>(values.bytes()[i / per_byte]);
    const unsigned code = (packed >> (i % per_byte * bits)) & mask;
    out[position / per_byte] |= static_cast<std::byte>(code << (position % per_byte * bits));
  }
  return dense;
}

}  // namespace fettle::ir
