// Elementwise operators between DequantizeLinear and QuantizeLinear:
//
//   xq -- DQ -- f -- Q -- yq                  =>   xq -- table of 256 results -- yq
//   aq, bq -- DQ -- Add or Mul -- Q -- yq     =>   aq, bq -- one pass -- yq
//   xq -- DQ -- f -- Q -- DQ -- Mul (of xq -- DQ) -- Q -- yq   =>   xq -- another table -- yq
//
// Conditions: 8-bit tensors with one constant scale each; nothing else reads what lies between f
// and Q; for Add and Mul an optional Relu or Clip that does not change the quantized result is
// dropped.
//
// The table is literal. Sums and products are rounded as ONNX Runtime's QLinearAdd and QLinearMul
// round them, which matters where the literal arithmetic comes out beside a tie:
//   Add: fma(b, sb / sy, fma(a, sa / sy, zy - (za sa / sy + zb sb / sy)))
//   Mul: (a - za)(b - zb) * (sa sb / sy), then + zy
#include <algorithm>
#include <array>

#include "interp/broadcast_plan.h"
#include "interp/byte_image.h"
#include "interp/byte_kernel.h"
#include "interp/fusion.h"
#include "interp/parallel.h"
#include "interp/qdq_pattern.h"
#include "interp/simd.h"
#include "ir/error.h"
#include "ops/table.h"

namespace fettle::interp {
namespace {

using Table = std::array<uint8_t, 256>;
constexpr int64_t kTogether = 65536;  // bytes mapped by one thread

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
    const auto* from = reinterpret_cast<const uint8_t*>(x);
    for_each_index((count + kTogether - 1) / kTogether, count > 4 * kTogether, [&](int64_t c) {
      const int64_t begin = c * kTogether;
      byte_kernels().map(table_.data(), from + begin, std::min(kTogether, count - begin),
                         y + begin);
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

template <int64_t kAStep, int64_t kBStep>
inline __attribute__((always_inline)) void add_run(const uint8_t* __restrict a,
                                                   const uint8_t* __restrict b,
                                                   const PairParameters& p, uint8_t* __restrict to,
                                                   int64_t n) {
  const uint8_t a_flip = sign_flip(p.a);
  const uint8_t b_flip = sign_flip(p.b);
  const uint8_t y_flip = sign_flip(p.y);
  const ops::QuantRange range{0, 255};
  const float a_ratio = p.a_ratio;
  const float b_ratio = p.b_ratio;
  const float fixed = p.fixed;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const auto left = static_cast<float>(static_cast<int32_t>(a[i * kAStep] ^ a_flip));
    const auto right = static_cast<float>(static_cast<int32_t>(b[i * kBStep] ^ b_flip));
    const float sum = __builtin_fmaf(right, b_ratio, __builtin_fmaf(left, a_ratio, fixed));
    to[i] = static_cast<uint8_t>(ops::round_and_saturate(sum, 0, range)) ^ y_flip;
  }
}

template <int64_t kAStep, int64_t kBStep>
inline __attribute__((always_inline)) void multiply_run(const uint8_t* __restrict a,
                                                        const uint8_t* __restrict b,
                                                        const PairParameters& p,
                                                        uint8_t* __restrict to, int64_t n) {
  const uint8_t a_flip = sign_flip(p.a);
  const uint8_t b_flip = sign_flip(p.b);
  const int32_t a_zero = unsigned_zero(p.a);
  const int32_t b_zero = unsigned_zero(p.b);
  const int32_t y_zero = p.y.zero_point;
  const float ratio = p.a_ratio;
  const ops::QuantRange range = ops::quant_range(p.y.type);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const int32_t left = (a[i * kAStep] ^ a_flip) - a_zero;
    const int32_t right = (b[i * kBStep] ^ b_flip) - b_zero;
    to[i] = static_cast<uint8_t>(ops::requantize_one(left * right, ratio, y_zero, range));
  }
}

// With fused multiply-add where the instruction set has it; elsewhere the library's function.
#if defined(__x86_64__) && defined(__linux__) && !defined(FETTLE_ADDRESS_SANITIZER)
#define FETTLE_FUSED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FETTLE_FUSED
#endif

FETTLE_FUSED
void add_bytes(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
               const PairParameters& p, uint8_t* to, int64_t n) {
  if (a_step == 1 && b_step == 1) return add_run<1, 1>(a, b, p, to, n);
  if (b_step == 1) return add_run<0, 1>(a, b, p, to, n);
  if (a_step == 1) return add_run<1, 0>(a, b, p, to, n);
  add_run<0, 0>(a, b, p, to, n);
}

FETTLE_VECTORIZED
void multiply_bytes(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                    const PairParameters& p, uint8_t* to, int64_t n) {
  if (a_step == 1 && b_step == 1) return multiply_run<1, 1>(a, b, p, to, n);
  if (b_step == 1) return multiply_run<0, 1>(a, b, p, to, n);
  if (a_step == 1) return multiply_run<1, 0>(a, b, p, to, n);
  multiply_run<0, 0>(a, b, p, to, n);
}

// Dims in the order of channels-last elements.
ir::Dims channels_last_dims(const ir::Dims& dims) {
  ir::Dims out = dims;
  std::rotate(out.begin() + 1, out.begin() + 2, out.end());
  return out;
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
    const size_t rank = call.dims(0)->size();
    const bool last = (call.blocked(0) != nullptr || call.blocked(1) != nullptr) && rank >= 3 &&
                      rank <= 5 && call.dims(1)->size() == rank;
    return last ? run_channels_last(call) : run_plain(call);
  }

