// The progress bar as a terminal sees it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "tools/cli.h"

namespace fettle::tools {
namespace {

// A terminal of so many columns in the place of stderr.
class Terminal {
 public:
  explicit Terminal(unsigned short columns) : saved_(dup(STDERR_FILENO)) {
    winsize size{24, columns, 0, 0};
    int slave = -1;
    EXPECT_EQ(openpty(&master_, &slave, nullptr, nullptr, &size), 0);
    dup2(slave, STDERR_FILENO);
    close(slave);
    fcntl(master_, F_SETFL, O_NONBLOCK);
  }
  ~Terminal() {
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    close(master_);
  }
  std::string shown() {
    char text[4096];
    const ssize_t n = read(master_, text, sizeof text);
    return n > 0 ? std::string(text, static_cast<size_t>(n)) : "";
  }

 private:
  int saved_;
  int master_ = -1;
};

void wait_until_drawn() { std::this_thread::sleep_for(std::chrono::milliseconds(1050)); }

TEST(ProgressLine, FitsTheTerminal) {
  EXPECT_EQ(progress_line("running", 50, 100, 3, 80),
            "running      [###############...............] 50/100  3 s left");
  EXPECT_EQ(progress_line("running", 50, 100, 3, 46), "running      [######.......] 50/100  3 s left");
  EXPECT_EQ(progress_line("running", 50, 100, 3, 30), "running 50/100  3 s left");
  EXPECT_EQ(progress_line("running", 50, 100, 3, 20), "running 50/100");
  for (int columns = 0; columns < 100; ++columns) {
    EXPECT_LE(progress_line("calibrating", 123456, 1234567, 1000, columns).size(),
              static_cast<size_t>(std::max(0, columns - 1)));
  }
}

TEST(Progress, IsErasedBeforeAnythingElseIsPrinted) {
  setenv("TERM", "xterm", 1);
  Terminal terminal(30);
  ProgressBar bar("working", Common{});
  bar.update(1, 4);
  EXPECT_EQ(terminal.shown(), "");  // not before a second has gone
  wait_until_drawn();
  bar.update(2, 4);
  const std::string drawn = terminal.shown();
  EXPECT_EQ(drawn.rfind("\r\033[Kworking 2/4", 0), 0u) << drawn;
  EXPECT_LT(drawn.size(), 30u + 4u);
  bar.update(4, 4);
  EXPECT_EQ(terminal.shown(), "\r\033[K");
}

TEST(Progress, IsErasedWhenWorkIsBrokenOff) {
  setenv("TERM", "xterm", 1);
  Terminal terminal(80);
  {
    ProgressBar bar("working", Common{});
    wait_until_drawn();
    bar.update(2, 4);
    terminal.shown();
  }
  EXPECT_EQ(terminal.shown(), "\r\033[K");
}

TEST(Progress, TerminalsThatCannotEraseShowNone) {
  setenv("TERM", "dumb", 1);
  Terminal terminal(80);
  ProgressBar bar("working", Common{});
  wait_until_drawn();
  bar.update(2, 4);
  EXPECT_EQ(terminal.shown(), "");
  setenv("TERM", "xterm", 1);
}

}  // namespace
}  // namespace fettle::tools
