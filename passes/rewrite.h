// Small tools that several passes share.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "passes/pass.h"

namespace fettle::passes {

// Weights of at least this many bytes are stored so that they can leave memory.
inline constexpr size_t kLargeTensor = size_t{1} << 20;

// Runs `rewrite(node)` over all nodes of the main graph and its subgraphs; sums what it returns.
int64_t for_each_node(ir::Model& model, const std::function<int64_t(ir::Node&)>& rewrite);

// The node that alone reads `value`, in the same graph; null when there is none, several, or when
// the value is a graph output.
ir::Node* only_user(const ir::Value& value);

// `producer` now computes what `follower` computed from it: output `value` of the producer takes
// the place and the name of the follower's output, and the follower is erased. False and nothing
// changed when that cannot be.
bool absorb(ir::Value& value, ir::Node& follower);

// Adds a constant next to `like` in the node's graph, under a name made from `base`; large tensors
// are moved out of the heap.
ir::Value& add_weight(ir::Graph& graph, const std::string& base, ir::Tensor tensor);
// The tensor with its bytes in an unlinked file when it is large.
ir::Tensor spilled(ir::Tensor tensor);

// `values` rounded once to `type` (a floating type with 16 or more bits). Throws kUnsupported for
// other types.
ir::Tensor tensor_of(ir::DataType type, ir::Dims dims, const std::vector<double>& values);
std::vector<double> doubles_of(const ir::Tensor& tensor);
bool all_finite(const std::vector<double>& values);

// Shape of a value when its rank is known.
const ir::Shape* shape_of(const ir::Value* value);
// Its extents when all are known.
std::optional<ir::Dims> dims_of(const ir::Value* value);
// Contents of operand `i` as integers when it is a constant.
std::optional<std::vector<int64_t>> constant_ints(const PassContext& context, const ir::Node& node,
                                                  size_t i);

}  // namespace fettle::passes
