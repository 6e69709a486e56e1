// Reads "input<TAB>output" pairs from stdin; reads each input model and writes it back unchanged.
// Prints one line per pair: "ok" or "error <message>".
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <string>

#include "ir/error.h"
#include "ir/io.h"

int main(int argc, char** argv) {
  fettle::ir::WriteOptions options;
  if (argc > 1 && std::string(argv[1]) == "--external") {
    options.force_external = true;
    options.external_threshold = 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    try {
      const auto model = fettle::ir::read_model(line.substr(0, tab));
      fettle::ir::write_model(model, line.substr(tab + 1), options);
      std::cout << "ok" << std::endl;
    } catch (const fettle::Error& error) {
      std::string message = error.what();
      std::replace(message.begin(), message.end(), '\n', ' ');
      std::cout << "error " << message << std::endl;
    }
  }
}
