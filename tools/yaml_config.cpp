#include <yaml-cpp/yaml.h>

#include "ir/error.h"
#include "tools/cli.h"
#include "tools/suggest.h"

namespace fettle::tools {
namespace {

// A recipe is one YAML map: option names (without dashes) to a scalar or a list of scalars. Keys may
// also stand below the command's name, so that one file can serve several commands.
class YamlConfig : public CLI::Config {
 public:
  YamlConfig(const CLI::App& app, std::string command, std::string file)
      : app_(app), command_(std::move(command)), file_(std::move(file)) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override try {
    std::vector<CLI::ConfigItem> items;
    const YAML::Node document = YAML::Load(input);
    if (document.IsNull() || command_.empty()) return items;
    if (!document.IsMap()) refuse(document, "expected a map of option names to values");
    for (const auto& entry : document) {
      const std::string key = key_of(entry.first);
      if (!entry.second.IsMap()) {
        add(items, key, entry.first, entry.second);
        continue;
      }
      check_command(key, entry.first);
      if (key != command_) continue;  // options of another command
      for (const auto& inner : entry.second) add(items, key_of(inner.first), inner.first, inner.second);
    }
    return items;
  } catch (const YAML::Exception& e) {
    fail(ErrorCode::kBadInput, "recipe '{}', line {}: not valid YAML: {}", file_, e.mark.line + 1, e.msg);
  }

 private:
  [[noreturn]] void refuse(const YAML::Node& where, const std::string& message) const {
    fail(ErrorCode::kBadInput, "recipe '{}', line {}: {}", file_, where.Mark().line + 1, message);
  }

  std::string key_of(const YAML::Node& key) const {
    if (!key.IsScalar()) refuse(key, "expected the name of an option");
    return key.as<std::string>();
  }

  void check_command(const std::string& key, const YAML::Node& where) const {
    const auto commands = command_names(app_);
    if (std::find(commands.begin(), commands.end(), key) != commands.end()) return;
    refuse(where, fmt::format("'{}' holds a map but is no command", key));
  }

  // The command's option of this name, by long name or as a positional.
  const CLI::Option& option(const std::string& key, const YAML::Node& where) const {
    const CLI::App* command = app_.get_subcommand(command_);
    const CLI::Option* found = command->get_option_no_throw("--" + key);
    if (found == nullptr) found = command->get_option_no_throw(key);
    if (found != nullptr && found->get_configurable()) return *found;
    std::vector<std::string> known;
    for (const std::string& name : option_names(*command)) known.push_back(name.substr(2));
    const std::string near = nearest(key, known);
    refuse(where, fmt::format("`fettle {}` has no option '{}'{}", command_, key,
                              near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
  }

  void add(std::vector<CLI::ConfigItem>& items, const std::string& key, const YAML::Node& where,
           const YAML::Node& value) const {
    const CLI::Option& target = option(key, where);
    CLI::ConfigItem item;
    item.parents = {command_};
    item.name = key;
    if (value.IsScalar()) {
      item.inputs.push_back(value.as<std::string>());
    } else if (value.IsSequence()) {
      for (const auto& element : value) {
        if (!element.IsScalar()) refuse(element, fmt::format("'{}': expected a list of values", key));
        item.inputs.push_back(element.as<std::string>());
      }
    } else {
      refuse(where, fmt::format("'{}': expected a value or a list of values", key));
    }
    check_values(target, item, where);
    items.push_back(std::move(item));
  }

  // What CLI11 would refuse with a message that names neither file nor line.
  void check_values(const CLI::Option& target, const CLI::ConfigItem& item, const YAML::Node& where) const {
    const bool flag = target.get_expected_max() == 0;
    if (item.inputs.size() != 1 && target.get_expected_max() < 2) {
      refuse(where, fmt::format("'{}' takes one value", item.name));
    }
    if (!flag) return;
    bool known = item.inputs[0].find_first_not_of("0123456789") == std::string::npos;  // -vv is 2
    for (const char* word : {"true", "false", "yes", "no", "on", "off"}) {
      known |= item.inputs[0] == word;
    }
    if (!known) refuse(where, fmt::format("'{}' is true or false, not '{}'", item.name, item.inputs[0]));
  }

  const CLI::App& app_;
  std::string command_;
  std::string file_;
};

}  // namespace

std::shared_ptr<CLI::Config> yaml_config(const CLI::App& app, int argc, const char* const* argv) {
  std::string command;
  std::string file;
  const auto commands = command_names(app);
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (command.empty() && std::find(commands.begin(), commands.end(), word) != commands.end()) {
      command = word;
    }
    if (word == "--recipe" && i + 1 < argc) file = argv[i + 1];
    if (word.rfind("--recipe=", 0) == 0) file = word.substr(9);
  }
  return std::make_shared<YamlConfig>(app, command, file);
}

}  // namespace fettle::tools
