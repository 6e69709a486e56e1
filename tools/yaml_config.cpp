#include <yaml-cpp/yaml.h>

#include <sstream>

#include "ir/error.h"
#include "tools/cli.h"

namespace fettle::tools {
namespace {

// A recipe is one YAML map: option names (without dashes) to a scalar or a list of scalars. Keys may
// also stand below the command's name, so that one file can serve several commands.
class YamlConfig : public CLI::Config {
 public:
  explicit YamlConfig(std::string command) : command_(std::move(command)) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> items;
    YAML::Node document;
    try {
      document = YAML::Load(input);
    } catch (const YAML::Exception& e) {
      fail(ErrorCode::kBadInput, "the recipe is not valid YAML: {}", e.what());
    }
    if (document.IsNull()) return items;
    if (!document.IsMap()) {
      fail(ErrorCode::kBadInput, "the recipe must be a map of option names to values");
    }
    for (const auto& entry : document) {
      const auto key = entry.first.as<std::string>();
      if (entry.second.IsMap()) {
        if (key != command_) continue;  // options of another command
        for (const auto& inner : entry.second) add(items, inner.first.as<std::string>(), inner.second);
      } else {
        add(items, key, entry.second);
      }
    }
    return items;
  }

 private:
  void add(std::vector<CLI::ConfigItem>& items, const std::string& key, const YAML::Node& value) const {
    CLI::ConfigItem item;
    item.parents = {command_};
    item.name = key;
    if (value.IsScalar()) {
      item.inputs.push_back(value.as<std::string>());
    } else if (value.IsSequence()) {
      for (const auto& element : value) item.inputs.push_back(element.as<std::string>());
    } else {
      fail(ErrorCode::kBadInput, "recipe entry '{}' must be a value or a list of values", key);
    }
    items.push_back(std::move(item));
  }

  std::string command_;
};

}  // namespace

std::shared_ptr<CLI::Config> yaml_config(std::string command) {
  return std::make_shared<YamlConfig>(std::move(command));
}

}  // namespace fettle::tools
