// Polynomials with integer coefficients over named atoms: the algebra of symbolic dimensions. An
// atom is a symbol or an irreducible quotient floor(a/b). Polynomials print in one canonical way,
// so equal ones have equal text.
//
// Text:  sum := ["-"] product { ("+" | "-") product }     product := factor { "*" factor }
//        factor := number | symbol | "{" any text "}" | "(" sum ")"
//                  | "floor(" product "/" product ")"
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fettle::ops {

// Longer text is not worth keeping.
inline constexpr size_t kMaxExpression = 240;

using Monomial = std::vector<std::string>;  // atoms in ascending order, repeated for powers

// Graded lexicographic order, greatest first: the first entry of a polynomial is its leading term,
// the constant is the last.
struct Greater {
  bool operator()(const Monomial& a, const Monomial& b) const {
    if (a.size() != b.size()) return a.size() > b.size();
    return a < b;
  }
};
using Polynomial = std::map<Monomial, int64_t, Greater>;
// Nothing stands for "unknown": a syntax error, an overflow or an expression that grew too large.
using MaybePolynomial = std::optional<Polynomial>;

Polynomial constant_polynomial(int64_t value);
std::optional<int64_t> as_constant(const Polynomial& p);
// More terms or factors than are worth keeping.
bool too_big(const Polynomial& p);
int64_t floor_quotient(int64_t a, int64_t b);

// a + factor * b.
MaybePolynomial sum(const MaybePolynomial& a, const MaybePolynomial& b, int64_t factor);
MaybePolynomial product(const Polynomial& a, const Polynomial& b);
// floor(a / b); b must not be zero. Symbols cancel as if they were not zero.
MaybePolynomial quotient(const Polynomial& a, const Polynomial& b);

std::string print(const Polynomial& p);
MaybePolynomial parse_polynomial(std::string_view text);

}  // namespace fettle::ops
