#include "ir/writer_check.h"

#include "ir/error.h"

namespace fettle::ir {
namespace {

constexpr size_t kReleaseThreshold = size_t{1} << 20;

std::vector<Graph*> graphs_of(const Model& model) {
  std::vector<Graph*> graphs;
  const auto collect = [&](Graph& graph) { graphs.push_back(&graph); };
  for_each_graph(*model.graph, collect);
  for (const Function& function : model.functions) for_each_graph(*function.body, collect);
  return graphs;
}

[[noreturn]] void differ(const std::string& what) {
  fail(ErrorCode::kInternal,
       "the file that was written reads back with another {}; nothing was "
       "changed; please report this",
       what);
}

void require_same_names(const std::vector<Value*>& a, const std::vector<Value*>& b,
                        const std::string& where) {
  if (a.size() != b.size()) differ("number of values at " + where);
  for (size_t i = 0; i < a.size(); ++i) {
    if ((a[i] == nullptr) != (b[i] == nullptr)) differ("value at " + where);
    if (a[i] != nullptr && a[i]->name() != b[i]->name()) differ("value at " + where);
  }
}

void require_same_node(const Node& a, const Node& b) {
  const std::string where = b.describe();
  if (a.op_type != b.op_type || a.domain != b.domain) differ("operator at " + where);
  if (a.attributes().size() != b.attributes().size()) differ("set of attributes at " + where);
  require_same_names(a.inputs(), b.inputs(), where);
  require_same_names(a.outputs(), b.outputs(), where);
}

void require_same_constant(const Value& a, const Value& b) {
  if (a.name() != b.name() || (a.sparse() == nullptr) != (b.sparse() == nullptr)) {
    differ("initializer '" + b.name() + "'");
  }
  const Tensor& x = a.sparse() != nullptr ? a.sparse()->values.tensor : *a.constant();
  const Tensor& y = b.sparse() != nullptr ? b.sparse()->values.tensor : *b.constant();
  if (!identical(x, y)) differ("content of initializer '" + b.name() + "'");
  for (const Tensor* read : {&x, &y}) {
    if (read->buffer() != nullptr && read->byte_size() >= kReleaseThreshold) {
      read->buffer()->release_pages();
    }
  }
}

// Dense initializers come before sparse ones in a file.
std::vector<Value*> constants_in_file_order(const Graph& graph) {
  std::vector<Value*> dense;
  std::vector<Value*> sparse;
  for (Value* value : graph.constants()) {
    (value->sparse() != nullptr ? sparse : dense).push_back(value);
  }
  dense.insert(dense.end(), sparse.begin(), sparse.end());
  return dense;
}

void require_same_graph(const Graph& a, const Graph& b) {
  if (a.node_count() != b.node_count()) differ("number of nodes");
  require_same_names(a.inputs(), b.inputs(), "the inputs");
  require_same_names(a.outputs(), b.outputs(), "the outputs");
  auto expected_node = b.nodes().begin();
  for (const Node& node : a.nodes()) {
    require_same_node(node, *expected_node);
    ++expected_node;
  }
  const std::vector<Value*> constants = constants_in_file_order(a);
  const std::vector<Value*> expected = constants_in_file_order(b);
  if (constants.size() != expected.size()) differ("number of initializers");
  for (size_t i = 0; i < constants.size(); ++i) require_same_constant(*constants[i], *expected[i]);
}

}  // namespace

void require_same(const Model& written, const Model& source) {
  const std::vector<Graph*> graphs = graphs_of(written);
  const std::vector<Graph*> expected = graphs_of(source);
  if (graphs.size() != expected.size()) differ("number of graphs");
  if (written.opset_imports != source.opset_imports) differ("set of opset imports");
  for (size_t i = 0; i < graphs.size(); ++i) require_same_graph(*graphs[i], *expected[i]);
}

}  // namespace fettle::ir
