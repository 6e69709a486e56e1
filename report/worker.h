// A child process that answers lines with lines.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fettle::report {

class Worker {
 public:
  // Runs `program` with these arguments (the first is its name). An answer that takes longer than
  // `patience_seconds` ends the process. Throws kLimit when it cannot be started.
  Worker(const std::string& program, const std::vector<std::string>& arguments, double patience_seconds);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { finish(); }

  // Sends one line and returns the answer without its end; nothing when the process is gone.
  std::optional<std::string> ask(const std::string& line);
  // The next line that the process writes, likewise.
  std::optional<std::string> read_line();
  // Why there was no answer: it took too long, or the process ended.
  std::string failure() const;
  // Closes the pipes and waits for the process; returns its peak resident memory in bytes.
  int64_t finish();

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  double patience_;
  bool timed_out_ = false;
  std::string buffer_;  // read, not yet handed out
  int64_t peak_ = 0;
};

}  // namespace fettle::report
