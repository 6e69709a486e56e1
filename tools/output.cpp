// What goes to stdout, and where output files may go.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "ir/error.h"
#include "ir/io.h"
#include "tools/steps.h"

namespace fettle::tools {

namespace fs = std::filesystem;

void open_standard_streams() {
  // A closed stream's number would be given to the next file that is opened, and what is printed
  // would land there. /dev/null stands in, read-only for stdout so that printing still fails.
  const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
  for (int fd = 0; fd < 3; ++fd) {
    if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    if (open("/dev/null", modes[fd]) != fd) _exit(2);
  }
}

void write_stdout(const std::string& text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return;
  fail(ErrorCode::kBadInput, "cannot write the result to stdout: {}", std::strerror(errno));
}

void print_result(const Common& common, const report::Json& json, const std::string& text) {
  if (common.json) {
    write_stdout(report::dump(json));
  } else {
    write_stdout(text);
  }
}

std::vector<std::string> files_of(const ir::Model& model) {
  std::vector<std::string> files = model.data_files;
  if (!model.path.empty()) files.push_back(model.path);
  return files;
}

void check_not_input(const std::string& path, const std::vector<std::string>& inputs) {
  std::error_code error;
  for (const std::string& input : inputs) {
    if (!input.empty() && fs::equivalent(path, input, error)) {
      fail(ErrorCode::kUsage, "output '{}' is also an input ('{}'); name another file", path, input);
    }
  }
}

void check_output_file(const std::string& path, const std::vector<std::string>& inputs) {
  std::error_code error;
  if (path.empty()) fail(ErrorCode::kUsage, "the output name is empty; name a file after -o");
  if (fs::is_directory(path, error)) {
    fail(ErrorCode::kUsage, "output '{}' is a folder; name a file", path);
  }
  const fs::path folder = fs::absolute(path).parent_path();
  if (!fs::is_directory(folder, error)) {
    fail(ErrorCode::kUsage, "the folder of output '{}' does not exist; make it first", path);
  }
  check_not_input(path, inputs);
  ir::check_writable(path);
}

}  // namespace fettle::tools
