#include <algorithm>

#include "ops/kernel_context.h"
#include "ops/run_text.h"

namespace fettle::test {
namespace {

using Floats = std::vector<float>;

const std::string kSlice =
    "g (float[n] x, int64[k] s, int64[k] e, int64[k] a, int64[k] t) => (float[m] y) "
    "{ y = Slice(x, s, e, a, t) }";

Floats sliced(int64_t start, int64_t end, int64_t step) {
  return values<float>(run_one(kSlice, {{"x", iota({6})},
                                        {"s", longs({start})},
                                        {"e", longs({end})},
                                        {"a", longs({0})},
                                        {"t", longs({step})}}));
}

TEST(Slice, StepsInBothDirections) {
  EXPECT_EQ(sliced(1, 5, 2), (Floats{1, 3}));
  EXPECT_EQ(sliced(-2, 100, 1), (Floats{4, 5}));
  EXPECT_EQ(sliced(-1, -100, -2), (Floats{5, 3, 1}));
  EXPECT_EQ(sliced(4, 1, -1), (Floats{4, 3, 2}));
  EXPECT_EQ(sliced(3, 3, 1), Floats{});
}

TEST(Slice, ExtremesOfInt64) {
  EXPECT_EQ(sliced(INT64_MIN, INT64_MAX, 1), (Floats{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(sliced(INT64_MAX, INT64_MIN, -1), (Floats{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(sliced(INT64_MAX, INT64_MIN, INT64_MIN), (Floats{5}));
  EXPECT_EQ(sliced(INT64_MIN, INT64_MAX, INT64_MAX), (Floats{0}));
  EXPECT_EQ(error_of([] { sliced(0, 1, 0); }), ErrorCode::kBadInput);
}

const std::string kPad =
    "g (float[n] x, int64[k] p) => (float[m] y) { y = Pad<mode = \"MODE\">(x, p) }";

Floats padded(const std::string& mode, int64_t begin, int64_t end) {
  std::string graph = kPad;
  graph.replace(graph.find("MODE"), 4, mode);
  return values<float>(run_one(graph, {{"x", iota({4})}, {"p", longs({begin, end})}}, 19));
}

TEST(Pad, Modes) {
  EXPECT_EQ(padded("constant", 1, 2), (Floats{0, 0, 1, 2, 3, 0, 0}));
  EXPECT_EQ(padded("reflect", 2, 3), (Floats{2, 1, 0, 1, 2, 3, 2, 1, 0}));
  EXPECT_EQ(padded("edge", 2, 1), (Floats{0, 0, 0, 1, 2, 3, 3}));
  EXPECT_EQ(padded("wrap", 2, 1), (Floats{2, 3, 0, 1, 2, 3, 0}));
}

TEST(Pad, NegativePadsCrop) {
  EXPECT_EQ(padded("constant", -1, 2), (Floats{1, 2, 3, 0, 0}));
  EXPECT_EQ(padded("constant", 6, -7), (Floats{0, 0, 0}));
  EXPECT_EQ(padded("reflect", -1, 2), (Floats{1, 2, 3, 2, 1}));
  EXPECT_EQ(error_of([] { padded("constant", -3, -2); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([] { padded("edge", -4, 2); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([] { padded("constant", INT64_MIN, INT64_MAX); }), ErrorCode::kLimit);
  EXPECT_EQ(error_of([] { padded("constant", 0, int64_t{1} << 59); }), ErrorCode::kLimit);
}

TEST(Split, UnevenPartsFromVersion18) {
  const std::string graph =
      "g (float[7] x) => (float[a] p, float[b] q, float[c] r) "
      "{ p, q, r = Split<axis = 0, num_outputs = 3>(x) }";
  const auto out = run_text(graph, {{"x", iota({7})}}, 18);
  EXPECT_EQ(values<float>(out[0].tensor), (Floats{0, 1, 2}));
  EXPECT_EQ(values<float>(out[1].tensor), (Floats{3, 4, 5}));
  EXPECT_EQ(values<float>(out[2].tensor), (Floats{6}));
}

TEST(Split, SizesMustAddUp) {
  const std::string graph =
      "g (float[7] x, int64[2] s) => (float[a] p, float[b] q) { p, q = Split<axis = 0>(x, s) }";
  EXPECT_EQ(
      values<float>(run_text(graph, {{"x", iota({7})}, {"s", longs({7, 0})}})[0].tensor).size(),
      7u);
  for (const Longs& sizes : {Longs{3, 3}, Longs{9, -2}, Longs{INT64_MAX, INT64_MAX}}) {
    EXPECT_EQ(error_of([&] {
                run_text(graph, {{"x", iota({7})}, {"s", longs(sizes)}});
              }),
              ErrorCode::kBadInput);
  }
}

TEST(Transpose, EveryPermutationOfRankFour) {
  std::vector<int64_t> perm{0, 1, 2, 3};
  const ir::Dims dims{2, 3, 17, 19};
  const ir::Tensor x = iota(dims);
  do {
    const std::string graph = "g (float[a,b,c,d] x) => (float[] y) { y = Transpose<perm = [" +
                              std::to_string(perm[0]) + "," + std::to_string(perm[1]) + "," +
                              std::to_string(perm[2]) + "," + std::to_string(perm[3]) + "]>(x) }";
    const ir::Tensor y = run_one(graph, {{"x", x}});
    const auto strides = ops::row_major_strides(dims);
    const auto out = ops::row_major_strides(y.dims());
    for (int64_t i = 0; i < y.size(); ++i) {
      int64_t from = 0;
      for (size_t k = 0; k < 4; ++k) {
        const auto axis = static_cast<size_t>(perm[k]);
        ASSERT_EQ(y.dim(k), dims[axis]);
        from += i / out[k] % y.dim(k) * strides[axis];
      }
      ASSERT_EQ(y.data<float>()[static_cast<size_t>(i)], static_cast<float>(from));
    }
  } while (std::next_permutation(perm.begin(), perm.end()));
}

TEST(Movement, SubByteElementsAndStrings) {
  // Nibbles 0 to 5, the first in the low bits.
  ir::Tensor x(ir::DataType::kUint4, {2, 3});
  const uint8_t packed[] = {0x10, 0x32, 0x54};
  std::copy_n(packed, 3, reinterpret_cast<uint8_t*>(x.mutable_bytes()));
  const ir::Model model =
      parse_text_graph("g (float[2,3] x) => (float[3,2] y) { y = Transpose(x) }", 21);
  model.graph->inputs()[0]->type = ir::Type::tensor(ir::DataType::kUint4, ir::shape_of({2, 3}));
  const ir::Tensor y = interp::Executor(model).run({{"x", x}})[0].tensor;
  ASSERT_EQ(y.type(), ir::DataType::kUint4);
  Longs codes;
  for (int64_t i = 0; i < 6; ++i) codes.push_back(ir::element_as_int(y, i));
  EXPECT_EQ(codes, (Longs{0, 3, 1, 4, 2, 5}));

  const ir::Tensor words = ir::Tensor::of_strings({2, 2}, {"a", "b", "c", "d"});
  const ir::Tensor joined = run_one(
      "g (string[2,2] x) => (string[4,2] y) { t = Transpose(x) y = Concat<axis = 0>(x, t) }",
      {{"x", words}});
  EXPECT_EQ(joined.strings(), (std::vector<std::string>{"a", "b", "c", "d", "a", "c", "b", "d"}));
}

TEST(Expand, BroadcastsAndRefuses) {
  const std::string graph = "g (float[a,b] x, int64[n] s) => (float[] y) { y = Expand(x, s) }";
  EXPECT_EQ(values<float>(run_one(graph, {{"x", iota({2, 1})}, {"s", longs({2, 1, 3})}})),
            (Floats{0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(error_of([&] {
              run_one(graph, {{"x", iota({2, 1})}, {"s", longs({3, 2})}});
            }),
            ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] {
              run_one(graph, {{"x", iota({2, 1})}, {"s", longs({INT64_MAX, 2, 1})}});
            }),
            ErrorCode::kLimit);
}

TEST(Tile, RepeatsEveryAxis) {
  const std::string graph = "g (float[a,b] x, int64[n] r) => (float[] y) { y = Tile(x, r) }";
  EXPECT_EQ(values<float>(run_one(graph, {{"x", iota({1, 2})}, {"r", longs({2, 2})}})),
            (Floats{0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(error_of([&] {
              run_one(graph, {{"x", iota({1, 2})}, {"r", longs({-1, 2})}});
            }),
            ErrorCode::kBadInput);
}

}  // namespace
}  // namespace fettle::test
