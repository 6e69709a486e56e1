// Several element-wise nodes, and reductions of the last axis between them, as one step:
//
//   x -- Sub -- Pow -- ReduceMean -- Add -- Sqrt -- Div -- Mul -- Add -- y     =>     one pass
//
// (LayerNormalization, RMSNormalization, Gelu, Swish and the like written out are of this kind.)
// In QDQ graphs operands may be DequantizeLinear of bytes, of which the step reads the bytes, and
// the last result may go to QuantizeLinear alone, which is then part of the step:
//
//   x, gq -- DQ -- HardSigmoid -- Mul(x) -- Q -- yq     =>     x, gq -- one pass -- yq
//
// Conditions: every result but the last is read by members only and is neither a graph output nor
// observed. Operands are float as far as can be told; the kernel declines others.
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "interp/fusion.h"
#include "interp/literal_run.h"
#include "interp/qdq_pattern.h"
#include "interp/row_program.h"

namespace fettle::interp {
namespace {

constexpr size_t kMostMembers = 24;
constexpr size_t kMostOperands = 12;

// Results that fusions of these nodes combine with their neighbors.
constexpr std::array<std::string_view, 8> kHeavy{"Conv",        "ConvTranspose",   "Gemm",
                                                 "MatMul",      "ConvInteger",     "MatMulInteger",
                                                 "QLinearConv", "DequantizeLinear"};

bool is_heavy(const ir::Value* value) {
  const ir::Node* producer = value->producer();
  return producer != nullptr && producer->is_default_domain() &&
         std::find(kHeavy.begin(), kHeavy.end(), producer->op_type) != kHeavy.end();
}

// True when the value is known to be no float tensor, as in arithmetic on shapes.
bool is_other_type(const ir::Value* value, const FusionView& view) {
  constexpr std::array<std::string_view, 7> kViews{"Gather", "Slice",   "Squeeze", "Unsqueeze",
                                                   "Concat", "Reshape", "Identity"};
  for (int depth = 0; depth < 8 && value != nullptr; ++depth) {
    if (const ir::Tensor* constant = view.constant(value)) {
      return constant->type() != ir::DataType::kFloat;
    }
    if (value->type.element != ir::DataType::kUndefined) {
      return value->type.element != ir::DataType::kFloat;
    }
    const ir::Node* producer = value->producer();
    if (producer == nullptr) return false;
    if (producer->is("Shape") || producer->is("Size")) return true;
    if (producer->is("Cast")) {
      return producer->attr_int("to", 0) != static_cast<int64_t>(ir::DataType::kFloat);
    }
    if (std::find(kViews.begin(), kViews.end(), producer->op_type) == kViews.end()) return false;
    value = producer->input(0);
  }
  return false;
}

NodeFacts facts_of(const ir::Node& node, const FusionView& view) {
  NodeFacts facts{&node, view.opset(node), {}};
  for (const ir::Value* input : node.inputs()) facts.constants.push_back(view.constant(input));
  return facts;
}

// The axis of a reduction of one axis that keeps it, when it can be told.
std::optional<int64_t> kept_axis(const ir::Node& node, const FusionView& view) {
  if (node.attr_int("keepdims", 1) == 0) return std::nullopt;
  const int64_t by_operand = node.is("ReduceSum") ? 13 : 18;
  std::vector<int64_t> axes = node.attr_ints("axes");
  if (view.opset(node) >= by_operand) {
    const ir::Tensor* given = view.constant(node.input(1));
    if (given == nullptr || given->type() != ir::DataType::kInt64) return std::nullopt;
    axes = ir::elements_as_ints(*given);
  }
  return axes.size() == 1 ? std::optional<int64_t>(axes[0]) : std::nullopt;
}

// The instruction without operands and how many it reads; nothing for other nodes.
std::optional<std::pair<Instruction, size_t>> instruction_of(const ir::Node& node,
                                                             const FusionView& view) {
  if (!node.is_default_domain() || node.outputs().size() != 1) return std::nullopt;
  Instruction instruction;
  if (const auto unary = unary_function(facts_of(node, view))) {
    instruction.unary = *unary;
    return std::pair(instruction, size_t{1});
  }
  instruction.binary = binary_function(node.op_type);
  if (instruction.binary != nullptr) {
    const int64_t since = instruction.binary->variadic ? 8 : 7;
    if (node.inputs().size() != 2 || view.opset(node) < since) {
      return std::nullopt;
    }
    return std::pair(instruction, size_t{2});
  }
  const FoldRow* row = node.op_type.starts_with("Reduce") ? fold_row(node.op_type) : nullptr;
  const auto axis = row != nullptr && row->sums != nullptr ? kept_axis(node, view) : std::nullopt;
  if (!axis) return std::nullopt;
  instruction.reduction = row->sums;
  instruction.axis = *axis;
  return std::pair(instruction, size_t{1});
}

class Chain {
 public:
  explicit Chain(const FusionView& view) : view_(view) {}

