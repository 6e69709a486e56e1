#include "ops/window.h"

#include <gtest/gtest.h>

#include "ir/error.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Dim;
using Ints = std::vector<int64_t>;

// A node of a graph that lives as long as the test.
const ir::Node& node_with(ir::Graph& graph, std::vector<Attribute> attributes) {
  ir::Node& node = graph.add_node("Conv", {}, {"y"});
  for (Attribute& a : attributes) node.set_attribute(std::move(a));
  return node;
}

ops::Window pool(std::vector<Attribute> attributes, ir::Dims x) {
  ir::Graph graph;
  return ops::pool_window(node_with(graph, std::move(attributes)), x);
}

// Windows of a pool counted one by one: those that fit, or with ceil_mode those that start inside
// the input or its front padding and begin before the padded end is covered.
int64_t counted(int64_t in, int64_t extent, int64_t stride, int64_t begin, int64_t end, bool ceil) {
  int64_t count = 0;
  const int64_t padded = in + begin + end;
  if (!ceil) {
    while (count * stride + extent <= padded) ++count;
    return count;
  }
  while (count == 0 || (count * stride < in + begin && (count - 1) * stride + extent < padded)) {
    ++count;
  }
  return count;
}

TEST(Window, OutputExtentsMatchACount) {
  for (int64_t in = 1; in <= 9; ++in)
    for (int64_t kernel = 1; kernel <= 3; ++kernel)
      for (int64_t stride = 1; stride <= 4; ++stride)
        for (int64_t dilation = 1; dilation <= 2; ++dilation)
          for (int64_t begin = 0; begin < kernel; ++begin)
            for (int64_t end = 0; end < kernel; ++end)
              for (const int64_t ceil : {0, 1}) {
                const int64_t extent = (kernel - 1) * dilation + 1;
                if (in + begin + end < extent) continue;
                const auto w = pool(
                    with(Attribute("kernel_shape", Ints{kernel}),
                         Attribute("strides", Ints{stride}), Attribute("dilations", Ints{dilation}),
                         Attribute("pads", Ints{begin, end}), Attribute("ceil_mode", ceil)),
                    {1, 1, in});
                ASSERT_EQ(w.output[0], counted(in, extent, stride, begin, end, ceil != 0))
                    << "in " << in << " kernel " << kernel << " stride " << stride << " dilation "
                    << dilation << " pads " << begin << "," << end << " ceil " << ceil;
              }
}

TEST(Window, SamePaddingPutsTheOddRowWhereItsNameSays) {
  const auto upper = pool(
      with(Attribute("kernel_shape", Ints{4}), Attribute("auto_pad", "SAME_UPPER")), {1, 1, 5});
  EXPECT_EQ(upper.pads_begin, Ints{1});
  EXPECT_EQ(upper.pads_end, Ints{2});
  const auto lower = pool(
      with(Attribute("kernel_shape", Ints{4}), Attribute("auto_pad", "SAME_LOWER")), {1, 1, 5});
  EXPECT_EQ(lower.pads_begin, Ints{2});
  EXPECT_EQ(lower.pads_end, Ints{1});
  EXPECT_EQ(lower.output, Ints{5});
}

TEST(Window, TapRangesAreThePositionsInsideTheInput) {
  const auto w = pool(with(Attribute("kernel_shape", Ints{3}), Attribute("strides", Ints{2}),
                           Attribute("dilations", Ints{3}), Attribute("pads", Ints{4, 5})),
                      {1, 1, 7});
  for (int64_t k = 0; k < 3; ++k) {
    const auto range = ops::tap_range(w, 0, k);
    for (int64_t o = 0; o < w.output[0]; ++o) {
      const int64_t position = o * 2 - 4 + k * 3;
      EXPECT_EQ(o >= range.begin && o < range.end, position >= 0 && position < 7);
    }
  }
}

TEST(Window, TransposedSizes) {
  ir::Graph graph;
  const auto& plain =
      node_with(graph, with(Attribute("strides", Ints{3}), Attribute("pads", Ints{1, 1}),
                            Attribute("output_padding", Ints{2})));
  const auto w = ops::conv_transpose_window(plain, {1, 2, 5}, {2, 1, 4});
  EXPECT_EQ(w.output, Ints{3 * 4 + 2 + 4 - 2});
  ir::Graph other;
  const auto& shaped =
      node_with(other, with(Attribute("strides", Ints{3}), Attribute("output_shape", Ints{13})));
  const auto given = ops::conv_transpose_window(shaped, {1, 2, 5}, {2, 1, 4});
  EXPECT_EQ(given.output, Ints{13});  // 3 rows of 16 are cut, the larger half in front
  EXPECT_EQ(given.pads_begin, Ints{2});
  EXPECT_EQ(given.pads_end, Ints{1});
}

TEST(Window, SymbolicExtents) {
  ir::Graph graph;
  const auto& same = node_with(graph, with(Attribute("pads", Ints{1, 1})));
  const auto spec = ops::conv_spec(same, {3});
  EXPECT_TRUE(ops::window_output_dim(spec, 0, Dim::named("H")).same(Dim::named("H")));
  EXPECT_FALSE(ops::window_output_dim(spec, 0, Dim::unknown()).known());
  ir::Graph other;
  const auto& halved =
      node_with(other, with(Attribute("kernel_shape", Ints{2}), Attribute("strides", Ints{2})));
  const auto half = ops::window_output_dim(ops::pool_spec(halved, 1), 0, Dim::named("H"));
  const auto doubled = ops::transposed_output_dim(ops::conv_spec(halved, {2}), 0, half);
  EXPECT_TRUE(half.symbolic());
  EXPECT_TRUE(doubled.symbolic());
}

TEST(Window, RefusesWhatCannotBe) {
  const auto refused = [](std::vector<Attribute> attributes, ir::Dims x) {
    EXPECT_THROW(pool(std::move(attributes), x), Error);
  };
  refused(with(Attribute("kernel_shape", Ints{3})), {1, 1, 2});     // does not fit
  refused(with(Attribute("kernel_shape", Ints{0})), {1, 1, 2});     // empty kernel
  refused(with(Attribute("kernel_shape", Ints{1, 1})), {1, 1, 2});  // rank
  refused(with(), {1, 1, 2});                                       // no kernel
  refused(with(Attribute("kernel_shape", Ints{1}), Attribute("strides", Ints{0})), {1, 1, 2});
  refused(with(Attribute("kernel_shape", Ints{1}), Attribute("dilations", Ints{-1})), {1, 1, 2});
  refused(with(Attribute("kernel_shape", Ints{1}), Attribute("pads", Ints{-1, 0})), {1, 1, 2});
  refused(with(Attribute("kernel_shape", Ints{1}), Attribute("pads", Ints{0})), {1, 1, 2});
  refused(with(Attribute("kernel_shape", Ints{1}), Attribute("auto_pad", "SAME")), {1, 1, 2});
  refused(with(Attribute("kernel_shape", Ints{INT64_MAX})), {1, 1, 2});
  ir::Graph graph;
  const auto& grouped = node_with(graph, with(Attribute("group", 2)));
  EXPECT_THROW(ops::conv_window(grouped, {1, 3, 4}, {2, 1, 1}), Error);
  EXPECT_THROW(ops::conv_window(grouped, {1, 2, 4}, {3, 1, 1}), Error);
  EXPECT_THROW(ops::conv_transpose_window(grouped, {1, 3, 4}, {3, 1, 1}), Error);
}

}  // namespace
}  // namespace fettle::test
