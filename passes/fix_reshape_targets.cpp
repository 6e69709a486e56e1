// Makes the computed target of a Reshape constant where 0 and -1 can say what is unknown.
//
//   x [N, 8, 8] -> Shape -> Gather(0) -> Concat(., 64) -> s,  Reshape(x, s) -> y
//   Reshape(x, {-1, 64}) -> y
//
// Exporters compute such targets to keep the batch open; the chain behind Shape then goes away.
//
// Conditions: the rank of the target is known, and its elements but for some. One unknown element
// becomes -1: it follows from the element count. Where there are more (or -1 is taken), each of them
// must be the symbol of the input's extent at the same place, and becomes 0, which copies it.
// Traps: -1 is undefined beside an extent of 0; with allowzero, 0 does not copy.
#include "ir/error.h"
#include "ops/dims.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/shape_contents.h"

namespace fettle::passes {
namespace {

// The constant target that means the same as `target`; nothing when there is none.
std::optional<std::vector<int64_t>> constant_target(const ops::Ints& target, const ir::Shape* input,
                                                    bool allow_zero) {
  std::vector<int64_t> result;
  std::vector<size_t> unknown;
  bool has_minus_one = false, has_zero = false;
  for (size_t i = 0; i < target.size(); ++i) {
    const auto number = ops::int_value(target[i]);
    if (!number) unknown.push_back(i);
    result.push_back(number.value_or(-1));
    has_minus_one |= number == -1;
    has_zero |= number == 0;
  }
  if (unknown.size() == 1 && !has_minus_one && !has_zero) return result;
  if (allow_zero || input == nullptr) return std::nullopt;
  for (const size_t i : unknown) {
    if (i >= input->size() || !(*input)[i].symbolic() || !(*input)[i].same(target[i])) {
      return std::nullopt;
    }
    result[i] = 0;
  }
  return result;
}

int64_t fix(PassContext& context, ir::Node& node, const ShapeContents& contents) {
  ir::Value* target = node.input(1);
  if (!node.is("Reshape") || target == nullptr || node.input(0) == nullptr) return 0;
  if (target->has_initializer() || !target->type.is_tensor()) return 0;
  const auto ints = contents.of(target);
  if (!ints) return 0;
  const auto fixed = constant_target(*ints, shape_of(node.input(0)),
                                     node.attr_int("allowzero", 0) != 0);
  if (!fixed) {
    context.decline(node, "its target is unknown in more than one place");
    return 0;
  }
  const auto rank = static_cast<int64_t>(fixed->size());
  node.set_input(1, &add_weight(node.graph(), target->name() + "_fixed",
                                ir::Tensor::of<int64_t>({rank}, *fixed)));
  return 1;
}

}  // namespace

int64_t fix_reshape_targets(PassContext& context) {
  ShapeContents contents(context, [&](const ir::Value* v) { return context.constant(v); });
  int64_t count = 0;
  ir::for_each_graph(*context.model.graph, [&](ir::Graph& graph) {
    for (ir::Node& node : graph.nodes()) {
      count += fix(context, node, contents);
      const ops::OpDef* op = ops::find_op(node, context.opset(node));
      try {
        if (op != nullptr) contents.infer(node, *op);
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kInternal) throw;  // else: nothing is known of its output
      }
    }
  });
  return count;
}

}  // namespace fettle::passes
