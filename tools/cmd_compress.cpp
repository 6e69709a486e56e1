#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "ir/buffer.h"
#include "ir/error.h"
#include "ir/io.h"
#include "ir/page_pool.h"
#include "passes/check.h"
#include "passes/prune/unstructured.h"
#include "quant/calibration_values.h"
#include "report/onnxruntime.h"
#include "tools/finite.h"
#include "tools/gates.h"
#include "tools/remarks.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

struct Options {
  std::string model;
  std::string data;
  std::string eval_data;
  std::string output;
  int64_t samples = 0;
  int64_t eval_samples = 0;
  double sparsity = 0;
  Limits limits;
  bool no_bench = false;
  int bench_runs = 10;
  QuantizeOptions quantize;
};

// Runs on which the optimized model is checked against the original.
constexpr int64_t kCheckedRuns = 2;
// The largest difference, relative to an output's range, that reassociated float arithmetic explains.
constexpr double kMaxOptimizeError = 1e-2;

// After each step: lets go of memory that the next one does not need; with -vv tells time and peak.
void finish_step(const char* step, const ir::Model& model) {
  if (model.graph != nullptr) ir::release_constants(model);
  ir::trim_pages();
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  static const auto start = std::chrono::steady_clock::now();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  spdlog::debug("{:<12} {:7.3f} s, peak memory {}, of its tensors {}", step, seconds.count(),
                report::human_bytes(static_cast<int64_t>(usage.ru_maxrss) * 1024),
                report::human_bytes(static_cast<int64_t>(ir::memory_peak())));
  ir::reset_memory_peak();
}

// One run of the command, step by step; members are what later steps need of earlier ones.
class Compression {
 public:
  Compression(const Options& options, const Common& common)
      : options_(options), common_(common), plan_options_(options.quantize.resolved()) {}

  int run() {
    finish_step("start", model_);
    if (measures()) library_ = report::usable_onnxruntime(common_.ort_library);
    model_ = load_model(options_.model);
    open_inputs();
    finish_step("read", model_);
    std::unique_ptr<OutputFolder> folder;
    if (!options_.quantize.plan_only) {
      folder = std::make_unique<OutputFolder>(options_.output);
      check_outputs(*folder);
      report_.output_path = folder->final_path("model.onnx");
      report_.before = report::model_stats(model_);
      epsilon_ = passes::largest_epsilon(model_);
      run_reference();
      finish_step("reference", model_);
    }
    report_.optimize = prepare_for_quantization(model_, common_);
    finish_step("optimized", model_);
    if (!options_.quantize.plan_only) check_optimized();
    finish_step("checked", model_);
    prune();
    plan();
    finish_step("planned", model_);
    if (options_.quantize.plan_only) return print_plan();
    const std::string remark = float_weights_remark(model_, report_.plan);
    if (!remark.empty()) report_.notes.push_back(remark);
    quant::apply_plan(model_, report_.plan);
    const std::string staged = folder->staged("model.onnx");
    ir::write_model(model_, staged);
    model_ = ir::Model();
    finish_step("written", model_);
    evaluate_result(staged);
    finish_step("evaluated", model_);
    measure_latency(staged, report_.output_path);
    finish_step("measured", model_);
    judge(report_, options_.limits);
    ir::write_file(folder->staged("report.json"), report::dump(report::to_json(report_)));
    folder->commit();
    print_result(common_, report::to_json(report_),
                 report::summary(report_) +
                     fmt::format("  written: {}, {}\n", folder->final_path("model.onnx"),
                                 folder->final_path("report.json")));
    print_failed_gates(report_);
    return report_.passed() ? 0 : 1;
  }

 private:
  bool measures() const { return !options_.no_bench && !options_.quantize.plan_only; }

  void open_inputs() {
    namespace fs = std::filesystem;
    calibration_ = open_data(options_.data, model_, options_.samples);
    if (!options_.eval_data.empty()) {
      evaluation_ = open_data(options_.eval_data, model_, options_.eval_samples, "--eval-samples");
    } else if (options_.eval_samples < calibration_->size()) {
      check_samples(options_.eval_samples, calibration_->batch(), "--eval-samples");
    }
    report_.input_path = options_.model;
    report_.input_name = fs::path(options_.model).filename().string();
    report_.output_name = "model.onnx";
    report_.mode = options_.quantize.mode;
  }

  // No file that is read may be one that is written.
  void check_outputs(const OutputFolder& folder) {
    std::vector<std::string> inputs = files_of(model_);
    inputs.insert(inputs.end(), {options_.data, options_.eval_data});
    for (const char* file : {"model.onnx", "model.onnx.data", "report.json"}) {
      check_not_input(folder.final_path(file), inputs);
    }
  }

  calib::Dataset& evaluation() { return evaluation_ ? *evaluation_ : *calibration_; }

