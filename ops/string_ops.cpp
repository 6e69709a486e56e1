// StringConcat, StringNormalizer, StringSplit, RegexFullMatch and the row of TfIdfVectorizer.
#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "ops/broadcast.h"
#include "ops/families.h"
#include "ops/string_case.h"
#include "ops/tfidf_vectorizer.h"

namespace fettle::ops {
namespace {

const std::vector<std::string>& strings_of(const ir::Tensor& tensor) {
  if (tensor.type() != ir::DataType::kString) {
    fail(ErrorCode::kBadInput, "expected strings, found {}", ir::data_type_name(tensor.type()));
  }
  return tensor.strings();
}

// --- StringConcat ----------------------------------------------------------------------------

void string_concat(KernelContext& context) {
  const auto& a = strings_of(context.input(0));
  const auto& b = strings_of(context.input(1));
  const ir::Dims dims = broadcast_dims(context.input(0).dims(), context.input(1).dims());
  std::string* to = context.output(0, ir::DataType::kString, dims).mutable_strings().data();
  const BroadcastLoop<2> loop(dims, {&context.input(0).dims(), &context.input(1).dims()});
  const auto at = [](const auto& strings, int64_t offset, int64_t i, int64_t step) -> const auto& {
    return strings[static_cast<size_t>(offset + i * step)];
  };
  size_t bytes = 0;
  loop.for_each_run([&](int64_t begin, int64_t count, const auto& offsets, const auto& steps) {
    for (int64_t i = 0; i < count; ++i) {
      const std::string& first = at(a, offsets[0], i, steps[0]);
      const std::string& second = at(b, offsets[1], i, steps[1]);
      bytes += first.size() + second.size();
      ir::require_memory(bytes);
      to[begin + i] = first + second;
    }
  });
}

void infer_string_concat(InferContext& context) {
  const ir::Shape* a = context.shape(0);
  const ir::Shape* b = context.shape(1);
  context.set(
      0, ir::DataType::kString,
      a != nullptr && b != nullptr ? std::optional(broadcast_shapes(*a, *b)) : std::nullopt);
}

// --- StringNormalizer ------------------------------------------------------------------------

StringCase case_action(const ir::Node& node) {
  const std::string name = node.attr_string("case_change_action", "NONE");
  if (name == "NONE") return StringCase::kUnchanged;
  if (name == "LOWER") return StringCase::kLower;
  if (name == "UPPER") return StringCase::kUpper;
  fail(ErrorCode::kBadInput,
       "attribute 'case_change_action': expected NONE, LOWER or UPPER, found '{}'", name);
}

// Elements of [C] or [1, C] that are no stop words, in the wanted case; one empty string when none
// is left. The locale attribute has no influence.
void string_normalizer(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  if (x.rank() < 1 || x.rank() > 2 || (x.rank() == 2 && x.dim(0) != 1)) {
    fail(ErrorCode::kBadInput, "expected strings [C] or [1, C], found {}", ir::to_string(x.dims()));
  }
  const StringCase action = case_action(context.node());
  const StringCase compared = context.node().attr_int("is_case_sensitive", 0) != 0
                                  ? StringCase::kUnchanged
                                  : StringCase::kLower;
  std::set<std::string> stops;
  for (const std::string& word : context.node().attr_strings("stopwords")) {
    stops.insert(with_case(word, compared));
  }
  std::vector<std::string> kept;
  for (const std::string& word : strings_of(x)) {
    if (stops.empty() || !stops.contains(with_case(word, compared))) {
      kept.push_back(with_case(word, action));
    }
  }
  if (kept.empty()) kept.emplace_back();
  ir::Dims dims(x.rank(), 1);
  dims.back() = static_cast<int64_t>(kept.size());
  context.set_output(0, ir::Tensor::of_strings(std::move(dims), std::move(kept)));
}

void infer_string_normalizer(InferContext& context) {
  case_action(context.node());
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) return context.set(0, ir::DataType::kString);
  if (x->empty() || x->size() > 2) {
    fail(ErrorCode::kBadInput, "expected strings [C] or [1, C], found {}", ir::to_string(*x));
  }
  ir::Shape out(x->size());
  if (out.size() == 2) out[0] = ir::Dim::of(1);
  if (x->back().known() && context.node().attr_strings("stopwords").empty()) {
    out.back() = ir::Dim::of(std::max<int64_t>(x->back().value, 1));
  }
  context.set(0, ir::DataType::kString, std::move(out));
}

// --- StringSplit -----------------------------------------------------------------------------

// Each of the following calls emit(piece) for every piece and returns their number; after `most`
// splits the rest is one piece.

// At runs of ASCII whitespace; none at the start, and none at the end unless it is in the rest.
template <typename Emit>
int64_t split_at_spaces(std::string_view text, int64_t most, Emit emit) {
  static constexpr std::string_view kSpaces = " \t\n\v\f\r";
  for (int64_t count = 0;; ++count) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
    if (text.empty()) return count;
    const size_t end =
        count == most ? text.size() : std::min(text.find_first_of(kSpaces), text.size());
    emit(text.substr(0, end));
    text.remove_prefix(end);
  }
}

