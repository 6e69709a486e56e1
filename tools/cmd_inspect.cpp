#include <algorithm>
#include <filesystem>
#include <memory>

#include "ir/error.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "quant/calibration_values.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

report::Json values_json(const std::vector<ir::Value*>& values, bool skip_initialized) {
  report::Json list = report::Json::array();
  for (const ir::Value* v : values) {
    if (skip_initialized && v->has_initializer()) continue;
    list.push_back({{"name", v->name()}, {"type", ir::to_string(v->type)}});
  }
  return list;
}

// Operators that the executor has no kernel for, with the version that the model imports.
report::Json unknown_operators(const ir::Model& model) {
  std::map<std::string, int64_t> missing;
  ir::for_each_graph(*model.graph, [&](ir::Graph& graph) {
    for (const ir::Node& node : graph.nodes()) {
      if (model.find_function(node.domain, node.op_type, node.overload) != nullptr) continue;
      if (ops::find_op(node, model.opset(node.domain)) != nullptr) continue;
      ++missing[node.is_default_domain() ? node.op_type : node.domain + "::" + node.op_type];
    }
  });
  report::Json list = report::Json::object();
  for (const auto& [name, count] : missing) list[name] = count;
  return list;
}

// What static quantization would do. Ranges do not change the placement, so any will serve.
report::Json would_quantize(const ir::Model& original, const Common& common) {
  try {
    ir::Model model = ir::clone(original);
    prepare_for_quantization(model, common);
    const calib::CalibrationTable table = quant::stand_in_table(model);
    const quant::Plan plan = quant::make_plan(model, &table, {});
    std::map<std::string, std::map<std::string, int64_t>> counts;
    for (const auto& node : plan.nodes) ++counts[node.decision][node.op_type];
    report::Json j = report::Json::object();
    for (const auto& [decision, operators] : counts) {
      for (const auto& [name, count] : operators) j[decision][name] = count;
    }
    return j;
  } catch (const Error& error) {
    return {{"error", error.what()}};
  }
}

std::string text_of(const report::Json& j) {
  std::string text = fmt::format("{}: IR {}, opset {}, {}, {}, {} of weights\n",
                                 j["model"].get<std::string>(), j["ir_version"].get<int64_t>(),
                                 j["opset"].get<int64_t>(),
                                 counted(j["nodes"].get<int64_t>(), "node"),
                                 counted(j["parameters"].get<int64_t>(), "parameter"),
                                 report::human_bytes(j["weight_bytes"].get<int64_t>()));
  for (const char* side : {"inputs", "outputs"}) {
    for (const auto& v : j[side]) {
      text += fmt::format("  {:<7} {}: {}\n", std::string(side).substr(0, std::string(side).size() - 1),
                          v["name"].get<std::string>(), v["type"].get<std::string>());
    }
  }
  for (const auto& axis : j["dynamic_axes"]) text += fmt::format("  dynamic {}\n", axis.get<std::string>());
  text += fmt::format("  multiply-accumulates: {:.3f} M{}\n", j["macs"].get<double>() / 1e6,
                      j["macs_complete"].get<bool>() ? "" : " (some shapes are unknown)");
  text += "  operators:";
  for (const auto& [name, count] : j["operators"].items()) {
    text += fmt::format(" {} {},", count.get<int64_t>(), name);
  }
  text.back() = '\n';
  if (!j["unknown_operators"].empty()) {
    text += "  not executable here:";
    for (const auto& [name, count] : j["unknown_operators"].items()) {
      text += fmt::format(" {} {},", count.get<int64_t>(), name);
    }
    text.back() = '\n';
  }
  const auto& plan = j["would_quantize"];
  if (plan.contains("error")) {
    return text + fmt::format("  quantization: {}\n", plan["error"].get<std::string>());
  }
  for (const auto& [decision, operators] : plan.items()) {
    text += fmt::format("  static INT8 would {}:", decision == "float" ? "leave in float" : decision);
    for (const auto& [name, count] : operators.items()) {
      text += fmt::format(" {} {},", count.get<int64_t>(), name);
    }
    text.back() = '\n';
  }
  return text;
}

}  // namespace

void add_inspect(CLI::App& app, Common& common, Action& action) {
  auto path = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("inspect", "Show what is in a model");
  command->add_option("model", *path, "ONNX model")->required();
  command->footer("Example:\n  fettle inspect model.onnx --json");
  command->callback([path, &common, &action] {
    action = [path, &common] {
      const ir::Model model = load_model(*path);
      report::Json j;
      j["model"] = std::filesystem::path(*path).filename().string();
      j["ir_version"] = model.ir_version;
      j["opset"] = model.opset();
      for (const auto& [domain, version] : model.opset_imports) {
        j["opset_imports"][domain.empty() ? "ai.onnx" : domain] = version;
      }
      j["inputs"] = values_json(model.graph->inputs(), true);
      j["outputs"] = values_json(model.graph->outputs(), false);
      j["functions"] = model.functions.size();
      j.update(report::to_json(report::model_stats(model)));
      j["unknown_operators"] = unknown_operators(model);
      j["would_quantize"] = would_quantize(model, common);
      print_result(common, j, text_of(j));
      return 0;
    };
  });
}

}  // namespace fettle::tools
