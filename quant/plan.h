// The quantization plan: which tensor gets which format. A value that can be printed, edited,
// compared, and then applied.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calib/table.h"
#include "ir/model.h"

namespace fettle::quant {

enum class Mode { kStatic, kDynamic, kWeightOnly, kFp16 };
std::optional<Mode> mode_from_name(
    std::string_view name);  // "static", "dynamic", "weight-only", "fp16"
std::string_view mode_name(Mode mode);

// How one tensor is stored as integers: real = (q - zero_point) * scale.
struct QuantParams {
  ir::DataType type = ir::DataType::kUint8;
  int64_t axis = -1;                // -1: per tensor
  std::vector<float> scale;         // one, or one per channel
  std::vector<int32_t> zero_point;  // as many as scale
  bool operator==(const QuantParams&) const = default;
};

// An initializer, as all nodes read it or, with `consumer`, as that node alone does (its key is that
// of NodePlan::node).
struct ParamKey {
  ParamKey(std::string initializer_name, std::string consumer_key = {})
      : initializer(std::move(initializer_name)), consumer(std::move(consumer_key)) {}
  ParamKey(const char* initializer_name) : initializer(initializer_name) {}
  auto operator<=>(const ParamKey&) const = default;

  std::string initializer;
  std::string consumer;
};
using ParamEntries = std::map<ParamKey, QuantParams>;

// What happens to one node.
struct NodePlan {
  std::string node;  // ir::Node name, or its first output where it has none
  std::string op_type;
  std::string decision;  // "quantize", "follow" (shares its input's parameters), "float", "fp16"
  std::string reason;    // why, in words: reaches the report
};

struct Plan {
  Mode mode = Mode::kStatic;
  std::vector<NodePlan> nodes;                     // in graph order, every node of the main graph
  std::map<std::string, QuantParams> activations;  // by value name
  ParamEntries weights;
  ParamEntries biases;                             // int32
  bool keep_io_types = true;                       // fp16: graph inputs and outputs stay float
  std::vector<std::string> warnings;               // overflow guards applied, FP16 range, ...
};

struct PlanOptions {
  Mode mode = Mode::kStatic;
  std::vector<std::string> exclude_nodes;  // names; '*' and '?' match as in file names
  std::vector<std::string> exclude_types;
  bool per_channel = true;
  bool reduce_range = false;                  // 7-bit weights for CPUs without VNNI
  bool keep_io_types = true;                  // fp16: graph inputs and outputs stay float
  std::vector<std::string> fp16_block_types;  // in addition to the built-in list
};

// Decides. Static mode needs the calibration table (throws kUsage without it).
Plan make_plan(const ir::Model& model, const calib::CalibrationTable* table,
               const PlanOptions& options);
// The plan as JSON text, stable in order (`--plan-only`).
std::string plan_to_json(const Plan& plan);
// Rewrites the model as the plan says. Throws kBadInput when the plan names what the model lacks.
void apply_plan(ir::Model& model, const Plan& plan);

}  // namespace fettle::quant
