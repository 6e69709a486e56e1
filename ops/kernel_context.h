// What a kernel sees of the node it computes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ir/error.h"
#include "ir/graph.h"
#include "ops/runtime_value.h"

namespace fettle::ops {

// Runs a subgraph for If, Loop and Scan; values of enclosing graphs are bound by the runner.
class SubgraphRunner {
 public:
  virtual ~SubgraphRunner() = default;
  virtual std::vector<RuntimeValue> run(const ir::Graph& body,
                                        std::vector<RuntimeValue> inputs) = 0;
  // Iterations after which Loop and Scan must give up with kLimit.
  virtual int64_t iteration_limit() const = 0;
};

// One evaluation of one node. Errors thrown by a kernel get the node's description as context from
// the executor, so messages need not name it.
class KernelContext {
 public:
  // `inputs` holds one pointer per operand, null where omitted. `runner` may be null when the
  // operator has no subgraphs.
  KernelContext(const ir::Node& node, int64_t opset, std::vector<const RuntimeValue*> inputs,
                SubgraphRunner* runner)
      : node_(node), opset_(opset), inputs_(std::move(inputs)), outputs_(node.outputs().size()),
        runner_(runner) {}

  const ir::Node& node() const { return node_; }
  // Version of the node's domain that the model imports.
  int64_t opset() const { return opset_; }

  size_t input_count() const { return inputs_.size(); }
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  // Operand `i`; throws kBadInput when omitted or not a tensor.
  const ir::Tensor& input(size_t i) const;
  // The same, but null when omitted.
  const ir::Tensor* optional(size_t i) const { return has(i) ? &input(i) : nullptr; }
  const RuntimeValue& value(size_t i) const;

  size_t output_count() const { return outputs_.size(); }
  bool wants(size_t i) const { return node_.output(i) != nullptr; }
  // Allocates output `i` (uninitialised) and returns it. Throws kLimit beyond the memory limit.
  ir::Tensor& output(size_t i, ir::DataType type, ir::Dims dims);
  void set_output(size_t i, RuntimeValue value);
  std::vector<RuntimeValue>& outputs() { return outputs_; }

  SubgraphRunner& subgraphs() {
    FETTLE_ASSERT(runner_ != nullptr);
    return *runner_;
  }

 private:
  const ir::Node& node_;
  int64_t opset_;
  std::vector<const RuntimeValue*> inputs_;
  std::vector<RuntimeValue> outputs_;
  SubgraphRunner* runner_;
};

// `axis` counted from the end when negative. Throws kBadInput unless -rank <= axis < rank.
int64_t normalized_axis(int64_t axis, int64_t rank);
// Shape of the elementwise combination by numpy's rule; throws kBadInput when incompatible.
ir::Dims broadcast_dims(const ir::Dims& a, const ir::Dims& b);
// Row-major strides in elements; 0 along axes of extent 1 that are broadcast to `to` (same rank or
// more; missing leading axes count as broadcast).
std::vector<int64_t> broadcast_strides(const ir::Dims& from, const ir::Dims& to);
std::vector<int64_t> row_major_strides(const ir::Dims& dims);

}  // namespace fettle::ops
