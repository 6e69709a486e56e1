// Arithmetic on dimensions by way of polynomials (ops/polynomial.h). Symbols that do not look like
// identifiers stand in braces inside larger expressions.
#include "ops/dims.h"

#include <cctype>
#include <string>

#include "ir/error.h"
#include "ops/polynomial.h"

namespace fettle::ops {
namespace {

MaybePolynomial polynomial_of(const ir::Dim& d) {
  if (d.known()) return constant_polynomial(d.value);
  if (!d.symbolic() || d.symbol.size() > kMaxExpression) return std::nullopt;
  if (const auto value = int_value(d)) return constant_polynomial(*value);
  MaybePolynomial p = parse_polynomial(d.symbol);
  if (p || d.symbol.find_first_of("{}") != std::string::npos) return p;
  return Polynomial{{Monomial{"{" + d.symbol + "}"}, 1}};
}

ir::Dim dim_of(const MaybePolynomial& p) {
  if (!p || too_big(*p)) return ir::Dim::unknown();
  if (const auto value = as_constant(*p)) return int_of(*value);
  std::string text = print(*p);
  if (text.size() > kMaxExpression) return ir::Dim::unknown();
  if (p->size() == 1 && text.front() == '{' && text.find('}') == text.size() - 1) {
    const std::string bare = text.substr(1, text.size() - 2);
    if (!parse_polynomial(bare)) text = bare;
  }
  return ir::Dim::named(std::move(text));
}

// The result of arithmetic on extents: what numbers give must be one.
ir::Dim extent(const ir::Dim& a, const ir::Dim& b, ir::Dim result) {
  const auto value = int_value(result);
  if (value && *value < 0) {
    fail(ErrorCode::kBadInput, "expected a dimension of at least 0, found {}", *value);
  }
  if (!value && a.known() && b.known()) {
    fail(ErrorCode::kBadInput, "dimension arithmetic on {} and {} overflows", a.value, b.value);
  }
  return result;
}

}  // namespace

ir::Dim int_of(int64_t value) {
  return value >= 0 ? ir::Dim::of(value) : ir::Dim::named(std::to_string(value));
}

std::optional<int64_t> int_value(const ir::Dim& d) {
  if (d.known()) return d.value;
  if (d.symbol.size() < 2 || d.symbol[0] != '-') return std::nullopt;
  if (std::isdigit(static_cast<unsigned char>(d.symbol[1])) == 0) return std::nullopt;
  if (d.symbol == "-9223372036854775808") return INT64_MIN;
  const MaybePolynomial p = parse_polynomial(d.symbol);
  return p ? as_constant(*p) : std::nullopt;
}

std::optional<bool> ints_equal(const ir::Dim& a, const ir::Dim& b) {
  if (a.same(b)) return true;
  const auto x = int_value(a);
  const auto y = int_value(b);
  if (x && y) return *x == *y;
  // Symbols are extents: without a subtraction the expression is not negative.
  const ir::Dim& open = x ? b : a;
  const auto number = x ? x : y;
  if (number && *number < 0 && open.symbolic() && open.symbol.find('-') == std::string::npos) {
    return false;
  }
  return std::nullopt;
}

ir::Dim int_add(const ir::Dim& a, const ir::Dim& b) {
  if (a.known() && b.known()) {
    int64_t result = 0;
    const bool overflow = __builtin_add_overflow(a.value, b.value, &result);
    return overflow ? ir::Dim::unknown() : ir::Dim::of(result);
  }
  const auto p = polynomial_of(a);
  const auto q = p ? polynomial_of(b) : std::nullopt;
  return q ? dim_of(sum(*p, *q, 1)) : ir::Dim::unknown();
}

ir::Dim int_sub(const ir::Dim& a, const ir::Dim& b) {
  if (a.known() && b.known()) return int_of(a.value - b.value);
  const auto p = polynomial_of(a);
  const auto q = p ? polynomial_of(b) : std::nullopt;
  return q ? dim_of(sum(*p, *q, -1)) : ir::Dim::unknown();
}

ir::Dim int_mul(const ir::Dim& a, const ir::Dim& b) {
  if (a.known() && b.known()) {
    int64_t result = 0;
    const bool overflow = __builtin_mul_overflow(a.value, b.value, &result);
    return overflow ? ir::Dim::unknown() : ir::Dim::of(result);
  }
  if (a.value == 0 || b.value == 0) return ir::Dim::of(0);
  const auto p = polynomial_of(a);
  const auto q = p ? polynomial_of(b) : std::nullopt;
  return q ? dim_of(product(*p, *q)) : ir::Dim::unknown();
}

ir::Dim int_floor_div(const ir::Dim& a, const ir::Dim& b) {
  if (b.value == 0) fail(ErrorCode::kBadInput, "a dimension is divided by zero");
  if (a.known() && b.known()) return ir::Dim::of(a.value / b.value);
  const auto p = polynomial_of(a);
  const auto q = p ? polynomial_of(b) : std::nullopt;
  if (!q || q->empty()) return ir::Dim::unknown();
  const auto m = as_constant(*p);
  const auto n = as_constant(*q);
  if (m && n) return *n == -1 ? int_sub(ir::Dim::of(0), a) : int_of(floor_quotient(*m, *n));
  return dim_of(quotient(*p, *q));
}

ir::Dim dim_add(const ir::Dim& a, const ir::Dim& b) {
  return extent(a, b, int_add(a, b));
}
ir::Dim dim_sub(const ir::Dim& a, const ir::Dim& b) {
  return extent(a, b, int_sub(a, b));
}
ir::Dim dim_mul(const ir::Dim& a, const ir::Dim& b) {
  return extent(a, b, int_mul(a, b));
}
ir::Dim dim_floor_div(const ir::Dim& a, const ir::Dim& b) {
  return extent(a, b, int_floor_div(a, b));
}

ir::Dim dim_product(const ir::Shape& shape, size_t begin, size_t end) {
  ir::Dim total = ir::Dim::of(1);
  for (size_t i = begin; i < end; ++i) {
    if (shape[i].value == 0) return ir::Dim::of(0);
  }
  for (size_t i = begin; i < end; ++i) total = dim_mul(total, shape[i]);
  return total;
}

ir::Dim broadcast_dim(const ir::Dim& a, const ir::Dim& b) {
  if (a.value == 1 || a.same(b)) return b;
  if (b.value == 1) return a;
  if (a.known() && b.known()) {
    fail(ErrorCode::kBadInput, "extents {} and {} cannot be broadcast together", a.value, b.value);
  }
  if (a.known()) return a;
  return b.known() ? b : ir::Dim::unknown();
}

ir::Shape broadcast_shapes(const ir::Shape& a, const ir::Shape& b) {
  const ir::Shape& longer = a.size() >= b.size() ? a : b;
  const ir::Shape& shorter = a.size() >= b.size() ? b : a;
  ir::Shape out = longer;
  const size_t shift = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    out[i + shift] = broadcast_dim(longer[i + shift], shorter[i]);
  }
  return out;
}

}  // namespace fettle::ops
