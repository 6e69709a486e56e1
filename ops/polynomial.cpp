#include "ops/polynomial.h"

#include <algorithm>
#include <cctype>

namespace fettle::ops {
namespace {

// Beyond these an expression is not worth keeping and becomes unknown.
constexpr size_t kMaxTerms = 24;
constexpr size_t kMaxDegree = 12;

}  // namespace

int64_t floor_quotient(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

Polynomial constant_polynomial(int64_t value) {
  Polynomial p;
  if (value != 0) p[{}] = value;
  return p;
}

std::optional<int64_t> as_constant(const Polynomial& p) {
  if (p.empty()) return 0;
  if (p.size() == 1 && p.begin()->first.empty()) return p.begin()->second;
  return std::nullopt;
}

namespace {

// a + factor * b; nothing on overflow.
MaybePolynomial add(Polynomial a, const Polynomial& b, int64_t factor) {
  for (const auto& [monomial, coefficient] : b) {
    int64_t& entry = a[monomial];
    int64_t term = 0;
    if (__builtin_mul_overflow(coefficient, factor, &term) ||
        __builtin_add_overflow(entry, term, &entry)) {
      return std::nullopt;
    }
    if (entry == 0) a.erase(monomial);
  }
  return a;
}

}  // namespace

MaybePolynomial sum(const MaybePolynomial& a, const MaybePolynomial& b, int64_t factor) {
  return a && b ? add(*a, *b, factor) : std::nullopt;
}

// Nothing on overflow.
MaybePolynomial product(const Polynomial& a, const Polynomial& b) {
  Polynomial result;
  for (const auto& [left, p] : a) {
    for (const auto& [right, q] : b) {
      Monomial merged;
      std::merge(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(merged));
      int64_t& entry = result[merged];
      int64_t term = 0;
      if (__builtin_mul_overflow(p, q, &term) || __builtin_add_overflow(entry, term, &entry)) {
        return std::nullopt;
      }
      if (entry == 0) result.erase(merged);
    }
  }
  return result;
}

bool too_big(const Polynomial& p) {
  return p.size() > kMaxTerms || (!p.empty() && p.begin()->first.size() > kMaxDegree);
}

namespace {

std::string print_operand(const Polynomial& p) {
  const std::string text = print(p);
  const bool one_factor = p.size() <= 1 && (p.empty() || p.begin()->second >= 0);
  return one_factor ? text : "(" + text + ")";
}

}  // namespace

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

namespace {

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
    MaybePolynomial total = Polynomial();
    for (;;) {
      total = sum(total, parse_product(), sign);
      if (!total || too_big(*total)) return std::nullopt;
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
    return at_ < text_.size() && is_symbol_char(text_[at_])
               ? std::nullopt
               : MaybePolynomial(constant_polynomial(value));
  }

  static bool is_symbol_char(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == ':';
  }
  static Polynomial atom(const std::string& name) { return {{Monomial{name}, 1}}; }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

MaybePolynomial parse_polynomial(std::string_view text) {
  return Parser(text).parse();
}

namespace {

// a / b when b divides a exactly (multivariate long division by leading terms).
MaybePolynomial exact_quotient(MaybePolynomial a, const Polynomial& b) {
  MaybePolynomial result = Polynomial();
  const auto& [divisor, divisor_coefficient] = *b.begin();
  for (size_t step = 0; a && !a->empty(); ++step) {
    const auto& [lead, coefficient] = *a->begin();
    if (step > kMaxTerms || divisor_coefficient == -1 || coefficient % divisor_coefficient != 0 ||
        !std::includes(lead.begin(), lead.end(), divisor.begin(), divisor.end())) {
      return std::nullopt;
    }
    Monomial rest;
    std::set_difference(lead.begin(), lead.end(), divisor.begin(), divisor.end(),
                        std::back_inserter(rest));
    const Polynomial term{{rest, coefficient / divisor_coefficient}};
    result = sum(result, term, 1);
    a = sum(a, product(term, b), -1);
  }
  return a ? result : std::nullopt;
}

// floor((floor(x/m) + k) / n) = floor((x + k*m) / (m*n)) for m, n > 0: gives x + k*m and m*n.
std::optional<std::pair<Polynomial, int64_t>> flattened(const Polynomial& a, int64_t n) {
  if (a.empty() || a.size() > 2 || a.begin()->first.size() != 1 || a.begin()->second != 1) {
    return std::nullopt;
  }
  if (a.size() == 2 && !a.rbegin()->first.empty()) return std::nullopt;
  const std::string_view atom(a.begin()->first.front());
  const size_t slash = atom.rfind('/');
  if (atom.rfind("floor(", 0) != 0 || slash == std::string::npos) return std::nullopt;
  const auto divisor = parse_polynomial(atom.substr(slash + 1, atom.size() - slash - 2));
  const auto m = divisor ? as_constant(*divisor) : std::nullopt;
  if (!m || *m <= 0) return std::nullopt;
  const auto x = parse_polynomial(atom.substr(6, slash - 6));
  const auto moved =
      sum(x, a.size() == 2 ? constant_polynomial(a.rbegin()->second) : Polynomial(), *m);
  int64_t both = 0;
  if (!moved || __builtin_mul_overflow(*m, n, &both)) return std::nullopt;
  return std::pair(*moved, both);
}

}  // namespace

MaybePolynomial quotient(const Polynomial& a, const Polynomial& b) {
  if (a.empty()) return a;
  if (MaybePolynomial exact = exact_quotient(a, b)) return exact;
  Polynomial whole;  // floor((b*whole + rest) / b) = whole + floor(rest / b)
  Polynomial rest = a;
  Polynomial divisor = b;
  if (const auto n = as_constant(b); n && *n > 0) {
    if (const auto flat = flattened(a, *n)) {
      rest = flat->first;
      divisor = constant_polynomial(flat->second);
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
      return sum(std::move(whole), constant_polynomial(floor_quotient(*c, d)), 1);
    }
  }
  const std::string text = "floor(" + print_operand(rest) + "/" + print_operand(divisor) + ")";
  if (text.size() > kMaxExpression) return std::nullopt;
  return sum(std::move(whole), Polynomial{{Monomial{text}, 1}}, 1);
}

}  // namespace fettle::ops
