#include "report/bench.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <thread>

#include "calib/dataset.h"
#include "ir/buffer.h"
#include "interp/random_inputs.h"
#include "ir/error.h"
#include "ir/io.h"
#include "report/evaluation.h"
#include "report/json.h"
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

// Runs of one process come in bursts, so that its threads are awake and its data is in the caches.
// A burst starts after a pause in which threads of the other processes stop spinning (ONNX Runtime's
// do for some tens of milliseconds) and untimed runs for kSettleMilliseconds, and takes about
// kBurstMilliseconds.
constexpr std::chrono::milliseconds kPause(50);
constexpr double kSettleMilliseconds = 10;
constexpr double kBurstMilliseconds = 30;
constexpr int kLeastRounds = 5;  // where there are that many runs to make

// One worker's life: started, asked for runs, finished.
struct Job {
  std::unique_ptr<Worker> worker;
  BenchResult result;
  int burst = 1;

  // Sends a request; what answers it, or nothing once the worker has failed.
  std::optional<std::string> ask(const std::string& request) {
    return take(worker->ask(request));
  }
  std::optional<std::string> take(std::optional<std::string> answer) {
    if (answer && answer->rfind("error ", 0) != 0) return answer;
    result.error = answer ? answer->substr(6) : worker->failure();
    worker.reset();
    return std::nullopt;
  }
  // Makes `count` timed runs after the untimed ones; their times are appended to `times`.
  void run(int count, std::vector<double>& times) {
    std::this_thread::sleep_for(kPause);
    const auto answer = ask(fmt::format("run {}", count));
    if (!answer) return;
    std::istringstream words(*answer);
    for (double ms = 0; words >> ms;) times.push_back(ms);
  }
};

void ask_inputs(Job& job) {
  const auto answer = job.ask("inputs");
  if (!answer) return;
  for (const Json& input : Json::parse(*answer)) {
    job.result.inputs.push_back({input["name"].get<std::string>(), input["shape"].get<ir::Dims>(),
                                 input["symbolic"].get<bool>()});
  }
}

void warm_up(Job& job, const BenchOptions& options) {
  if (!job.worker || options.warmup == 0) return;
  std::vector<double> times;
  job.run(options.warmup, times);
  if (!job.worker) return;
  const double one = std::max(quantile(times, 0.5), 1e-4);
  const int most = std::max(1, (options.runs + kLeastRounds - 1) / kLeastRounds);
  job.burst = static_cast<int>(std::clamp(kBurstMilliseconds / one, 1.0, static_cast<double>(most)));
}

}  // namespace

std::vector<InputShape> input_shapes(const ir::Model& model, const interp::Feeds& feeds) {
  std::vector<InputShape> shapes;
  for (const ir::Value* input : model.graph->inputs()) {
    const auto found = feeds.find(input->name());
    if (found == feeds.end() || !found->second.is_tensor()) continue;
    const auto& declared = input->type.shape;
    const bool symbolic = !declared || std::any_of(declared->begin(), declared->end(),
                                                   [](const ir::Dim& d) { return !d.known(); });
    shapes.push_back({input->name(), found->second.tensor.dims(), symbolic});
  }
  return shapes;
}

