// Elementwise operators between DequantizeLinear and QuantizeLinear:
//
//   xq -- DQ -- f -- Q -- yq                  =>   xq -- table of 256 results -- yq
//   aq, bq -- DQ -- Add or Mul -- Q -- yq     =>   aq, bq -- one pass -- yq
//
// Conditions: 8-bit tensors with one constant scale each; nothing else reads what lies between f
// and Q; for Add and Mul an optional Relu or Clip that does not change the quantized result is
// dropped.
//
// The table is literal. Sums and products are rounded as ONNX Runtime's QLinearAdd and QLinearMul
// round them, which matters where the literal arithmetic comes out beside a tie:
//   Add: fma(b, sb / sy, fma(a, sa / sy, zy - (za sa / sy + zb sb / sy)))
//   Mul: (a - za)(b - zb) * (sa sb / sy), then + zy
#include <array>

#include "interp/broadcast_plan.h"
#include "interp/fusion.h"
#include "interp/parallel.h"
#include "interp/qdq_pattern.h"
#include "interp/simd.h"
#include "ir/error.h"
#include "ops/table.h"

namespace fettle::interp {
namespace {

using Table = std::array<uint8_t, 256>;

// y = table[x], in the operand's own layout.
class ByteMap : public AcceleratedKernel {
 public:
  ByteMap(const Table& table, ir::DataType from, ir::DataType to)
      : table_(table), from_(from), to_(to) {}

  bool run(Call& call) override {
    if (call.type(0) != from_) {
      fail(ErrorCode::kBadInput, "expected a quantized tensor of {}, found {}",
           ir::data_type_name(from_), ir::data_type_name(call.type(0)));
    }
    const Blocked* own = call.blocked(0);
    const ir::Dims dims = *call.dims(0);
    const std::byte* x = own != nullptr ? own->buffer->data() : call.tensor(0)->bytes();
    const int64_t count = ir::element_count(dims);
    auto storage = ir::Buffer::allocate(static_cast<size_t>(count));
    auto* y = reinterpret_cast<uint8_t*>(storage->mutable_data());
    for_chunks(count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        y[i] = table_[static_cast<size_t>(std::to_integer<uint8_t>(x[i]))];
      }
    });
    if (own != nullptr) {
      // Quantized tensors are only ever channels last, which has no padding.
      call.set(0, Blocked{channels_last_desc(dims, to_), storage, to_});
    } else {
      call.set(0, ir::Tensor(to_, dims, storage));
    }
    return true;
  }

 private:
  Table table_;
  ir::DataType from_;
  ir::DataType to_;
};

