#include "tools/cli.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>

#include "ir/buffer.h"
#include "ir/error.h"
#include "ir/io.h"
#include "report/bench.h"

namespace fettle::tools {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitDefect = 3;

void add_common(CLI::App& command, Common& common) {
  command.add_flag("--json", common.json, "Print a machine-readable result on stdout");
  command.add_flag("-q,--quiet", common.quiet, "Only errors on stderr, no progress bar");
  command.add_flag("-v,--verbose", common.verbose, "More log output (repeat for more)");
  command.add_option("--log-level", common.log_level, "trace, debug, info, warn, error or off")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
  command.add_option("--threads", common.threads, "Threads to use (0: all)")
      ->check(CLI::Range(0, 1024));
  command.add_option("--seed", common.seed, "Seed for everything random");
  command.add_option("--max-memory", common.max_memory, "Limit for tensors, e.g. 2G");
  command.add_flag("--exact", common.exact, "Reference kernels only (slow, literal)");
  command.add_option("--ort-library", common.ort_library,
                     "libonnxruntime.so to measure with (default: search)");
}

void set_up_logging(const Common& common) {
  auto logger = spdlog::stderr_color_st("fettle");
  logger->set_pattern("%^%l%$: %v");
  spdlog::set_default_logger(logger);
  auto level = spdlog::level::warn;
  if (common.verbose == 1) level = spdlog::level::info;
  if (common.verbose > 1) level = spdlog::level::debug;
  if (common.quiet) level = spdlog::level::err;
  if (!common.log_level.empty()) level = spdlog::level::from_str(common.log_level);
  spdlog::set_level(level);
}

// Edits that turn `a` into `b` (Levenshtein).
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const size_t d = distance(word, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

// "did you mean --data?" for the first argument that nothing accepts.
std::string suggestion(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> commands;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(sub->get_name());
  }
  const CLI::App* chosen = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    if (chosen == nullptr) {
      if (std::find(commands.begin(), commands.end(), word) != commands.end()) {
        chosen = app.get_subcommand(word);
        continue;
      }
      if (word.rfind('-', 0) == 0) continue;
      const std::string near = nearest(word, commands);
      return near.empty() ? "" : fmt::format("did you mean '{}'?", near);
    }
    if (word.rfind("--", 0) != 0) continue;
    std::vector<std::string> options;
    for (const CLI::Option* option : chosen->get_options()) {
      for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
    }
    if (std::find(options.begin(), options.end(), word) != options.end()) continue;
    const std::string near = nearest(word, options);
    if (!near.empty()) return fmt::format("did you mean {}?", near);
  }
  return "";
}

int report_failure(const Common& common, int code, const std::string& message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  if (common.json) {
    const nlohmann::json error = {{"error", {{"code", code}, {"message", message}}}};
    std::printf("%s\n", error.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  }
  return code;
}

int exit_code(const Error& error) {
  return error.code() == ErrorCode::kInternal ? kExitDefect : kExitUsage;
}

int run_action(const Common& common, const Action& action) {
  try {
    set_up_logging(common);
    remove_temporaries_on_signals();
    if (!common.max_memory.empty()) ir::set_memory_limit(parse_bytes(common.max_memory));
    return action();
  } catch (const Error& error) {
    return report_failure(common, exit_code(error), error.what());
  } catch (const std::bad_alloc&) {
    return report_failure(common, kExitUsage, "out of memory; lower --max-memory or use a smaller model");
  } catch (const std::filesystem::filesystem_error& error) {
    return report_failure(common, kExitUsage, error.what());
  } catch (const std::exception& error) {
    return report_failure(common, kExitDefect,
                          fmt::format("{}; this is a defect in fettle", error.what()));
  }
}

}  // namespace

interp::ExecutorOptions Common::executor() const {
  interp::ExecutorOptions options;
  options.exact = exact;
  options.threads = threads;
  return options;
}

int run_cli(int argc, char** argv) {
  // The measuring process of report/bench.h; not for people, so it has no help.
  if (argc > 1 && std::string(argv[1]) == "bench-worker") {
    return report::bench_worker(std::vector<std::string>(argv + 2, argv + argc));
  }
  Common common;
  Action action;
  CLI::App app("fettle: makes trained ONNX networks smaller and faster, and proves what it cost.",
               "fettle");
  app.set_version_flag("--version", "fettle 0.1.0");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer("Example:\n  fettle compress model.onnx --data samples.h5 -o out/\n"
             "Help on a command: fettle COMMAND --help");
  add_compress(app, common, action);
  add_inspect(app, common, action);
  add_optimize(app, common, action);
  add_prune(app, common, action);
  add_calibrate(app, common, action);
  add_quantize(app, common, action);
  add_evaluate(app, common, action);
  add_compare(app, common, action);
  add_run(app, common, action);
  add_bench(app, common, action);
  add_operators(app, common, action);
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    add_common(*command, common);
  }
  app.set_config("--recipe", "", "YAML file with any of the command's options", false)
      ->check(CLI::ExistingFile);
  app.config_formatter(yaml_config(argc > 1 ? argv[1] : ""));
  app.allow_config_extras(CLI::config_extras_mode::error);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const std::string hint = suggestion(app, argc, argv);
    std::string message = error.what();
    if (message.empty()) message = "bad usage";
    message += hint.empty() ? "; see --help" : "; " + hint;
    return report_failure(common, kExitUsage, message);
  } catch (const Error& error) {
    return report_failure(common, exit_code(error), error.what());
  }
  return run_action(common, action);
}

size_t parse_bytes(const std::string& text) {
  size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  std::string unit = text.substr(used);
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return std::toupper(c); });
  double factor = 0;
  if (unit.empty() || unit == "B") factor = 1;
  if (unit == "K" || unit == "KB" || unit == "KIB") factor = 1024;
  if (unit == "M" || unit == "MB" || unit == "MIB") factor = 1024.0 * 1024;
  if (unit == "G" || unit == "GB" || unit == "GIB") factor = 1024.0 * 1024 * 1024;
  if (used == 0 || factor == 0 || !std::isfinite(value) || value <= 0 || value * factor > 9e18) {
    fail(ErrorCode::kUsage, "'{}' is not an amount of memory; write for example 512M or 2G", text);
  }
  return static_cast<size_t>(value * factor);
}

ir::Model load_model(const std::string& path) { return ir::read_model(path); }

void check_output_file(const std::string& path, const std::vector<std::string>& inputs) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    fail(ErrorCode::kUsage, "output '{}' is a folder; name a file", path);
  }
  const fs::path folder = fs::absolute(path).parent_path();
  if (!fs::is_directory(folder, error)) {
    fail(ErrorCode::kUsage, "the folder of output '{}' does not exist; make it first", path);
  }
  for (const std::string& input : inputs) {
    if (!input.empty() && fs::equivalent(path, input, error)) {
      fail(ErrorCode::kUsage, "output '{}' is also an input; name another file", path);
    }
  }
}

}  // namespace fettle::tools
