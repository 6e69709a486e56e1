#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <vector>

#include "interp/accelerated.h"
#include "ops/table.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

struct Entry {
  std::vector<int> versions;  // ascending
  bool accelerated = false;
};

// By domain and operator name.
using Entries = std::map<std::string, std::map<std::string, Entry>>;

Entries entries() {
  Entries all;
  for (const ops::OpDef& op : ops::all_ops()) {
    const std::string domain(op.domain.empty() ? "ai.onnx" : op.domain);
    Entry& entry = all[domain][std::string(op.name)];
    entry.versions.push_back(op.since_version);
    entry.accelerated = interp::has_accelerated_kernel(op.domain, op.name);
  }
  return all;
}

report::Json to_json(const Entries& all) {
  report::Json list = report::Json::array();
  for (const auto& [domain, operators] : all) {
    for (const auto& [name, entry] : operators) {
      list.push_back({{"domain", domain},
                      {"operator", name},
                      {"versions", entry.versions},
                      {"accelerated", entry.accelerated}});
    }
  }
  return list;
}

std::string to_markdown(const Entries& all) {
  std::string text =
      "# Operators\n\n"
      "What `fettle operators` prints: every operator that fettle can compute. A version is listed where\n"
      "the meaning of the operator changes; versions between two listed ones mean the same as the lower.\n"
      "All operators have a reference kernel and a rule for output types and shapes. *Accelerated* ones\n"
      "have a faster kernel besides, which runs unless `--exact` is given.\n";
  for (const auto& [domain, operators] : all) {
    text += fmt::format("\n## {}\n\n{} operators.\n\n| operator | versions | accelerated |\n|---|---|---|\n",
                        domain, operators.size());
    for (const auto& [name, entry] : operators) {
      text += fmt::format("| {} | {} | {} |\n", name, fmt::join(entry.versions, ", "),
                          entry.accelerated ? "yes" : "");
    }
  }
  return text;
}

int operators(const Common& common) {
  const Entries all = entries();
  print_result(common, to_json(all), to_markdown(all));
  return 0;
}

}  // namespace

void add_operators(CLI::App& app, Common& common, Action& action) {
  CLI::App* command = app.add_subcommand("operators", "List the operators that fettle can compute");
  command->footer("Example:\n  fettle operators > docs/operators.md");
  command->callback([&common, &action] { action = [&common] { return operators(common); }; });
}

}  // namespace fettle::tools