// The results of the operator for all 256 inputs, from its reference kernel; nothing when it fails.
std::optional<Table> tabulate(const ir::Node& node, const QuantizedOperand& x,
                              const QuantizedResult& y, const FusionView& view) {
  const ops::OpDef* op = ops::find_op(node, view.opset(node));
  if (op == nullptr || op->kernel == nullptr || !ops::has_fact(op, ops::kElementwise)) {
    return std::nullopt;
  }
  ir::Tensor values(ir::DataType::kFloat, {256});
  std::array<uint8_t, 256> codes;
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i);
  dequantize_bytes(codes.data(), x.scale, 256, x.bytes, values.mutable_data<float>().data());
  const ops::RuntimeValue input(std::move(values));
  std::vector<ops::RuntimeValue> constants;
  constants.reserve(node.inputs().size());
  std::vector<const ops::RuntimeValue*> inputs{&input};
  for (size_t i = 1; i < node.inputs().size(); ++i) {
    const ir::Tensor* constant = view.constant(node.input(i));
    if (node.input(i) != nullptr &&
        (constant == nullptr || constant->size() != 1 || constant->rank() != 0)) {
      return std::nullopt;
    }
    constants.push_back(constant == nullptr ? ops::RuntimeValue() : ops::RuntimeValue(*constant));
    inputs.push_back(constant == nullptr ? nullptr : &constants.back());
  }
  try {
    ops::KernelContext context(node, view.opset(node), std::move(inputs), nullptr);
    op->kernel(context);
    const ops::RuntimeValue& result = context.outputs()[0];
    if (!result.is_tensor() || result.tensor.type() != ir::DataType::kFloat ||
        result.tensor.size() != 256) {
      return std::nullopt;
    }
    Table table;
    quantize_bytes(result.tensor.data<float>().data(), y.scale, 256, y.bytes, table.data());
    return table;
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Coefficients of one pair operator, in float32 as ONNX Runtime computes them. On x86 it computes
// with uint8: signed bytes and zero points plus 128.
struct PairParameters {
  ByteTarget a, b, y;
  float a_ratio = 0.0f;
  float b_ratio = 0.0f;  // unused by Mul
  float fixed = 0.0f;    // unused by Mul
};

// What turns a byte of this type into one of the uint8 domain.
uint8_t sign_flip(const ByteTarget& bytes) {
  return bytes.type == ir::DataType::kInt8 ? 0x80 : 0;
}
int32_t unsigned_zero(const ByteTarget& bytes) {
  return bytes.zero_point + sign_flip(bytes);
}

PairParameters add_parameters(const QuantizedOperand& a, const QuantizedOperand& b,
                              const QuantizedResult& y) {
  PairParameters p{a.bytes, b.bytes, y.bytes, a.scale / y.scale, b.scale / y.scale, 0.0f};
  p.fixed = static_cast<float>(unsigned_zero(y.bytes) -
                               (static_cast<double>(p.a_ratio) * unsigned_zero(a.bytes) +
                                static_cast<double>(p.b_ratio) * unsigned_zero(b.bytes)));
  return p;
}

PairParameters multiply_parameters(const QuantizedOperand& a, const QuantizedOperand& b,
                                   const QuantizedResult& y) {
  return {a.bytes, b.bytes, y.bytes, a.scale * b.scale / y.scale, 0.0f, 0.0f};
}

using Combine = void (*)(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                         const PairParameters& p, uint8_t* to, int64_t n);

// Products of a byte and a float32 are exact in double, so that each sum is rounded to float32
// once, as a fused multiply-add rounds it.
FETTLE_VECTORIZED
void add_bytes(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
               const PairParameters& p, uint8_t* to, int64_t n) {
  const uint8_t a_flip = sign_flip(p.a);
  const uint8_t b_flip = sign_flip(p.b);
  const uint8_t y_flip = sign_flip(p.y);
  const ops::QuantRange range = ops::quant_range(ir::DataType::kUint8);
  const double a_ratio = p.a_ratio;
  const double b_ratio = p.b_ratio;
  const double fixed = p.fixed;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const int32_t left = a[i * a_step] ^ a_flip;
    const int32_t right = b[i * b_step] ^ b_flip;
    const auto first = static_cast<float>(left * a_ratio + fixed);
    const auto sum = static_cast<float>(right * b_ratio + first);
    to[i] = static_cast<uint8_t>(ops::round_and_saturate(sum, 0, range)) ^ y_flip;
  }
}

FETTLE_VECTORIZED
void multiply_bytes(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                    const PairParameters& p, uint8_t* to, int64_t n) {
  const uint8_t a_flip = sign_flip(p.a);
  const uint8_t b_flip = sign_flip(p.b);
  const int32_t a_zero = unsigned_zero(p.a);
  const int32_t b_zero = unsigned_zero(p.b);
  const ops::QuantRange range = ops::quant_range(p.y.type);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const int32_t left = (a[i * a_step] ^ a_flip) - a_zero;
    const int32_t right = (b[i * b_step] ^ b_flip) - b_zero;
    to[i] =
        static_cast<uint8_t>(ops::requantize_one(left * right, p.a_ratio, p.y.zero_point, range));
  }
}

// One pass over the bytes of both operands, with broadcasting.
class BytePair : public AcceleratedKernel {
 public:
  BytePair(const PairParameters& parameters, Combine combine) : p_(parameters), combine_(combine) {}

  bool run(Call& call) override {
    if (call.type(0) != p_.a.type || call.type(1) != p_.b.type) {
      fail(ErrorCode::kBadInput, "expected quantized tensors of {} and {}, found {} and {}",
           ir::data_type_name(p_.a.type), ir::data_type_name(p_.b.type),
           ir::data_type_name(call.type(0)), ir::data_type_name(call.type(1)));
    }
    const bool last = *call.dims(0) == *call.dims(1) &&
                      (call.blocked(0) != nullptr || call.blocked(1) != nullptr);
    return last ? run_channels_last(call) : run_plain(call);
  }

