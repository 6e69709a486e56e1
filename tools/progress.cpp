#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "tools/cli.h"

namespace fettle::tools {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

ProgressBar::ProgressBar(std::string label, const Common& common)
    : label_(std::move(label)), enabled_(!common.quiet && isatty(STDERR_FILENO) != 0),
      start_(now_seconds()) {}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void ProgressBar::update(int64_t done, int64_t total) {
  if (!enabled_ || total <= 0) return;
  const double now = now_seconds();
  if (now - start_ < 1.0 || (now - last_drawn_ < 0.1 && done < total)) return;
  last_drawn_ = now;
  drawn_ = true;
  constexpr int kWidth = 30;
  const int filled = static_cast<int>(static_cast<double>(done) / static_cast<double>(total) * kWidth);
  const std::string bar = std::string(static_cast<size_t>(filled), '#') +
                          std::string(static_cast<size_t>(kWidth - filled), '.');
  const double left = done > 0 ? (now - start_) / static_cast<double>(done) *
                                     static_cast<double>(total - done)
                               : 0;
  std::fprintf(stderr, "\r\033[K%-12s [%s] %ld/%ld  %.0f s left", label_.c_str(), bar.c_str(),
               static_cast<long>(done), static_cast<long>(total), left);
  std::fflush(stderr);
}

std::function<void(int64_t, int64_t)> ProgressBar::callback() {
  return [this](int64_t done, int64_t total) { update(done, total); };
}

}  // namespace fettle::tools
