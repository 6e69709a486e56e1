#include "report/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "calib/dataset.h"
#include "ir/buffer.h"
#include "interp/random_inputs.h"
#include "ir/error.h"
#include "ir/io.h"
#include "report/evaluation.h"
#include "report/onnxruntime.h"
#include "report/version.h"
#include "report/worker.h"

namespace fettle::report {
namespace {

using Clock = std::chrono::steady_clock;

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double position = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(position);
  const size_t high = std::min(low + 1, values.size() - 1);
  const double part = position - static_cast<double>(low);
  return values[low] * (1 - part) + values[high] * part;
}

// A model that needs longer than this to load or to run once counts as hanging.
constexpr double kPatienceSeconds = 600;

// Ignores SIGPIPE while it lives: a worker that has died shows as an error of write().
class IgnoreSigpipe {
 public:
  IgnoreSigpipe() : before_(std::signal(SIGPIPE, SIG_IGN)) {}
  ~IgnoreSigpipe() { std::signal(SIGPIPE, before_); }
  IgnoreSigpipe(const IgnoreSigpipe&) = delete;
  IgnoreSigpipe& operator=(const IgnoreSigpipe&) = delete;

 private:
  void (*before_)(int);
};

std::vector<std::string> worker_arguments(const BenchRequest& request, const BenchOptions& options) {
  return {"fettle",
          "bench-worker",
          request.model_path,
          engine_name(request.engine),
          request.data_path,
          std::to_string(options.threads),
          std::to_string(options.seed),
          options.exact ? "exact" : "fast",
          options.ort_library,
          std::to_string(ir::memory_limit())};
}

// One worker's life: started, asked for runs, finished.
struct Job {
  std::unique_ptr<Worker> worker;
  BenchResult result;

  void take(const std::optional<std::string>& answer, bool keep) {
    if (!answer || answer->rfind("error ", 0) == 0) {
      result.error = answer ? answer->substr(6) : worker->failure();
      worker.reset();
    } else if (keep) {
      result.milliseconds.push_back(std::strtod(answer->c_str(), nullptr));
    }
  }
};

}  // namespace

std::string engine_name(Engine engine) {
  return engine == Engine::kFettle ? "fettle" : "onnxruntime";
}

double BenchResult::median_ms() const { return quantile(milliseconds, 0.5); }
double BenchResult::p95_ms() const { return quantile(milliseconds, 0.95); }

std::vector<std::string> display_names(const std::vector<BenchResult>& results) {
  namespace fs = std::filesystem;
  std::vector<std::vector<std::string>> parts;  // of every label, last one first
  for (const BenchResult& r : results) {
    const std::string& label = r.request.label.empty() ? r.request.model_path : r.request.label;
    parts.emplace_back();
    for (const fs::path& part : fs::path(label).lexically_normal()) parts.back().push_back(part.string());
    std::reverse(parts.back().begin(), parts.back().end());
  }
  std::vector<std::string> names;
  for (const auto& own : parts) {
    size_t depth = 1;
    for (const auto& other : parts) {
      const auto differs = std::mismatch(own.begin(), own.end(), other.begin(), other.end()).first;
      if (differs != own.end()) depth = std::max(depth, static_cast<size_t>(differs - own.begin()) + 1);
      else if (own != other) depth = own.size();
    }
    fs::path name;
    for (size_t i = std::min(depth, own.size()); i > 0; --i) name /= own[i - 1];
    names.push_back(name.string());
  }
  return names;
}

std::string reliability_note(const std::vector<BenchResult>& results) {
  for (const BenchResult& r : results) {
    if (!r.error.empty() || r.p95_ms() <= 2 * r.median_ms()) continue;
    return fmt::format(
        "the machine was busy: latency figures are unreliable (median {:.3f} ms, but p95 {:.3f} ms of "
        "{} runs in {})",
        r.median_ms(), r.p95_ms(), r.milliseconds.size(), engine_name(r.request.engine));
  }
  return "";
}

std::vector<BenchResult> run_bench(const std::vector<BenchRequest>& requests,
                                   const BenchOptions& given) {
  BenchOptions options = given;
  if (options.threads <= 0) {
    options.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  }
  const IgnoreSigpipe ignore_sigpipe;
  std::vector<Job> jobs(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    jobs[i].result.request = requests[i];
    jobs[i].result.threads = options.threads;
    jobs[i].worker = std::make_unique<Worker>("/proc/self/exe", worker_arguments(requests[i], options),
                                              kPatienceSeconds);
  }
  for (Job& job : jobs) {  // all load at the same time
    const auto hello = job.worker->read_line();  // its version, once loaded
    job.take(hello, false);
    if (job.worker) job.result.engine_version = *hello;
  }
  const auto round = [&](bool keep) {
    for (Job& job : jobs) {
      if (job.worker) job.take(job.worker->ask("run"), keep);
    }
  };
  for (int i = 0; i < options.warmup; ++i) round(false);
  const auto start = Clock::now();
  for (int i = 0; i < options.runs; ++i) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (i >= 3 && seconds > options.max_seconds) break;
    round(true);
  }
  std::vector<BenchResult> results;
  for (Job& job : jobs) {
    if (job.worker) job.result.peak_bytes = job.worker->finish();
    results.push_back(std::move(job.result));
  }
  return results;
}

int bench_worker(const std::vector<std::string>& arguments) {
  const auto answer = [](const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  };
  try {
    if (arguments.size() != 8) fail(ErrorCode::kInternal, "bench worker called with bad arguments");
    ir::set_memory_limit(std::stoull(arguments[7]));
    const std::string& path = arguments[0];
    const int threads = std::stoi(arguments[3]);
    const ir::Model model = ir::read_model(path);
    interp::Feeds feeds;
    if (arguments[2].empty()) {
      feeds = interp::usable_input(model, std::stoull(arguments[4]), {});
    } else {
      feeds = calib::open_dataset(arguments[2], model)->read(0);
    }
    std::unique_ptr<interp::Executor> executor;
    std::unique_ptr<OnnxRuntime> runtime;
    std::unique_ptr<OnnxRuntimeSession> session;
    if (arguments[1] == "fettle") {
      interp::ExecutorOptions options;
      options.threads = threads;
      options.exact = arguments[5] == "exact";
      executor = std::make_unique<interp::Executor>(model, options);
      answer(std::string("fettle ") + kVersion);
    } else {
      const auto library = find_onnxruntime(arguments[6]);
      if (!library) fail(ErrorCode::kUnsupported, "no ONNX Runtime library found");
      runtime = std::make_unique<OnnxRuntime>(*library);
      session = std::make_unique<OnnxRuntimeSession>(*runtime, path, threads);
      answer("ONNX Runtime " + runtime->version());
    }
    for (int c = std::getchar(); c != EOF; c = std::getchar()) {
      if (c != '\n') continue;
      const auto start = Clock::now();
      if (executor) {
        executor->run(feeds);
      } else {
        session->run(feeds);
      }
      const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
      answer(fmt::format("{:.6f}", ms));
    }
    return 0;
  } catch (const std::exception& e) {
    std::string text = e.what();
    std::replace(text.begin(), text.end(), '\n', ' ');
    answer("error " + text);
    return 0;
  }
}

}  // namespace fettle::report
