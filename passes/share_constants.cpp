// Stores identical constants once.
//
//   a = {1, 2}, b = {1, 2}        uses of b read a
//
// Conditions: same element type, dimensions and bytes (NaN payloads and the sign of zero included),
// in the same graph; not a graph output; not the default of a graph input.
// Large tensors are read only when another one has the same type and dimensions, and once; bytes are
// compared where hashes agree. The copies that nothing reads any more go with dead code.
#include <map>
#include <tuple>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/tensor_hash.h"

namespace fettle::passes {
namespace {

int64_t share_group(PassContext& context, ir::Graph& graph, const std::vector<ir::Value*>& group) {
  std::multimap<uint64_t, ir::Value*> seen;
  int64_t count = 0;
  for (ir::Value* value : group) {
    const ir::Tensor& tensor = *value->constant();
    const uint64_t hash = context.hashes->of(tensor);
    const auto [first, last] = seen.equal_range(hash);
    bool shared = false;
    for (auto it = first; it != last && !shared; ++it) {
      if (!ir::identical(*it->second->constant(), tensor)) continue;
      shared = graph.replace_all_uses(*value, *it->second);
      count += shared ? 1 : 0;
    }
    if (!shared) seen.emplace(hash, value);
    if (tensor.byte_size() >= kLargeTensor) tensor.buffer()->release_pages();
  }
  return count;
}

int64_t share(PassContext& context, ir::Graph& graph) {
  std::map<std::pair<ir::DataType, ir::Dims>, std::vector<ir::Value*>> groups;
  for (ir::Value* value : graph.constants()) {
    const ir::Tensor* tensor = context.constant(value);
    if (tensor == nullptr || value->is_graph_output() || value->uses().empty()) continue;
    groups[{tensor->type(), tensor->dims()}].push_back(value);
  }
  int64_t count = 0;
  for (const auto& [key, group] : groups) {
    if (group.size() > 1) count += share_group(context, graph, group);
  }
  return count;
}

}  // namespace

int64_t share_constants(PassContext& context) {
  if (context.hashes == nullptr) context.hashes = std::make_shared<TensorHashes>();
  int64_t count = 0;
  ir::for_each_graph(*context.model.graph,
                     [&](ir::Graph& graph) { count += share(context, graph); });
  return count;
}

}  // namespace fettle::passes
