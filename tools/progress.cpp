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

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// True for a terminal that can erase a line.
bool can_draw() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && kind != nullptr && std::string_view(kind) != "dumb";
}

int terminal_columns() {
  winsize size{};
  const bool told = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return told ? size.ws_col : 80;
}

}  // namespace

std::string progress_line(const std::string& label, int64_t done, int64_t total, double seconds_left,
                          int columns) {
  constexpr int kWidest = 30;
  constexpr int kNarrowest = 5;
  const std::string start = fmt::format("{:<12} ", label);
  const std::string count = fmt::format("{}/{}", done, total);
  const std::string end = fmt::format("{}  {:.0f} s left", count, seconds_left);
  // A terminal may break the line once its last column is filled, so that one stays free.
  const int room = std::max(columns - 1, 0);
  const int width = std::min(kWidest, room - static_cast<int>(start.size() + end.size()) - 3);
  if (width < kNarrowest) {
    const auto most = static_cast<size_t>(room);
    const std::string words = label + " " + end;
    return words.size() <= most ? words : (label + " " + count).substr(0, most);
  }
  const int filled = static_cast<int>(static_cast<double>(done) / static_cast<double>(total) * width);
  return start + "[" + std::string(static_cast<size_t>(filled), '#') +
         std::string(static_cast<size_t>(width - filled), '.') + "] " + end;
}

ProgressBar::ProgressBar(std::string label, const Common& common)
    : label_(std::move(label)), enabled_(!common.quiet && can_draw()), start_(now_seconds()) {}

ProgressBar::~ProgressBar() { erase(); }

void ProgressBar::erase() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
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
  const std::string line = progress_line(label_, done, total, left, terminal_columns());
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
}

std::function<void(int64_t, int64_t)> ProgressBar::callback() {
  return [this](int64_t done, int64_t total) { update(done, total); };
}

}  // namespace fettle::tools
