// What all commands share: common options, registration, logging and progress.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "interp/executor.h"
#include "ir/model.h"

namespace fettle::tools {

// Options that every command takes.
struct Common {
  bool json = false;
  bool quiet = false;
  int verbose = 0;
  std::string log_level;
  int threads = 0;
  uint64_t seed = 0;
  std::string max_memory;
  bool exact = false;
  std::string ort_library;

  interp::ExecutorOptions executor() const;
};

// A command's body; returns the process exit code (0 or 1; failures are thrown).
using Action = std::function<int()>;

// One function per command: declares its options on `app` and sets `action` when it is chosen.
void add_bench(CLI::App& app, Common& common, Action& action);
void add_calibrate(CLI::App& app, Common& common, Action& action);
void add_compare(CLI::App& app, Common& common, Action& action);
void add_compress(CLI::App& app, Common& common, Action& action);
void add_evaluate(CLI::App& app, Common& common, Action& action);
void add_inspect(CLI::App& app, Common& common, Action& action);
void add_operators(CLI::App& app, Common& common, Action& action);
void add_optimize(CLI::App& app, Common& common, Action& action);
void add_prune(CLI::App& app, Common& common, Action& action);
void add_quantize(CLI::App& app, Common& common, Action& action);
void add_run(CLI::App& app, Common& common, Action& action);

// On SIGINT, SIGTERM, SIGHUP and SIGQUIT files that are being written disappear before the process
// ends.
void remove_temporaries_on_signals();

// Parses arguments, runs the command and maps every outcome to an exit code (0, 1, 2 or 3).
int run_cli(int argc, char** argv);

// Reads options from a YAML file for CLI11 (`--recipe`); keys are option names without dashes. The
// command and the file's name, for errors, are taken from the arguments.
std::shared_ptr<CLI::Config> yaml_config(const CLI::App& app, int argc, const char* const* argv);

// Puts /dev/null in the place of standard streams that are closed. Call before any file is opened.
void open_standard_streams();
// Writes all of `text` to stdout; throws kBadInput when that fails.
void write_stdout(const std::string& text);

// "1 node", "2 nodes".
std::string counted(int64_t count, const std::string& noun);

// Checks of numbers, with short messages.
CLI::Validator zero_or_more();
CLI::Validator more_than_zero();
// Of a number of things: 0 or more, within int64_t.
CLI::Validator whole_number();
// The same within uint64_t.
CLI::Validator seed_number();

// "512M", "2G", "1.5GiB", "1048576" -> bytes. Throws kUsage otherwise.
size_t parse_bytes(const std::string& text);

// One line of progress in at most `columns` - 1 characters; without the bar, then without the time left
// where there is no room for them.
std::string progress_line(const std::string& label, int64_t done, int64_t total, double seconds_left,
                          int columns);

// A progress bar on stderr: only on a terminal that can erase it, only after a second, erased once
// everything is done and when it goes out of scope, whichever is first.
class ProgressBar {
 public:
  ProgressBar(std::string label, const Common& common);
  ~ProgressBar();
  void update(int64_t done, int64_t total);
  std::function<void(int64_t, int64_t)> callback();

 private:
  void erase();

  std::string label_;
  bool enabled_;
  double start_;
  double last_drawn_ = 0;
  bool drawn_ = false;
};

// Reads a model for a command (errors name the file).
ir::Model load_model(const std::string& path);
// The files that a model's constants and structure are read from.
std::vector<std::string> files_of(const ir::Model& model);
// Throws kUsage unless `path` can become an output file: it is not empty, its folder exists, it is
// not a folder and not one of `inputs`; kBadInput where it cannot be written. To be called before any
// work is done.
void check_output_file(const std::string& path, const std::vector<std::string>& inputs);
// Throws kUsage when `path` is one of `inputs`.
void check_not_input(const std::string& path, const std::vector<std::string>& inputs);

}  // namespace fettle::tools
