#include "interp/accelerated.h"

namespace fettle::interp {

const Blocked* Call::blocked(size_t i) const {
  return i < inputs_.size() && inputs_[i].slot != nullptr ? inputs_[i].slot->blocked.get()
                                                          : nullptr;
}

const ops::RuntimeValue* Call::value(size_t i) {
  if (!has(i)) return nullptr;
  const Input& input = inputs_[i];
  return input.slot != nullptr ? &input.slot->plain() : input.constant;
}

const ir::Tensor* Call::tensor(size_t i) {
  const ops::RuntimeValue* plain = value(i);
  return plain != nullptr && plain->is_tensor() ? &plain->tensor : nullptr;
}

void Call::forward(size_t operand, size_t i) {
  const Input& input = inputs_[operand];
  if (input.slot != nullptr) {
    *outputs_[i] = *input.slot;
  } else {
    *outputs_[i] = Slot{*input.constant};
  }
}

ir::DataType Call::type(size_t i) const {
  if (!has(i)) return ir::DataType::kUndefined;
  if (const Blocked* own = blocked(i)) return own->type;
  if (const Widened* wide = widened(i)) return wide->type;
  const Input& input = inputs_[i];
  const ops::RuntimeValue& value = input.slot != nullptr ? input.slot->value : *input.constant;
  return value.is_tensor() ? value.tensor.type() : ir::DataType::kUndefined;
}

const ir::Dims* Call::dims(size_t i) {
  if (const Blocked* own = blocked(i)) return &own->dims();
  if (const Widened* wide = widened(i)) {
    const Slot& numbers = wide->numbers;
    return numbers.blocked != nullptr ? &numbers.blocked->dims() : &numbers.value.tensor.dims();
  }
  const ir::Tensor* plain = tensor(i);
  return plain == nullptr ? nullptr : &plain->dims();
}

std::shared_ptr<ir::Buffer> Call::reusable(size_t i) {
  if (i >= inputs_.size() || inputs_[i].slot == nullptr || !inputs_[i].last_use) return nullptr;
  for (size_t other = 0; other < inputs_.size(); ++other) {
    if (other != i && inputs_[other].slot == inputs_[i].slot) return nullptr;
  }
  Slot& slot = *inputs_[i].slot;
  if (slot.blocked != nullptr) {
    const bool sole = slot.blocked.use_count() == 1 && slot.blocked->buffer.use_count() == 1 &&
                      !slot.value.is_tensor();
    return sole ? slot.blocked->buffer : nullptr;
  }
  if (!slot.value.is_tensor()) return nullptr;
  const ir::Tensor& tensor = slot.value.tensor;
  const std::shared_ptr<ir::Buffer>& buffer = tensor.buffer();
  const bool sole = buffer != nullptr && buffer.use_count() == 1 && buffer->writable() &&
                    tensor.bytes() == buffer->data();
  return sole ? buffer : nullptr;
}

const std::byte* in_layout(Call& call, size_t i, const dnnl::memory::desc& wanted,
                           Blocked& storage) {
  const Blocked* own = call.blocked(i);
  if (own != nullptr && own->desc == wanted) return own->buffer->data();
  const dnnl::memory::desc held =
      own != nullptr ? own->desc : plain_desc(*call.dims(i), call.type(i));
  const std::byte* bytes = own != nullptr ? own->buffer->data() : call.tensor(i)->bytes();
  if (held == wanted) return bytes;
  storage = allocate_blocked(wanted, call.type(i));
  reorder(held, bytes, wanted, storage.buffer->mutable_data());
  return storage.buffer->data();
}

void Call::set(size_t i, Blocked blocked) {
  Slot& output = *outputs_[i];
  output.widened.reset();
  if (blocked.desc == plain_desc(blocked.dims(), blocked.type)) {
    output.blocked.reset();
    output.value =
        ops::RuntimeValue(ir::Tensor(blocked.type, blocked.dims(), std::move(blocked.buffer)));
  } else {
    output.value = {};
    output.blocked = std::make_shared<const Blocked>(std::move(blocked));
  }
}

void Call::set_widened(size_t i, Widened widened) {
  Slot& output = *outputs_[i];
  output.blocked.reset();
  output.value = {};
  output.widened = std::make_shared<Widened>(std::move(widened));
}

}  // namespace fettle::interp
