#include "interp/random_inputs.h"

#include <gtest/gtest.h>

#include "support/text_model.h"

namespace fettle::interp {
namespace {

TEST(RandomInputs, AreTheSameForASeedAndFollowTheDeclaration) {
  const ir::Model model = test::parse_text_graph(
      "g (float[N, 3] x, int64[2] ids) => (float[N, 3] y) { y = Identity(x) }");
  const Feeds a = usable_input(model, 1, {});
  const Feeds b = usable_input(model, 1, {});
  const Feeds c = usable_input(model, 2, {});
  EXPECT_TRUE(ir::identical(a.at("x").tensor, b.at("x").tensor));
  EXPECT_FALSE(ir::identical(a.at("x").tensor, c.at("x").tensor));
  EXPECT_EQ(a.at("x").tensor.dims(), (ir::Dims{1, 3}));
  for (const int64_t v : a.at("ids").tensor.data<int64_t>()) EXPECT_TRUE(v == 0 || v == 1);
}

TEST(RandomInputs, ExtentsAreTriedUntilTheModelRuns) {
  const ir::Model model = test::parse_text_graph(
      "g (float[1, 1, H, W] x) => (float[1, 1, A, B] y) { y = MaxPool<kernel_shape = [20, 20]>(x) }");
  const Feeds feeds = usable_input(model, 1, {});
  EXPECT_GE(feeds.at("x").tensor.dim(2), 20);
}

TEST(RandomInputs, ModelsWithoutKernelsGetInputsToo) {
  const ir::Model model = test::parse_text_graph(
      "g (float[N, 3] x) => (float[N, 3] y) { y = com.example.Unknown(x) }");
  EXPECT_EQ(usable_input(model, 1, {}).size(), 1u);
}

}  // namespace
}  // namespace fettle::interp
