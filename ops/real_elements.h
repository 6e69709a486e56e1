// Elements of tensors as double, in bulk: kernels compute in double and round once when storing.
#pragma once

#include <cstdint>

#include "ir/tensor.h"

namespace fettle::ops {

// True for float16, bfloat16, float and double.
bool is_real(ir::DataType type);

// Elements [begin, begin + count) of a tensor that holds real numbers or integers (bool included),
// of any width. 64-bit integers round to double.
void load_doubles(const ir::Tensor& tensor, int64_t begin, int64_t count, double* out);
// Rounds to the type of `tensor`, which must satisfy is_real(), into elements [begin, ...).
void store_doubles(const double* values, int64_t count, ir::Tensor& tensor, int64_t begin);
// The same for one element.
void store_double(double value, ir::Tensor& tensor, int64_t index);

// A tensor of doubles with the elements and dimensions of `tensor`.
ir::Tensor as_doubles(const ir::Tensor& tensor);
// Scratch space of `count` doubles, uninitialised, counted against the memory limit.
ir::Tensor scratch_doubles(int64_t count);

}  // namespace fettle::ops
