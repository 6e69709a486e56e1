#include "interp/half_adapter.h"

#include <algorithm>
#include <cstring>

#include "interp/half_convert.h"
#include "interp/parallel.h"

namespace fettle::interp {
namespace {

using ir::DataType;

template <typename Half>
ir::Tensor widened_tensor(const ir::Tensor& t) {
  ir::Tensor out(DataType::kFloat, t.dims());
  const Half* from = t.data<Half>().data();
  float* to = out.mutable_data<float>().data();
  for_chunks(t.size(),
             [&](int64_t begin, int64_t end) { widen_row(from + begin, to + begin, end - begin); });
  return out;
}

template <typename Half>
ir::Tensor narrowed_tensor(const ir::Tensor& t) {
  ir::Tensor out(ir::DataTypeOf<Half>::value, t.dims());
  const float* from = t.data<float>().data();
  Half* to = out.mutable_data<Half>().data();
  for_chunks(t.size(), [&](int64_t begin, int64_t end) {
    narrow_row(from + begin, to + begin, end - begin);
  });
  return out;
}

template <typename Half>
void round_numbers(const float* from, float* to, int64_t count) {
  for_chunks(count, [&](int64_t begin, int64_t end) {
    round_row<Half>(from + begin, to + begin, end - begin);
  });
}

// Rounds float32 numbers in whatever layout; in place where nothing else refers to them.
template <typename Half>
void round_slot(Slot& slot) {
  if (slot.blocked == nullptr) {
    ir::Tensor& t = slot.value.tensor;
    const std::shared_ptr<ir::Buffer>& buffer = t.buffer();
    if (t.size() == 0) return;
    if (buffer.use_count() == 1 && buffer->writable()) {
      float* numbers = t.mutable_data<float>().data();
      round_numbers<Half>(numbers, numbers, t.size());
      return;
    }
    ir::Tensor rounded(DataType::kFloat, t.dims());
    round_numbers<Half>(t.data<float>().data(), rounded.mutable_data<float>().data(), t.size());
    t = std::move(rounded);
    return;
  }
  slot.value = {};
  const Blocked& own = *slot.blocked;
  const auto count = static_cast<int64_t>(own.desc.get_size() / sizeof(float));
  const bool sole = slot.blocked.use_count() == 1 && own.buffer.use_count() == 1;
  const auto* from = reinterpret_cast<const float*>(own.buffer->data());
  if (sole && own.buffer->writable()) {
    auto* numbers = reinterpret_cast<float*>(own.buffer->mutable_data());
    round_numbers<Half>(numbers, numbers, count);
    return;
  }
  Blocked rounded = allocate_blocked(own.desc, DataType::kFloat);
  round_numbers<Half>(from, reinterpret_cast<float*>(rounded.buffer->mutable_data()), count);
  slot.blocked = std::make_shared<const Blocked>(std::move(rounded));
}

class HalfAdapter : public AcceleratedKernel {
 public:
  HalfAdapter(std::unique_ptr<AcceleratedKernel> inner, HalfResults results)
      : inner_(std::move(inner)), results_(results) {}

  bool run(Call& call) override {
    switch (call.type(0)) {
      case DataType::kFloat16:
        return run_as<ir::Float16>(call);
      case DataType::kBfloat16:
        return run_as<ir::Bfloat16>(call);
      default:
        return inner_->run(call);
    }
  }

  std::string describe() const override { return inner_->describe(); }

 private:
  template <typename Half>
  bool run_as(Call& call) {
    constexpr DataType kHalf = ir::DataTypeOf<Half>::value;
    if (results_ == HalfResults::kMoved && !all_widened(call, kHalf)) return inner_->run(call);
    std::vector<Slot> slots(call.input_count());
    std::vector<Call::Input> inputs(call.input_count());
    if (constants_.size() < inputs.size()) constants_.resize(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!call.has(i)) continue;
      const bool half = call.type(i) == kHalf;
      if (!half) {
        inputs[i] = call.input(i);
      } else if (call.is_constant(i)) {
        ops::RuntimeValue& constant = constants_[i];
        if (!constant.is_tensor()) {
          constant = ops::RuntimeValue(widened_tensor<Half>(*call.tensor(i)));
        }
        inputs[i].constant = &constant;
      } else {
        place_operand<Half>(call, i, slots[i], inputs[i]);
      }
    }
    Call floats(std::move(inputs), call.outputs().size());
    if (!inner_->run(floats)) return false;
    for (size_t i = 0; i < call.outputs().size(); ++i) {
      Slot result = std::move(floats.outputs()[i]);
      if (result.blocked == nullptr && !result.value.is_tensor()) continue;
      const DataType type =
          result.blocked != nullptr ? result.blocked->type : result.value.tensor.type();
      if (type != DataType::kFloat) {
        call.outputs()[i] = std::move(result);
        continue;
      }
      if (results_ == HalfResults::kRounded) round_slot<Half>(result);
      call.set_widened(i, {std::move(result), kHalf});
    }
    return true;
  }

  static bool all_widened(const Call& call, DataType half) {
    for (size_t i = 0; i < call.input_count(); ++i) {
      if (call.type(i) == half && call.widened(i) == nullptr) return false;
    }
    return true;
  }

  // Operand `i`, which is no constant, in float32. Kept for its other readers when it has some.
  template <typename Half>
  static void place_operand(Call& call, size_t i, Slot& own, Call::Input& input) {
    const Call::Input& outer = call.input(i);
    if (call.widened(i) == nullptr) {
      own.value = ops::RuntimeValue(widened_tensor<Half>(*call.tensor(i)));
      if (outer.last_use) {
        input.slot = &own;
        input.last_use = true;
        return;
      }
      outer.slot->widened =
          std::make_shared<Widened>(Widened{std::move(own), ir::DataTypeOf<Half>::value});
    }
    input.slot = &outer.slot->widened->numbers;
    input.last_use = outer.last_use && outer.slot->widened.use_count() == 1;
  }

  std::unique_ptr<AcceleratedKernel> inner_;
  HalfResults results_;
  std::vector<ops::RuntimeValue> constants_;  // per operand, in float32
};

}  // namespace

ops::RuntimeValue narrowed(Widened& widened) {
  const ir::Tensor& numbers = widened.numbers.plain().tensor;
  return ops::RuntimeValue(widened.type == DataType::kFloat16
                               ? narrowed_tensor<ir::Float16>(numbers)
                               : narrowed_tensor<ir::Bfloat16>(numbers));
}

std::unique_ptr<AcceleratedKernel> with_half_operands(std::unique_ptr<AcceleratedKernel> inner,
                                                      HalfResults results) {
  return inner == nullptr ? nullptr : std::make_unique<HalfAdapter>(std::move(inner), results);
}

}  // namespace fettle::interp
