// What a user meets when --data is not what the model needs, and the layouts of batches.
#include <gtest/gtest.h>

#include "calib/data_files.h"
#include "calib/dataset.h"
#include "ir/io.h"
#include "support/text_model.h"

namespace fettle::calib {
namespace {

using test::counting;
using test::error_of;
using test::npy;
using test::write_bytes;
using test::zip;

class OpenTest : public testing::Test {
 protected:
  std::string error(const std::filesystem::path& path) {
    return error_of([&] { open_dataset(path, model_); });
  }
  test::TempFolder folder_;
  ir::Model model_ =
      test::parse_text_graph("g (float[N, 3] x) => (float[N, 3] y) { y = Identity(x) }");
};

TEST_F(OpenTest, ExplainsFilesThatAreNoData) {
  EXPECT_NE(error(folder_ / "missing.h5").find("missing.h5': no such file"), std::string::npos);
  write_bytes(folder_ / "empty.h5", "");
  EXPECT_NE(error(folder_ / "empty.h5").find("is empty (0 bytes)"), std::string::npos);
  write_bytes(folder_ / "notes.h5", "these are my notes\n");
  EXPECT_NE(error(folder_ / "notes.h5").find("the name ends in .h5, but the file holds text"),
            std::string::npos);
  write_bytes(folder_ / "data.csv", "1,2,3\n4,5,6\n");
  EXPECT_NE(error(folder_ / "data.csv").find("holds text"), std::string::npos);
  write_bytes(folder_ / "data.bin", std::string(64, '\1'));
  EXPECT_NE(error(folder_ / "data.bin").find("no known data format; expected HDF5"),
            std::string::npos);
  EXPECT_NE(error(folder_.path()).find("neither test_data_set_* folders nor .npy"),
            std::string::npos);
  EXPECT_NE(error("/dev/null").find("neither a regular file nor a folder"), std::string::npos);
}

TEST_F(OpenTest, TellsTheFormatByContent) {
  write_bytes(folder_ / "data", npy(counting({4, 3})));
  EXPECT_EQ(open_dataset(folder_ / "data", model_)->size(), 4);
}

TEST_F(OpenTest, NpyNeedsASingleInput) {
  model_ = test::parse_text_graph(
      "g (float[N, 3] a, float[N, 3] b) => (float[N, 3] c) { c = Add(a, b) }");
  write_bytes(folder_ / "data.npy", npy(counting({4, 3})));
  EXPECT_NE(error(folder_ / "data.npy").find("the data hold an unnamed array float [4, 3]"),
            std::string::npos);
}

TEST_F(OpenTest, ReadsFoldersOfNpy) {
  model_ = test::parse_text_graph(
      "g (float[N, 3] a, float[N, 3] b) => (float[N, 3] c) { c = Add(a, b) }");
  write_bytes(folder_ / "a.npy", npy(counting({4, 3})));
  write_bytes(folder_ / "b.npy", npy(counting({4, 3})));
  write_bytes(folder_ / "labels.npy", npy(ir::Tensor::of<int64_t>({4}, {0, 1, 0, 1})));
  const auto data = open_dataset(folder_.path(), model_);
  EXPECT_EQ(data->read(1).at("b").tensor.data<float>()[2], 5);
  EXPECT_EQ(data->labels(), (std::vector<int64_t>{0, 1, 0, 1}));
}

TEST_F(OpenTest, FixedBatchLeavesOutAPartialOne) {
  model_ = test::parse_text_graph("g (float[2, 3] x) => (float[2, 3] y) { y = Identity(x) }");
  write_bytes(folder_ / "x.npz",
              zip({{"x.npy", npy(counting({5, 3}))},
                   {"labels.npy", npy(ir::Tensor::of<int64_t>({5}, {0, 1, 2, 3, 4}))}}));
  const auto data = open_dataset(folder_ / "x.npz", model_);
  EXPECT_EQ(data->size(), 4);
  EXPECT_EQ(data->batch(), 2);
  EXPECT_EQ(data->labels()->size(), 4u);
  EXPECT_EQ(data->notes().size(), 1u);
  EXPECT_TRUE(
      identical(data->read(2).at("x").tensor, ir::Tensor::of<float>({2, 3}, {6, 7, 8, 9, 10, 11})));
  write_bytes(folder_ / "short.npy", npy(counting({1, 3})));
  EXPECT_NE(error(folder_ / "short.npy").find("batches of 2 samples"), std::string::npos);
}

TEST_F(OpenTest, OneAxisMoreMeansWholeTensors) {
  model_ = test::parse_text_graph(
      "g (float[N, 3] x, float[2, N, 4] state, int64 rate) => (float[N, 3] y, float[2, N, 4] next, "
      "int64 same) { y = Identity(x) next = Identity(state) same = Identity(rate) }");
  const std::string states = npy(counting({5, 2, 1, 4}));
  const std::string rates = npy(ir::Tensor::of<int64_t>({5}, {8, 8, 16, 8, 8}));
  write_bytes(folder_ / "d.npz",
              zip({{"x.npy", npy(counting({5, 3}))}, {"state.npy", states}, {"rate.npy", rates}}));
  const auto data = open_dataset(folder_ / "d.npz", model_);
  EXPECT_EQ(data->size(), 5);
  const interp::Feeds feeds = data->read(2);
  EXPECT_EQ(feeds.at("x").tensor.dims(), (ir::Dims{1, 3}));
  EXPECT_EQ(feeds.at("state").tensor.dims(), (ir::Dims{2, 1, 4}));
  EXPECT_EQ(feeds.at("state").tensor.data<float>()[0], 16);
  EXPECT_TRUE(identical(feeds.at("rate").tensor, ir::Tensor::scalar<int64_t>(16)));
}

TEST_F(OpenTest, InputsWithADefaultMayBeLeftOut) {
  model_.graph->add_input("scale", ir::Type::tensor(ir::DataType::kFloat, ir::shape_of({3})));
  ir::StoredTensor one;
  one.tensor = ir::Tensor::of<float>({3}, {1, 1, 1});
  model_.graph->set_initializer(*model_.graph->find("scale"), one);
  write_bytes(folder_ / "x.npy", npy(counting({4, 3})));
  EXPECT_EQ(open_dataset(folder_ / "x.npy", model_)->read(0).size(), 1u);
}

TEST_F(OpenTest, LabelsThatAreNoClassesAreNoted) {
  write_bytes(folder_ / "d.npz",
              zip({{"x.npy", npy(counting({4, 3}))}, {"labels.npy", npy(counting({4, 7}))}}));
  const auto data = open_dataset(folder_ / "d.npz", model_);
  EXPECT_FALSE(data->labels().has_value());
  ASSERT_EQ(data->notes().size(), 1u);
  EXPECT_NE(data->notes()[0].find("does not hold class indices"), std::string::npos);
}

class TestDataSetTest : public OpenTest {
 protected:
  void put(const std::string& file, const ir::Tensor& tensor) {
    std::filesystem::create_directories((folder_ / file).parent_path());
    write_bytes(folder_ / file, ir::serialize_tensor(tensor, ""));
  }
};

TEST_F(TestDataSetTest, MatchesInputsByPosition) {
  model_ = test::parse_text_graph(
      "g (float[N, 3] a, float[M] b) => (float[N, 3] c, float[M] d)"
      " { c = Identity(a) d = Identity(b) }");
  for (int i = 0; i < 11; ++i) {  // shapes differ from set to set
    const std::string set = "test_data_set_" + std::to_string(i);
    put(set + "/input_0.pb", counting({1 + i % 2, 3}));
    put(set + "/input_1.pb", ir::Tensor::of<float>({1}, {static_cast<float>(i)}));
    put(set + "/output_0.pb", counting({9}));
  }
  const auto data = open_dataset(folder_.path(), model_);
  ASSERT_EQ(data->size(), 11);
  EXPECT_EQ(data->read(10).at("b").tensor.data<float>()[0], 10);
  EXPECT_EQ(data->read(9).at("a").tensor.dims(), (ir::Dims{2, 3}));
  EXPECT_EQ(open_dataset(folder_ / "test_data_set_3", model_)->size(), 1);
}

TEST_F(TestDataSetTest, ExplainsWrongNumbersAndShapes) {
  put("test_data_set_0/input_0.pb", counting({1, 4}));
  EXPECT_NE(error(folder_.path())
                .find("a tensor of shape [1, 4], but the input takes "
                      "tensor(float)[N, 3]"),
            std::string::npos)
      << error(folder_.path());
  put("test_data_set_0/input_1.pb", counting({1, 4}));
  EXPECT_NE(error(folder_.path()).find("holds 2 files input_K.pb; the model has 1 inputs"),
            std::string::npos);
  std::filesystem::remove(folder_ / "test_data_set_0/input_0.pb");
  EXPECT_NE(error(folder_.path()).find("no input_0.pb"), std::string::npos);
  write_bytes(folder_ / "test_data_set_0/input_0.pb", "junk");
  std::filesystem::remove(folder_ / "test_data_set_0/input_1.pb");
  EXPECT_FALSE(error(folder_.path()).empty());
}

TEST_F(OpenTest, ReadsTheBundledData) {
  const ir::Model digits = ir::read_model(test::testdata("digits_resnet.onnx"));
  const auto data = open_dataset(test::testdata("digits_test.h5"), digits);
  EXPECT_EQ(data->size(), 512);
  ASSERT_TRUE(data->labels().has_value());
  EXPECT_EQ(data->labels()->size(), 512u);
  EXPECT_TRUE(data->notes().empty());
  EXPECT_EQ(data->read(511).at("image").tensor.dims(), (ir::Dims{1, 1, 8, 8}));
}

}  // namespace
}  // namespace fettle::calib
