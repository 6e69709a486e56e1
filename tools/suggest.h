// Usage errors that say what was probably meant.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace fettle::tools {

// The member of `known` that `word` most resembles; empty when none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& known);
// The long names of an app's options, with dashes ("--data").
std::vector<std::string> option_names(const CLI::App& app);
std::vector<std::string> command_names(const CLI::App& app);
// The message for arguments that did not parse: CLI11's own, or one that names a misplaced or unknown
// word, with the nearest known one.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error, int argc,
                          const char* const* argv);

}  // namespace fettle::tools