template <typename Emit>
int64_t split_at(std::string_view text, std::string_view delimiter, int64_t most, Emit emit) {
  for (int64_t count = 0;; ++count) {
    const size_t end = count == most ? std::string_view::npos : text.find(delimiter);
    emit(text.substr(0, end));
    if (end == std::string_view::npos) return count + 1;
    text.remove_prefix(end + delimiter.size());
  }
}

void string_split(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const auto& texts = strings_of(x);
  const std::string delimiter = context.node().attr_string("delimiter", "");
  // Negative values set no limit.
  const int64_t most = context.node().attr_int("maxsplit", -1);
  const auto split = [&](const std::string& text, auto emit) {
    return delimiter.empty() ? split_at_spaces(text, most, emit)
                             : split_at(text, delimiter, most, emit);
  };
  ir::Tensor counts(ir::DataType::kInt64, x.dims());
  const auto count = counts.mutable_data<int64_t>();
  int64_t widest = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    count[i] = split(texts[i], [](std::string_view) {});
    widest = std::max(widest, count[i]);
  }
  ir::Dims dims = x.dims();
  dims.push_back(widest);
  auto& out = context.output(0, ir::DataType::kString, std::move(dims)).mutable_strings();
  for (size_t i = 0; i < texts.size(); ++i) {
    auto to = out.begin() + static_cast<int64_t>(i) * widest;
    split(texts[i], [&](std::string_view piece) { *to++ = piece; });
  }
  if (context.wants(1)) context.set_output(1, std::move(counts));
}

void infer_string_split(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) {
    context.set(0, ir::DataType::kString);
    return context.set(1, ir::DataType::kInt64);
  }
  ir::Shape out = *x;
  out.push_back(ir::Dim::unknown());
  context.set(0, ir::DataType::kString, std::move(out));
  context.set(1, ir::DataType::kInt64, *x);
}

// --- RegexFullMatch --------------------------------------------------------------------------

// RE2 matches in time linear in the text, with bounded memory and stack.
void regex_full_match(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  if (!context.node().has_attribute("pattern")) {
    fail(ErrorCode::kBadInput, "expected an attribute 'pattern', found none");
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 pattern(context.node().attr_string("pattern", ""), options);
  if (!pattern.ok()) {
    fail(ErrorCode::kBadInput, "attribute 'pattern': {}; use RE2 syntax", pattern.error());
  }
  const auto& texts = strings_of(x);
  bool* to = context.output(0, ir::DataType::kBool, x.dims()).mutable_data<bool>().data();
  for (const std::string& text : texts) *to++ = re2::RE2::FullMatch(text, pattern);
}

void infer_regex_full_match(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  context.set(0, ir::DataType::kBool, x != nullptr ? std::optional(*x) : std::nullopt);
}

constexpr OpDef kOps[] = {
    {"", "RegexFullMatch", 20, infer_regex_full_match, regex_full_match},
    {"", "StringConcat", 20, infer_string_concat, string_concat},
    {"", "StringNormalizer", 10, infer_string_normalizer, string_normalizer},
    {"", "StringSplit", 20, infer_string_split, string_split},
    {"", "TfIdfVectorizer", 9, infer_tfidf_vectorizer, tfidf_vectorizer},
};

}  // namespace

std::span<const OpDef> string_ops() {
  return kOps;
}

}  // namespace fettle::ops
