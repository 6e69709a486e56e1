// Einsum as products of matrices against the reference kernel, and what is left to that.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "interp/contraction.h"
#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

struct Case {
  std::string name;
  std::string equation;
  std::vector<ir::Dims> operands;
};

std::string graph_of(const Case& c) {
  std::string inputs;
  std::string arguments;
  for (size_t i = 0; i < c.operands.size(); ++i) {
    const std::string name(1, static_cast<char>('x' + i));
    const std::string dims = c.operands[i].empty() ? "" : ir::to_string(c.operands[i]);
    inputs += (i == 0 ? "float" : ", float") + dims + " " + name;
    arguments += (i == 0 ? "" : ", ") + name;
  }
  return "g (" + inputs + ") => (float r) { r = Einsum <equation = \"" + c.equation + "\"> (" +
         arguments + ") }";
}

std::optional<interp::Contraction> plan_of(const Case& c) {
  std::vector<size_t> ranks;
  for (const ir::Dims& dims : c.operands) ranks.push_back(dims.size());
  return interp::plan_contraction(ops::EinsumEquation(c.equation, ranks), c.operands);
}

class Einsum : public testing::TestWithParam<Case> {};

TEST_P(Einsum, MatchesTheReference) {
  ASSERT_TRUE(plan_of(GetParam()));
  test::expect_accelerated_matches(test::parse_text_graph(graph_of(GetParam())), 5);
}

class DeclinedEinsum : public testing::TestWithParam<Case> {};

TEST_P(DeclinedEinsum, IsLeftToTheReference) {
  EXPECT_FALSE(plan_of(GetParam()));
  test::expect_accelerated_matches(test::parse_text_graph(graph_of(GetParam())), 5);
}

std::vector<Case> lowered() {
  return {
      {"matrices", "ij,jk->ik", {{17, 33}, {33, 9}}},
      {"implicit_output", "ij,jk", {{7, 20}, {20, 19}}},
      {"transposed_result", "ij,jk->ki", {{17, 33}, {33, 9}}},
      {"transposed_operands", "ji,kj->ik", {{33, 17}, {9, 33}}},
      {"scores", "bghid,bghjd->bghij", {{1, 6, 2, 49, 32}, {1, 6, 2, 49, 32}}},
      {"mixture", "bghij,bghjd->bghid", {{1, 6, 2, 49, 49}, {1, 6, 2, 49, 32}}},
      {"heads_inside", "bqhd,bkhd->bhqk", {{2, 9, 3, 16}, {2, 11, 3, 16}}},
      {"heads_outside", "bhqk,bkhd->bqhd", {{2, 3, 9, 11}, {2, 11, 3, 16}}},
      {"to_heads", "btd,dhk->bthk", {{2, 9, 24}, {24, 3, 8}}},
      {"to_heads_turned", "btd,hdk->bhtk", {{2, 9, 24}, {3, 24, 8}}},
      {"from_heads", "bthk,hkd->btd", {{2, 9, 3, 8}, {3, 8, 24}}},
      {"from_heads_turned", "bhtk,hkd->btd", {{2, 3, 9, 8}, {3, 8, 24}}},
      {"relative_rows", "bhwc,hkc->bhwk", {{3, 7, 6, 16}, {7, 5, 16}}},
      {"relative_columns", "bhwc,wkc->bhwk", {{3, 7, 6, 16}, {6, 5, 16}}},
      {"left_weights", "oi,bip->bop", {{9, 20}, {3, 20, 31}}},
      {"graph_convolution", "nkctv,kvw->nctw", {{2, 3, 8, 10, 12}, {3, 12, 12}}},
      {"sums_in_other_order", "iabj,bak->ijk", {{5, 3, 4, 6}, {4, 3, 7}}},
      {"sums_apart", "aib,abk->ik", {{3, 8, 5}, {3, 5, 9}}},
      {"batch_innermost", "bin,bjn->ijn", {{6, 7, 5}, {6, 9, 5}}},
      {"batch_innermost_rows", "bin,bn->in", {{6, 37, 5}, {6, 5}}},
      {"interleaved_output", "abk,cdk->acbd", {{3, 4, 20}, {5, 6, 20}}},
      {"ellipsis", "...ij,...jk->...ik", {{2, 3, 7, 8}, {2, 3, 8, 9}}},
      {"ellipsis_broadcast", "...ij,...jk->...ik", {{2, 1, 7, 8}, {3, 8, 9}}},
      {"ellipsis_inside", "i...j,j...->i...", {{4, 2, 3, 40}, {40, 2, 3}}},
      {"extent_one_broadcasts", "bij,bjk->bik", {{1, 7, 8}, {4, 8, 9}}},
      {"sum_of_extent_one", "ij,jk->ik", {{7, 1}, {20, 9}}},
      {"vector", "ij,j->i", {{33, 40}, {40}}},
      {"vector_in_front", "j,ji->i", {{40}, {40, 33}}},
      {"dots", "bi,bi->b", {{9, 40}, {9, 40}}},
      {"scalar_result", "ij,ij->", {{9, 40}, {9, 40}}},
      {"outer", "i,j->ij", {{31}, {18}}},
      {"outer_of_batches", "bi,bj->bij", {{3, 31}, {3, 18}}},
      {"scaled_maps", "bchw,bc->bchw", {{2, 3, 5, 7}, {2, 3}}},
      {"scalar_operand", ",ij->ij", {{}, {9, 40}}},
      {"sum_in_one_operand", "ij,k->ik", {{9, 40}, {17}}},
      {"sum_of_other_operand", "i,kj->ik", {{9}, {17, 40}}},
      {"sum_of_all", "ij->", {{60, 50}}},
      {"sum_of_rows", "ij->i", {{60, 50}}},
      {"sum_of_columns", "ij->j", {{60, 50}}},
      {"sum_of_middle", "abc->ca", {{7, 20, 9}}},
      {"sum_of_outer_axes", "abc->b", {{7, 20, 9}}},
      {"transposition", "abc->acb", {{7, 20, 9}}},
      {"large", "bhqd,bhkd->bhqk", {{2, 4, 130, 64}, {2, 4, 150, 64}}},
      {"long_sums", "ij,kj->ik", {{40, 5000}, {30, 5000}}},
  };
}

