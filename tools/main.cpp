#include "tools/cli.h"

int main(int argc, char** argv) { return fettle::tools::run_cli(argc, argv); }
