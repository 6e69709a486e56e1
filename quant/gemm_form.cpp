#include "quant/gemm_form.h"

#include <algorithm>
#include <vector>

namespace fettle::quant {

namespace {

bool is_float_constant(const ir::Value* v) {
  return v != nullptr && v->is_constant() && v->constant()->type() == ir::DataType::kFloat;
}

bool is_matrix_product(const ir::Node& node) {
  if (!node.is("MatMul") || node.inputs().size() != 2 || node.output(0) == nullptr) return false;
  const ir::Value* a = node.input(0);
  const ir::Value* b = node.input(1);
  return a != nullptr && a->constant() == nullptr && a->type.is_tensor() && a->type.shape &&
         a->type.shape->size() == 2 && is_float_constant(b) && b->constant()->rank() == 2;
}

// The Add that holds a bias of the product, when it is the product's only reader.
ir::Node* bias_add(const ir::Node& product, ir::Value*& bias) {
  const ir::Value& out = *product.output(0);
  if (out.is_graph_output() || out.uses().size() != 1) return nullptr;
  ir::Node& add = *out.uses()[0].node;
  if (&add.graph() != &product.graph() || !add.is("Add") || add.inputs().size() != 2)
    return nullptr;
  ir::Value* other = add.input(1 - out.uses()[0].index);
  if (!is_float_constant(other)) return nullptr;
  const ir::Dims& dims = other->constant()->dims();
  const int64_t columns = product.input(1)->constant()->dim(1);
  const bool row =
      (dims.size() == 1 || (dims.size() == 2 && dims[0] == 1)) && dims.back() == columns;
  bias = other;
  return row ? &add : nullptr;
}

// The bias as a vector: integer kernels take no other form.
ir::Value& as_vector(ir::Graph& graph, ir::Value& bias) {
  const ir::Tensor& tensor = *bias.constant();
  if (tensor.rank() == 1) return bias;
  return graph.add_constant(graph.unique_name(bias.name() + "_vector"),
                            tensor.reshaped({tensor.size()}));
}

}  // namespace

void write_products_as_gemm(ir::Graph& graph) {
  for (ir::Node& node : graph.nodes()) {
    if (!is_matrix_product(node)) continue;
    node.op_type = "Gemm";
    ir::Value* bias = nullptr;
    ir::Node* add = bias_add(node, bias);
    if (add == nullptr) continue;
    ir::Value& sum = *add->output(0);
    const std::string name = sum.name();
    if (!graph.replace_all_uses(sum, *node.output(0))) continue;
    node.set_input(2, &as_vector(graph, *bias));
    graph.erase(*add);
    if (node.output(0)->name() != name) graph.rename(*node.output(0), name);
    if (bias->uses().empty() && !bias->is_graph_output()) graph.erase_value(*bias);
  }
  graph.purge();
}

}  // namespace fettle::quant
