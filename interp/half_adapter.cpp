#include "interp/half_adapter.h"

#include <map>

#include "interp/parallel.h"
#include "ir/float16.h"

namespace fettle::interp {
namespace {

using ir::DataType;

template <typename Half>
ir::Tensor widened(const ir::Tensor& t) {
  ir::Tensor out(DataType::kFloat, t.dims());
  const Half* from = t.data<Half>().data();
  float* to = out.mutable_data<float>().data();
  for_chunks(t.size(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = static_cast<float>(from[i]);
  });
  return out;
}

template <typename Half>
ir::Tensor narrowed(const ir::Tensor& t) {
  ir::Tensor out(ir::DataTypeOf<Half>::value, t.dims());
  const float* from = t.data<float>().data();
  Half* to = out.mutable_data<Half>().data();
  for_chunks(t.size(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = Half(from[i]);
  });
  return out;
}

class HalfAdapter : public AcceleratedKernel {
 public:
  explicit HalfAdapter(std::unique_ptr<AcceleratedKernel> inner) : inner_(std::move(inner)) {}

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

 private:
  template <typename Half>
  bool run_as(Call& call) {
    std::vector<Slot> slots(call.input_count());
    std::vector<Call::Input> inputs(call.input_count());
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!call.has(i)) continue;
      if (call.is_constant(i)) {
        auto [at, fresh] = constants_.try_emplace(i);
        if (fresh && !convert<Half>(call, i, at->second)) at->second = *call.value(i);
        inputs[i].constant = &at->second;
      } else {
        if (!convert<Half>(call, i, slots[i].value)) slots[i].value = *call.value(i);
        inputs[i].slot = &slots[i];
        inputs[i].last_use = true;
      }
    }
    Call floats(std::move(inputs), call.outputs().size());
    if (!inner_->run(floats)) return false;
    for (size_t i = 0; i < call.outputs().size(); ++i) {
      Slot result{std::move(floats.outputs()[i].value), std::move(floats.outputs()[i].blocked)};
      const ops::RuntimeValue& value = result.plain();
      if (!value.is_tensor()) continue;
      const bool computed = value.tensor.type() == DataType::kFloat;
      call.set(i, computed ? narrowed<Half>(value.tensor) : value.tensor);
    }
    return true;
  }

  // Operand `i` in float32 when it is of this type; false otherwise.
  template <typename Half>
  static bool convert(Call& call, size_t i, ops::RuntimeValue& to) {
    if (call.type(i) != ir::DataTypeOf<Half>::value) return false;
    to = ops::RuntimeValue(widened<Half>(*call.tensor(i)));
    return true;
  }

  std::unique_ptr<AcceleratedKernel> inner_;
  std::map<size_t, ops::RuntimeValue> constants_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> with_half_operands(std::unique_ptr<AcceleratedKernel> inner) {
  return inner == nullptr ? nullptr : std::make_unique<HalfAdapter>(std::move(inner));
}

}  // namespace fettle::interp
