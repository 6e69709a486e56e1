#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tools/cli.h"

namespace fettle::tools {
namespace {

constexpr int kMostWidth = 30;   // of the bar itself
constexpr int kLeastWidth = 5;   // narrower terminals show numbers only

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && (kind == nullptr || std::string_view(kind) != "dumb");
}

// Of the terminal; 80 where it does not tell.
int columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

ProgressBar::ProgressBar(std::string label, const Common& common)
    : label_(std::move(label)), enabled_(!common.quiet && is_terminal()), start_(now_seconds()) {}

ProgressBar::~ProgressBar() {
  erase();
}

void ProgressBar::erase() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void ProgressBar::update(int64_t done, int64_t total) {
  if (!enabled_ || total <= 0) return;
  if (done >= total) return erase();
  const double now = now_seconds();
  if (now - start_ < 1.0 || now - last_drawn_ < 0.1) return;
  last_drawn_ = now;
  drawn_ = true;
  const double left = done > 0 ? (now - start_) / static_cast<double>(done) *
                                     static_cast<double>(total - done)
                               : 0;
  const std::string numbers = fmt::format("{}/{}  {:.0f} s left", done, total, left);
  // One column stays free: some terminals wrap when the last one is written.
  const int room = columns() - 1;
  const int width = std::min(
      kMostWidth, room - static_cast<int>(std::max<size_t>(label_.size(), 12) + numbers.size()) - 4);
  std::string line = numbers;
  if (width >= kLeastWidth) {
    const auto filled = static_cast<size_t>(static_cast<double>(done) / static_cast<double>(total) * width);
    line = fmt::format("{:12} [{}{}] {}", label_, std::string(filled, '#'),
                       std::string(static_cast<size_t>(width) - filled, '.'), numbers);
  }
  if (static_cast<int>(line.size()) > room) line.resize(static_cast<size_t>(std::max(room, 0)));
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
}

std::function<void(int64_t, int64_t)> ProgressBar::callback() {
  return [this](int64_t done, int64_t total) { update(done, total); };
}

}  // namespace fettle::tools
