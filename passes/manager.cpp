#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include "ir/error.h"
#include "ir/verify.h"
#include "passes/check.h"
#include "passes/fingerprint.h"
#include "passes/pass.h"

namespace fettle::passes {
namespace {

int64_t count_nodes(const ir::Model& model) {
  int64_t count = 0;
  ir::for_each_graph(*model.graph, [&](ir::Graph& graph) {
    count += static_cast<int64_t>(graph.node_count());
  });
  return count;
}

const Pass& find_pass(std::span<const Pass> passes, const std::string& name) {
  for (const Pass& pass : passes) {
    if (pass.name == name) return pass;
  }
  std::string names;
  for (const Pass& pass : passes) names += (names.empty() ? "" : ", ") + std::string(pass.name);
  fail(ErrorCode::kUsage, "there is no pass '{}'; the passes are {}", name, names);
}

bool lists(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<const Pass*> selected(std::span<const Pass> passes, const PipelineOptions& options) {
  for (const std::string& name : options.only) find_pass(passes, name);
  for (const std::string& name : options.skip) find_pass(passes, name);
  std::vector<const Pass*> chosen;
  for (const Pass& pass : passes) {
    const bool wanted = options.only.empty() ? pass.default_on : lists(options.only, pass.name);
    if (wanted && !lists(options.skip, pass.name)) chosen.push_back(&pass);
  }
  if (!options.stop_after.empty()) {
    const Pass* last = &find_pass(passes, options.stop_after);
    if (std::find(chosen.begin(), chosen.end(), last) == chosen.end()) {
      fail(ErrorCode::kUsage, "cannot stop after pass '{}', which is not among those that run",
           options.stop_after);
    }
  }
  return chosen;
}

// The outputs of the model as it was after the last pass, for --check-each.
class Checker {
 public:
  Checker(const ir::Model& model, const PipelineOptions& options) : options_(options) {
    if (!options.check_each) return;
    inputs_ = options.check_inputs.empty()
                  ? interp::usable_inputs(model, options.seed, options.check_executor)
                  : options.check_inputs;
    last_ = run_all(model, inputs_, options.check_executor);
    const bool any = std::any_of(last_->errors.begin(), last_->errors.end(),
                                 [](const std::string& error) { return error.empty(); });
    if (!any) {
      fail(ErrorCode::kBadInput, "the model cannot be checked, since it fails on every input: {}",
           last_->errors.empty() ? "no inputs" : last_->errors.front());
    }
  }

  void check(const ir::Model& model, const Pass& pass) {
    if (!last_) return;
    Outputs now = run_all(model, inputs_, options_.check_executor);
    // Accelerated kernels sum in another order once their neighbors change.
    const Exactness exactness =
        pass.exactness == Exactness::kExact && !options_.check_executor.exact ? Exactness::kRounding
                                                                              : pass.exactness;
    const std::string text = difference(*last_, now, tolerance_of(exactness, largest_epsilon(model)));
    if (!text.empty()) {
      fail(ErrorCode::kInternal, "pass '{}' changed the outputs: {}; run with this pass skipped",
           pass.name, text);
    }
    last_ = std::move(now);
  }

 private:
  const PipelineOptions& options_;
  std::vector<interp::Feeds> inputs_;
  std::optional<Outputs> last_;
};

class Manager {
 public:
  Manager(ir::Model& model, const PipelineOptions& options, std::span<const Pass> passes)
      : model_(model), options_(options), passes_(selected(passes, options)),
        checker_(model, options), context_{model} {
    context_.fold_growth_budget = options.fold_growth_budget;
    context_.initializers_are_constant =
        options.initializers_are_constant.value_or(model.ir_version < 4);
    for (const Pass* pass : passes_) report_.passes.push_back({std::string(pass->name)});
  }

  PipelineReport run() {
    report_.nodes_before = count_nodes(model_);
    std::set<uint64_t> seen{fingerprint(model_)};
    bool stopped = false;
    while (!stopped && report_.rounds < options_.max_rounds) {
      ++report_.rounds;
      context_.declined.clear();
      const int64_t rewrites = run_round(stopped);
      if (rewrites == 0 && !stopped) {
        report_.converged = true;
        break;
      }
      if (!stopped && !seen.insert(fingerprint(model_)).second) {
        report_.oscillated = true;
        break;
      }
    }
    allow_plain_constants();
    report_.nodes_after = count_nodes(model_);
    report_.declined = std::move(context_.declined);
    return std::move(report_);
  }

 private:
  int64_t run_round(bool& stopped) {
    int64_t rewrites = 0;
    for (size_t i = 0; i < passes_.size() && !stopped; ++i) {
      rewrites += run_pass(*passes_[i], report_.passes[i]);
      stopped = passes_[i]->name == options_.stop_after;
    }
    return rewrites;
  }

  int64_t run_pass(const Pass& pass, PassStatistics& statistics) {
    const auto start = std::chrono::steady_clock::now();
    context_.current_pass = pass.name;
    int64_t rewrites = 0;
    try {
      rewrites = pass.run(context_);
      ir::for_each_graph(*model_.graph, [](ir::Graph& graph) { graph.purge(); });
      ir::verify(model_);
    } catch (Error& error) {
      error.add_context(fmt::format("pass '{}'", pass.name));
      throw;
    }
    statistics.rewrites += rewrites;
    statistics.milliseconds += std::chrono::duration<double, std::milli>(
                                   std::chrono::steady_clock::now() - start)
                                   .count();
    if (rewrites != 0) ir::release_constants(model_);
    if (rewrites != 0) checker_.check(model_, pass);
    if (options_.after_each) options_.after_each(pass.name, model_);
    return rewrites;
  }

  // Before IR version 4 an initializer must be a graph input; those that passes made are not.
  void allow_plain_constants() {
    if (model_.ir_version >= 4) return;
    const auto& constants = model_.graph->constants();
    if (std::any_of(constants.begin(), constants.end(),
                    [](const ir::Value* v) { return !v->is_input(); })) {
      model_.ir_version = 4;
    }
  }

  ir::Model& model_;
  const PipelineOptions& options_;
  std::vector<const Pass*> passes_;
  Checker checker_;
  PassContext context_;
  PipelineReport report_;
};

}  // namespace

PipelineReport run_pipeline(ir::Model& model, const PipelineOptions& options) {
  return run_pipeline(model, options, all_passes());
}

PipelineReport run_pipeline(ir::Model& model, const PipelineOptions& options,
                            std::span<const Pass> passes) {
  return Manager(model, options, passes).run();
}

}  // namespace fettle::passes