std::string chosen_shapes_note(const std::vector<InputShape>& inputs) {
  std::vector<std::string> chosen;
  for (const InputShape& input : inputs) {
    if (input.symbolic) chosen.push_back(fmt::format("'{}' {}", input.name, ir::to_string(input.dims)));
  }
  if (chosen.empty()) return "";
  return fmt::format("input{} {}: symbolic extents chosen; give --data for real ones",
                     chosen.size() > 1 ? "s" : "", fmt::join(chosen, ", "));
}

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
    const auto hello = job.take(job.worker->read_line());  // its version, once loaded
    if (!hello) continue;
    job.result.engine_version = *hello;
    ask_inputs(job);
  }
  for (Job& job : jobs) warm_up(job, options);
  const auto start = Clock::now();
  const auto unfinished = [&](const Job& job) {
    const size_t made = job.result.milliseconds.size();
    if (!job.worker || made >= static_cast<size_t>(options.runs)) return false;
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return made < 3 || seconds <= options.max_seconds;
  };
  while (std::any_of(jobs.begin(), jobs.end(), unfinished)) {
    for (Job& job : jobs) {
      if (!unfinished(job)) continue;
      const int left = options.runs - static_cast<int>(job.result.milliseconds.size());
      job.run(std::min(job.burst, left), job.result.milliseconds);
    }
  }
  std::vector<BenchResult> results;
  for (Job& job : jobs) {
    if (job.worker) {
      if (const auto peak = job.ask("peak")) job.result.peak_bytes = std::stoll(*peak);
    }
    results.push_back(std::move(job.result));
  }
  return results;
}

namespace {

// What a worker measures: a model loaded by one of the engines, and its input.
class Subject {
 public:
  explicit Subject(const std::vector<std::string>& arguments) : model_(ir::read_model(arguments[0])) {
    const int threads = std::stoi(arguments[3]);
    if (arguments[2].empty()) {
      feeds_ = interp::usable_input(model_, std::stoull(arguments[4]), {});
    } else {
      feeds_ = calib::open_dataset(arguments[2], model_)->read(0);
    }
    if (arguments[1] == engine_name(Engine::kFettle)) {
      interp::ExecutorOptions options;
      options.threads = threads;
      options.exact = arguments[5] == "exact";
      executor_ = std::make_unique<interp::Executor>(model_, options);
      return;
    }
    const auto library = find_onnxruntime(arguments[6]);
    if (!library) fail(ErrorCode::kUnsupported, "no ONNX Runtime library found");
    runtime_ = std::make_unique<OnnxRuntime>(*library);
    session_ = std::make_unique<OnnxRuntimeSession>(*runtime_, arguments[0], threads);
  }

  std::string version() const {
    return runtime_ ? "ONNX Runtime " + runtime_->version() : std::string("fettle ") + kVersion;
  }
  // Milliseconds of one run.
  double run() {
    const auto start = Clock::now();
    if (executor_) {
      executor_->run(feeds_);
    } else {
      session_->run(feeds_);
    }
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  }
  std::string inputs() const {
    return to_json(input_shapes(model_, feeds_)).dump(-1, ' ', true, Json::error_handler_t::replace);
  }
  // A burst of `count` timed runs.
  std::string burst(int count) {
    for (double spent = 0; spent < kSettleMilliseconds;) spent += run();
    std::string times;
    for (int i = 0; i < count; ++i) times += fmt::format("{:.6f} ", run());
    return times;
  }

 private:
  ir::Model model_;
  interp::Feeds feeds_;
  std::unique_ptr<interp::Executor> executor_;
  std::unique_ptr<OnnxRuntime> runtime_;
  std::unique_ptr<OnnxRuntimeSession> session_;
};

// Peak resident bytes of this program, whatever the process was before it; 0 when unknown.
int64_t own_peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib * 1024;
  }
  return 0;
}

}  // namespace

int bench_worker(const std::vector<std::string>& arguments) {
  const auto answer = [](const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  };
  try {
    if (arguments.size() != 8) fail(ErrorCode::kInternal, "bench worker called with bad arguments");
    ir::set_memory_limit(std::stoull(arguments[7]));
    Subject subject(arguments);
    answer(subject.version());
    for (std::string request; std::getline(std::cin, request);) {
      if (request == "peak") {
        answer(std::to_string(own_peak_bytes()));
      } else if (request == "inputs") {
        answer(subject.inputs());
      } else {
        answer(subject.burst(std::stoi(request.substr(std::string_view("run ").size()))));
      }
    }
  } catch (const std::exception& e) {
    std::string text = e.what();
    std::replace(text.begin(), text.end(), '\n', ' ');
    answer("error " + text);
  }
  return 0;
}

}  // namespace fettle::report
