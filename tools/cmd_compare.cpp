#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include "interp/random_inputs.h"
#include "ir/error.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

struct Options {
  std::string reference;
  std::string other;
  std::string data;
  int64_t samples = 0;
  bool layers = false;
  double max_error = -1;
};

// A value of the reference and the value that stands for it in the other model: the same name, or
// the dequantized form of it.
struct LayerPair {
  std::string reference;
  std::string other;
};

std::vector<LayerPair> layer_pairs(const ir::Model& reference, const ir::Model& other) {
  std::vector<LayerPair> pairs;
  for (const ir::Node& node : reference.graph->nodes()) {
    for (const ir::Value* v : node.outputs()) {
      if (v == nullptr) continue;
      const std::string dequantized = v->name() + "_DequantizeLinear_Output";
      for (const std::string& name : {dequantized, v->name()}) {
        const ir::Value* match = other.graph->find(name);
        if (match == nullptr || match->producer() == nullptr) continue;
        pairs.push_back({v->name(), name});
        break;
      }
    }
  }
  return pairs;
}

void check_same_interface(const ir::Model& a, const ir::Model& b) {
  if (a.graph->outputs().size() != b.graph->outputs().size()) {
    fail(ErrorCode::kBadInput, "the models have {} and {} outputs and cannot be compared",
         a.graph->outputs().size(), b.graph->outputs().size());
  }
  std::set<std::string> names;
  for (const ir::Value* v : b.graph->inputs()) names.insert(v->name());
  for (const ir::Value* v : a.graph->inputs()) {
    if (!v->has_initializer() && !names.contains(v->name())) {
      fail(ErrorCode::kBadInput, "the reference has an input '{}' that the other model lacks",
           v->name());
    }
  }
}

// Runs both models on every sample; fills the comparers.
struct Comparison {
  report::Comparer outputs;
  std::vector<report::OutputComparison> layers;
  int64_t samples = 0;

  Comparison(const ir::Model& reference, const ir::Model& other, bool by_layer,
             std::optional<report::ClassScores> scores, const Common& common)
      : outputs(reference, std::move(scores)), reference_(reference, common.executor()),
        other_(other, common.executor()) {
    if (!by_layer) return;
    std::vector<std::string> reference_names;
    std::vector<std::string> other_names;
    for (const LayerPair& pair : layer_pairs(reference, other)) {
      index_[pair.other].push_back(layers.size());
      reference_of_.push_back(pair.reference);
      layers.emplace_back();
      layers.back().name = pair.reference;
      reference_names.push_back(pair.reference);
      other_names.push_back(pair.other);
    }
    reference_.observe(reference_names, [this](const std::string& name, interp::Observed& value) {
      seen_[name] = value.tensor();
    });
    other_.observe(other_names, [this](const std::string& name, interp::Observed& value) {
      const ir::Tensor& t = value.tensor();
      for (const size_t i : index_[name]) {
        const auto it = seen_.find(reference_of_[i]);
        if (it == seen_.end() || it->second.dims() != t.dims()) continue;
        if (!ir::is_floating(t.type()) || !ir::is_floating(it->second.type())) continue;
        report::accumulate(layers[i], it->second, t);
      }
    });
  }

  void add(const interp::Feeds& feeds, int64_t count) {
    seen_.clear();
    std::vector<ir::Tensor> reference_outputs;
    for (const auto& value : reference_.run(feeds)) {
      reference_outputs.push_back(value.is_tensor() ? value.tensor : ir::Tensor());
    }
    outputs.add(reference_outputs, other_.run(feeds));
    samples += count;
  }

 private:
  interp::Executor reference_;
  interp::Executor other_;
  std::map<std::string, ir::Tensor> seen_;
  std::map<std::string, std::vector<size_t>> index_;
  std::vector<std::string> reference_of_;
};

