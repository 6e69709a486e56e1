// Names and differences of cases of integer execution.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "ir/tensor.h"

namespace fettle {

struct NameOf {
  template <typename Case>
  std::string operator()(const testing::TestParamInfo<Case>& at) const {
    return at.param.name;
  }
};

// Fraction of elements that differ, and the largest difference in steps.
struct Difference {
  double fraction = 0;
  double most = 0;
};
inline Difference difference(const ir::Tensor& a, const ir::Tensor& b) {
  Difference d;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double e = std::abs(ir::element_as_double(a, i) - ir::element_as_double(b, i));
    d.most = std::max(d.most, e);
    d.fraction += e > 0 ? 1.0 / static_cast<double>(a.size()) : 0.0;
  }
  return d;
}

}  // namespace fettle
