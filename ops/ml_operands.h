// Operands and attributes that the operators of ai.onnx.ml have in common.
#pragma once

#include <cmath>
#include <string_view>

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

inline constexpr std::string_view kMlDomain = "ai.onnx.ml";

// The types that features may have: float, double, int64 and int32.
inline void require_features(const ir::Tensor& x) {
  using enum ir::DataType;
  if (x.type() != kFloat && x.type() != kDouble && x.type() != kInt64 && x.type() != kInt32) {
    fail(ErrorCode::kBadInput, "expected float, double, int64 or int32, found {}",
         ir::data_type_name(x.type()));
  }
}

// Features as samples [N, F]; a vector is one sample.
struct Samples {
  int64_t count = 1;
  int64_t features = 1;

  explicit Samples(const ir::Tensor& x) {
    require_features(x);
    if (x.rank() != 1 && x.rank() != 2) {
      fail(ErrorCode::kBadInput, "expected [N, F] or [F], found {}", ir::to_string(x.dims()));
    }
    count = x.rank() == 2 ? x.dim(0) : 1;
    features = x.dims().back();
  }
};

// The number of samples as far as known.
inline ir::Dim known_samples(const InferContext& context, size_t operand) {
  const ir::Shape* x = context.shape(operand);
  if (x == nullptr) return ir::Dim::unknown();
  if (x->size() != 1 && x->size() != 2) {
    fail(ErrorCode::kBadInput, "expected [N, F] or [F], found {}", ir::to_string(*x));
  }
  return x->size() == 2 ? x->front() : ir::Dim::of(1);
}

// Output 0 has the shape of operand 0 and this type.
inline void infer_same_shape(InferContext& context, ir::DataType type) {
  const ir::Shape* x = context.shape(0);
  context.set(0, type, x != nullptr ? std::optional(*x) : std::nullopt);
}

}  // namespace fettle::ops
