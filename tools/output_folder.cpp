#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "ir/error.h"
#include "ir/io.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

namespace fs = std::filesystem;

// What a signal handler may still do: unlink the few files that can be staged, and the folders.
char g_staging[4096];
char g_folder[4096];
constexpr const char* kStagedFiles[] = {"model.onnx", "model.onnx.data", "report.json"};

void remove_staged(int signal_number) {
  ir::remove_temporary_files();
  char path[4200];
  for (const char* file : kStagedFiles) {
    const size_t length = std::strlen(g_staging);
    std::memcpy(path, g_staging, length);
    path[length] = '/';
    std::memcpy(path + length + 1, file, std::strlen(file) + 1);
    unlink(path);
  }
  rmdir(g_staging);
  if (g_folder[0] != '\0') rmdir(g_folder);
  std::signal(signal_number, SIG_DFL);
  raise(signal_number);
}

// For the signals that end a command from outside: Ctrl-C and Ctrl-\, kill, a closed terminal. What
// is ignored, as nohup ignores SIGHUP, stays so.
void on_ending_signals(void (*handler)(int)) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    if (std::signal(number, handler) == SIG_IGN) std::signal(number, SIG_IGN);
  }
}

void copy_path(char (&target)[4096], const std::string& path) {
  const size_t length = std::min(path.size(), sizeof target - 1);
  std::memcpy(target, path.data(), length);
  target[length] = '\0';
}

void remove_temporaries(int signal_number) {
  ir::remove_temporary_files();
  std::signal(signal_number, SIG_DFL);
  raise(signal_number);
}

}  // namespace

void remove_temporaries_on_signals() {
  on_ending_signals(remove_temporaries);
}

OutputFolder::OutputFolder(const std::string& path) : folder_(path) {
  std::error_code error;
  if (path.empty()) fail(ErrorCode::kUsage, "the output name is empty; name a folder after -o");
  if (fs::exists(path, error) && !fs::is_directory(path, error)) {
    fail(ErrorCode::kUsage, "output '{}' is a file; name a folder", path);
  }
  if (!fs::exists(path, error)) {
    fs::create_directories(path, error);
    if (error) {
      fail(ErrorCode::kUsage, "cannot make the output folder '{}': {}; choose another -o", path,
           error.message());
    }
    made_folder_ = true;
  }
  std::string staging = (fs::path(path) / ".fettle-XXXXXX").string();
  if (mkdtemp(staging.data()) == nullptr) {
    const std::string reason = std::strerror(errno);
    if (made_folder_) fs::remove(path, error);
    fail(ErrorCode::kUsage, "cannot write to the output folder '{}': {}; choose another -o", path,
         reason);
  }
  staging_ = staging;
  copy_path(g_staging, staging_);
  copy_path(g_folder, made_folder_ ? folder_ : "");
  on_ending_signals(remove_staged);
}

OutputFolder::~OutputFolder() {
  remove_temporaries_on_signals();
  std::error_code error;
  fs::remove_all(staging_, error);
  if (!committed_ && made_folder_) fs::remove(folder_, error);
}

std::string OutputFolder::staged(const std::string& file) const {
  return (fs::path(staging_) / file).string();
}

std::string OutputFolder::final_path(const std::string& file) const {
  return (fs::path(folder_) / file).string();
}

void OutputFolder::commit() {
  // External data moves first, so that a model never stands without it.
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(staging_)) files.push_back(entry.path());
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    const bool a_data = a.extension() == ".data";
    const bool b_data = b.extension() == ".data";
    return a_data != b_data ? a_data : a < b;
  });
  for (const fs::path& file : files) {
    std::error_code error;
    fs::rename(file, fs::path(folder_) / file.filename(), error);
    if (error) {
      fail(ErrorCode::kBadInput, "cannot write '{}': {}", final_path(file.filename().string()),
           error.message());
    }
  }
  committed_ = true;
}

}  // namespace fettle::tools
