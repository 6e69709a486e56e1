// Channels that change places:
//
//   x [N, C, H, W] -- Reshape [N, g, C/g, H, W] -- Transpose [N, C/g, g, H, W] -- Reshape [N, C, H,
//   W] -- y
//
// as one step that keeps the layout of its operand. On quantized bytes the same, with pairs of Q
// and DQ of one set of parameters between the nodes (on_bytes.h). Conditions: constant shapes;
// nothing else reads what lies between.
#include <algorithm>

#include "interp/channel_shuffle.h"
#include "interp/fusion.h"
#include "interp/movement_kernel.h"
#include "interp/on_bytes.h"

namespace fettle::interp {
namespace {

// The constant new shape of a Reshape whose zeros stand for extents of the operand.
std::optional<ir::Dims> shape_of(const ir::Node& node, const FusionView& view) {
  const ir::Tensor* given = view.opset(node) < 5 ? nullptr : view.constant(node.input(1));
  if (given == nullptr) return std::nullopt;
  auto shape = small_ints(given);
  const bool literal = node.attr_int("allowzero", 0) != 0;
  if (shape && literal && std::count(shape->begin(), shape->end(), 0) > 0) return std::nullopt;
  return shape;
}

bool exchanges_groups(const ir::Node* node, const FusionView& view) {
  return node != nullptr && node->is("Transpose") && !view.taken(*node) &&
         node->attr_ints("perm") == std::vector<int64_t>{0, 2, 1, 3, 4};
}

std::unique_ptr<AcceleratedKernel> kernel_of(const ir::Node& split, const ir::Node* join,
                                             const FusionView& view) {
  if (join == nullptr || !join->is("Reshape") || view.taken(*join)) return nullptr;
  auto apart = shape_of(split, view);
  auto joined = shape_of(*join, view);
  if (!apart || !joined) return nullptr;
  return make_channel_shuffle(std::move(*apart), std::move(*joined));
}

}  // namespace

std::optional<Fusion> fuse_channel_shuffle(const ir::Node& node, const FusionView& view) {
  const ir::Node* transpose = view.sole_reader(node.output(0));
  if (!exchanges_groups(transpose, view)) return std::nullopt;
  const ir::Node* join = view.sole_reader(transpose->output(0));
  if (join == nullptr || join->input(0) != transpose->output(0)) return std::nullopt;
  Fusion fusion;
  fusion.kernel = kernel_of(node, join, view);
  if (fusion.kernel == nullptr) return std::nullopt;
  fusion.members = {&node, transpose, join};
  fusion.inputs = {node.input(0)};
  return fusion;
}

std::optional<Fusion> fuse_qdq_channel_shuffle(const ir::Node& node, const FusionView& view) {
  const auto x = quantized_operand(node.input(0), view);
  if (!x) return std::nullopt;
  ByteRun run(*x, view);
  if (!run.add(node)) return std::nullopt;
  const ir::Node* transpose = run.next();
  if (!exchanges_groups(transpose, view) || !run.add(*transpose)) return std::nullopt;
  const ir::Node* join = run.next();
  auto kernel = kernel_of(node, join, view);
  if (kernel == nullptr || !run.add(*join) || !run.end()) return std::nullopt;
  return std::move(run).fusion(std::move(kernel));
}

}  // namespace fettle::interp
