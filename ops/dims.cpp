// Arithmetic on symbolic dimensions. An expression is a polynomial with integer coefficients over
// atoms; an atom is a symbol or an irreducible quotient floor(a/b). Polynomials print in one
// canonical way, so equal expressions have equal text and ir::Dim::same() can compare them.
//
// Text:  sum := ["-"] product { ("+" | "-") product }     product := factor { "*" factor }
//        factor := number | symbol | "{" any text "}" | "(" sum ")" | "floor(" product "/" product ")"
// Symbols that do not look like identifiers stand in braces inside larger expressions.
#include "ops/dims.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <string>
#include <vector>

#include "ir/error.h"
#include "ops/checked.h"

namespace fettle::ops {
namespace {

// Beyond these an expression is not worth keeping and becomes unknown.
constexpr size_t kMaxTerms = 24;
constexpr size_t kMaxDegree = 12;
constexpr size_t kMaxText = 240;

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
using MaybePolynomial = std::optional<Polynomial>;

int64_t floor_quotient(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

Polynomial constant(int64_t value) {
  Polynomial p;
  if (value != 0) p[{}] = value;
  return p;
}

std::optional<int64_t> as_constant(const Polynomial& p) {
  if (p.empty()) return 0;
  if (p.size() == 1 && p.begin()->first.empty()) return p.begin()->second;
  return std::nullopt;
}

// a + factor * b.
Polynomial sum(Polynomial a, const Polynomial& b, int64_t factor) {
  for (const auto& [monomial, coefficient] : b) {
    int64_t& entry = a[monomial];
    entry = checked_add(entry, checked_mul(coefficient, factor));
    if (entry == 0) a.erase(monomial);
  }
  return a;
}

Polynomial product(const Polynomial& a, const Polynomial& b) {
  Polynomial result;
  for (const auto& [left, p] : a) {
    for (const auto& [right, q] : b) {
      Monomial merged;
      std::merge(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(merged));
      int64_t& entry = result[merged];
      entry = checked_add(entry, checked_mul(p, q));
      if (entry == 0) result.erase(merged);
    }
  }
  return result;
}

bool too_big(const Polynomial& p) {
  return p.size() > kMaxTerms || (!p.empty() && p.begin()->first.size() > kMaxDegree);
}

std::string print(const Polynomial& p);

std::string print_operand(const Polynomial& p) {
  const std::string text = print(p);
  const bool one_factor = p.size() <= 1 && (p.empty() || p.begin()->second >= 0);
  return one_factor ? text : "(" + text + ")";
}

std::string print(const Polynomial& p) {
  if (p.empty()) return "0";
  std::string text;
  for (const auto& [monomial, coefficient] : p) {
    if (coefficient < 0) {
      text += '-';
    } else if (!text.empty()) {
      text += '+';
    }
    for (size_t i = 0; i < monomial.size(); ++i) text += (i == 0 ? "" : "*") + monomial[i];
    const auto magnitude = coefficient < 0 ? 0 - static_cast<uint64_t>(coefficient)
                                           : static_cast<uint64_t>(coefficient);
    if (monomial.empty()) {
      text += std::to_string(magnitude);
    } else if (magnitude != 1) {
      text += '*' + std::to_string(magnitude);
    }
  }
  return text;
}

MaybePolynomial quotient(const Polynomial& a, const Polynomial& b);

// Reads one expression; every function gives nothing on a syntax error.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  MaybePolynomial parse() {
    MaybePolynomial p = parse_sum();
    return p && at_ == text_.size() && !too_big(*p) ? p : std::nullopt;
  }

 private:
  bool take(char c) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    skip_spaces();
    return true;
  }
  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  MaybePolynomial parse_sum() {
    if (++depth_ > 32) return std::nullopt;
    int64_t sign = take('-') ? -1 : 1;
    Polynomial total;
    for (;;) {
      const MaybePolynomial term = parse_product();
      if (!term || too_big(total)) return std::nullopt;
      total = sum(std::move(total), *term, sign);
      if (take('+')) {
        sign = 1;
      } else if (take('-')) {
        sign = -1;
      } else {
        break;
      }
    }
    --depth_;
    return total;
  }

  MaybePolynomial parse_product() {
    MaybePolynomial total = parse_factor();
    while (total && take('*')) {
      const MaybePolynomial factor = parse_factor();
      if (!factor || too_big(*total)) return std::nullopt;
      total = product(*total, *factor);
    }
    return total;
  }

  MaybePolynomial parse_factor() {
    if (take('(')) {
      MaybePolynomial inner = parse_sum();
      return take(')') ? inner : std::nullopt;
    }
    if (at_ >= text_.size()) return std::nullopt;
    if (text_[at_] == '{') return parse_braces();
    if (std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) return parse_number();
    const size_t begin = at_;
    while (at_ < text_.size() && is_symbol_char(text_[at_])) ++at_;
    if (begin == at_) return std::nullopt;
    const std::string name(text_.substr(begin, at_ - begin));
    return name == "floor" && take('(') ? parse_floor() : atom(name);
  }

  MaybePolynomial parse_floor() {
    const MaybePolynomial numerator = parse_product();
    if (!numerator || !take('/')) return std::nullopt;
    const MaybePolynomial denominator = parse_product();
    if (!denominator || !take(')')) return std::nullopt;
    if (denominator->empty()) return std::nullopt;
    return quotient(*numerator, *denominator);
  }

  MaybePolynomial parse_braces() {
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string name(text_.substr(at_, end + 1 - at_));
    at_ = end + 1;
    return atom(name);
  }

