// Recognition of nodes that one kernel computes together.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "interp/accelerated.h"

namespace fettle::interp {

// What recognisers may ask about the graph that is being planned.
class FusionView {
 public:
  virtual ~FusionView() = default;
  // Contents of a value that is constant, else null (also for null).
  virtual const ir::Tensor* constant(const ir::Value* value) const = 0;
  virtual int64_t opset(const ir::Node& node) const = 0;
  // The only reader of the value when nothing else needs it: no other use, no graph output, not
  // observed, not read by a subgraph. Null otherwise.
  virtual const ir::Node* sole_reader(const ir::Value* value) const = 0;
  // All readers when none is in a subgraph and the value is neither a graph output nor observed;
  // empty otherwise. A node that reads it twice is listed twice.
  virtual std::vector<const ir::Node*> readers(const ir::Value* value) const = 0;
  // True when the value exists before `node` is computed.
  virtual bool available_before(const ir::Value* value, const ir::Node& node) const = 0;
  // True when a fusion already holds the node.
  virtual bool taken(const ir::Node& node) const = 0;
};

// Nodes computed as one step in place of the last of them, whose output is the step's output.
struct Fusion {
  std::vector<const ir::Node*> members;  // in topological order
  std::vector<const ir::Value*> inputs;  // operands of the kernel; null where omitted
  std::unique_ptr<AcceleratedKernel> kernel;
  // False when the kernel never declines: operands of the members that are not operands of the
  // kernel are then not needed.
  bool may_decline = true;
};

// The fusion that starts at `anchor`, if any: one table of recognisers by operator.
std::optional<Fusion> find_fusion(const ir::Node& anchor, const FusionView& view);

// Recognisers.
std::optional<Fusion> fuse_channel_pool(const ir::Node& unsqueeze, const FusionView& view);
std::optional<Fusion> fuse_channel_shuffle(const ir::Node& node, const FusionView& view);
std::optional<Fusion> fuse_convolution(const ir::Node& conv, const FusionView& view);
std::optional<Fusion> fuse_product(const ir::Node& node, const FusionView& view);
std::optional<Fusion> fuse_elementwise(const ir::Node& anchor, const FusionView& view);
std::optional<Fusion> fuse_qdq_binary(const ir::Node& node, const FusionView& view);
std::optional<Fusion> fuse_qdq_channel_pool(const ir::Node& unsqueeze, const FusionView& view);
std::optional<Fusion> fuse_qdq_channel_shuffle(const ir::Node& node, const FusionView& view);
std::optional<Fusion> fuse_qdq_concat(const ir::Node& node, const FusionView& view);
std::optional<Fusion> fuse_qdq_convolution(const ir::Node& conv, const FusionView& view);
std::optional<Fusion> fuse_qdq_global_average(const ir::Node& node, const FusionView& view);
std::optional<Fusion> fuse_qdq_max_pool(const ir::Node& node, const FusionView& view);
std::optional<Fusion> fuse_qdq_movement(const ir::Node& node, const FusionView& view);
std::optional<Fusion> fuse_qdq_product(const ir::Node& node, const FusionView& view);
std::optional<Fusion> fuse_qdq_split(const ir::Node& quantize, const FusionView& view);
std::optional<Fusion> fuse_qdq_unary(const ir::Node& node, const FusionView& view);

}  // namespace fettle::interp
