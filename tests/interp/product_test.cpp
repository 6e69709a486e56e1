// Matrix products and recurrent layers: kernels of every instruction set against plain sums, fused
// steps and odd extents against reference kernels.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "interp/float_product.h"
#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

using interp::Strip;

struct Extents {
  int64_t rows, depth, columns;
};

std::vector<float> numbers(int64_t count, uint32_t seed) {
  const ir::Tensor t = test::random_floats({count}, seed);
  const auto values = t.data<float>();
  return {values.begin(), values.end()};
}

// Element (r, j) in double, before clamping.
double plain(const Strip& s, int64_t b_step, int64_t r, int64_t j) {
  double sum = 0;
  for (int64_t k = 0; k < s.depth; ++k) {
    sum += static_cast<double>(s.a[r * s.a_row + k * s.a_step]) *
           static_cast<double>(s.b[k * s.b_row + j * b_step]);
  }
  sum *= s.scale;
  if (s.start != nullptr) sum += s.start[r * s.start_row + j];
  if (s.bias != nullptr) sum += s.bias[j];
  return sum;
}

// Every element as `plain` has it, within rounding, and nothing written between the rows.
void expect_sums(const Strip& reference, int64_t b_step, const Strip& s) {
  for (int64_t r = 0; r < s.rows; ++r) {
    for (int64_t j = 0; j < s.out_row; ++j) {
      const float found = s.out[r * s.out_row + j];
      if (j >= s.columns) {
        EXPECT_EQ(found, -77.0f);
        continue;
      }
      const double sum = plain(reference, b_step, r, j);
      const double expected = std::fmin(s.high, std::fmax(s.low, sum));
      EXPECT_NEAR(found, expected, 1e-6 * static_cast<double>(s.depth + 10))
          << "row " << r << " column " << j;
    }
  }
}

class TileKernelVersions : public testing::TestWithParam<int> {
 protected:
  const interp::TileKernels* kernels() const { return interp::tile_kernels(GetParam()); }
};

TEST_P(TileKernelVersions, SumsOverPaddedRows) {
  if (kernels() == nullptr) GTEST_SKIP() << "fewer versions run on this CPU";
  uint32_t seed = 1;
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 13}) {
    for (const int64_t depth : {1, 2, 7, 8, 33}) {
      for (int64_t columns = 1; columns <= kernels()->width; columns += 3) {
        const int64_t stride =
            (columns + kernels()->lanes - 1) / kernels()->lanes * kernels()->lanes;
        const auto a = numbers(rows * (depth + 2), ++seed);
        const auto b = numbers(depth * stride, ++seed);
        const auto start = numbers(rows * columns, ++seed);
        const auto bias = numbers(columns, ++seed);
        std::vector<float> out(static_cast<size_t>(rows * (columns + 3)), -77.0f);
        Strip s;
        s.a = a.data();
        s.a_row = depth + 2;
        s.b = b.data();
        s.b_row = stride;
        s.depth = depth;
        s.scale = 0.5f;
        if (seed % 3 != 0) s.start = start.data();
        s.start_row = columns;
        if (seed % 5 != 0) s.bias = bias.data();
        if (seed % 2 != 0) s.low = -0.5f;
        if (seed % 7 != 0) s.high = 1.0f;
        s.out = out.data();
        s.out_row = columns + 3;
        s.rows = rows;
        s.columns = columns;
        kernels()->multiply(s);
        expect_sums(s, 1, s);
      }
    }
  }
}

TEST_P(TileKernelVersions, SumsOverTransposedRows) {
  if (kernels() == nullptr) GTEST_SKIP() << "fewer versions run on this CPU";
  uint32_t seed = 1000;
  for (const int64_t rows : {1, 2, 5}) {
    for (const int64_t depth : {1, 3, 8, 16, 31, 64, 130}) {
      for (const int64_t columns : {1, 3, 4, 6, 9, 130}) {
        const auto a = numbers(rows * depth, ++seed);
        const auto b = numbers(columns * depth, ++seed);
        const auto bias = numbers(columns, ++seed);
        std::vector<float> out(static_cast<size_t>(rows * columns));
        Strip s;
        s.a = a.data();
        s.a_row = depth;
        s.b = b.data();
        s.b_row = depth;
        s.depth = depth;
        s.bias = bias.data();
        s.low = -1.0f;
        s.out = out.data();
        s.out_row = columns;
        s.rows = rows;
        s.columns = columns;
        kernels()->multiply_transposed(s);
        Strip reference = s;
        reference.b_row = 1;
        expect_sums(reference, depth, s);
      }
    }
  }
}

