// Valid nodes of losses, signals, geometry, strings, ai.onnx.ml and quantized operators, to be broken
// by tests.
#pragma once

#include <functional>

#include "ops/run_operator.h"

namespace fettle::test {

struct MutationCase {
  const char* domain;
  const char* op;
  int64_t version;
  std::function<std::vector<ir::Attribute>()> attributes;
  std::vector<ir::Tensor> operands;
  size_t outputs = 1;
};

std::vector<MutationCase> default_domain_cases();
std::vector<MutationCase> ml_domain_cases();
// Quantized operators of com.microsoft.
std::vector<MutationCase> quantized_contrib_cases();

}  // namespace fettle::test
