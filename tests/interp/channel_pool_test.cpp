// Pools whose first axis are channels, after a convolution that leaves them in a layout of its own.
#include <gtest/gtest.h>

#include <string>

#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

TEST(ChannelPool, MatchesTheReference) {
  const char* const pools[] = {
      "kernel_shape = [1, 3, 3]",
      "kernel_shape = [1, 3, 3], strides = [2, 1, 2]",
      "kernel_shape = [1, 2, 4], strides = [5, 2, 3], pads = [0, 1, 2, 0, 0, 1]",
      "kernel_shape = [1, 2, 2], dilations = [1, 2, 3], strides = [4, 1, 1]",
      "kernel_shape = [1, 3, 2], strides = [3, 2, 2], ceil_mode = 1",
      "kernel_shape = [2, 3, 3], strides = [2, 1, 1]",
      "kernel_shape = [1, 3, 3], strides = [2, 1, 1], pads = [0, 0, 0, 2, 0, 0]",
      "kernel_shape = [1, 5, 5], auto_pad = \"SAME_UPPER\", strides = [2, 2, 2]",
  };
  for (const std::string pool : pools) {
    for (const std::string axis : {"0", "1"}) {
      for (const std::string filters : {"5", "32"}) {
        const ir::Model model =
            test::parse_text_graph("g (float[2,3,14,11] x, float[" + filters +
                                   ",3,3,3] w) => (float z) "
                                   "{ a = Constant <value_ints = [" +
                                   axis +
                                   "]> () y = Conv(x, w) u = Unsqueeze(y, a) "
                                   "p = MaxPool <" +
                                   pool + "> (u) s = Squeeze(p, a) z = Neg(s) }");
        test::expect_accelerated_matches(model, 29);
      }
    }
  }
}

}  // namespace
}  // namespace fettle