TEST_P(TileKernelVersions, NanStaysNanWhenClamped) {
  if (kernels() == nullptr) GTEST_SKIP() << "fewer versions run on this CPU";
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> a{nan, 1.0f};
  const std::vector<float> b(64, 1.0f);
  std::vector<float> out(2);
  Strip s;
  s.a = a.data();
  s.a_row = 1;
  s.b = b.data();
  s.b_row = kernels()->lanes;
  s.depth = 1;
  s.low = 0.0f;
  s.high = 0.5f;
  s.out = out.data();
  s.out_row = 1;
  s.rows = 2;
  s.columns = 1;
  kernels()->multiply(s);
  EXPECT_TRUE(std::isnan(out[0]));
  EXPECT_EQ(out[1], 0.5f);
  s.b_row = 1;
  kernels()->multiply_transposed(s);
  EXPECT_TRUE(std::isnan(out[0]));
  EXPECT_EQ(out[1], 0.5f);
}

// A classifier whose logits are equal must not prefer the classes of a narrower strip.
TEST_P(TileKernelVersions, EqualColumnsHaveEqualSums) {
  if (kernels() == nullptr) GTEST_SKIP() << "fewer versions run on this CPU";
  constexpr int64_t kDepth = 517;
  const int64_t width = kernels()->width;
  const auto column = numbers(kDepth, 5);
  std::vector<float> across(static_cast<size_t>(kDepth * width));
  std::vector<float> down;
  for (int64_t i = 0; i < kDepth * width; ++i) {
    across[static_cast<size_t>(i)] = column[static_cast<size_t>(i / width)];
  }
  for (int64_t j = 0; j < width; ++j) down.insert(down.end(), column.begin(), column.end());
  for (const int64_t rows : {1, 2, 3, 6}) {
    const auto a = numbers(rows * kDepth, 7);
    for (const bool transposed : {false, true}) {
      std::vector<float> first;
      for (int64_t columns = 1; columns <= width; ++columns) {
        std::vector<float> out(static_cast<size_t>(rows * columns));
        Strip s;
        s.a = a.data();
        s.a_row = s.depth = kDepth;
        s.b = transposed ? down.data() : across.data();
        s.b_row = transposed ? kDepth : width;
        s.out = out.data();
        s.out_row = s.columns = columns;
        s.rows = rows;
        transposed ? kernels()->multiply_transposed(s) : kernels()->multiply(s);
        if (columns == 1) first = out;
        for (int64_t i = 0; i < rows * columns; ++i) {
          ASSERT_EQ(out[static_cast<size_t>(i)], first[static_cast<size_t>(i / columns)])
              << rows << " rows, column " << i % columns << " of " << columns;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Product, TileKernelVersions, testing::Range(0, interp::kTileVersions));

TEST(PackColumns, TurnsAndPads) {
  const int64_t rows = 11;
  const int64_t columns = 10;
  const auto source = numbers(rows * columns, 5);
  for (const bool turned : {false, true}) {
    const interp::MatrixView view =
        turned ? interp::MatrixView{source.data(), rows, columns, 1, rows}
               : interp::MatrixView{source.data(), rows, columns, columns, 1};
    std::vector<float> packed(static_cast<size_t>(rows * 12), -1.0f);
    interp::pack_columns(view, 1, 9, 12, packed.data());
    for (int64_t k = 0; k < rows; ++k) {
      for (int64_t j = 0; j < 12; ++j) {
        const float expected =
            j < 9 ? view.data[k * view.row_step + (j + 1) * view.column_step] : 0.0f;
        EXPECT_EQ(packed[static_cast<size_t>(k * 12 + j)], expected);
      }
    }
  }
}

struct Case {
  std::string name;
  std::string graph;
  int64_t opset = 17;
};

class ProductSteps : public testing::TestWithParam<Case> {};

TEST_P(ProductSteps, MatchTheReference) {
  const ir::Model model = test::parse_text_graph(GetParam().graph, GetParam().opset);
  test::expect_accelerated_matches(model, 23);
}

std::vector<Case> fused() {
  const std::string head = "g (float[5,33] x, float[33,70] w, float[70] b";
  const std::string linear = ") => (float z) { m = MatMul(x, w) a = Add(m, b) ";
  return {
      {"bias", head + ") => (float z) { m = MatMul(x, w) z = Add(b, m) }"},
      {"relu", head + linear + "z = Relu(a) }"},
      {"clip", head + linear +
                   "l = Constant <value = float {-0.5}> () "
                   "h = Constant <value = float {0.75}> () z = Clip(a, l, h) }"},
      {"sigmoid", head + linear + "z = Sigmoid(a) }"},
      {"leaky", head + linear + "z = LeakyRelu <alpha = 0.3> (a) }"},
      {"tanh_of_gemm", head + ") => (float z) { m = Gemm <alpha = 0.5, beta = 2.0> (x, w, b) "
                              "z = Tanh(m) }"},
      {"residual", head + ", float[5,70] r" + linear + "s = Relu(r) q = Add(a, s) z = Relu(q) }"},
      {"residual_first", head + ", float[5,70] r" + linear + "s = Relu(r) z = Add(s, a) }"},
      {"residual_used_later",
       head + ", float[5,70] r" + linear + "s = Relu(r) q = Add(a, s) z = Mul(q, s) }"},
      {"wider_addend", head + ", float[3,5,70] r" + linear + "z = Add(a, r) }"},
      {"wider_bias",
       "g (float[5,33] x, float[33,1] w, float[70] b) => (float z) "
       "{ m = MatMul(x, w) z = Add(m, b) }"},
      {"column_addend",
       "g (float[5,33] x, float[33,70] w, float[5,1] c) => (float z) "
       "{ m = MatMul(x, w) a = Add(m, c) z = Relu(a) }"},
      {"scaled", head + ") => (float z) { m = MatMul(x, w) s = Constant <value = float {0.125}> () "
                        "q = Mul(s, m) z = Add(q, b) }"},
      {"divided", head + ") => (float z) { m = MatMul(x, w) "
                         "s = Constant <value = float {8.0}> () z = Div(m, s) }"},
      {"scaled_to_more_axes", head +
                                  ") => (float z) { m = MatMul(x, w) "
                                  "s = Constant <value = float[1,1,1] {0.125}> () z = Mul(m, s) }"},
      {"shared_product", head + linear + "r = Relu(a) z = Add(r, m) }"},
      {"observed_product",
       "g (float[5,33] x, float[33,70] w, float[70] b) => (float z, float m) "
       "{ m = MatMul(x, w) z = Add(m, b) }"},
      {"product_plus_itself",
       "g (float[5,33] x, float[33,70] w) => (float z) "
       "{ m = MatMul(x, w) z = Add(m, m) }"},
      {"two_products_added",
       "g (float[5,33] x, float[33,70] w, float[33,70] v) => (float z) "
       "{ m = MatMul(x, w) n = MatMul(x, v) z = Add(m, n) }"},
      {"vector_bias",
       "g (float[33] x, float[33,70] w, float[70] b) => (float z) "
       "{ m = MatMul(x, w) a = Add(m, b) z = Relu(a) }"},
      {"vector_right",
       "g (float[4,5,33] x, float[33] w, float[5] b) => (float z) "
       "{ m = MatMul(x, w) a = Add(m, b) z = Relu(a) }"},
      {"integers",
       "g (int32[5,3] x, int32[3,7] w, int32[7] b) => (int32 z) "
       "{ m = MatMul(x, w) z = Add(m, b) }"},
      {"no_rows",
       "g (float[0,33] x, float[33,70] w, float[70] b) => (float z) "
       "{ m = MatMul(x, w) a = Add(m, b) z = Relu(a) }"},
      {"no_depth",
       "g (float[4,0] x, float[0,7] w, float[7] b) => (float z) "
       "{ m = MatMul(x, w) a = Add(m, b) z = Relu(a) }"},
  };
}

std::vector<Case> shapes() {
  std::vector<Case> cases;
  const std::vector<Extents> extents{{1, 1, 1},     {1, 640, 129},  {1, 1200, 1000}, {2, 7, 65},
                                     {6, 64, 64},   {7, 50, 63},    {12, 100, 16},   {13, 31, 17},
                                     {49, 70, 130}, {100, 300, 257}};
  for (const Extents& e : extents) {
    const std::string m = std::to_string(e.rows);
    const std::string k = std::to_string(e.depth);
    const std::string n = std::to_string(e.columns);
    const std::string name = m + "_" + k + "_" + n;
    cases.push_back({name, "g (float[" + m + "," + k + "] a, float[" + k + "," + n +
                               "] b) => (float z) { z = MatMul(a, b) }"});
    cases.push_back({"gemm_" + name,
                     "g (float[" + k + "," + m + "] a, float[" + n + "," + k + "] b, float[" + n +
                         "] c) => (float z) { z = Gemm <transA = 1, transB = 1> (a, b, c) }"});
    cases.push_back({"gemm_b_" + name, "g (float[" + m + "," + k + "] a, float[" + n + "," + k +
                                           "] b) => (float z) { z = Gemm <transB = 1> (a, b) }"});
  }
  return cases;
}

// Transposed operands and outputs.
std::vector<Case> turned() {
  const auto product = [](const std::string& name, const std::string& a, const std::string& a_perm,
                          const std::string& b, const std::string& b_perm,
                          const std::string& out_perm) {
    std::string graph = "g (float" + a + " x, float" + b + " y) => (float z) { ";
    graph += a_perm.empty() ? "q = Identity(x) " : "q = Transpose <perm = " + a_perm + "> (x) ";
    graph += b_perm.empty() ? "k = Identity(y) " : "k = Transpose <perm = " + b_perm + "> (y) ";
    graph += out_perm.empty() ? "z = MatMul(q, k) }"
                              : "m = MatMul(q, k) z = Transpose <perm = " + out_perm + "> (m) }";
    return Case{name, graph};
  };
  return {
      product("scores", "[2,9,3,8]", "[0,2,1,3]", "[2,11,3,8]", "[0,2,3,1]", ""),
      product("scores_large", "[1,99,2,64]", "[0,2,1,3]", "[1,101,2,64]", "[0,2,3,1]", ""),
      product("context", "[2,3,9,11]", "", "[2,11,3,8]", "[0,2,1,3]", "[0,2,1,3]"),
      product("context_large", "[1,4,99,101]", "", "[1,101,4,32]", "[0,2,1,3]", "[0,2,1,3]"),
      product("left", "[33,5]", "[1,0]", "[33,20]", "", ""),
      product("right", "[5,33]", "", "[20,33]", "[1,0]", ""),
      product("both", "[33,5]", "[1,0]", "[20,33]", "[1,0]", ""),
      product("right_to_columns", "[5,33]", "", "[20,33]", "[1,0]", "[1,0]"),
      product("outer_axes", "[4,2,6,5]", "[2,0,1,3]", "[5,7]", "", "[1,0,2,3]"),
      product("inner_axis", "[2,3,4,5]", "[3,1,2,0]", "[2,9]", "", ""),
      product("broadcast", "[4,1,6,5]", "[1,0,2,3]", "[3,1,7,5]", "[0,1,3,2]", "[1,0,2,3]"),
      {"two_transposes",
       "g (float[5,33] x, float[33,20] y) => (float z) { a = Transpose <perm = [1,0]> (y) "
       "b = Transpose <perm = [1,0]> (a) z = MatMul(x, b) }"},
      {"transpose_read_twice",
       "g (float[5,33] x, float[20,33] y) => (float z, float k) { k = Transpose <perm = [1,0]> (y) "
       "z = MatMul(x, k) }"},
      {"square",
       "g (float[20,20] x, float[20,20] y) => (float z) { t = Transpose <perm = [1,0]> (x) "
       "z = MatMul(t, t) }"},
      {"scaled_and_turned",
       "g (float[2,9,3,8] x, float[2,3,8,11] y) => (float z) "
       "{ q = Transpose <perm = [0,2,1,3]> (x) m = MatMul(q, y) "
       "s = Constant <value = float {0.25}> () c = Mul(m, s) "
       "z = Transpose <perm = [0,2,1,3]> (c) }"},
      {"gemm_turned",
       "g (float[33,5] x, float[20,33] y, float[20] c) => (float z) "
       "{ a = Transpose <perm = [1,0]> (x) b = Transpose <perm = [1,0]> (y) "
       "z = Gemm(a, b, c) }"},
      {"gemm_turned_twice",
       "g (float[5,33] x, float[33,20] y) => (float z) "
       "{ a = Transpose <perm = [1,0]> (x) b = Transpose <perm = [1,0]> (y) "
       "z = Gemm <transA = 1, transB = 1> (a, b) }"},
  };
}

std::vector<Case> layers() {
  const auto layer = [](const std::string& op, int gates, int steps, int batch, int input,
                        int hidden, int directions, const std::string& attributes) {
    const auto text = [](int value) { return std::to_string(value); };
    const std::string d = text(directions);
    std::string name = op + "_" + text(steps) + "_" + text(batch) + "_" + text(input) + "_" +
                       text(hidden) + "_" + d;
    if (attributes.find("linear") != std::string::npos) name += "_linear";
    if (attributes.find("Relu") != std::string::npos) name += "_relu";
    return Case{name, "g (float[" + text(steps) + "," + text(batch) + "," + text(input) +
                          "] x, float[" + d + "," + text(gates * hidden) + "," + text(input) +
                          "] w, float[" + d + "," + text(gates * hidden) + "," + text(hidden) +
                          "] r, float[" + d + "," + text(2 * gates * hidden) +
                          "] b) => (float y, float yh) { s = Constant <value = float {0.1}> () "
                          "v = Mul(w, s) q = Mul(r, s) y, yh = " +
                          op + " <hidden_size = " + text(hidden) + attributes + "> (x, v, q, b) }"};
  };
  const std::string both = ", direction = \"bidirectional\"";
  const std::string linear = ", linear_before_reset = 1";
  return {
      layer("LSTM", 4, 3, 1, 5, 1, 1, ""),
      layer("LSTM", 4, 5, 2, 9, 16, 1, ""),
      layer("LSTM", 4, 4, 7, 20, 33, 2, both),
      layer("LSTM", 4, 3, 1, 40, 256, 1, ""),
      layer("LSTM", 4, 30, 1, 20, 128, 2, both),
      layer("GRU", 3, 5, 2, 9, 16, 1, ""),
      layer("GRU", 3, 4, 7, 20, 33, 2, both),
      layer("GRU", 3, 3, 1, 40, 300, 1, ""),
      layer("GRU", 3, 4, 3, 9, 17, 1, linear),
      layer("GRU", 3, 3, 1, 40, 300, 1, linear),
      layer("RNN", 1, 6, 3, 9, 20, 2, both),
      layer("RNN", 1, 6, 3, 9, 20, 1, ", activations = [\"Relu\"]"),
  };
}

std::vector<Case> lengths() {
  const auto lstm = [](const std::string& name, const std::string& values) {
    return Case{name,
                "g (float[5,2,4] x, float[1,24,4] w, float[1,24,6] r) => (float y) "
                "{ n = Constant <value = int32[2] {" +
                    values + "}> () y = LSTM <hidden_size = 6> (x, w, r, , n) }"};
  };
  return {lstm("whole", "5,5"), lstm("unequal", "5,3")};
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Fused, ProductSteps, testing::ValuesIn(fused()), case_name);
INSTANTIATE_TEST_SUITE_P(Shapes, ProductSteps, testing::ValuesIn(shapes()), case_name);
INSTANTIATE_TEST_SUITE_P(Turned, ProductSteps, testing::ValuesIn(turned()), case_name);
INSTANTIATE_TEST_SUITE_P(Layers, ProductSteps, testing::ValuesIn(layers()), case_name);
INSTANTIATE_TEST_SUITE_P(Lengths, ProductSteps, testing::ValuesIn(lengths()), case_name);

}  // namespace
}  // namespace fettle
