// The interface of kernels that replace reference kernels where speed matters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ir/graph.h"
#include "ops/runtime_value.h"

namespace fettle::interp {

// One evaluation: operands (null where omitted) and the outputs to fill.
struct Call {
  std::vector<const ops::RuntimeValue*> inputs;
  std::vector<ops::RuntimeValue> outputs;

  // Operand `i` when it is there and a tensor of this type, else null.
  const ir::Tensor* tensor(size_t i, ir::DataType type) const {
    const ir::Tensor* t = tensor(i);
    return t != nullptr && t->type() == type ? t : nullptr;
  }
  const ir::Tensor* tensor(size_t i) const {
    const bool there = i < inputs.size() && inputs[i] != nullptr && inputs[i]->is_tensor();
    return there ? &inputs[i]->tensor : nullptr;
  }
  bool has(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
};

// A kernel bound to one step of a plan. It may keep packed weights and compiled primitives between
// calls. run() returns false, with nothing changed, for operands that it does not handle (type,
// rank, shape): the reference kernels then compute the step.
class AcceleratedKernel {
 public:
  virtual ~AcceleratedKernel() = default;
  virtual bool run(Call& call) = 0;
};

// What a factory may know of its node when the plan is made.
struct NodeFacts {
  const ir::Node* node = nullptr;
  int64_t opset = 0;
  std::vector<const ir::Tensor*> constants;  // per operand: its contents when constant, else null

  const ir::Tensor* constant(size_t i) const {
    return i < constants.size() ? constants[i] : nullptr;
  }
};

// The kernel for a node of the operator table, or null when there is none for it.
std::unique_ptr<AcceleratedKernel> make_accelerated(const NodeFacts& facts);

}  // namespace fettle::interp