  // False when the node cannot be a member.
  bool add(const ir::Node& node) {
    if (view_.taken(node) || holds(node) || nodes_.size() == kMostMembers) return false;
    const auto found = instruction_of(node, view_);
    if (!found) return false;
    // Slopes are numbers per channel, which chains of floats do not take in channel layouts.
    if (node.is("PRelu") && (!nodes_.empty() || !bytes_of(node.input(0)))) return false;
    auto [instruction, operands] = *found;
    std::array<size_t, 2> read{};
    bool full = false;
    for (size_t i = 0; i < operands; ++i) {
      const ir::Value* value = node.input(i);
      if (value == nullptr || is_other_type(value, view_)) return false;
      const auto own = result_of(value);
      if (!own && !nodes_.empty() && !bytes_of(value) && may_be_claimed(value)) return false;
      full = full || (own ? full_[*own] : !is_small_constant(value));
      read[i] = own ? kResult + *own : operand(value);
    }
    instruction.a = read[0];
    instruction.b = operands == 2 ? read[1] : read[0];
    nodes_.push_back(&node);
    instructions_.push_back(instruction);
    full_.push_back(full && instruction.reduction == nullptr);
    return values_.size() <= kMostOperands;
  }

  // The first node, in the order of the graph, that reads a result and is not a member; null when
  // there is none.
  const ir::Node* next() const {
    const ir::Node* first = nullptr;
    for (const ir::Node* member : nodes_) {
      for (const ir::Node* reader : view_.readers(member->output(0))) {
        if (holds(*reader) || reader->outputs().empty()) continue;
        if (first == nullptr || (reader->output(0) != nullptr && reader != first &&
                                 view_.available_before(reader->output(0), *first))) {
          first = reader;
        }
      }
    }
    return first;
  }

  // True when only the last result is needed outside, and it has an element for every position.
  bool closed() const {
    for (size_t i = 0; i + 1 < nodes_.size(); ++i) {
      const std::vector<const ir::Node*> readers = view_.readers(nodes_[i]->output(0));
      if (readers.empty()) return false;
      if (!std::all_of(readers.begin(), readers.end(), [&](const auto* r) { return holds(*r); })) {
        return false;
      }
    }
    return full_.back();
  }

  size_t size() const { return nodes_.size(); }
  bool reads_bytes() const {
    return std::any_of(bytes_.begin(), bytes_.end(), [](const auto& b) { return !!b; });
  }

