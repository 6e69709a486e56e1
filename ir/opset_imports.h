// The opset imports of models and functions. Private header of ir/.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fettle::ir {

using OpsetImports = std::vector<std::pair<std::string, int64_t>>;

// The imports that repeated OperatorSetIdProto entries stand for: each domain once, where it first
// stood, with the version given last, as onnx's checker reads them.
template <typename Entries>
OpsetImports opset_imports(const Entries& entries) {
  OpsetImports imports;
  for (const auto& entry : entries) {
    const auto at = std::find_if(imports.begin(), imports.end(), [&](const auto& import) {
      return import.first == entry.domain();
    });
    if (at != imports.end()) {
      at->second = entry.version();
    } else {
      imports.emplace_back(entry.domain(), entry.version());
    }
  }
  return imports;
}

// The same for a model: before IR version 3 there were no imports, and version 1 was meant.
template <typename Entries>
OpsetImports model_opset_imports(const Entries& entries, int64_t ir_version) {
  constexpr int64_t kFirstIrWithOpsets = 3;
  if (entries.empty() && ir_version < kFirstIrWithOpsets) return {{"", 1}};
  return opset_imports(entries);
}

}  // namespace fettle::ir