std::vector<Case> declined() {
  return {
      {"diagonal", "ii->i", {{5, 5}}},
      {"trace_of_second", "ij,jkk->i", {{4, 5}, {5, 3, 3}}},
      {"three_operands", "ij,jk,kl->il", {{4, 5}, {5, 6}, {6, 7}}},
      {"empty", "ij,jk->ik", {{0, 5}, {5, 6}}},
      {"empty_sum", "ij,jk->ik", {{4, 0}, {0, 6}}},
      {"elementwise", "ij,ij->ij", {{20, 30}, {20, 30}}},
      {"sums_of_both_kinds", "ij,jkl->ik", {{4, 5}, {5, 6, 3}}},
      {"many_axes", "abcdefg,gfedcba->aebfcgd", {{2, 3, 2, 3, 2, 3, 2}, {2, 3, 2, 3, 2, 3, 2}}},
  };
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Equations, Einsum, testing::ValuesIn(lowered()), case_name);
INSTANTIATE_TEST_SUITE_P(Equations, DeclinedEinsum, testing::ValuesIn(declined()), case_name);

// Operands lie as the product reads them: no copies, and neighbors are one axis.
TEST(Contraction, ReadsOperandsInPlace) {
  const auto plan = plan_of({"", "bqhd,bkhd->bhqk", {{2, 9, 3, 16}, {2, 11, 3, 16}}});
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->left || plan->right || plan->result || plan->swapped);
  EXPECT_EQ(plan->a.rows, 9);
  EXPECT_EQ(plan->a.row_step, 48);
  EXPECT_EQ(plan->b.columns, 11);
  EXPECT_EQ(plan->b.row_step, 1);
  EXPECT_EQ(plan->batch.axes[0].extent * plan->batch.axes[1].extent, 6);
}

TEST(Contraction, JoinsNeighbors) {
  const auto plan = plan_of({"", "abcd,cdef->abef", {{2, 3, 4, 5}, {4, 5, 6, 7}}});
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->single);
  EXPECT_EQ(plan->a.rows, 6);
  EXPECT_EQ(plan->b.rows, 20);
  EXPECT_EQ(plan->b.columns, 42);
}

TEST(Contraction, RefusesExtentsThatDoNotFit) {
  EXPECT_FALSE(plan_of({"", "ij,jk->ik", {{4, 5}, {6, 7}}}));
}

// Shapes change between runs: the kernel plans anew.
TEST(Einsum, FollowsShapes) {
  const ir::Model model = test::parse_text_graph(
      "g (float[n,8] x, float[8,m] y) => (float r) "
      "{ r = Einsum <equation = \"ij,jk->ki\"> (x, y) }");
  interp::Executor executor(model, {.exact = false, .threads = 2});
  for (const int64_t n : {3, 20, 3}) {
    interp::Feeds feeds;
    feeds["x"] = ops::RuntimeValue(test::random_floats({n, 8}, 1));
    feeds["y"] = ops::RuntimeValue(test::random_floats({8, 2 * n}, 2));
    const auto exact = test::run_model(model, feeds, {.exact = true});
    EXPECT_LE(test::relative_error(exact[0].tensor, executor.run(feeds)[0].tensor), 1e-5);
  }
}

TEST(Einsum, TakesFloat16) {
  const ir::Model model = test::parse_text_graph(
      "g (float[2,9,24] f, float[24,10] w) => (float r) { x = Cast <to = 10> (f) "
      "y = Cast <to = 10> (w) s = Einsum <equation = \"btd,dk->btk\"> (x, y) "
      "r = Cast <to = 1> (s) }");
  test::expect_accelerated_matches(model, 3, 1e-3);
}

}  // namespace
}  // namespace fettle
