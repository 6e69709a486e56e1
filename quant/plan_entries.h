// Access to a plan's entries: storing what two consumers of one initializer need, and finding it
// again in the model that is rewritten.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quant/names.h"
#include "quant/plan.h"

namespace fettle::quant {

// Keeps `params` for all readers of the initializer; where that is taken by others, for its consumer.
void store_params(ParamEntries& entries, const std::string& initializer,
                  const std::string& consumer, QuantParams params);
// The consumer's own entry, else the initializer's; end() when there is neither.
ParamEntries::const_iterator find_params(const ParamEntries& entries,
                                         const std::string& initializer,
                                         const std::string& consumer);
// Throws kBadInput when an entry names no initializer of the graph.
void require_initializers(const ir::Graph& graph, const ParamEntries& entries);
// The nodes that the plan decides on as one of `decisions`, in graph order. Throws kBadInput for a
// plan entry that the graph has no node for.
std::vector<ir::Node*> nodes_decided(const ir::Graph& graph, const NodeKeys& keys, const Plan& plan,
                                     const std::vector<std::string_view>& decisions);

}  // namespace fettle::quant
