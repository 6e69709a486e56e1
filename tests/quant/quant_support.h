// Helpers of the quantization tests: small networks with random weights, their ranges, their runs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "calib/table.h"
#include "interp/executor.h"
#include "ir/model.h"
#include "quant/plan.h"

namespace fettle::quant::test {

// Parses a graph and turns its inputs whose names start with "w_" or "b_" into constants of
// deterministic random values in [-1, 1].
ir::Model network(const std::string& graph, int64_t opset = 13);

// Random values in [-1, 1] for every float input, small indices for integer ones; unknown extents
// become 2.
interp::Feeds random_feeds(const ir::Model& model, uint64_t seed);
std::vector<ir::Tensor> run(const ir::Model& model, const interp::Feeds& feeds);
// Ranges over a few random feeds of every float value of the main graph.
calib::CalibrationTable ranges(const ir::Model& model, int runs = 4);

Plan static_plan(const ir::Model& model, PlanOptions options = {});
// The plan's entry for a node, by name or first output; fails the test when there is none.
NodePlan entry(const Plan& plan, const std::string& node);
std::string decision(const Plan& plan, const std::string& node);

std::map<std::string, int> operators(const ir::Model& model);
// Names of the graph's inputs and outputs with their types.
std::string signature(const ir::Model& model);
// Signal to noise in dB over all float elements of two lists of tensors of equal shapes.
double sqnr(const std::vector<ir::Tensor>& reference, const std::vector<ir::Tensor>& other);

}  // namespace fettle::quant::test
