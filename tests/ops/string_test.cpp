#include <gtest/gtest.h>

#include "ir/buffer.h"
#include "ir/error.h"
#include "ops/run_operator.h"
#include "ops/string_case.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;
using Strings = std::vector<std::string>;

Tensor strings(Strings list) {
  const auto count = static_cast<int64_t>(list.size());
  return Tensor::of_strings({count}, std::move(list));
}

TEST(StringCase, UnicodeAndBytesThatAreNone) {
  using ops::StringCase;
  EXPECT_EQ(ops::with_case("aZ\xc3\xa9\xd0\xb6", StringCase::kUpper), "AZ\xc3\x89\xd0\x96");
  EXPECT_EQ(ops::with_case("\xc3\x89\xff\xc3", StringCase::kLower), "\xc3\xa9\xff\xc3");
  // An overlong form, a surrogate and a code point beyond Unicode stay.
  const std::string invalid = "\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80";
  EXPECT_EQ(ops::with_case(invalid, StringCase::kUpper), invalid);
}

TEST(StringConcat, RefusesResultsBeyondTheMemoryLimit) {
  const size_t before = ir::memory_limit();
  ir::set_memory_limit(size_t{1} << 20);
  const Tensor large = strings({std::string(100'000, 'x')});
  EXPECT_THROW(run_operator({"StringConcat", 20}, {large, strings(Strings(100))}), Error);
  ir::set_memory_limit(before);
}

TEST(StringSplit, LimitedSplitsKeepTheRest) {
  const auto split = [](const char* delimiter, int most, const std::string& text) {
    return run_operator({"StringSplit", 20,
                         with(Attribute("delimiter", delimiter), Attribute("maxsplit", most)), 2},
                        {strings({text})})[0]
        .strings();
  };
  EXPECT_EQ(split(",", 1, "a,,b"), (Strings{"a", ",b"}));
  EXPECT_EQ(split(",", -1, "a,,b"), (Strings{"a", "", "b"}));
  EXPECT_EQ(split("", 1, "  a  b c "), (Strings{"a", "b c "}));
  EXPECT_EQ(split("", 0, "  a b "), (Strings{"a b "}));
  EXPECT_EQ(split("", -1, " \t\n"), Strings{});
}

// A pattern on which a backtracking matcher takes 2^60 steps, and one that overflows its stack.
TEST(RegexFullMatch, HostilePatternsAndTexts) {
  const auto match = [](const std::string& pattern, const std::string& text) -> bool {
    return booleans(run_operator({"RegexFullMatch", 20, with(Attribute("pattern", pattern))},
                                 {strings({text})})[0])[0];
  };
  EXPECT_FALSE(match("(a|aa)*(a*)*b", std::string(60, 'a')));
  EXPECT_TRUE(match("(a|b)*", std::string(1'000'000, 'b')));
  EXPECT_FALSE(match("a", "ab"));
  EXPECT_THROW(match("(", ""), Error);
  EXPECT_THROW(match(std::string(100'000, '('), ""), Error);
  EXPECT_THROW(match("(((a{1,1000}){1,1000}){1,1000})", "a"), Error);
  EXPECT_THROW(run_operator({"RegexFullMatch", 20}, {strings({"a"})}), Error);
}

TEST(TfIdf, WeightsBelongToGramsNotToCoordinates) {
  const auto y = run_operator(
      {"TfIdfVectorizer", 9,
       with(Attribute("mode", "TFIDF"), Attribute("ngram_counts", std::vector<int64_t>{0}),
            Attribute("ngram_indexes", std::vector<int64_t>{1, 0, 3}),
            Attribute("weights", std::vector<float>{10, 20, 30}), Attribute("min_gram_length", 1),
            Attribute("max_gram_length", 1), Attribute("max_skip_count", 0),
            Attribute("pool_int64s", std::vector<int64_t>{5, 6, 7}))},
      {Tensor::of<int64_t>({4}, {5, 5, 6, 7})});
  EXPECT_EQ(elements<float>(y[0]), (std::vector<float>{20, 20, 0, 30}));
}

TEST(TfIdf, HugeSkipCountsAndIndexesEnd) {
  const auto run = [](int64_t skips, int64_t index, int64_t length) {
    return run_operator(
        {"TfIdfVectorizer", 9,
         with(Attribute("mode", "TF"), Attribute("ngram_counts", std::vector<int64_t>{0, 0}),
              Attribute("ngram_indexes", std::vector<int64_t>{index}),
              Attribute("min_gram_length", 2), Attribute("max_gram_length", 2),
              Attribute("max_skip_count", skips),
              Attribute("pool_int64s", std::vector<int64_t>{0, 0}))},
        {Tensor::of<int64_t>({length}, std::vector<int64_t>(static_cast<size_t>(length)))});
  };
  EXPECT_EQ(elements<float>(run(INT64_MAX - 1, 0, 4)[0])[0], 6);  // every pair
  EXPECT_THROW(run(INT64_MAX - 1, 0, 1'000'000), Error);
  EXPECT_THROW(run(0, INT64_MAX, 4), Error);
  EXPECT_THROW(run(0, -1, 4), Error);
}

}  // namespace
}  // namespace fettle::test