std::string text_of(const Comparison& c, bool random) {
  std::string text = fmt::format("{}{}\n  {:<32} {:>12} {:>12} {:>10} {:>10}\n",
                                 counted(c.samples, random ? "random input" : "sample"),
                                 random ? " (no --data: figures on real data may differ)" : "", "output", "max abs", "max rel", "SQNR dB", "cosine");
  const auto line = [&](const report::OutputComparison& o) {
    text += fmt::format("  {:<32} {:>12.4g} {:>12.4g} {:>10.2f} {:>10.6f}\n", o.name, o.max_abs,
                        o.max_rel, report::bounded(o.sqnr_db()), o.cosine());
  };
  for (const auto& o : c.outputs.outputs()) line(o);
  if (c.outputs.agreement()) {
    text += fmt::format("  top class of '{}' agrees on {:.2f} %\n", c.outputs.agreement_output(),
                        c.outputs.agreement()->rate() * 100);
  }
  if (!c.layers.empty()) text += "  layers:\n";
  for (const auto& o : c.layers) {
    if (o.elements > 0) line(o);
  }
  return text;
}

// Why the other model fails: NaN or infinity of its own, or an error beyond the limit.
std::vector<std::string> failures_of(const report::Comparer& comparer, double max_error) {
  std::vector<std::string> failures;
  for (const auto& o : comparer.outputs()) {
    if (o.mismatched_special > 0) {
      failures.push_back(fmt::format("output '{}' holds NaN or infinity against something else in {}", o.name,
                                     counted(o.mismatched_special, "element")));
    } else if (max_error >= 0 && o.max_abs > max_error) {
      failures.push_back(fmt::format("output '{}' differs by {:g}, more than --max-error {:g}", o.name,
                                     o.max_abs, max_error));
    }
  }
  return failures;
}

int compare(const Options& options, const Common& common) {
  const ir::Model reference = load_model(options.reference);
  const ir::Model other = load_model(options.other);
  check_same_interface(reference, other);
  std::unique_ptr<calib::Dataset> data;
  std::optional<report::ClassScores> scores;
  if (!options.data.empty()) {
    data = open_data(options.data, reference, options.samples);
    scores.emplace(reference, *data);
  }
  Comparison comparison(reference, other, options.layers, std::move(scores), common);
  if (options.data.empty()) {
    const int64_t runs = options.samples > 0 ? options.samples : 4;
    for (int64_t i = 0; i < runs; ++i) {
      const uint64_t seed = common.seed + static_cast<uint64_t>(i);
      comparison.add(interp::usable_input(reference, seed, common.executor()), 1);
    }
  } else {
    ProgressBar bar("comparing", common);
    int64_t total = data->size();
    if (options.samples > 0) total = std::min(total, options.samples);
    for (int64_t first = 0; first + data->batch() <= total; first += data->batch()) {
      comparison.add(data->read(first), data->batch());
      bar.update(first + data->batch(), total);
    }
  }
  report::Json j = report::to_json(comparison.outputs, comparison.samples);
  if (options.layers) {
    j["layers"] = report::Json::array();
    for (const auto& layer : comparison.layers) {
      if (layer.elements > 0) j["layers"].push_back(report::to_json(layer));
    }
  }
  const std::vector<std::string> failures = failures_of(comparison.outputs, options.max_error);
  j["passed"] = failures.empty();
  print_result(common, j, text_of(comparison, !data));
  for (const std::string& failure : failures) std::fprintf(stderr, "error: %s\n", failure.c_str());
  return failures.empty() ? 0 : 1;
}

}  // namespace

void add_compare(CLI::App& app, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("compare", "Compare the outputs of two models");
  command->add_option("reference", options->reference, "The model to trust")->required();
  command->add_option("other", options->other, "The model to judge")->required();
  command->add_option("--data", options->data, "Inputs to compare on (default: random)");
  command->add_option("--samples", options->samples, "Use at most this many samples (0: all)")
      ->check(whole_number());
  command->add_flag("--layers", options->layers, "Also compare values of the same name inside");
  command->add_option("--max-error", options->max_error,
                      "Exit 1 when an output differs by more than this")
      ->check(zero_or_more());
  command->footer("Example:\n  fettle compare model.onnx out/model.onnx --data test.h5 --layers");
  command->callback([options, &common, &action] {
    action = [options, &common] { return compare(*options, common); };
  });
}

}  // namespace fettle::tools
