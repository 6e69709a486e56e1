#include "tools/cli.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <sstream>

#include "ir/buffer.h"
#include "ir/error.h"
#include "ir/io.h"
#include "report/bench.h"
#include "report/version.h"
#include "tools/suggest.h"

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
  command.add_option("--threads", common.threads, "Threads to use, no more than there are cores (0: all cores)")
      ->check(CLI::Range(0, 1024));
  command.add_option("--seed", common.seed, "Seed for everything random")
      ->check(seed_number());
  command.add_option("--max-memory", common.max_memory, "Limit for tensors, e.g. 2G");
  command.add_flag("--exact", common.exact, "Reference kernels only (slow, literal)");
  command.add_option("--ort-library", common.ort_library,
                     "libonnxruntime.so to measure with (default: search)");
}

// Lists --recipe, which the top level reads, among every command's options.
class CommandHelp : public CLI::Formatter {
 public:
  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    std::string text = CLI::Formatter::make_group(group, is_positional, options);
    if (is_positional || group != "Options") return text;
    std::stringstream recipe;
    CLI::detail::format_help(recipe, "--recipe FILE", "YAML file with any of these options",
                             column_width_);
    return text + recipe.str();
  }
};

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

int report_failure(const Common& common, int code, const std::string& message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  if (common.json) {
    const nlohmann::json error = {{"error", {{"code", code}, {"message", message}}}};
    std::printf("%s\n", error.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  }
  return code;
}

// Whether the answer is to be JSON, where the arguments have not been understood.
bool asks_for_json(int argc, const char* const* argv) {
  return std::any_of(argv + 1, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
}

int exit_code(const Error& error) {
  return error.code() == ErrorCode::kInternal ? kExitDefect : kExitUsage;
}

// What --help and --version print.
int print_help(const CLI::App& app, const Common& common, const CLI::ParseError& error) {
  std::ostringstream text;
  app.exit(error, text, text);
  try {
    write_stdout(text.str());
  } catch (const Error& failure) {
    return report_failure(common, kExitUsage, failure.what());
  }
  return 0;
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
  open_standard_streams();
  Common common;
  Action action;
  CLI::App app("fettle: makes trained ONNX networks smaller and faster, and proves what it cost.",
               "fettle");
  app.set_version_flag("--version", std::string("fettle ") + report::kVersion);
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
    command->formatter(std::make_shared<CommandHelp>());
  }
  app.set_config("--recipe", "", "YAML file with any of the command's options", false)
      ->check(CLI::ExistingFile);
  app.config_formatter(yaml_config(app, argc, argv));
  app.allow_config_extras(CLI::config_extras_mode::error);
  // An array of strings that `fettle help COMMAND` may rearrange.
  std::vector<const char*> arguments(argv, argv + argc);
  if (argc > 1 && std::string(argv[1]) == "help") {
    arguments.erase(arguments.begin() + 1);
    arguments.resize(std::min<size_t>(arguments.size(), 2));
    const std::string command = arguments.size() > 1 ? arguments[1] : "";
    const auto known = command_names(app);
    if (std::find(known.begin(), known.end(), command) != known.end() || command.empty()) {
      arguments.push_back("--help");
    }
  }
  try {
    app.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::ParseError& error) {
    common.json = common.json || asks_for_json(argc, argv);
    if (error.get_exit_code() == 0) return print_help(app, common, error);  // --help, --version
    return report_failure(common, kExitUsage,
                          usage_message(app, error, static_cast<int>(arguments.size()), arguments.data()));
  } catch (const Error& error) {
    common.json = common.json || asks_for_json(argc, argv);
    return report_failure(common, exit_code(error), error.what());
  }
  return run_action(common, action);
}

std::string counted(int64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

namespace {

CLI::Validator number_check(const char* wanted, bool (*good)(double)) {
  return CLI::Validator(
      [wanted, good](std::string& text) {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) && good(value)) {
          return std::string();
        }
        return fmt::format("must be {}, found '{}'", wanted, text);
      },
      "");
}

// CLI11 itself takes what is too large for the largest number, and -1 for the largest without a sign.
template <typename T>
CLI::Validator whole_number_check() {
  return CLI::Validator(
      [](std::string& text) {
        T value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc::result_out_of_range && text[0] != '-') {
          return fmt::format("must be at most {}, found '{}'", std::numeric_limits<T>::max(), text);
        }
        if (error == std::errc() && stop == end && value >= 0) return std::string();
        return fmt::format("must be a whole number, 0 or more, found '{}'", text);
      },
      "");
}

}  // namespace

CLI::Validator whole_number() { return whole_number_check<int64_t>(); }

CLI::Validator seed_number() { return whole_number_check<uint64_t>(); }

CLI::Validator zero_or_more() {
  return number_check("0 or more", [](double x) { return x >= 0; });
}

CLI::Validator more_than_zero() {
  return number_check("more than 0", [](double x) { return x > 0; });
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

}  // namespace fettle::tools
