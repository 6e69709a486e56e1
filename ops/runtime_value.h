// What flows along an edge at run time: a tensor, a sequence, an optional, or nothing.
#pragma once

#include <memory>
#include <vector>

#include "ir/tensor.h"

namespace fettle::ops {

struct RuntimeValue {
  enum class Kind { kNone, kTensor, kSequence, kOptional };

  Kind kind = Kind::kNone;
  ir::Tensor tensor;
  // Elements of a sequence; an optional holds zero or one. Shared and immutable once made.
  std::shared_ptr<const std::vector<RuntimeValue>> items;

  RuntimeValue() = default;
  RuntimeValue(ir::Tensor t) : kind(Kind::kTensor), tensor(std::move(t)) {}
  static RuntimeValue sequence(std::vector<RuntimeValue> items) {
    RuntimeValue v;
    v.kind = Kind::kSequence;
    v.items = std::make_shared<const std::vector<RuntimeValue>>(std::move(items));
    return v;
  }
  static RuntimeValue optional(std::vector<RuntimeValue> zero_or_one) {
    RuntimeValue v = sequence(std::move(zero_or_one));
    v.kind = Kind::kOptional;
    return v;
  }
  bool is_tensor() const { return kind == Kind::kTensor; }
};

}  // namespace fettle::ops
