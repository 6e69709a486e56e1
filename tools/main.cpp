#include <unistd.h>

#include <cstdlib>

#include "tools/cli.h"

namespace {

// Threads that wait for each other at the end of a parallel loop spin before they sleep. The OpenMP
// runtime's default of some milliseconds stalls small layers when another process wants the same
// cores. The runtime reads its settings while it is loaded, before main(), so that the process has
// to start again with the setting in its environment.
void limit_spinning(char** argv) {
  constexpr const char* kSpins = "1000";
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (setenv("GOMP_SPINCOUNT", kSpins, 1) == 0) execv("/proc/self/exe", argv);
  // Without /proc it goes on as it is.
}

}  // namespace

int main(int argc, char** argv) {
  limit_spinning(argv);
  return fettle::tools::run_cli(argc, argv);
}
