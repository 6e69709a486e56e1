#include "ops/element_width.h"

#include <cstring>

namespace fettle::ops {

void fill_zero(ir::Tensor& tensor) {
  if (tensor.type() == ir::DataType::kString) {
    for (std::string& s : tensor.mutable_strings()) s.clear();
  } else if (tensor.byte_size() > 0) {
    std::memset(tensor.mutable_bytes(), 0, tensor.byte_size());
  }
}

ir::Tensor unpacked(const ir::Tensor& tensor) {
  const int bits = ir::data_type_bits(tensor.type());
  const int per_byte = 8 / bits;
  const unsigned mask = (1u << bits) - 1;
  ir::Tensor out(ir::DataType::kUint8, tensor.dims());
  auto* to = mutable_elements<uint8_t>(out);
  const auto* from = elements<uint8_t>(tensor);
  for (int64_t i = 0; i < tensor.size(); ++i) {
    to[i] = static_cast<uint8_t>((from[i / per_byte] >> (i % per_byte * bits)) & mask);
  }
  return out;
}

ir::Tensor packed(const ir::Tensor& bytes, ir::DataType type) {
  const int bits = ir::data_type_bits(type);
  const int per_byte = 8 / bits;
  const unsigned mask = (1u << bits) - 1;
  ir::Tensor out(type, bytes.dims());
  fill_zero(out);
  if (out.byte_size() == 0) return out;
  auto* to = mutable_elements<uint8_t>(out);
  const auto* from = elements<uint8_t>(bytes);
  for (int64_t i = 0; i < bytes.size(); ++i) {
    to[i / per_byte] |= static_cast<uint8_t>((from[i] & mask) << (i % per_byte * bits));
  }
  return out;
}

void run_unpacked(KernelContext& context, uint32_t data, Kernel kernel) {
  std::vector<RuntimeValue> operands(context.input_count());
  std::vector<const RuntimeValue*> inputs(context.input_count(), nullptr);
  ir::DataType type = ir::DataType::kUndefined;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (!context.has(i)) continue;
    inputs[i] = &context.value(i);
    if (i >= 32 ? data != ~0u : ((data >> i) & 1u) == 0) continue;
    const ir::Tensor& tensor = context.input(i);
    if (type == ir::DataType::kUndefined) type = tensor.type();
    if (tensor.type() != type || !ir::is_sub_byte(type)) {
      fail(ErrorCode::kBadInput, "expected operands of one element type, found {} and {}",
           ir::data_type_name(type), ir::data_type_name(tensor.type()));
    }
    operands[i] = RuntimeValue(unpacked(tensor));
    inputs[i] = &operands[i];
  }
  KernelContext run(context.node(), context.opset(), inputs, nullptr);
  kernel(run);
  for (size_t i = 0; i < run.outputs().size(); ++i) {
    RuntimeValue& value = run.outputs()[i];
    const bool holds_data = value.is_tensor() && value.tensor.type() == ir::DataType::kUint8;
    context.set_output(i, holds_data ? RuntimeValue(packed(value.tensor, type)) : std::move(value));
  }
}

void require_same_type(const ir::Tensor& a, const ir::Tensor& b, const char* what) {
  if (a.type() == b.type()) return;
  fail(ErrorCode::kBadInput, "{}: expected elements of type {}, found {}", what,
       ir::data_type_name(a.type()), ir::data_type_name(b.type()));
}

}  // namespace fettle::ops
