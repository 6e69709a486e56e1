// A dense tensor: element type, dimensions and shared bytes. The same class holds the constants
// of a graph (immutable, possibly mapped from a file) and the values of an execution.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/buffer.h"
#include "ir/data_type.h"

namespace fettle::ir {

using Dims = std::vector<int64_t>;

// Product of the dimensions; 1 for a scalar. Throws kBadInput for a negative dimension and kLimit
// on overflow.
int64_t element_count(const Dims& dims);
// "[2, 3]"; "[]" for a scalar.
std::string to_string(const Dims& dims);

// Copies share the bytes. Bytes are row major, little endian; 4- and 2-bit elements are packed
// with the first element in the lowest bits, as in TensorProto.raw_data.
class Tensor {
 public:
  Tensor() = default;
  // Uninitialised elements (strings: empty). Throws kLimit beyond the memory limit.
  Tensor(DataType type, Dims dims);
  // A view of `buffer` from byte `offset` on. The buffer must hold the whole tensor.
  Tensor(DataType type, Dims dims, std::shared_ptr<Buffer> buffer, size_t offset = 0);

  static Tensor of_strings(Dims dims, std::vector<std::string> strings);
  // A tensor of the given elements; `values.size()` must be the element count of `dims`.
  template <typename T>
  static Tensor of(Dims dims, const std::vector<T>& values);
  template <typename T>
  static Tensor scalar(T value) { return of<T>({}, std::vector<T>{value}); }

  // False for a default-constructed tensor ("no tensor").
  bool defined() const { return type_ != DataType::kUndefined; }
  DataType type() const { return type_; }
  const Dims& dims() const { return dims_; }
  int64_t dim(size_t axis) const { return dims_.at(axis); }
  size_t rank() const { return dims_.size(); }
  int64_t size() const { return size_; }
  // Bytes that the elements take; 0 for strings.
  size_t byte_size() const;

  const std::byte* bytes() const { return buffer_ ? buffer_->data() + offset_ : nullptr; }
  // Writable bytes; copies them first when they are shared with another tensor or mapped.
  std::byte* mutable_bytes();

  // Elements as T; T's DataType must equal type() (bool tensors may be read as uint8_t too).
  template <typename T>
  std::span<const T> data() const {
    check_type(DataTypeOf<T>::value);
    return {reinterpret_cast<const T*>(bytes()), static_cast<size_t>(size_)};
  }
  template <typename T>
  std::span<T> mutable_data() {
    check_type(DataTypeOf<T>::value);
    return {reinterpret_cast<T*>(mutable_bytes()), static_cast<size_t>(size_)};
  }
  const std::vector<std::string>& strings() const;
  std::vector<std::string>& mutable_strings();

  // The same elements under other dimensions of equal element count; shares the bytes.
  Tensor reshaped(Dims dims) const;
  // A view of elements [begin, begin + count) of axis 0; shares the bytes. Not for sub-byte types.
  Tensor slice_front(int64_t begin, int64_t count) const;

  // For tensors of a file: the pages may leave memory until they are read again.
  void release_pages() const {
    if (buffer_ != nullptr) buffer_->release_pages();
  }

  const std::shared_ptr<Buffer>& buffer() const { return buffer_; }

 private:
  void check_type(DataType wanted) const;

  DataType type_ = DataType::kUndefined;
  Dims dims_;
  int64_t size_ = 0;
  std::shared_ptr<Buffer> buffer_;
  size_t offset_ = 0;
  std::shared_ptr<std::vector<std::string>> strings_;
};

template <typename T>
Tensor Tensor::of(Dims dims, const std::vector<T>& values) {
  Tensor t(DataTypeOf<T>::value, std::move(dims));
  auto out = t.mutable_data<T>();
  if (out.size() != values.size()) {
    throw std::invalid_argument("Tensor::of: element count differs from the dimensions");
  }
  for (size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return t;
}

// Element `index` of a numeric or bool tensor of any type (sub-byte and 8-bit floats included).
// Complex and string tensors throw kUnsupported.
double element_as_double(const Tensor& tensor, int64_t index);
// The same for integer and bool tensors, exact over the whole range of int64.
int64_t element_as_int(const Tensor& tensor, int64_t index);
// All elements of an integer or bool tensor. Meant for shapes, axes and other small tensors.
std::vector<int64_t> elements_as_ints(const Tensor& tensor);
// True when types, dimensions and bytes (or strings) are identical.
bool identical(const Tensor& a, const Tensor& b);

}  // namespace fettle::ir
