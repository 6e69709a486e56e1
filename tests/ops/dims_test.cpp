#include "ops/dims.h"

#include <gtest/gtest.h>

#include "ops/run_text.h"

namespace fettle::ops {
namespace {

using ir::Dim;

Dim n() {
  return Dim::named("N");
}
Dim h() {
  return Dim::named("H");
}
std::string text(const Dim& d) {
  return ir::to_string(ir::Shape{d});
}

TEST(Dims, ExpressionsCancel) {
  EXPECT_EQ(dim_floor_div(dim_mul(n(), Dim::of(4)), Dim::of(4)), n());
  EXPECT_EQ(dim_sub(dim_add(h(), Dim::of(2)), Dim::of(2)), h());
  EXPECT_EQ(dim_floor_div(dim_mul(n(), h()), h()), n());
  EXPECT_EQ(dim_sub(dim_mul(n(), h()), dim_mul(h(), n())), Dim::of(0));
  EXPECT_EQ(dim_floor_div(dim_mul(dim_add(h(), Dim::of(1)), n()), dim_add(Dim::of(1), h())), n());
}

TEST(Dims, EqualExpressionsHaveEqualText) {
  EXPECT_EQ(text(dim_mul(Dim::of(4), n())), "[N*4]");
  EXPECT_EQ(text(dim_add(Dim::of(2), h())), "[H+2]");
  const Dim a = dim_floor_div(dim_add(h(), Dim::of(3)), Dim::of(2));
  const Dim b =
      dim_add(dim_floor_div(dim_sub(dim_add(h(), Dim::of(4)), Dim::of(3)), Dim::of(2)), Dim::of(1));
  EXPECT_TRUE(a.same(b)) << text(a) << " " << text(b);
  // Two halvings are one quartering.
  const Dim half = dim_floor_div(h(), Dim::of(2));
  EXPECT_TRUE(dim_floor_div(half, Dim::of(2)).same(dim_floor_div(h(), Dim::of(4))));
}

TEST(Dims, NegativeNumbersAreContentsNotExtents) {
  EXPECT_EQ(int_value(int_of(-7)), -7);
  EXPECT_EQ(int_value(int_of(INT64_MIN)), INT64_MIN);
  EXPECT_EQ(int_value(int_sub(Dim::of(2), Dim::of(5))), -3);
  EXPECT_EQ(test::error_of([] { dim_sub(Dim::of(2), Dim::of(5)); }), ErrorCode::kBadInput);
  EXPECT_EQ(int_value(n()), std::nullopt);
}

TEST(Dims, OverflowAndDivisionByZeroAreErrors) {
  EXPECT_EQ(test::error_of([] { dim_mul(Dim::of(INT64_MAX), Dim::of(2)); }), ErrorCode::kBadInput);
  EXPECT_EQ(test::error_of([] { dim_floor_div(n(), Dim::of(0)); }), ErrorCode::kBadInput);
}

TEST(Dims, AnyNameIsASymbol) {
  const Dim odd = Dim::named("batch size/2 (padded)");
  const Dim twice = dim_mul(odd, Dim::of(2));
  EXPECT_TRUE(dim_floor_div(twice, Dim::of(2)).same(odd)) << text(twice);
  EXPECT_EQ(text(dim_add(Dim::unknown(), n())), "[?]");
}

TEST(Dims, ExpressionsStaySmall) {
  Dim d = n();
  for (int i = 0; i < 200; ++i) d = dim_mul(d, dim_add(h(), d));
  EXPECT_LT(d.symbol.size(), 300u);
}

TEST(Dims, Broadcast) {
  EXPECT_EQ(broadcast_dim(n(), Dim::of(1)), n());
  EXPECT_EQ(broadcast_dim(n(), Dim::of(3)), Dim::of(3));
  EXPECT_EQ(broadcast_dim(n(), h()), Dim::unknown());
  EXPECT_EQ(test::error_of([] { broadcast_dim(Dim::of(2), Dim::of(3)); }), ErrorCode::kBadInput);
}

}  // namespace
}  // namespace fettle::ops
