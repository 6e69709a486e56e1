// The interface of kernels that replace reference kernels where speed matters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "interp/blocked.h"
#include "ir/graph.h"
#include "ops/runtime_value.h"

namespace fettle::interp {

// What a slot of a frame holds: a plain value, or a tensor in a primitive's own layout from which
// the plain value is made when something asks for it.
struct Slot {
  ops::RuntimeValue value;
  std::shared_ptr<const Blocked> blocked;

  const ops::RuntimeValue& plain() {
    if (blocked != nullptr && !value.is_tensor()) value = ops::RuntimeValue(to_plain(*blocked));
    return value;
  }
};

// One evaluation of a step: its operands and the outputs to fill.
class Call {
 public:
  struct Input {
    const ops::RuntimeValue* constant = nullptr;
    Slot* slot = nullptr;
    bool last_use = false;  // nothing reads the slot after this step
  };
  struct Output {
    ops::RuntimeValue value;
    std::shared_ptr<const Blocked> blocked;
  };

  Call(std::vector<Input> inputs, size_t outputs) : inputs_(std::move(inputs)), outputs_(outputs) {}

  bool has(size_t i) const {
    return i < inputs_.size() && (inputs_[i].constant != nullptr || inputs_[i].slot != nullptr);
  }
  size_t input_count() const { return inputs_.size(); }
  // The operand's plain value, or null when omitted.
  const ops::RuntimeValue* value(size_t i);
  bool is_constant(size_t i) const { return i < inputs_.size() && inputs_[i].constant != nullptr; }
  // Element type and dimensions of a tensor operand in whatever layout; kUndefined and null for an
  // omitted operand or one that is not a tensor.
  ir::DataType type(size_t i) const;
  const ir::Dims* dims(size_t i);
  // The operand as a plain tensor, or null when omitted or not a tensor.
  const ir::Tensor* tensor(size_t i);
  // The operand in a primitive's own layout, or null when it is plain.
  const Blocked* blocked(size_t i) const;
  // The operand's own storage when it may be overwritten: nothing else refers to it and nothing
  // reads it later. Null otherwise. At most one of the two holds.
  std::shared_ptr<ir::Buffer> reusable(size_t i);

  void set(size_t i, ir::Tensor tensor) {
    outputs_[i].value = ops::RuntimeValue(std::move(tensor));
  }
  void set(size_t i, Blocked blocked);
  // Output `i` is operand `operand`, in whatever layout it has.
  void forward(size_t operand, size_t i);
  std::vector<Output>& outputs() { return outputs_; }

 private:
  std::vector<Input> inputs_;
  std::vector<Output> outputs_;
  std::vector<ir::Dims> blocked_dims_;
};

// Bytes of operand `i` (present, a tensor) in layout `wanted`: its own, or those of a copy in `storage`.
const std::byte* in_layout(Call& call, size_t i, const dnnl::memory::desc& wanted,
                           Blocked& storage);

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
// True when make_accelerated() knows the operator; some nodes may still have to do without.
bool has_accelerated_kernel(std::string_view domain, std::string_view op);

}  // namespace fettle::interp
