#include "report/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "ir/error.h"

namespace fettle::report {

Worker::Worker(const std::string& program, const std::vector<std::string>& arguments,
               double patience_seconds)
    : patience_(patience_seconds) {
  int to_child[2];
  int from_child[2];
  if (pipe2(to_child, O_CLOEXEC) != 0) fail(ErrorCode::kLimit, "cannot make pipes for a measuring process");
  if (pipe2(from_child, O_CLOEXEC) != 0) {
    close(to_child[0]);
    close(to_child[1]);
    fail(ErrorCode::kLimit, "cannot make pipes for a measuring process");
  }
  std::vector<std::string> owned = arguments;
  std::vector<char*> argv;
  for (std::string& a : owned) argv.push_back(a.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    std::signal(SIGPIPE, SIG_DFL);
    dup2(to_child[0], STDIN_FILENO);
    dup2(from_child[1], STDOUT_FILENO);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  close(to_child[0]);
  close(from_child[1]);
  to_ = to_child[1];
  from_ = from_child[0];
  if (pid_ > 0) return;
  close(to_);
  close(from_);
  fail(ErrorCode::kLimit, "cannot start a measuring process");
}

std::optional<std::string> Worker::ask(const std::string& line) {
  const std::string text = line + "\n";
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = write(to_, text.data() + sent, text.size() - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    sent += static_cast<size_t>(n);
  }
  return read_line();
}

std::optional<std::string> Worker::read_line() {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::duration<double>(patience_);
  for (;;) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    const std::chrono::duration<double, std::milli> left = deadline - Clock::now();
    pollfd waiting{from_, POLLIN, 0};
    const int ready = left.count() > 0 ? poll(&waiting, 1, static_cast<int>(left.count()) + 1) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      timed_out_ = true;
      kill(pid_, SIGKILL);
      return std::nullopt;
    }
    char chunk[4096];
    const ssize_t n = read(from_, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    buffer_.append(chunk, static_cast<size_t>(n));
  }
}

std::string Worker::failure() const {
  return timed_out_ ? fmt::format("it did not answer within {:g} seconds", patience_)
                    : "the measuring process ended unexpectedly";
}

int64_t Worker::finish() {
  if (pid_ <= 0) return peak_;
  close(to_);
  close(from_);
  struct rusage usage {};
  int status = 0;
  while (wait4(pid_, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  peak_ = static_cast<int64_t>(usage.ru_maxrss) * 1024;
  return peak_;
}

}  // namespace fettle::report
