#include "interp/product_shape.h"

#include <algorithm>

namespace fettle::interp {
namespace {

constexpr size_t kMostAxes = 6;

// Prepends ones up to `rank`.
ir::Dims widened(const ir::Dims& dims, size_t rank) {
  ir::Dims out(rank - dims.size(), 1);
  out.insert(out.end(), dims.begin(), dims.end());
  return out;
}

}  // namespace

std::optional<ProductShape> product_shape(const ir::Dims& a, const ir::Dims& b) {
  const auto positive = [](int64_t d) { return d > 0; };
  if (a.empty() || b.empty() || !std::all_of(a.begin(), a.end(), positive) ||
      !std::all_of(b.begin(), b.end(), positive)) {
    return std::nullopt;
  }
  ProductShape s;
  s.a = a.size() == 1 ? ir::Dims{1, a[0]} : a;
  s.b = b.size() == 1 ? ir::Dims{b[0], 1} : b;
  if (s.a.back() != s.b[s.b.size() - 2]) return std::nullopt;
  if (std::max(s.a.size(), s.b.size()) > kMostAxes) return std::nullopt;
  const size_t rank = std::max(s.a.size(), s.b.size());
  s.a = widened(s.a, rank);
  s.b = widened(s.b, rank);
  s.product.resize(rank);
  for (size_t i = 0; i + 2 < rank; ++i) {
    if (s.a[i] != s.b[i] && s.a[i] != 1 && s.b[i] != 1) return std::nullopt;
    s.product[i] = std::max(s.a[i], s.b[i]);
  }
  s.product[rank - 2] = s.a[rank - 2];
  s.product[rank - 1] = s.b[rank - 1];
  s.output = s.product;
  if (b.size() == 1) s.output.pop_back();
  if (a.size() == 1) s.output.erase(s.output.end() - (b.size() == 1 ? 1 : 2));
  const bool flat = std::all_of(s.b.begin(), s.b.end() - 2, [](int64_t d) { return d == 1; });
  if (flat) {
    int64_t rows = 1;
    for (size_t i = 0; i + 1 < rank; ++i) rows *= s.a[i];
    s.a = {rows, s.a.back()};
    s.b = {s.b[rank - 2], s.b[rank - 1]};
    s.product = {rows, s.b[1]};
  }
  return s;
}

}  // namespace fettle::interp
