// Literals of ONNX text: names, types and tensors. For ir/print.cpp.
#pragma once

#include <string>

#include "ir/tensor.h"
#include "ir/type.h"

namespace fettle::ir {

// The name as it stands in ONNX text: bare when it is an identifier, in quotes otherwise.
std::string text_name(const std::string& name);
std::string text_string(const std::string& value);
// Shortest text that reads back as this float; with a point or exponent, so that it is no integer.
std::string text_float(float value);
std::string text_double(double value);
// "float[N,2]", "float" (scalar), "float[]" (unknown rank), "seq(int64[])".
std::string text_type(const Type& type);
// "{1, 2, 3}", or "{...}" when there are more than `max_elements`.
std::string text_elements(const Tensor& tensor, int64_t max_elements);

}  // namespace fettle::ir