  // The first `members` nodes as a step, and the Q after them; nothing for a single node that
  // neither reads nor makes bytes.
  std::optional<Fusion> fusion(size_t members) && {
    nodes_.resize(members);
    instructions_.resize(members);
    // Results are numbered after the operands.
    for (Instruction& i : instructions_) {
      for (size_t* v : {&i.a, &i.b}) {
        if (*v >= kResult) *v = *v - kResult + values_.size();
      }
    }
    RowChain chain{bytes_, std::move(instructions_), std::nullopt};
    Fusion fusion;
    fusion.members = nodes_;
    const auto y = quantized_result(nodes_.back()->output(0), view_);
    if (y && y->members.size() == 1) {
      chain.result = ByteNumbers{y->scale, y->bytes};
      fusion.members.push_back(y->members[0]);
    }
    if (fusion.members.size() == 1 && !reads_bytes()) return std::nullopt;
    std::vector<const ir::Node*> literal;
    for (size_t i = 0; i < values_.size(); ++i) {
      fusion.inputs.push_back(bytes_[i] ? values_[i]->producer()->input(0) : values_[i]);
      if (bytes_[i]) literal.push_back(values_[i]->producer());
    }
    fusion.kernel = make_row_program(std::move(chain));
    if (fusion.kernel == nullptr || literal.empty()) return fusion;
    // The values that the bytes stand for are not needed, so that there is no declining.
    literal.insert(literal.end(), fusion.members.begin(), fusion.members.end());
    fusion.kernel =
        with_literal_run(std::move(fusion.kernel), LiteralRun(literal, fusion.inputs, view_));
    fusion.may_decline = false;
    return fusion;
  }

 private:
  static constexpr size_t kResult = 1000;  // numbers of results from here on, until all are known

  bool holds(const ir::Node& node) const {
    return std::find(nodes_.begin(), nodes_.end(), &node) != nodes_.end();
  }
  std::optional<size_t> result_of(const ir::Value* value) const {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i]->output(0) == value) return i;
    }
    return std::nullopt;
  }
  size_t operand(const ir::Value* value) {
    const auto found = std::find(values_.begin(), values_.end(), value);
    if (found != values_.end()) return static_cast<size_t>(found - values_.begin());
    values_.push_back(value);
    bytes_.push_back(bytes_of(value));
    return values_.size() - 1;
  }
  // What the bytes behind a value stand for, when it is no constant.
  std::optional<ByteNumbers> bytes_of(const ir::Value* value) const {
    const auto quantized = quantized_operand(value, view_);
    if (!quantized || view_.constant(quantized->quantized) != nullptr ||
        view_.constant(value) != nullptr) {
      return std::nullopt;
    }
    return ByteNumbers{quantized->scale, quantized->bytes};
  }
  bool is_small_constant(const ir::Value* value) const {
    const ir::Tensor* constant = view_.constant(value);
    return constant != nullptr && constant->size() == 1;
  }
  // A result that a fusion yet to be found may want together with its reader.
  bool may_be_claimed(const ir::Value* value) const {
    return view_.constant(value) == nullptr && is_heavy(value) &&
           !view_.available_before(value, *nodes_.front());
  }

  const FusionView& view_;
  std::vector<const ir::Node*> nodes_;
  std::vector<Instruction> instructions_;
  std::vector<bool> full_;  // per result: may have as many elements as the output
  std::vector<const ir::Value*> values_;            // operands
  std::vector<std::optional<ByteNumbers>> bytes_;  // per operand: how it is quantized, if it is
};

bool all_constant(const ir::Node& node, const FusionView& view) {
  return std::all_of(node.inputs().begin(), node.inputs().end(), [&](const ir::Value* v) {
    return v == nullptr || view.constant(v) != nullptr;
  });
}

}  // namespace

std::optional<Fusion> fuse_elementwise(const ir::Node& anchor, const FusionView& view) {
  if (all_constant(anchor, view)) return std::nullopt;
  Chain chain(view);
  if (!chain.add(anchor)) return std::nullopt;
  size_t best = chain.closed() ? 1 : 0;
  while (const ir::Node* reader = chain.next()) {
    if (!chain.add(*reader)) break;
    if (chain.closed()) best = chain.size();
  }
  if (best == 0) return std::nullopt;
  // Grown again, so that nothing of what lies beyond is left in it.
  Chain whole(view);
  whole.add(anchor);
  while (whole.size() < best) whole.add(*whole.next());
  return std::move(whole).fusion(best);
}

}  // namespace fettle::interp
