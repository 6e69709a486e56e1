// Movement of elements by their width, whatever their type.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "ops/kernel_context.h"
#include "ops/table.h"

namespace fettle::ops {

// A 16-byte element (complex128).
struct Wide {
  uint64_t words[2];
};

template <typename T>
struct ElementTag {
  using type = T;
};

// Calls f(ElementTag<T>{}) with the type that elements of `type` can be moved as: an unsigned
// integer of their width, Wide, or std::string. Sub-byte types throw kInternal: see by_width().
template <typename F>
void with_element(ir::DataType type, F&& f) {
  if (type == ir::DataType::kString) return f(ElementTag<std::string>{});
  switch (ir::data_type_bits(type)) {
    case 8:
      return f(ElementTag<uint8_t>{});
    case 16:
      return f(ElementTag<uint16_t>{});
    case 32:
      return f(ElementTag<uint32_t>{});
    case 64:
      return f(ElementTag<uint64_t>{});
    case 128:
      return f(ElementTag<Wide>{});
    default:
      fail(ErrorCode::kInternal, "elements of {} cannot be moved", ir::data_type_name(type));
  }
}

template <typename T>
const T* elements(const ir::Tensor& tensor) {
  if constexpr (std::is_same_v<T, std::string>) {
    return tensor.strings().data();
  } else {
    return reinterpret_cast<const T*>(tensor.bytes());
  }
}
template <typename T>
T* mutable_elements(ir::Tensor& tensor) {
  if constexpr (std::is_same_v<T, std::string>) {
    return tensor.mutable_strings().data();
  } else {
    return reinterpret_cast<T*>(tensor.mutable_bytes());
  }
}

// Sets every element to zero, false or "".
void fill_zero(ir::Tensor& tensor);

// Elements of a sub-byte type as one byte each (type uint8), and back.
ir::Tensor unpacked(const ir::Tensor& tensor);
ir::Tensor packed(const ir::Tensor& bytes, ir::DataType type);

// Runs `kernel` on operands whose sub-byte elements are one byte each, and packs its outputs of
// uint8 again. Bit i of `data` says that operand i holds data of the common element type.
void run_unpacked(KernelContext& context, uint32_t data, Kernel kernel);

// `kernel` for every element type: it needs to know bytes and wider elements only.
template <Kernel kernel, uint32_t data = 1>
void by_width(KernelContext& context) {
  for (size_t i = 0; i < context.input_count() && i < 32; ++i) {
    const bool sub_byte = ((data >> i) & 1u) != 0 && context.has(i) &&
                          context.value(i).is_tensor() && ir::is_sub_byte(context.input(i).type());
    if (sub_byte) return run_unpacked(context, data, kernel);
  }
  kernel(context);
}

// Throws kBadInput unless both tensors have the same element type.
void require_same_type(const ir::Tensor& a, const ir::Tensor& b, const char* what);

}  // namespace fettle::ops
