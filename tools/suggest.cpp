#include "tools/suggest.h"

#include <fmt/format.h>

#include <algorithm>

namespace fettle::tools {
namespace {

// Edits that turn `a` into `b` (Levenshtein).
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string with_suggestion(std::string message, const std::string& near) {
  return message + (near.empty() ? "; see --help" : fmt::format("; did you mean '{}'?", near));
}

// What is wrong with the first option, which stands where a command should.
std::string before_the_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string> known = option_names(app);
  if (contains(known, word)) return "";
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (contains(option_names(*sub), word)) {
      return fmt::format("'{}' belongs after a command: fettle COMMAND {}", word, word);
    }
  }
  return with_suggestion(fmt::format("unknown option '{}'", word), nearest(word, known));
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const size_t d = distance(word, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
  }
  return names;
}

std::string usage_message(const CLI::App& app, const CLI::ParseError& error, int argc,
                          const char* const* argv) {
  const std::vector<std::string> commands = command_names(app);
  const CLI::App* chosen = nullptr;
  const std::string own = *error.what() != '\0' ? error.what() : "bad usage";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::string word = argument.substr(0, argument.find('='));
    if (chosen == nullptr) {
      if (contains(commands, word)) {
        chosen = app.get_subcommand(word);
      } else if (word.rfind('-', 0) == 0) {
        const std::string message = before_the_command(app, word);
        if (!message.empty()) return message;
        if (word == "--recipe" && argument == word) ++i;  // its file
      } else {
        return with_suggestion(fmt::format("unknown command '{}'", word), nearest(word, commands));
      }
      continue;
    }
    if (word.rfind("--", 0) != 0) continue;
    std::vector<std::string> options = option_names(*chosen);
    options.push_back("--recipe");
    if (contains(options, word)) continue;
    const std::string near = nearest(word, options);
    if (!near.empty()) return with_suggestion(own, near);
  }
  return own + "; see --help";
}

}  // namespace fettle::tools
