// The one exception type of the project and the assertion for internal invariants.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace fettle {

// What kind of failure it is; `main` maps it to the process exit code.
enum class ErrorCode {
  kUsage,        // bad option or argument: exit 2
  kBadInput,     // damaged, hostile or inconsistent file or data: exit 2
  kUnsupported,  // valid, but beyond what fettle does: exit 2
  kLimit,        // would exceed a limit (memory, iterations): exit 2
  kInternal,     // a defect in fettle: exit 3
};

// An error with a message and a chain of contexts, innermost first: what() reads
// "file model.onnx: node 'conv1' (Conv): expected ..., found ...".
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message);

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // Adds an outer context, such as the node or file in which the error arose.
  Error& add_context(std::string context);
  const std::vector<std::string>& contexts() const { return contexts_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  ErrorCode code_;
  std::string message_;
  std::vector<std::string> contexts_;
  std::string text_;
};

// Throws Error with a formatted message.
template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

// An internal invariant: a violation is a defect in fettle (kInternal), never the user's fault.
#define FETTLE_ASSERT(condition) \
  ((condition) ? void(0) : ::fettle::assertion_failed(#condition, __FILE__, __LINE__))

}  // namespace fettle
