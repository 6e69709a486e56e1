#include <gtest/gtest.h>

#include <bit>

#include "calib/data_files.h"
#include "calib/dataset.h"
#include "ir/error.h"
#include "ir/float16.h"
#include "support/text_model.h"

namespace fettle::calib {
namespace {

using test::counting;
using test::error_of;
using test::npy;
using test::write_bytes;

ir::Model pair_model(const std::string& type = "float") {
  return test::parse_text_graph("g (" + type + "[N, 3] x) => (" + type +
                                "[N, 3] y) { y = Identity(x) }");
}

class NpyTest : public testing::Test {
 protected:
  std::vector<float> sample(const std::string& bytes, int64_t index) {
    const auto path = folder_ / "data.npy";
    write_bytes(path, bytes);
    const auto data = open_dataset(path, pair_model());
    const ir::Tensor row = data->read(index).at("x").tensor;
    EXPECT_EQ(row.dims(), (ir::Dims{1, 3}));
    const auto elements = row.data<float>();
    return {elements.begin(), elements.end()};
  }
  std::string error(const std::string& bytes, const std::string& type = "float") {
    const auto path = folder_ / "data.npy";
    write_bytes(path, bytes);
    return error_of([&] {
      const auto data = open_dataset(path, pair_model(type));
      for (int64_t i = 0; i < data->size(); ++i) data->read(i);
    });
  }
  test::TempFolder folder_;
};

std::string big_endian(const std::vector<float>& values) {
  std::string out;
  for (const float value : values) {
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift & 0xff);
  }
  return out;
}

TEST_F(NpyTest, ReadsRowsOfAxisZero) {
  const std::string bytes = npy(counting({4, 3}));
  EXPECT_EQ(sample(bytes, 0), (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(sample(bytes, 3), (std::vector<float>{9, 10, 11}));
}

TEST_F(NpyTest, ReadsVersions2And3) {
  const ir::Tensor t = counting({2, 3});
  const std::string data(reinterpret_cast<const char*>(t.bytes()), t.byte_size());
  for (const int version : {2, 3}) {
    EXPECT_EQ(sample(npy("<f4", "(2, 3)", data, false, version), 1), (std::vector<float>{3, 4, 5}));
  }
}

TEST_F(NpyTest, TransposesFortranOrder) {
  const ir::Tensor columns = ir::Tensor::of<float>({6}, {0, 3, 1, 4, 2, 5});
  const std::string data(reinterpret_cast<const char*>(columns.bytes()), columns.byte_size());
  EXPECT_EQ(sample(npy("<f4", "(2, 3)", data, true), 0), (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(sample(npy("<f4", "(2, 3)", data, true), 1), (std::vector<float>{3, 4, 5}));
}

TEST_F(NpyTest, SwapsBigEndian) {
  EXPECT_EQ(sample(npy(">f4", "(1, 3)", big_endian({1.5f, -2, 1e20f})), 0),
            (std::vector<float>{1.5f, -2, 1e20f}));
}

TEST_F(NpyTest, WidensIntegersAndHalves) {
  EXPECT_EQ(sample(npy("|u1", "(1, 3)", std::string("\x00\x80\xff", 3)), 0),
            (std::vector<float>{0, 128, 255}));
  EXPECT_EQ(sample(npy("|b1", "(1, 3)", std::string("\x00\x01\x01", 3)), 0),
            (std::vector<float>{0, 1, 1}));
  std::string halves;
  for (const float v : {0.5f, -3.0f, 65504.0f}) {
    const uint16_t bits = ir::float_to_half_bits(v);
    halves += static_cast<char>(bits & 0xff);
    halves += static_cast<char>(bits >> 8);
  }
  EXPECT_EQ(sample(npy("<f2", "(1, 3)", halves), 0), (std::vector<float>{0.5f, -3, 65504}));
}

TEST_F(NpyTest, RefusesIntegersThatFloatCannotHold) {
  const std::string exact = npy(ir::Tensor::of<int64_t>({1, 3}, {1 << 24, -(1 << 24), 7}));
  EXPECT_EQ(sample(exact, 0), (std::vector<float>{16777216, -16777216, 7}));
  const std::string message = error(npy(ir::Tensor::of<int64_t>({1, 3}, {0, 1 << 24 | 1, 0})));
  EXPECT_NE(message.find("16777217"), std::string::npos) << message;
  EXPECT_NE(message.find("sample 0"), std::string::npos) << message;
}

TEST_F(NpyTest, ChecksIntegerRanges) {
  const std::string message = error(npy(ir::Tensor::of<int64_t>({1, 3}, {0, 256, 0})), "uint8");
  EXPECT_NE(message.find("256 at element 1, which uint8 cannot represent"), std::string::npos)
      << message;
  EXPECT_NE(error(npy(counting({2, 3})), "int32").find("astype('int32')"), std::string::npos);
}

TEST_F(NpyTest, NamesSampleOfNan) {
  ir::Tensor t = counting({4, 3});
  t.mutable_data<float>()[7] = NAN;
  const std::string message = error(npy(t));
  EXPECT_NE(message.find("NaN in sample 2 (element 1 of the sample)"), std::string::npos)
      << message;
}

TEST_F(NpyTest, RefusesDamagedFiles) {
  const std::string good = npy(counting({4, 3}));
  EXPECT_NE(error(good.substr(0, good.size() - 1)).find("truncated"), std::string::npos);
  EXPECT_NE(error(good + "x").find("damaged"), std::string::npos);
  EXPECT_NE(error(good.substr(0, 9)).find("not an NPY file"), std::string::npos);
  EXPECT_NE(error(good.substr(0, 40)).find("truncated within its NPY header"), std::string::npos);
  for (const std::string shape : {"(4)", "(4, 3", "(-4, 3)", "(4 3)", "[4, 3]", "(4, 3) + (1,)",
                                  "(99999999999999999999, 3)", "(0x4, 3)"}) {
    EXPECT_NE(error(npy("<f4", shape, std::string(48, '\0'))).find("header is damaged"),
              std::string::npos)
        << shape;
  }
  EXPECT_NE(error(npy("<f4", "(4611686018427387904, 3)", "")).find("data 'data.npy'"), 0u);
}

TEST_F(NpyTest, RefusesElementsThatAreNoNumbers) {
  EXPECT_NE(error(npy("|O", "(4, 3)", "")).find("Python objects"), std::string::npos);
  EXPECT_NE(error(npy("<U3", "(4, 3)", "")).find("numpy type '<U3'"), std::string::npos);
  EXPECT_NE(error(npy("<c8", "(4, 3)", "")).find("numpy type '<c8'"), std::string::npos);
}

TEST_F(NpyTest, TellsWhatIsWrongWithTheShape) {
  EXPECT_NE(error(npy(counting({3, 4}))).find("expected an array of [samples, 3]"),
            std::string::npos);
  EXPECT_NE(error(npy(counting({3}))).find("add a first axis"), std::string::npos);
  EXPECT_NE(error(npy(counting({0, 3}))).find("no samples"), std::string::npos);
  EXPECT_NE(error(npy("<f4", "()", std::string(4, '\0'))).find("has shape []"), std::string::npos);
}

}  // namespace
}  // namespace fettle::calib
