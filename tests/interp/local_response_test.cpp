// LRN on plain tensors and on layouts of channels against the reference kernel.
#include <gtest/gtest.h>

#include <string>

#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

const char* const kSettings[] = {
    "size = 5",
    "size = 1, beta = 0.5",
    "size = 4, alpha = 0.3, bias = 2.0",
    "size = 3, alpha = 1.5, beta = 1.25, bias = 0.25",
    "size = 40, alpha = 0.02, beta = 0.6",
    "size = 70, alpha = 0.02",
    "size = 3, alpha = 0.5, beta = -0.75",
};

TEST(LocalResponse, Plain) {
  for (const std::string settings : kSettings) {
    for (const std::string dims :
         {"2,7,5,6", "1,33,40,41", "3,20,9", "2,4,2,3,2,2", "2,9", "0,3,2,2"}) {
      const ir::Model model = test::parse_text_graph(
          "g (float[" + dims + "] x) => (float z) { y = Abs(x) z = LRN <" + settings + "> (y) }");
      test::expect_accelerated_matches(model, 17);
    }
  }
}

TEST(LocalResponse, LayoutsOfChannels) {
  for (const std::string settings : kSettings) {
    for (const std::string filters : {"3", "16", "37"}) {
      const ir::Model model = test::parse_text_graph("g (float[2,3,19,18] x, float[" + filters +
                                                     ",3,3,3] w) => (float z) "
                                                     "{ y = Conv(x, w) z = LRN <" +
                                                     settings + "> (y) }");
      test::expect_accelerated_matches(model, 17);
    }
  }
}

}  // namespace
}  // namespace fettle
