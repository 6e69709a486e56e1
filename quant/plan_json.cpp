#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "quant/plan.h"

namespace fettle::quant {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const QuantParams& params) {
  Json j;
  j["type"] = ir::data_type_name(params.type);
  if (params.axis >= 0) j["axis"] = params.axis;
  // float32 values as the shortest decimals that read back to the same float32.
  Json scales = Json::array();
  for (const float s : params.scale) scales.push_back(Json::parse(fmt::format("{}", s)));
  j["scale"] = std::move(scales);
  j["zero_point"] = params.zero_point;
  return j;
}

Json to_json(const std::map<std::string, QuantParams>& tensors) {
  Json j = Json::object();
  for (const auto& [name, params] : tensors) j[name] = to_json(params);
  return j;
}

Json to_json(const ParamEntries& entries) {
  Json j = Json::object();
  for (const auto& [key, params] : entries) {
    if (key.consumer.empty()) {
      j[key.initializer] = to_json(params);
    } else {
      j[key.initializer]["consumers"][key.consumer] = to_json(params);
    }
  }
  return j;
}

}  // namespace

std::string plan_to_json(const Plan& plan) {
  Json j;
  j["mode"] = mode_name(plan.mode);
  if (plan.mode == Mode::kFp16) j["keep_io_types"] = plan.keep_io_types;
  j["nodes"] = Json::array();
  for (const NodePlan& node : plan.nodes) {
    j["nodes"].push_back({{"node", node.node},
                          {"op_type", node.op_type},
                          {"decision", node.decision},
                          {"reason", node.reason}});
  }
  j["activations"] = to_json(plan.activations);
  j["weights"] = to_json(plan.weights);
  j["biases"] = to_json(plan.biases);
  j["warnings"] = plan.warnings;
  // Names come from the model and need not be valid UTF-8.
  return j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fettle::quant
