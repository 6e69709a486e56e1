#include <spdlog/spdlog.h>

#include <memory>

#include "ir/error.h"
#include "ir/io.h"
#include "passes/prune/unstructured.h"
#include "tools/remarks.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

struct Options {
  std::string model;
  std::string output;
  std::string method = "l1_unstructured";
  double sparsity = 0.5;
  std::vector<std::string> exclude;
};

std::vector<std::string> notes_of(const ir::Model& model, const passes::PruneReport& pruned,
                                  const Options& options, const Common& common) {
  std::vector<std::string> notes;
  if (pruned.weights == 0) {
    notes.push_back("there are no float weights to prune: nothing was changed but by the graph passes");
  }
  QuantizeOptions exclusions;
  exclusions.plan.exclude_nodes = options.exclude;
  for (std::string& note : idle_options(model, {}, exclusions, true)) {
    if (common.json) spdlog::warn("{}", note);
    notes.push_back(std::move(note));
  }
  return notes;
}

int prune(const Options& options, const Common& common) {
  check_output_file(options.output, {options.model});
  ir::Model model = load_model(options.model);
  check_not_input(options.output, files_of(model));
  passes::run_pipeline(model);
  passes::PruneOptions prune_options;
  prune_options.sparsity = options.sparsity;
  prune_options.exclude = options.exclude;
  const passes::PruneReport pruned = passes::prune_unstructured(model, prune_options);
  ir::write_model(model, options.output);
  report::Json j;
  j["model"] = options.model;
  j["output"] = options.output;
  j["method"] = options.method;
  j["sparsity"] = options.sparsity;
  j["weights"] = pruned.weights;
  j["zeros_before"] = pruned.zeros_before;
  j["zeros_after"] = pruned.zeros_after;
  j["raw_bytes"] = pruned.raw_bytes;
  j["compressed_bytes_before"] = pruned.compressed_before;
  j["compressed_bytes_after"] = pruned.compressed_after;
  j["statement"] = pruned.statement;
  j["tensors"] = report::Json::array();
  std::string text = fmt::format(
      "{} -> {}: {} of {} weights are zero (before: {})\n  weights under deflate: {} -> {}; raw: {}\n"
      "  {}\n",
      options.model, options.output, pruned.zeros_after, pruned.weights, pruned.zeros_before,
      report::human_bytes(pruned.compressed_before), report::human_bytes(pruned.compressed_after),
      report::human_bytes(pruned.raw_bytes), pruned.statement);
  const std::vector<std::string> notes = notes_of(model, pruned, options, common);
  j["notes"] = notes;
  for (const std::string& note : notes) text += fmt::format("  note: {}\n", note);
  for (const auto& t : pruned.tensors) {
    j["tensors"].push_back({{"name", t.name},
                            {"elements", t.elements},
                            {"zeros_before", t.zeros_before},
                            {"zeros_after", t.zeros_after}});
    if (common.verbose > 0) {
      text += fmt::format("  {:<40} {:>10} of {:>10} zero\n", t.name, t.zeros_after, t.elements);
    }
  }
  print_result(common, j, text);
  return 0;
}

}  // namespace

void add_prune(CLI::App& app, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("prune", "Set the smallest weights to zero");
  command->add_option("model", options->model, "ONNX model")->required();
  command->add_option("-o,--output", options->output, "Output model")->required();
  command->add_option("--method", options->method, "l1_unstructured (one global threshold)")
      ->check(CLI::IsMember({"l1_unstructured"}))
      ->capture_default_str();
  command->add_option("--sparsity", options->sparsity, "Share of the weights to zero (0..1)")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--exclude-node", options->exclude, "Node to leave alone; * and ? match");
  command->footer("Example:\n  fettle prune model.onnx --sparsity 0.5 -o pruned.onnx");
  command->callback([options, &common, &action] {
    action = [options, &common] { return prune(*options, common); };
  });
}

}  // namespace fettle::tools
