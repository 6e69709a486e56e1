#include <gtest/gtest.h>

#include "calib/data_files.h"
#include "calib/dataset.h"
#include "ir/buffer.h"
#include "support/text_model.h"

namespace fettle::calib {
namespace {

using test::counting;
using test::error_of;
using test::npy;
using test::write_bytes;
using test::zip;

ir::Model two_inputs() {
  return test::parse_text_graph(
      "g (float[N, 3] a, float[N, 2] b) => (float[N, 3] c, float[N, 2] d)"
      " { c = Identity(a) d = Identity(b) }");
}

class NpzTest : public testing::Test {
 protected:
  std::unique_ptr<Dataset> open(const std::string& bytes) {
    write_bytes(folder_ / "data.npz", bytes);
    return open_dataset(folder_ / "data.npz", two_inputs());
  }
  std::string error(const std::string& bytes) {
    return error_of([&] { open(bytes); });
  }
  test::TempFolder folder_;
  const std::string a_ = npy(counting({4, 3}));
  const std::string b_ = npy(counting({4, 2}));
};

TEST_F(NpzTest, ReadsStoredAndDeflatedMembers) {
  const auto data =
      open(zip({{"a.npy", a_, false},
                {"b.npy", b_, true},
                {"labels.npy", npy(ir::Tensor::of<int64_t>({4}, {3, 1, 4, 1})), true}}));
  EXPECT_EQ(data->size(), 4);
  EXPECT_EQ(data->batch(), 1);
  const interp::Feeds feeds = data->read(2);
  EXPECT_TRUE(identical(feeds.at("a").tensor, ir::Tensor::of<float>({1, 3}, {6, 7, 8})));
  EXPECT_TRUE(identical(feeds.at("b").tensor, ir::Tensor::of<float>({1, 2}, {4, 5})));
  EXPECT_EQ(data->labels(), (std::vector<int64_t>{3, 1, 4, 1}));
  EXPECT_TRUE(data->notes().empty());
}

TEST_F(NpzTest, RefusesRepeatedNames) {
  EXPECT_NE(error(zip({{"a.npy", a_}, {"b.npy", b_}, {"a.npy", b_}})).find("two members"),
            std::string::npos);
}

TEST_F(NpzTest, RefusesWrongChecksums) {
  for (const bool deflate : {false, true}) {
    std::string bytes = zip({{"a.npy", a_, deflate}, {"b.npy", b_}});
    const size_t data = 30 + 5;  // of the first member, behind its header and name
    bytes[data + (deflate ? 20 : a_.size() - 1)] ^= 0x11;
    const std::string message = error(bytes);
    EXPECT_NE(message.find("damaged"), std::string::npos) << message;
  }
}

TEST_F(NpzTest, RefusesEncryptionAndOtherMethods) {
  const std::string good = zip({{"a.npy", a_}, {"b.npy", b_}});
  const size_t directory = good.find("PK\x01\x02");
  std::string encrypted = good;
  encrypted[directory + 8] = 1;
  EXPECT_NE(error(encrypted).find("encrypted"), std::string::npos);
  std::string lzma = good;
  lzma[directory + 10] = 14;
  EXPECT_NE(error(lzma).find("compression method 14"), std::string::npos);
}

TEST_F(NpzTest, RefusesHeadersThatContradictTheDirectory) {
  std::string renamed = zip({{"a.npy", a_}, {"b.npy", b_}});
  renamed[30] = 'z';
  EXPECT_NE(error(renamed).find("contradicts"), std::string::npos);
  std::string resized = zip({{"a.npy", a_}, {"b.npy", b_}});
  resized[18] ^= 1;
  EXPECT_NE(error(resized).find("contradict"), std::string::npos);
}

TEST_F(NpzTest, RefusesTruncationAnywhere) {
  const std::string good = zip({{"a.npy", a_, true}, {"b.npy", b_}});
  for (size_t size = 4; size < good.size(); size += 7) {
    EXPECT_FALSE(error(good.substr(0, size)).empty()) << size;
  }
}

TEST_F(NpzTest, SurvivesAnyFlippedByte) {
  const std::string good = zip({{"a.npy", a_, true}, {"b.npy", b_}});
  int refused = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0xff);
    try {
      open(bad)->read(3);
    } catch (const std::exception&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(good.size()) / 2);
}

TEST_F(NpzTest, RefusesCompressionBombs) {
  const std::string zeros(size_t{80} << 20, '\0');
  const std::string bomb = npy("|u1", "(4, 20971520)", zeros);
  const std::string message = error(zip({{"a.npy", bomb, true}, {"b.npy", b_}}));
  EXPECT_NE(message.find("compression bomb"), std::string::npos) << message;
}

TEST_F(NpzTest, ListsWhatIsMissingAndWhatIsThere) {
  const std::string message = error(zip({{"a.npy", a_}, {"c.npy", b_}}));
  EXPECT_NE(message.find("no array for input 'b'"), std::string::npos) << message;
  EXPECT_NE(message.find("'a' tensor(float)[N, 3], 'b' tensor(float)[N, 2]"), std::string::npos)
      << message;
  EXPECT_NE(message.find("'a' float [4, 3], 'c' float [4, 2]"), std::string::npos) << message;
}

TEST_F(NpzTest, RefusesArraysOfDifferentLengths) {
  const std::string message = error(zip({{"a.npy", a_}, {"b.npy", npy(counting({5, 2}))}}));
  EXPECT_NE(message.find("same number of samples"), std::string::npos) << message;
}

TEST_F(NpzTest, DeflatedMembersDoNotStayInMemory) {
  const std::string noise = [] {
    std::string out(size_t{24} << 20, '\0');
    uint32_t state = 1;
    for (size_t i = 0; i < out.size(); i += 97) {
      state = state * 1664525 + 1013904223;
      out[i] = static_cast<char>(state >> 24);
    }
    return out;
  }();
  const std::string big = npy("|u1", "(2097152, 3, 4)", noise);
  const std::string other = npy("|u1", "(2097152, 2)", std::string(2097152 * 2, '\1'));
  write_bytes(folder_ / "big.npz", zip({{"a.npy", big, true}, {"b.npy", other, true}}));
  const ir::Model model = test::parse_text_graph(
      "g (uint8[N, 3, 4] a, uint8[N, 2] b) => (uint8[N, 3, 4] c, uint8[N, 2] d)"
      " { c = Identity(a) d = Identity(b) }");
  ir::reset_memory_peak();
  const size_t before = ir::memory_in_use();
  const auto data = open_dataset(folder_ / "big.npz", model);
  for (int64_t i = 0; i < data->size(); i += 1000) data->read(i);
  EXPECT_LT(ir::memory_peak() - before, 4096u);
}

}  // namespace
}  // namespace fettle::calib