  report::EvaluationOptions evaluation_options(ProgressBar& bar) const {
    report::EvaluationOptions options;
    options.executor = common_.executor();
    options.max_samples = options_.eval_samples;
    if (!evaluation_ && options.max_samples == 0) options.max_samples = options_.samples;
    options.progress = bar.callback();
    return options;
  }

  // Without data of its own for evaluation, calibration already runs every sample: the optimized
  // float model, once checked against the original, then stands for it.
  bool calibration_is_reference() const {
    return !evaluation_ && plan_options_.mode == quant::Mode::kStatic && options_.sparsity <= 0;
  }

  // The original model on the evaluation data; only its first runs where calibration does the rest.
  void run_reference() {
    ProgressBar bar("reference", common_);
    report::EvaluationOptions options = evaluation_options(bar);
    if (calibration_is_reference()) {
      options.max_samples = kCheckedRuns * evaluation().batch();
      options.progress = nullptr;
    }
    scorer_.emplace(model_, evaluation());
    report_.evaluation_samples =
        report::run_over(model_, evaluation(), options,
                         [&](int64_t first, const std::vector<ops::RuntimeValue>& outputs) {
                           require_numbers(model_, outputs, first);
                           scorer_->add(first, outputs);
                           reference_.append(outputs);
                         });
  }

  // The passes' result against the original on the first samples.
  void check_optimized() {
    interp::Executor executor(model_, common_.executor());
    report::Comparer comparer(model_);
    const double largest_error =
        std::max(kMaxOptimizeError, passes::tolerance_of(passes::Exactness::kRounding, epsilon_));
    const int64_t runs = std::min<int64_t>(kCheckedRuns, static_cast<int64_t>(reference_.runs()));
    for (int64_t run = 0; run < runs; ++run) {
      comparer.add(reference_.read(static_cast<size_t>(run)),
                   executor.run(evaluation().read(run * evaluation().batch())));
    }
    for (const auto& o : comparer.outputs()) {
      if (o.elements == 0) continue;
      const double range = std::max(o.reference_max - o.reference_min, 1e-6);
      report_.optimize_error = std::max(report_.optimize_error, o.max_abs / range);
    }
    if (report_.optimize_error <= largest_error) return;
    const std::string cause = non_finite_constant(model_);
    if (comparer.mismatched() != nullptr && !cause.empty()) {
      fail(ErrorCode::kBadInput, "{}, so that output '{}' has no defined value: export the model again from a "
           "sound checkpoint", cause, comparer.mismatched()->name);
    }
    fail(ErrorCode::kInternal,
         "the optimized model differs from the original by {:g} of an output's range; this is a defect "
         "in fettle (`fettle optimize --check-each` names the pass)",
         report_.optimize_error);
  }

  void prune() {
    if (options_.sparsity <= 0) return;
    passes::PruneOptions options;
    options.sparsity = options_.sparsity;
    options.exclude = options_.quantize.plan.exclude_nodes;
    report_.prune = summarize(passes::prune_unstructured(model_, options), options_.sparsity);
  }

  static report::PruneSummary summarize(const passes::PruneReport& pruned, double requested) {
    return {requested,          pruned.weights,           pruned.zeros_before,
            pruned.zeros_after, pruned.compressed_before, pruned.compressed_after};
  }

  void plan() {
    std::optional<calib::CalibrationTable> table;
    if (plan_options_.mode == quant::Mode::kStatic || plan_options_.mode == quant::Mode::kFp16) {
      calib::CalibrateOptions options;
      options.max_samples = options_.samples;
      if (plan_options_.mode == quant::Mode::kStatic) {
        options.names = quant::calibration_values(model_, plan_options_);
      }
      if (calibration_is_reference() && !options_.quantize.plan_only) take_reference(options);
      table = calibrate_model(model_, *calibration_, std::move(options), common_);
      finish_step("calibrated", model_);
      report_.calibration_samples = table->samples;
    }
    report_.plan = table && plan_options_.mode == quant::Mode::kStatic
                       ? quant::plan_from_needed(model_, *table, plan_options_)
                       : quant::make_plan(model_, table ? &*table : nullptr, plan_options_);
    for (const std::string& note : idle_options(model_, report_.plan, options_.quantize, options_.sparsity > 0)) {
      if (common_.json || options_.quantize.plan_only) spdlog::warn("{}", note);
      report_.notes.push_back(note);
    }
    int64_t changed = 0;
    for (const auto& node : report_.plan.nodes) changed += node.decision != "float" ? 1 : 0;
    if (changed == 0) {
      report_.notes.push_back("nothing was quantized; the reasons are in quantize.nodes of the report");
    }
  }

  void take_reference(calib::CalibrateOptions& options) {
    scorer_.emplace(model_, evaluation());
    reference_.clear();
    report_.evaluation_samples = 0;
    options.on_outputs = [this](int64_t first, const std::vector<ops::RuntimeValue>& outputs) {
      const int64_t end = first + evaluation().batch();
      if (options_.eval_samples > 0 && end > options_.eval_samples) return;
      require_numbers(model_, outputs, first);
      scorer_->add(first, outputs);
      reference_.append(outputs);
      report_.evaluation_samples = end;
    };
    report_.notes.push_back(fmt::format(
        "the figures before are those of the optimized float model, which equals the original within "
        "{:.1e} of its outputs' range on the first samples", report_.optimize_error));
  }