  MaybePolynomial parse_number() {
    int64_t value = 0;
    while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_[at_] - '0', &value)) {
        return std::nullopt;
      }
      ++at_;
    }
    // "3d_points" is a name, not a number.
    return at_ < text_.size() && is_symbol_char(text_[at_]) ? std::nullopt
                                                            : MaybePolynomial(constant(value));
  }

  static bool is_symbol_char(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == ':';
  }
  static Polynomial atom(const std::string& name) { return {{Monomial{name}, 1}}; }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

MaybePolynomial polynomial_of(const ir::Dim& d) {
  if (d.known()) return constant(d.value);
  if (!d.symbolic() || d.symbol.size() > kMaxText) return std::nullopt;
  MaybePolynomial p = Parser(d.symbol).parse();
  if (p || d.symbol.find_first_of("{}") != std::string::npos) return p;
  return Polynomial{{Monomial{"{" + d.symbol + "}"}, 1}};
}

ir::Dim dim_of(const MaybePolynomial& p) {
  if (!p || too_big(*p)) return ir::Dim::unknown();
  if (const auto value = as_constant(*p)) return int_of(*value);
  std::string text = print(*p);
  if (text.size() > kMaxText) return ir::Dim::unknown();
  if (p->size() == 1 && text.front() == '{' && text.find('}') == text.size() - 1) {
    const std::string bare = text.substr(1, text.size() - 2);
    if (!Parser(bare).parse()) text = bare;
  }
  return ir::Dim::named(std::move(text));
}

// a / b when b divides a exactly (multivariate long division by leading terms).
MaybePolynomial exact_quotient(Polynomial a, const Polynomial& b) {
  Polynomial result;
  const auto& [divisor, divisor_coefficient] = *b.begin();
  for (size_t step = 0; !a.empty(); ++step) {
    const auto& [lead, coefficient] = *a.begin();
    if (step > kMaxTerms || coefficient % divisor_coefficient != 0 ||
        !std::includes(lead.begin(), lead.end(), divisor.begin(), divisor.end())) {
      return std::nullopt;
    }
    Monomial rest;
    std::set_difference(lead.begin(), lead.end(), divisor.begin(), divisor.end(),
                        std::back_inserter(rest));
    const Polynomial term{{rest, coefficient / divisor_coefficient}};
    result = sum(std::move(result), term, 1);
    a = sum(std::move(a), product(term, b), -1);
  }
  return result;
}

// floor((floor(x/m) + k) / n) = floor((x + k*m) / (m*n)) for m, n > 0: gives x + k*m and m.
std::optional<std::pair<Polynomial, int64_t>> flattened(const Polynomial& a) {
  if (a.empty() || a.size() > 2 || a.begin()->first.size() != 1 || a.begin()->second != 1) {
    return std::nullopt;
  }
  if (a.size() == 2 && !a.rbegin()->first.empty()) return std::nullopt;
  const std::string& atom = a.begin()->first.front();
  const size_t slash = atom.rfind('/');
  if (atom.rfind("floor(", 0) != 0 || slash == std::string::npos) return std::nullopt;
  const std::string_view text(atom);
  const auto m = Parser(text.substr(slash + 1, text.size() - slash - 2)).parse();
  if (!m || !as_constant(*m) || *as_constant(*m) <= 0) return std::nullopt;
  const auto x = Parser(text.substr(6, slash - 6)).parse();
  if (!x) return std::nullopt;
  const int64_t k = a.size() == 2 ? a.rbegin()->second : 0;
  return std::pair(sum(*x, constant(1), checked_mul(k, *as_constant(*m))), *as_constant(*m));
}

MaybePolynomial quotient(const Polynomial& a, const Polynomial& b) {
  if (a.empty()) return a;
  if (MaybePolynomial exact = exact_quotient(a, b)) return exact;
  Polynomial whole;  // floor((b*whole + rest) / b) = whole + floor(rest / b)
  Polynomial rest = a;
  Polynomial divisor = b;
  if (const auto n = as_constant(b); n && *n > 0) {
    if (const auto flat = flattened(a)) {
      rest = flat->first;
      divisor = constant(checked_mul(*n, flat->second));
    }
    const int64_t d = *as_constant(divisor);
    Polynomial reduced;
    for (const auto& [monomial, coefficient] : rest) {
      const int64_t q = floor_quotient(coefficient, d);
      if (q != 0) whole[monomial] = q;
      if (coefficient - q * d != 0) reduced[monomial] = coefficient - q * d;
    }
    rest = std::move(reduced);
    if (const auto c = as_constant(rest)) {
      return sum(std::move(whole), constant(floor_quotient(*c, d)), 1);
    }
  }
  const std::string text = "floor(" + print_operand(rest) + "/" + print_operand(divisor) + ")";
  if (text.size() > kMaxText) return std::nullopt;
  return sum(std::move(whole), Polynomial{{Monomial{text}, 1}}, 1);
}

ir::Dim non_negative(ir::Dim d) {
  if (const auto value = int_value(d); value && *value < 0) {
    fail(ErrorCode::kBadInput, "expected a dimension of at least 0, found {}", *value);
  }
  return d;
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
  const MaybePolynomial p = Parser(d.symbol).parse();
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
  if (a.known() && b.known()) return ir::Dim::of(checked_add(a.value, b.value));
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
  if (a.known() && b.known()) return ir::Dim::of(checked_mul(a.value, b.value));
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

ir::Dim dim_add(const ir::Dim& a, const ir::Dim& b) { return non_negative(int_add(a, b)); }
ir::Dim dim_sub(const ir::Dim& a, const ir::Dim& b) { return non_negative(int_sub(a, b)); }
ir::Dim dim_mul(const ir::Dim& a, const ir::Dim& b) { return non_negative(int_mul(a, b)); }
ir::Dim dim_floor_div(const ir::Dim& a, const ir::Dim& b) {
  return non_negative(int_floor_div(a, b));
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
