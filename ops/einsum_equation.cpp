// The grammar of Einsum's equation: terms separated by commas, "->" and the output term; a term is
// letters with at most one "...". Without "->" the output is "..." and then the labels that occur
// once, in alphabetical order.
#include <algorithm>
#include <map>
#include <optional>

#include "ir/error.h"
#include "ops/einsum.h"

namespace fettle::ops {
namespace {

// A term: letters, and -1 where the ellipsis stands.
using Term = std::vector<int>;
constexpr int kEllipsis = -1;

struct Terms {
  std::vector<Term> operands;
  std::optional<Term> output;
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Terms parse(std::string text) {
  std::erase(text, ' ');
  Terms terms;
  Term current;
  bool in_output = false;
  const auto malformed = [&](size_t at) {
    fail(ErrorCode::kBadInput, "attribute equation: '{}' is malformed at position {}", text, at);
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_letter(text[i])) {
      current.push_back(text[i]);
    } else if (text.compare(i, 3, "...") == 0) {
      if (std::find(current.begin(), current.end(), kEllipsis) != current.end()) malformed(i);
      current.push_back(kEllipsis);
      i += 2;
    } else if (text[i] == ',' && !in_output) {
      terms.operands.push_back(std::exchange(current, {}));
    } else if (text.compare(i, 2, "->") == 0 && !in_output) {
      terms.operands.push_back(std::exchange(current, {}));
      in_output = true;
      ++i;
    } else {
      malformed(i);
    }
  }
  if (in_output) {
    terms.output = current;
  } else {
    terms.operands.push_back(current);
  }
  return terms;
}

Term implicit_output(const std::vector<Term>& operands) {
  std::map<int, int> counts;
  for (const Term& term : operands) {
    for (const int label : term) ++counts[label];
  }
  Term out;
  for (const auto& [label, count] : counts) {
    if (count == 1 || label == kEllipsis) out.push_back(label);
  }
  return out;
}

}  // namespace

EinsumEquation::EinsumEquation(const std::string& equation, const std::vector<size_t>& ranks) {
  const Terms terms = parse(equation);
  if (terms.operands.size() != ranks.size()) {
    fail(ErrorCode::kBadInput,
         "attribute equation: expected {} terms for as many operands, found {}", ranks.size(),
         terms.operands.size());
  }
  // Axes under each operand's ellipsis; label 0 is the last axis under any of them.
  std::vector<size_t> hidden(ranks.size(), 0);
  for (size_t i = 0; i < ranks.size(); ++i) {
    const Term& term = terms.operands[i];
    const bool open = std::find(term.begin(), term.end(), kEllipsis) != term.end();
    const size_t named = term.size() - (open ? 1 : 0);
    if (named > ranks[i] || (!open && named != ranks[i])) {
      fail(ErrorCode::kBadInput, "attribute equation: term {} does not fit an operand of rank {}",
           i, ranks[i]);
    }
    hidden[i] = ranks[i] - named;
  }
  const size_t most = ranks.empty() ? 0 : *std::max_element(hidden.begin(), hidden.end());
  std::map<int, int> numbers;
  const auto expand = [&](const Term& term, size_t under) {
    std::vector<int> out;
    for (const int label : term) {
      if (label == kEllipsis) {
        for (size_t a = under; a-- > 0;) out.push_back(static_cast<int>(a));
      } else {
        const int next = static_cast<int>(most + numbers.size());
        out.push_back(numbers.emplace(label, next).first->second);
      }
    }
    return out;
  };
  for (size_t i = 0; i < ranks.size(); ++i) {
    operands.push_back(expand(terms.operands[i], hidden[i]));
  }
  labels = static_cast<int>(most + numbers.size());
  output = expand(terms.output ? *terms.output : implicit_output(terms.operands), most);
  std::vector<int> sorted = output;
  std::sort(sorted.begin(), sorted.end());
  const bool repeated = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  if (repeated || static_cast<int>(most + numbers.size()) != labels) {
    fail(ErrorCode::kBadInput,
         "attribute equation: the output repeats a label or names one that no operand has");
  }
}

}  // namespace fettle::ops