  int print_plan() const {
    write_stdout(quant::plan_to_json(report_.plan));
    return 0;
  }

  void evaluate_result(const std::string& path) {
    const ir::Model written = ir::read_model(path);
    report_.after = report::model_stats(written);
    ProgressBar bar("evaluating", common_);
    report::TaskScorer scorer(scorer_->scores(), evaluation());
    report::Comparer comparer(written, scorer_->scores());
    size_t run = 0;
    report::EvaluationOptions options = evaluation_options(bar);
    options.max_samples = report_.evaluation_samples;
    const int64_t samples =
        report::run_over(written, evaluation(), options,
                         [&](int64_t first, const std::vector<ops::RuntimeValue>& outputs) {
                           scorer.add(first, outputs);
                           comparer.add(reference_.read(run++), outputs);
                         });
    report_.metrics_before = scorer_->metrics();
    report_.metrics_after = scorer.metrics();
    report_.comparison = report::to_json(comparer, samples);
    if (!evaluation_) {
      report_.notes.push_back("evaluated on the calibration data; give --eval-data for an independent figure");
    }
  }

  void measure_latency(const std::string& path, const std::string& label) {
    if (!measures()) return;
    std::vector<report::BenchRequest> requests;
    for (const auto engine : {report::Engine::kFettle, report::Engine::kOnnxRuntime}) {
      if (engine == report::Engine::kOnnxRuntime && !library_) continue;
      requests.push_back({options_.model, engine, options_.data, options_.model});
      requests.push_back({path, engine, options_.data, label});
    }
    report::BenchOptions bench;
    bench.threads = common_.threads;
    bench.seed = common_.seed;
    bench.runs = options_.bench_runs;
    bench.max_seconds = 5;
    bench.warmup = 1;
    bench.exact = common_.exact;
    bench.ort_library = library_.value_or("");
    report_.latency = report::run_bench(requests, bench);
    const std::string doubt = report::reliability_note(report_.latency);
    if (!doubt.empty()) report_.notes.push_back(doubt);
    if (!library_) report_.notes.push_back("no ONNX Runtime library found: latency is fettle's own executor only");
    for (size_t i = 0; i + 1 < report_.latency.size(); i += 2) {
      const auto& before = report_.latency[i];
      const auto& after = report_.latency[i + 1];
      if (before.error.empty() && after.error.empty() && after.median_ms() > before.median_ms() * 1.02) {
        report_.notes.push_back(fmt::format("the result is slower than the original in {} on this machine",
                                            report::engine_name(before.request.engine)));
      }
    }
  }

  const Options& options_;
  const Common& common_;
  quant::PlanOptions plan_options_;
  ir::Model model_;
  std::unique_ptr<calib::Dataset> calibration_;
  std::unique_ptr<calib::Dataset> evaluation_;
  report::OutputStore reference_;
  std::optional<report::TaskScorer> scorer_;  // of the float model
  double epsilon_ = 0;                // of the coarsest float type of the original
  std::optional<std::string> library_;  // of ONNX Runtime, where one is measured
  report::CompressReport report_;
};

}  // namespace

void add_compress(CLI::App& app, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("compress", "Optimize and quantize a model, with a report");
  command->add_option("model", options->model, "ONNX model")->required();
  command->add_option("--data", options->data, "Calibration data (h5, npz, npy, folder)")->required();
  command->add_option("--eval-data", options->eval_data,
                      "Data to evaluate on, with labels if there are any (default: --data)");
  CLI::Option* output = command->add_option("-o,--output", options->output, "Output folder");
  command->add_option("--samples", options->samples, "Use at most this many calibration samples (0: all)")
      ->check(whole_number());
  command->add_option("--eval-samples", options->eval_samples, "Evaluate on at most this many samples (0: all)")
      ->check(whole_number());
  command->add_option("--sparsity", options->sparsity, "Zero this share of the weights first (0..1)")
      ->check(CLI::Range(0.0, 0.99));
  options->limits.declare(*command);
  command->add_flag("--no-bench", options->no_bench, "Do not measure latency");
  command->add_option("--bench-runs", options->bench_runs, "Latency runs per model and engine")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  options->quantize.declare(*command);
  command->footer("Example:\n  fettle compress model.onnx --data calib.h5 --eval-data test.h5 "
                  "--max-drop 0.01 -o out/");
  command->callback([options, output, &common, &action] {
    action = [options, output, &common] {
      if (output->empty() && !options->quantize.plan_only) {
        fail(ErrorCode::kUsage, "compress needs an output folder: add -o DIR");
      }
      options->limits.check(options->no_bench);
      return Compression(*options, common).run();
    };
  });
}

}  // namespace fettle::tools
