#include "report/bench.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>

#include "calib/dataset.h"
#include "ir/error.h"
#include "ir/io.h"
#include "report/evaluation.h"
#include "report/onnxruntime.h"

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

// A child process with a pipe to its stdin and one from its stdout.
class Worker {
 public:
  explicit Worker(const std::vector<std::string>& arguments) {
    int to_child[2];
    int from_child[2];
    if (pipe2(to_child, O_CLOEXEC) != 0 || pipe2(from_child, O_CLOEXEC) != 0) {
      fail(ErrorCode::kLimit, "cannot make pipes for a measuring process");
    }
    std::vector<char*> argv;
    std::vector<std::string> owned{"fettle", "bench-worker"};
    owned.insert(owned.end(), arguments.begin(), arguments.end());
    for (std::string& a : owned) argv.push_back(a.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(to_child[0], STDIN_FILENO);
      dup2(from_child[1], STDOUT_FILENO);
      execv("/proc/self/exe", argv.data());
      _exit(127);
    }
    close(to_child[0]);
    close(from_child[1]);
    if (pid_ < 0) fail(ErrorCode::kLimit, "cannot start a measuring process");
    out_ = fdopen(to_child[1], "w");
    in_ = fdopen(from_child[0], "r");
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { finish(); }

  // Asks for one run; returns the answer line without its end, or nothing when the worker is gone.
  std::optional<std::string> ask(const std::string& line) {
    if (std::fprintf(out_, "%s\n", line.c_str()) < 0 || std::fflush(out_) != 0) return std::nullopt;
    return read_line();
  }

  std::optional<std::string> read_line() {
    std::string text;
    for (int c = std::fgetc(in_); c != EOF; c = std::fgetc(in_)) {
      if (c == '\n') return text;
      text.push_back(static_cast<char>(c));
    }
    return std::nullopt;
  }

  // Ends the process; returns its peak resident memory in bytes.
  int64_t finish() {
    if (pid_ <= 0) return peak_;
    std::fclose(out_);
    std::fclose(in_);
    struct rusage usage {};
    int status = 0;
    wait4(pid_, &status, 0, &usage);
    pid_ = -1;
    peak_ = static_cast<int64_t>(usage.ru_maxrss) * 1024;
    return peak_;
  }

 private:
  pid_t pid_ = -1;
  FILE* out_ = nullptr;
  FILE* in_ = nullptr;
  int64_t peak_ = 0;
};

std::vector<std::string> worker_arguments(const BenchRequest& request, const BenchOptions& options) {
  return {request.model_path,           engine_name(request.engine),
          request.data_path,            std::to_string(options.threads),
          std::to_string(options.seed), options.exact ? "exact" : "fast",
          options.ort_library};
}

// One worker's life: started, asked for runs, finished.
struct Job {
  std::unique_ptr<Worker> worker;
  BenchResult result;

  void take(const std::optional<std::string>& answer, bool keep) {
    if (!answer || answer->rfind("error ", 0) == 0) {
      result.error = answer ? answer->substr(6) : "the measuring process ended unexpectedly";
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

std::vector<BenchResult> run_bench(const std::vector<BenchRequest>& requests,
                                   const BenchOptions& given) {
  BenchOptions options = given;
  if (options.threads <= 0) {
    options.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<Job> jobs(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    jobs[i].result.request = requests[i];
    jobs[i].result.threads = options.threads;
    jobs[i].worker = std::make_unique<Worker>(worker_arguments(requests[i], options));
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
    if (arguments.size() != 7) fail(ErrorCode::kInternal, "bench worker called with bad arguments");
    const std::string& path = arguments[0];
    const int threads = std::stoi(arguments[3]);
    const ir::Model model = ir::read_model(path);
    interp::Feeds feeds;
    if (arguments[2].empty()) {
      feeds = random_feeds(model, std::stoull(arguments[4]));
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
      answer("fettle");
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
