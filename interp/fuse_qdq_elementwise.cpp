// Elementwise operators between DequantizeLinear and QuantizeLinear:
//
//   xq -- DQ -- f -- Q -- yq                  =>   xq -- table of 256 results -- yq
//   aq, bq -- DQ -- Add or Mul -- Q -- yq     =>   aq, bq -- one pass -- yq
//   xq -- DQ -- f -- Q -- DQ -- g -- Q -- yq  =>   xq -- one table -- yq
//
// where f and g may also be Add or Mul of functions of xq and scalar constants.
//
// Conditions: 8-bit tensors with one constant scale each; nothing else reads what lies between f
// and Q; for Add and Mul an optional Relu or Clip that does not change the quantized result is
// dropped.
//
// The table is literal for operators of one operand; byte_pair.h tells how sums and products round.
#include <algorithm>
#include <array>

#include "interp/broadcast_plan.h"
#include "interp/byte_image.h"
#include "interp/byte_kernel.h"
#include "interp/byte_pair.h"
#include "interp/fusion.h"
#include "interp/parallel.h"
#include "interp/qdq_pattern.h"
#include "ir/error.h"
#include "ops/table.h"

namespace fettle::interp {
namespace {

using Table = std::array<uint8_t, 256>;
constexpr int64_t kTogether = 65536;  // bytes mapped by one thread

// y = table[x], in the operand's own layout. The result has `least_rank` axes at least: leading
// ones are added.
class ByteMap : public AcceleratedKernel {
 public:
  ByteMap(const Table& table, ir::DataType from, ir::DataType to, size_t least_rank)
      : table_(table), from_(from), to_(to), least_rank_(least_rank) {}

  bool run(Call& call) override {
    if (call.type(0) != from_) {
      fail(ErrorCode::kBadInput, "expected a quantized tensor of {}, found {}",
           ir::data_type_name(from_), ir::data_type_name(call.type(0)));
    }
    ir::Dims dims = *call.dims(0);
    const Blocked* own = dims.size() < least_rank_ ? nullptr : call.blocked(0);
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
      set_image(call, 0, std::move(storage), dims, to_);
    } else {
      if (dims.size() < least_rank_) dims.insert(dims.begin(), least_rank_ - dims.size(), 1);
      call.set(0, ir::Tensor(to_, dims, storage));
    }
    return true;
  }

 private:
  Table table_;
  ir::DataType from_;
  ir::DataType to_;
  size_t least_rank_;
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

using Combine = void (*)(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                         const PairParameters& p, uint8_t* to, int64_t n);

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
    const bool blocked = call.blocked(0) != nullptr || call.blocked(1) != nullptr;
    return blocked && run_channels_last(call) ? true : run_plain(call);
  }

 private:
  // An operand in channels-last order; its dims have as many axes as the other operand at least.
  struct ChannelsLast {
    const std::byte* bytes = nullptr;
    ir::Dims dims;
    Blocked copy;
  };
  static bool set_channels_last(Call& call, size_t i, size_t rank, ir::DataType type,
                                ChannelsLast& to) {
    const ir::Dims& dims = *call.dims(i);
    to.dims.assign(rank - dims.size(), 1);
    to.dims.insert(to.dims.end(), dims.begin(), dims.end());
    if (dims.size() == rank) {
      to.bytes = in_layout(call, i, channels_last_desc(dims, type), to.copy);
    } else if (std::count(to.dims.begin() + 2, to.dims.end(), 1) + 2 ==
               static_cast<int64_t>(rank)) {
      to.bytes = call.tensor(i)->bytes();  // one position
    } else {
      return false;
    }
    std::rotate(to.dims.begin() + 1, to.dims.begin() + 2, to.dims.end());
    return true;
  }

