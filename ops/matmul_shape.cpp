#include "ops/matmul_shape.h"

#include "ir/error.h"
#include "ops/checked.h"
#include "ops/convolution.h"
#include "ops/kernel_context.h"

namespace fettle::ops {
namespace {

template <typename Dims>
Dims without_matrix(const Dims& dims) {
  return dims.size() <= 2 ? Dims() : Dims(dims.begin(), dims.end() - 2);
}

// For each element of shape `to` the index of the element of `from` broadcast to it.
std::vector<int64_t> broadcast_indices(const ir::Dims& from, const ir::Dims& to) {
  const std::vector<int64_t> strides = broadcast_strides(from, to);
  ir::require_memory(static_cast<size_t>(checked_mul(ir::element_count(to), sizeof(int64_t))));
  std::vector<int64_t> out(static_cast<size_t>(ir::element_count(to)));
  for (size_t i = 0; i < out.size(); ++i) {
    auto rest = static_cast<int64_t>(i);
    for (size_t a = to.size(); a-- > 0; rest /= to[a]) out[i] += rest % to[a] * strides[a];
  }
  return out;
}

}  // namespace

MatMulShape::MatMulShape(const ir::Dims& a, const ir::Dims& b) {
  if (a.empty() || b.empty()) {
    fail(ErrorCode::kBadInput, "expected operands of rank >= 1, found shapes {} and {}",
         ir::to_string(a), ir::to_string(b));
  }
  if (a.size() > 1) m = a[a.size() - 2];
  if (b.size() > 1) n = b.back();
  k = a.back();
  if (k != (b.size() > 1 ? b[b.size() - 2] : b[0])) {
    fail(ErrorCode::kBadInput, "shapes {} and {} cannot be multiplied", ir::to_string(a),
         ir::to_string(b));
  }
  const ir::Dims a_batch = without_matrix(a);
  const ir::Dims b_batch = without_matrix(b);
  output = broadcast_dims(a_batch, b_batch);
  a_matrix = broadcast_indices(a_batch, output);
  b_matrix = broadcast_indices(b_batch, output);
  if (a.size() > 1) output.push_back(m);
  if (b.size() > 1) output.push_back(n);
}

std::optional<ir::Shape> matmul_output_shape(const ir::Shape* a, const ir::Shape* b) {
  if (a == nullptr || b == nullptr) return std::nullopt;
  if (a->empty() || b->empty()) {
    fail(ErrorCode::kBadInput, "expected operands of rank >= 1, found shapes {} and {}",
         ir::to_string(*a), ir::to_string(*b));
  }
  const ir::Dim& left = a->back();
  const ir::Dim& right = b->size() > 1 ? (*b)[b->size() - 2] : (*b)[0];
  if (left.known() && right.known() && left.value != right.value) {
    fail(ErrorCode::kBadInput, "shapes {} and {} cannot be multiplied", ir::to_string(*a),
         ir::to_string(*b));
  }
  ir::Shape out = broadcast_shapes(without_matrix(*a), without_matrix(*b));
  if (a->size() > 1) out.push_back((*a)[a->size() - 2]);
  if (b->size() > 1) out.push_back(b->back());
  return out;
}

void infer_matmul(InferContext& context, size_t a, size_t b, ir::DataType element) {
  context.set(0, element, matmul_output_shape(context.shape(a), context.shape(b)));
}

int64_t matmul_macs(const ir::Dims& a, const ir::Dims& output) {
  if (a.empty()) return 0;
  ir::Dims factors = output;
  factors.push_back(a.back());
  return saturating_product(factors);
}

}  // namespace fettle::ops
