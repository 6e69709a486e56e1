// Elementwise operators between DequantizeLinear and QuantizeLinear, with literal semantics:
//
//   xq -- DQ -- f -- Q -- yq                  =>   xq -- table of 256 results -- yq
//   aq, bq -- DQ -- Add or Mul -- Q -- yq     =>   aq, bq -- one pass -- yq
//
// Conditions: 8-bit tensors with one constant scale each; nothing else reads what lies between f and
// Q; for Add and Mul an optional Relu or Clip that does not change the quantized result is dropped.
#include <array>

#include "interp/broadcast_plan.h"
#include "interp/fusion.h"
#include "interp/parallel.h"
#include "interp/qdq_pattern.h"
#include "ir/error.h"
#include "ops/table.h"

namespace fettle::interp {
namespace {

using Table = std::array<uint8_t, 256>;

// Storage for `like` elements of `type` in the operand's own layout when it is channels last.
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
    if (node.input(i) != nullptr && (constant == nullptr || constant->size() != 1 ||
                                     constant->rank() != 0)) {
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

struct Sum {
  float operator()(float a, float b) const { return a + b; }
};
struct Times {
  float operator()(float a, float b) const { return a * b; }
};

// Q(f(DQ(a), DQ(b))) with broadcasting, a few hundred elements at a time.
template <typename F>
class BytePair : public AcceleratedKernel {
 public:
  BytePair(QuantizedOperand a, QuantizedOperand b, const QuantizedResult& y)
      : a_(a), b_(b), scale_(y.scale), y_(y.bytes) {}

  bool run(Call& call) override {
    if (call.type(0) != a_.bytes.type || call.type(1) != b_.bytes.type) {
      fail(ErrorCode::kBadInput, "expected quantized tensors of {} and {}, found {} and {}",
           ir::data_type_name(a_.bytes.type), ir::data_type_name(b_.bytes.type),
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
    const auto a = in_layout(call, 0, channels_last_desc(dims, a_.bytes.type), a_copy);
    const auto b = in_layout(call, 1, channels_last_desc(dims, b_.bytes.type), b_copy);
    Blocked out = allocate_blocked(channels_last_desc(dims, y_.type), y_.type);
    const auto* left = static_cast<const uint8_t*>(a.get_data_handle());
    const auto* right = static_cast<const uint8_t*>(b.get_data_handle());
    auto* to = reinterpret_cast<uint8_t*>(out.buffer->mutable_data());
    for_chunks(ir::element_count(dims), [&](int64_t begin, int64_t end) {
      combine(left + begin, 1, right + begin, 1, to + begin, end - begin);
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
    ir::Tensor out(y_.type, plan->output);
    const auto* left = reinterpret_cast<const uint8_t*>(a.bytes());
    const auto* right = reinterpret_cast<const uint8_t*>(b.bytes());
    auto* to = reinterpret_cast<uint8_t*>(out.mutable_bytes());
    if (plan->rows == 1) {
      for_chunks(plan->run, [&](int64_t begin, int64_t end) {
        combine(left + begin * plan->a_step, plan->a_step, right + begin * plan->b_step,
                plan->b_step, to + begin, end - begin);
      });
    } else if (plan->run > 0) {
      for_each_row(plan->rows, plan->run + 8, [&](int64_t row) {
        const auto [at_a, at_b] = plan->offsets(row);
        combine(left + at_a, plan->a_step, right + at_b, plan->b_step, to + row * plan->run,
                plan->run);
      });
    }
    call.set(0, std::move(out));
    return true;
  }

  void combine(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step, uint8_t* to,
               int64_t n) const {
    constexpr int64_t kPiece = 512;
    std::array<float, kPiece> x;
    std::array<float, kPiece> y;
    const F f;
    for (int64_t begin = 0; begin < n; begin += kPiece) {
      const int64_t count = std::min(kPiece, n - begin);
      load(a + begin * a_step, a_step, a_, count, x.data());
      load(b + begin * b_step, b_step, b_, count, y.data());
#pragma omp simd
      for (int64_t i = 0; i < count; ++i) x[i] = f(x[i], y[i]);
      quantize_bytes(x.data(), scale_, count, y_, to + begin);
    }
  }

  static void load(const uint8_t* from, int64_t step, const QuantizedOperand& operand,
                   int64_t count, float* to) {
    dequantize_bytes(from, operand.scale, step == 0 ? 1 : count, operand.bytes, to);
    if (step == 0) std::fill_n(to, count, *to);
  }

  QuantizedOperand a_;
  QuantizedOperand b_;
  float scale_;
  ByteTarget y_;
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
    fusion.kernel = std::make_unique<BytePair<Sum>>(*a, *b, *y);
  } else {
    fusion.kernel = std::make_unique<BytePair<Times>>(*a, *b, *y);
  }
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
