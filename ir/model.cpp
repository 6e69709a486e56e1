#include "ir/model.h"

namespace fettle::ir {
namespace {

std::string_view canonical(std::string_view domain) {
  return domain == "ai.onnx" ? std::string_view() : domain;
}

}  // namespace

int64_t Model::opset(std::string_view domain) const {
  for (const auto& [name, version] : opset_imports) {
    if (canonical(name) == canonical(domain)) return version;
  }
  return 0;
}

void Model::set_opset(const std::string& domain, int64_t version) {
  for (auto& [name, current] : opset_imports) {
    if (canonical(name) == canonical(domain)) {
      current = version;
      return;
    }
  }
  opset_imports.emplace_back(domain, version);
}

void release_constants(const Model& model) {
  for_each_graph(*model.graph, [](Graph& graph) {
    for (const Value* v : graph.constants()) {
      if (v->constant() != nullptr) v->constant()->release_pages();
    }
  });
}

const Function* Model::find_function(std::string_view domain, std::string_view name,
                                     std::string_view overload) const {
  for (const Function& f : functions) {
    if (canonical(f.domain) == canonical(domain) && f.name == name && f.overload == overload) {
      return &f;
    }
  }
  return nullptr;
}

}  // namespace fettle::ir
