// The interface of kernels that replace reference kernels where speed matters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "interp/blocked.h"
#include "interp/element_range.h"
#include "ir/graph.h"
#include "ops/runtime_value.h"

namespace fettle::interp {

struct Widened;
// The plain tensor of the narrower type.
ops::RuntimeValue narrowed(Widened& widened);

// What a slot of a frame holds: a plain value, or a tensor in a primitive's own layout or a wider
// type, from which the plain value is made when something asks for it.
struct Slot {
  ops::RuntimeValue value;
  std::shared_ptr<const Blocked> blocked = nullptr;
  std::shared_ptr<Widened> widened = nullptr;  // `blocked` is then null

  const ops::RuntimeValue& plain() {
    if (value.is_tensor()) return value;
    if (blocked != nullptr) value = ops::RuntimeValue(to_plain(*blocked));
    if (widened != nullptr) value = narrowed(*widened);
    return value;
  }
  bool empty() const {
    return blocked == nullptr && widened == nullptr && value.kind == ops::RuntimeValue::Kind::kNone;
  }
  void clear() {
    if (blocked != nullptr) blocked.reset();
    if (widened != nullptr) widened.reset();
    if (value.kind != ops::RuntimeValue::Kind::kNone) value = {};
  }
};

// A float16 or bfloat16 tensor as the float32 numbers that it has.
struct Widened {
  Slot numbers;
  ir::DataType type = ir::DataType::kFloat16;
};

// The operands of a step and the outputs to fill; the same for all evaluations of the step.
class Call {
 public:
  struct Input {
    const ops::RuntimeValue* constant = nullptr;
    Slot* slot = nullptr;
    bool last_use = false;  // nothing reads the slot after this step
  };
  // Outputs in the order of the call.
  class Outputs {
   public:
    explicit Outputs(const std::vector<Slot*>& slots) : slots_(slots) {}
    size_t size() const { return slots_.size(); }
    Slot& operator[](size_t i) const { return *slots_[i]; }

   private:
    const std::vector<Slot*>& slots_;
  };

  // Writes to slots of the caller, null for omitted outputs.
  Call(std::vector<Input> inputs, std::vector<Slot*> outputs)
      : inputs_(std::move(inputs)), outputs_(std::move(outputs)), own_(1) {
    for (Slot*& output : outputs_) {
      drops_ = drops_ || output == nullptr;
      if (output == nullptr) output = &own_[0];
    }
  }
  // Has `outputs` slots of its own.
  Call(std::vector<Input> inputs, size_t outputs) : inputs_(std::move(inputs)), own_(outputs) {
    for (Slot& slot : own_) outputs_.push_back(&slot);
  }
  Call(Call&&) = default;
  Call& operator=(Call&&) = default;

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
  // Operand `i` (present) as the caller gave it.
  const Input& input(size_t i) const { return inputs_[i]; }
  // The operand in a wider type, or null when it is not held so.
  const Widened* widened(size_t i) const {
    return i < inputs_.size() && inputs_[i].slot != nullptr ? inputs_[i].slot->widened.get()
                                                            : nullptr;
  }
  // The operand's own storage when it may be overwritten: nothing else refers to it and nothing
  // reads it later. Null otherwise. At most one of the two holds.
  std::shared_ptr<ir::Buffer> reusable(size_t i);

  void set(size_t i, ir::Tensor tensor) {
    outputs_[i]->blocked.reset();
    outputs_[i]->widened.reset();
    outputs_[i]->value = ops::RuntimeValue(std::move(tensor));
  }
  void set_widened(size_t i, Widened widened);
  void set(size_t i, Blocked blocked);
  // Output `i` is operand `operand`, in whatever layout it has.
  void forward(size_t operand, size_t i);
  Outputs outputs() const { return Outputs(outputs_); }
  // Frees what was computed for omitted outputs.
  void drop_omitted() {
    if (drops_) own_[0].clear();
  }

 private:
  std::vector<Input> inputs_;
  std::vector<Slot*> outputs_;
  std::vector<Slot> own_;
  bool drops_ = false;
};

// Bytes of operand `i` (present, a tensor) in layout `wanted`: its own, or those of a copy in
// `storage`.
const std::byte* in_layout(Call& call, size_t i, const dnnl::memory::desc& wanted,
                           Blocked& storage);

// Ranges of one step's operands and output that an observer wants, and what the last run noted.
struct RangeNotes {
  std::vector<bool> wanted;  // by operand
  bool output_wanted = false;
  std::vector<std::optional<ElementRange>> operands;  // as long as `wanted`
  std::optional<ElementRange> output;
};

// A kernel bound to one step of a plan. It may keep packed weights and compiled primitives between
// calls. run() returns false, with nothing changed, for operands that it does not handle (type,
// rank, shape): the reference kernels then compute the step.
class AcceleratedKernel {
 public:
  virtual ~AcceleratedKernel() = default;
  virtual bool run(Call& call) = 0;
  // From now on run() puts the ranges of float32 operands and of its output that `notes` asks for
  // there, where it succeeds and the value is noted in passing; others are left empty. `notes` must
  // outlive the kernel. False when the kernel notes none.
  virtual bool note_ranges(RangeNotes*) { return false; }
  // What computed the last run, for people: an implementation of oneDNN, or fettle's own.
  virtual std::string describe() const { return "fettle"; }
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
