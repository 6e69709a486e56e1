// A pool of three axes whose first one are channels:
//
//   x [N, C, H, W] -- Unsqueeze(a) -- MaxPool, kernel [1, h, w] -- Squeeze(a) -- y
//
// with a = 0 or 1, as one step on channels-last data: y holds every s-th channel of the maxima over
// windows of [H, W], s being the first stride. On quantized bytes the same, with pairs of Q and DQ
// of one set of parameters between the nodes (on_bytes.h). Conditions: constant axes; nothing else
// reads what lies between.
#include "interp/channel_pool.h"
#include "interp/fusion.h"
#include "interp/movement_kernel.h"
#include "interp/on_bytes.h"

namespace fettle::interp {
namespace {

// The only axis that a Squeeze or Unsqueeze names, or -1.
int64_t only_axis(const ir::Node& node, const FusionView& view) {
  const auto axes = view.opset(node) < 13 ? std::optional(node.attr_ints("axes"))
                                          : small_ints(view.constant(node.input(1)));
  return axes && axes->size() == 1 ? axes->front() : -1;
}

bool adds_axis(const ir::Node& unsqueeze, const FusionView& view) {
  const int64_t axis = only_axis(unsqueeze, view);
  return axis == 0 || axis == 1;
}

bool is_pool(const ir::Node* node, const FusionView& view) {
  return node != nullptr && node->is("MaxPool") && !view.taken(*node) &&
         node->output(1) == nullptr && node->attr_ints("kernel_shape").size() == 3;
}

bool removes_axis(const ir::Node* node, const ir::Node& unsqueeze, const FusionView& view) {
  return node != nullptr && node->is("Squeeze") && !view.taken(*node) &&
         only_axis(*node, view) == only_axis(unsqueeze, view);
}

}  // namespace

std::optional<Fusion> fuse_channel_pool(const ir::Node& unsqueeze, const FusionView& view) {
  if (!adds_axis(unsqueeze, view)) return std::nullopt;
  const ir::Node* pool = view.sole_reader(unsqueeze.output(0));
  if (!is_pool(pool, view)) return std::nullopt;
  const ir::Node* squeeze = view.sole_reader(pool->output(0));
  if (!removes_axis(squeeze, unsqueeze, view)) return std::nullopt;
  Fusion fusion;
  fusion.members = {&unsqueeze, pool, squeeze};
  fusion.inputs = {unsqueeze.input(0)};
  fusion.kernel = make_channel_pool(*pool);
  return fusion;
}

std::optional<Fusion> fuse_qdq_channel_pool(const ir::Node& unsqueeze, const FusionView& view) {
  const auto x = quantized_operand(unsqueeze.input(0), view);
  if (!x || !adds_axis(unsqueeze, view)) return std::nullopt;
  ByteRun run(*x, view);
  if (!run.add(unsqueeze)) return std::nullopt;
  const ir::Node* pool = run.next();
  if (!is_pool(pool, view) || !run.add(*pool)) return std::nullopt;
  const ir::Node* squeeze = run.next();
  if (!removes_axis(squeeze, unsqueeze, view) || !run.add(*squeeze) || !run.end()) {
    return std::nullopt;
  }
  return std::move(run).fusion(make_channel_pool(*pool));
}

}  // namespace fettle::interp