 private:
  bool run_channels_last(Call& call) {
    const ir::Dims dims = *call.dims(0);
    Blocked a_copy;
    Blocked b_copy;
    const auto a = in_layout(call, 0, channels_last_desc(dims, p_.a.type), a_copy);
    const auto b = in_layout(call, 1, channels_last_desc(dims, p_.b.type), b_copy);
    Blocked out = allocate_blocked(channels_last_desc(dims, p_.y.type), p_.y.type);
    const auto* left = reinterpret_cast<const uint8_t*>(a);
    const auto* right = reinterpret_cast<const uint8_t*>(b);
    auto* to = reinterpret_cast<uint8_t*>(out.buffer->mutable_data());
    for_chunks(ir::element_count(dims), [&](int64_t begin, int64_t end) {
      combine_(left + begin, 1, right + begin, 1, p_, to + begin, end - begin);
    });
    call.set(0, std::move(out));
    return true;
  }

  bool run_plain(Call& call) {
    const ir::Tensor& a = *call.tensor(0);
    const ir::Tensor& b = *call.tensor(1);
    const auto plan = plan_broadcast(a.dims(), b.dims());
    if (!plan) {
      fail(ErrorCode::kBadInput, "shapes {} and {} cannot be broadcast together",
           ir::to_string(a.dims()), ir::to_string(b.dims()));
    }
    ir::Tensor out(p_.y.type, plan->output);
    const auto* left = reinterpret_cast<const uint8_t*>(a.bytes());
    const auto* right = reinterpret_cast<const uint8_t*>(b.bytes());
    auto* to = reinterpret_cast<uint8_t*>(out.mutable_bytes());
    if (plan->rows == 1) {
      for_chunks(plan->run, [&](int64_t begin, int64_t end) {
        combine_(left + begin * plan->a_step, plan->a_step, right + begin * plan->b_step,
                 plan->b_step, p_, to + begin, end - begin);
      });
    } else if (plan->run > 0) {
      for_each_row(plan->rows, plan->run + 8, [&](int64_t row) {
        const auto [at_a, at_b] = plan->offsets(row);
        combine_(left + at_a, plan->a_step, right + at_b, plan->b_step, p_, to + row * plan->run,
                 plan->run);
      });
    }
    call.set(0, std::move(out));
    return true;
  }

  PairParameters p_;
  Combine combine_;
};

// The Q that alone reads `value`, without anything between.
std::optional<QuantizedResult> direct_result(const ir::Value* value, const FusionView& view) {
  auto y = quantized_result(value, view);
  return y && y->members.size() == 1 ? y : std::nullopt;
}

}  // namespace

std::optional<Fusion> fuse_qdq_unary(const ir::Node& node, const FusionView& view) {
  const auto x = quantized_operand(node.input(0), view);
  const auto y = direct_result(node.output(0), view);
  if (!x || !y || node.outputs().size() != 1) return std::nullopt;
  const auto table = tabulate(node, *x, *y, view);
  if (!table) return std::nullopt;
  Fusion fusion;
  fusion.members = {&node, y->members[0]};
  fusion.inputs = {x->quantized};
  fusion.kernel = std::make_unique<ByteMap>(*table, x->bytes.type, y->bytes.type);
  fusion.may_decline = false;
  return fusion;
}

std::optional<Fusion> fuse_qdq_binary(const ir::Node& node, const FusionView& view) {
  const auto a = quantized_operand(node.input(0), view);
  const auto b = quantized_operand(node.input(1), view);
  const auto y = quantized_result(node.output(0), view);
  if (!a || !b || !y || view.opset(node) < 7) return std::nullopt;
  Fusion fusion;
  fusion.members = {&node};
  fusion.members.insert(fusion.members.end(), y->members.begin(), y->members.end());
  fusion.inputs = {a->quantized, b->quantized};
  if (node.is("Add")) {
    fusion.kernel = std::make_unique<BytePair>(add_parameters(*a, *b, *y), add_bytes);
  } else {
    fusion.kernel = std::make_unique<BytePair>(multiply_parameters(*a, *b, *y), multiply_bytes);
  }
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