  // False for operands that only plain order takes.
  bool run_channels_last(Call& call) {
    const size_t rank = std::max(call.dims(0)->size(), call.dims(1)->size());
    if (rank < 3 || rank > 5) return false;
    ChannelsLast a;
    ChannelsLast b;
    if (!set_channels_last(call, 0, rank, p_.a.type, a) ||
        !set_channels_last(call, 1, rank, p_.b.type, b)) {
      return false;
    }
    const BroadcastPlan& plan = plan_of(a.dims, b.dims);
    ir::Dims dims = plan.output;
    std::rotate(dims.begin() + 1, dims.end() - 1, dims.end());
    auto out = ir::Buffer::allocate(static_cast<size_t>(ir::element_count(dims)));
    combine(plan, a.bytes, b.bytes, out->mutable_data());
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

bool same_parameters(const QuantizedOperand& a, const QuantizedOperand& b) {
  return a.scale == b.scale && a.bytes.type == b.bytes.type &&
         a.bytes.zero_point == b.bytes.zero_point;
}

void combine_pair(const ir::Node& node, const QuantizedOperand& a, const QuantizedOperand& b,
                  const QuantizedResult& y, const Table& left, const Table& right, Table& to) {
  if (node.is("Add")) {
    add_bytes(left.data(), 1, right.data(), 1, add_parameters(a, b, y), to.data(), 256);
  } else {
    multiply_bytes(left.data(), 1, right.data(), 1, multiply_parameters(a, b, y), to.data(), 256);
  }
}

// Nodes whose results are all functions of one quantized tensor.
struct Chain {
  QuantizedOperand x;
  const ir::Value* at = nullptr;  // the last quantized value
  Table table;                    // of `at`, by the byte of x
  QuantizedResult y;              // how `at` was quantized
  std::vector<const ir::Node*> members;
  size_t least_rank = 0;  // of the results, by constants with many axes
};

// The bytes of an operand of a pair operator, by the byte of x: x itself, the chain's last value,
// or a constant of one element. Nothing for all others.
std::optional<Table> operand_table(Chain& chain, const QuantizedOperand& operand,
                                   const FusionView& view) {
  Table table;
  if (operand.quantized == chain.at) return chain.table;
  if (operand.quantized == chain.x.quantized && same_parameters(operand, chain.x)) {
    for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<uint8_t>(i);
    return table;
  }
  const ir::Tensor* constant = view.constant(operand.quantized);
  if (constant == nullptr || constant->size() != 1) return std::nullopt;
  chain.least_rank = std::max(chain.least_rank, constant->rank());
  table.fill(static_cast<uint8_t>(constant->bytes()[0]));
  return table;
}

bool is_pair(const ir::Node& node, const FusionView& view) {
  return (node.is("Add") || node.is("Mul")) && node.is_default_domain() && view.opset(node) >= 7;
}

// Adds `node`, Add or Mul of functions of x, and the Q after it.
bool append_pair(Chain& chain, const ir::Node& node, const FusionView& view) {
  const auto a = quantized_operand(node.input(0), view);
  const auto b = quantized_operand(node.input(1), view);
  const auto y = quantized_result(node.output(0), view);
  if (!a || !b || !y) return false;
  const auto left = operand_table(chain, *a, view);
  const auto right = operand_table(chain, *b, view);
  if (!left || !right) return false;
  combine_pair(node, *a, *b, *y, *left, *right, chain.table);
  chain.y = *y;
  return true;
}

// Adds `node`, an operator of one operand, and the Q after it.
bool append_unary(Chain& chain, const ir::Node& node, const FusionView& view) {
  const auto x = quantized_operand(node.input(0), view);
  const auto y = direct_result(node.output(0), view);
  if (!x || !y || node.outputs().size() != 1 || x->quantized != chain.at) return false;
  const auto table = tabulate(node, *x, *y, view);
  if (!table) return false;
  for (uint8_t& byte : chain.table) byte = (*table)[byte];
  chain.y = *y;
  return true;
}

bool append(Chain& chain, const ir::Node& node, const FusionView& view) {
  const size_t least_rank = chain.least_rank;
  const bool added =
      is_pair(node, view) ? append_pair(chain, node, view) : append_unary(chain, node, view);
  if (!added) {
    chain.least_rank = least_rank;
    return false;
  }
  chain.members.push_back(&node);
  chain.members.insert(chain.members.end(), chain.y.members.begin(), chain.y.members.end());
  chain.at = chain.members.back()->output(0);
  return true;
}

// The functions from `node` on, as far as nothing else reads what lies between.
std::optional<Fusion> fuse_chain(const ir::Node& node, const QuantizedOperand& x,
                                 const FusionView& view) {
  Chain chain;
  chain.x = x;
  chain.at = x.quantized;
  for (size_t i = 0; i < chain.table.size(); ++i) chain.table[i] = static_cast<uint8_t>(i);
  if (!append(chain, node, view)) return std::nullopt;
  for (;;) {
    const ir::Node* dequantize = view.sole_reader(chain.at);
    if (dequantize == nullptr || !dequantize->is("DequantizeLinear") || view.taken(*dequantize)) {
      break;
    }
    const ir::Node* next = view.sole_reader(dequantize->output(0));
    if (next == nullptr || view.taken(*next)) break;
    chain.members.push_back(dequantize);
    if (append(chain, *next, view)) continue;
    chain.members.pop_back();
    break;
  }
  Fusion fusion;
  fusion.members = chain.members;
  fusion.inputs = {x.quantized};
  fusion.kernel =
      std::make_unique<ByteMap>(chain.table, x.bytes.type, chain.y.bytes.type, chain.least_rank);
  fusion.may_decline = false;
  return fusion;
}

}  // namespace

std::optional<Fusion> fuse_qdq_unary(const ir::Node& node, const FusionView& view) {
  const auto x = quantized_operand(node.input(0), view);
  return x ? fuse_chain(node, *x, view) : std::nullopt;
}

std::optional<Fusion> fuse_qdq_binary(const ir::Node& node, const FusionView& view) {
  const auto a = quantized_operand(node.input(0), view);
  const auto b = quantized_operand(node.input(1), view);
  const auto y = quantized_result(node.output(0), view);
  if (!a || !b || !y || view.opset(node) < 7) return std::nullopt;
  for (const QuantizedOperand& x : {*a, *b}) {
    if (view.constant(x.quantized) != nullptr) continue;
    if (auto fusion = fuse_chain(node, x, view)) return fusion;
  }
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
