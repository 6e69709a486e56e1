#include "interp/product_layout.h"

#include <algorithm>

namespace fettle::interp {
namespace {

struct Axis {
  int64_t extent;
  int64_t step;
};

std::vector<Axis> row_major(const ir::Dims& dims) {
  std::vector<Axis> axes(dims.size());
  int64_t step = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    axes[i] = {dims[i], step};
    step *= dims[i];
  }
  return axes;
}

// The axes of an operand as the product sees them; empty when the order does not fit them.
std::vector<Axis> seen(const ir::Dims& dims, const OperandOrder& order) {
  std::vector<Axis> axes = row_major(dims);
  if (!order.perm.empty()) {
    if (order.perm.size() != axes.size()) return {};
    const std::vector<Axis> stored = axes;
    for (size_t i = 0; i < axes.size(); ++i) axes[i] = stored[static_cast<size_t>(order.perm[i])];
  }
  if (order.swapped) {
    if (axes.size() < 2) return {};
    std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  }
  return axes;
}

struct Shared {  // a batch axis
  int64_t extent, a_step, b_step, out_step;
};

// The batch axes, outermost first, without steps of the output; false when they do not fit.
bool batch_axes(const std::vector<Axis>& a, const std::vector<Axis>& b,
                std::vector<Shared>& batch) {
  const size_t count = std::max(a.size(), b.size()) - 2;
  for (size_t i = 0; i < count; ++i) {
    const size_t back = count - i + 2;  // from the end
    const Axis x = back <= a.size() ? a[a.size() - back] : Axis{1, 0};
    const Axis y = back <= b.size() ? b[b.size() - back] : Axis{1, 0};
    if (x.extent != y.extent && x.extent != 1 && y.extent != 1) return false;
    const int64_t extent = std::max(x.extent, y.extent);
    batch.push_back({extent, x.extent == 1 ? 0 : x.step, y.extent == 1 ? 0 : y.step, 0});
  }
  return true;
}

// Takes axes of one index away, makes rows of those that lie as rows, and joins neighbors.
void simplify(std::vector<Shared>& batch, ProductLayout& layout) {
  std::erase_if(batch, [](const Shared& axis) { return axis.extent == 1; });
  LeftMatrix& a = layout.a;
  while (!batch.empty() && batch.back().b_step == 0 &&
         (a.rows == 1 || (batch.back().a_step == a.rows * a.row_step &&
                          batch.back().out_step == a.rows * layout.out_row))) {
    if (a.rows == 1) {
      a.row_step = batch.back().a_step;
      layout.out_row = batch.back().out_step;
    }
    a.rows *= batch.back().extent;
    batch.pop_back();
  }
  for (size_t i = batch.size(); i-- > 1;) {
    const Shared& inner = batch[i];
    Shared& outer = batch[i - 1];
    if (outer.a_step != inner.extent * inner.a_step ||
        outer.b_step != inner.extent * inner.b_step ||
        outer.out_step != inner.extent * inner.out_step) {
      continue;
    }
    outer = {outer.extent * inner.extent, inner.a_step, inner.b_step, inner.out_step};
    batch.erase(batch.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace

std::optional<ProductLayout> product_layout(const ir::Dims& a, const OperandOrder& a_order,
                                            const ir::Dims& b, const OperandOrder& b_order,
                                            const std::vector<int64_t>& out_perm) {
  const auto positive = [](int64_t d) { return d > 0; };
  if (a.empty() || b.empty() || !std::all_of(a.begin(), a.end(), positive) ||
      !std::all_of(b.begin(), b.end(), positive)) {
    return std::nullopt;
  }
  std::vector<Axis> left = seen(a, a_order);
  std::vector<Axis> right = seen(b, b_order);
  if (left.empty() || right.empty()) return std::nullopt;
  const bool a_vector = left.size() == 1;
  const bool b_vector = right.size() == 1;
  if (a_vector) left.insert(left.begin(), Axis{1, 0});
  if (b_vector) right.push_back({1, 1});
  const Axis& m = left[left.size() - 2];
  const Axis& k = left.back();
  const Axis& n = right.back();
  if (k.extent != right[right.size() - 2].extent) return std::nullopt;
  std::vector<Shared> batch;
  if (!batch_axes(left, right, batch)) return std::nullopt;

  ProductLayout layout;
  layout.a = {nullptr, m.extent, m.step, k.step};
  layout.b = {nullptr, k.extent, n.extent, right[right.size() - 2].step, n.step};
  ir::Dims product;
  for (const Shared& axis : batch) product.push_back(axis.extent);
  product.push_back(m.extent);
  product.push_back(n.extent);
  ir::Dims stored = product;
  if (!out_perm.empty()) {
    if (a_vector || b_vector || out_perm.size() != product.size()) return std::nullopt;
    for (size_t i = 0; i < stored.size(); ++i) {
      stored[i] = product[static_cast<size_t>(out_perm[i])];
    }
  }
  const std::vector<Axis> out_axes = row_major(stored);
  std::vector<int64_t> out_steps(product.size());
  for (size_t i = 0; i < stored.size(); ++i) {
    out_steps[out_perm.empty() ? i : static_cast<size_t>(out_perm[i])] = out_axes[i].step;
  }
  if (out_steps.back() != 1) return std::nullopt;
  layout.out_row = out_steps[out_steps.size() - 2];
  for (size_t i = 0; i < batch.size(); ++i) batch[i].out_step = out_steps[i];
  layout.output = std::move(stored);
  if (b_vector) layout.output.pop_back();
  if (a_vector) layout.output.erase(layout.output.end() - (b_vector ? 1 : 2));
  simplify(batch, layout);
  if (batch.size() > kBatchAxes) return std::nullopt;
  layout.single = batch.empty();
  for (size_t i = 0; i < batch.size(); ++i) {
    layout.batch.axes[i] = {batch[i].extent, batch[i].a_step, batch[i].b_step, batch[i].out_step};
  }
  return layout;
}

}  // namespace fettle::interp
