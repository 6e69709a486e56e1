// Valid nodes of losses, signals, geometry, strings and ai.onnx.ml, to be broken by tests.
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

}  // namespace fettle::test