 private:
  // Operands that are quantized channels-last already, or small, of equal rank.
  bool run_channels_last(Call& call) {
    const ir::Dims a_dims = *call.dims(0);
    const ir::Dims b_dims = *call.dims(1);
    Blocked a_copy;
    Blocked b_copy;
    const auto a = in_layout(call, 0, channels_last_desc(a_dims, p_.a.type), a_copy);
    const auto b = in_layout(call, 1, channels_last_desc(b_dims, p_.b.type), b_copy);
    const BroadcastPlan& plan = plan_of(channels_last_dims(a_dims), channels_last_dims(b_dims));
    ir::Dims dims = plan.output;
    std::rotate(dims.begin() + 1, dims.end() - 1, dims.end());
    auto out = ir::Buffer::allocate(static_cast<size_t>(ir::element_count(dims)));
    combine(plan, a, b, out->mutable_data());
    set_image(call, 0, std::move(out), dims, p_.y.type);
    return true;
  }

  bool run_plain(Call& call) {
    const ir::Tensor& a = *call.tensor(0);
    const ir::Tensor& b = *call.tensor(1);
    const BroadcastPlan& plan = plan_of(a.dims(), b.dims());
    ir::Tensor out(p_.y.type, plan.output);
    combine(plan, a.bytes(), b.bytes(), out.mutable_bytes());
    call.set(0, std::move(out));
    return true;
  }

  const BroadcastPlan& plan_of(const ir::Dims& a, const ir::Dims& b) {
    const BroadcastPlan* plan = plans_.get(a, b);
    if (plan == nullptr) {
      fail(ErrorCode::kBadInput, "shapes {} and {} cannot be broadcast together", ir::to_string(a),
           ir::to_string(b));
    }
    return *plan;
  }

  void combine(const BroadcastPlan& plan, const std::byte* a, const std::byte* b,
               std::byte* y) const {
    broadcast_loop(
        plan, reinterpret_cast<const uint8_t*>(a), reinterpret_cast<const uint8_t*>(b),
        reinterpret_cast<uint8_t*>(y), 1,
        [this](const uint8_t* left, int64_t a_step, const uint8_t* right, int64_t b_step,
               uint8_t* to, int64_t n) { combine_(left, a_step, right, b_step, p_, to, n); });
  }

  BroadcastCache plans_;
  PairParameters p_;
  Combine combine_;
};

// The Q that alone reads `value`, without anything between.
std::optional<QuantizedResult> direct_result(const ir::Value* value, const FusionView& view) {
  auto y = quantized_result(value, view);
  return y && y->members.size() == 1 ? y : std::nullopt;
}

// Mul of the same quantized x and of y = f(x), which alone reads it: the result is another function
// of x. Extends `fusion`, which computes y by `table`.
void absorb_gate(const QuantizedOperand& x, Table& table, QuantizedResult& y, Fusion& fusion,
                 const FusionView& view) {
  const ir::Node* dequantize = view.sole_reader(fusion.members.back()->output(0));
  if (dequantize == nullptr || !dequantize->is("DequantizeLinear")) return;
  const ir::Node* mul = view.sole_reader(dequantize->output(0));
  if (mul == nullptr || !mul->is("Mul") || !mul->is_default_domain() || view.opset(*mul) < 7 ||
      view.taken(*mul) || view.taken(*dequantize)) {
    return;
  }
  const bool first = mul->input(0) == dequantize->output(0);
  const auto left = quantized_operand(mul->input(0), view);
  const auto right = quantized_operand(mul->input(1), view);
  const auto product = direct_result(mul->output(0), view);
  if (!left || !right || !product) return;
  const QuantizedOperand& other = first ? *right : *left;
  if (other.quantized != x.quantized || other.scale != x.scale ||
      other.bytes.type != x.bytes.type || other.bytes.zero_point != x.bytes.zero_point) {
    return;
  }
  Table codes;
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i);
  Table result;
  multiply_bytes(first ? table.data() : codes.data(), 1, first ? codes.data() : table.data(), 1,
                 multiply_parameters(*left, *right, *product), result.data(), 256);
  table = result;
  y = *product;
  fusion.members.insert(fusion.members.end(), {dequantize, mul, product->members[0]});
}

}  // namespace

std::optional<Fusion> fuse_qdq_unary(const ir::Node& node, const FusionView& view) {
  const auto x = quantized_operand(node.input(0), view);
  auto y = direct_result(node.output(0), view);
  if (!x || !y || node.outputs().size() != 1) return std::nullopt;
  auto table = tabulate(node, *x, *y, view);
  if (!table) return std::nullopt;
  Fusion fusion;
  fusion.members = {&node, y->members[0]};
  fusion.inputs = {x->quantized};
  absorb_gate(*x, *table, *y, fusion, view);
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
