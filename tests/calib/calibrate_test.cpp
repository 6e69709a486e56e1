#include <gtest/gtest.h>

#include "calib/data_files.h"
#include "calib/table.h"
#include "ir/buffer.h"
#include "ir/io.h"
#include "support/text_model.h"

namespace fettle::calib {
namespace {

using test::npy;
using test::write_bytes;

TEST(Calibrate, RecordsEveryFloatTensorOfTheMainGraph) {
  const test::TempFolder folder;
  const ir::Model model = test::parse_text_graph(
      "g (float[N, 2] x) => (float[N, 2] y) <float[2] w = {10, -1}> {\n"
      " t = Mul(x, w)\n s = Shape(t)\n y = Relu(t)\n unused = Neg(x)\n}");
  write_bytes(folder / "x.npy", npy(ir::Tensor::of<float>({3, 2}, {1, 2, -3, 4, 5, -6})));
  const auto data = open_dataset(folder / "x.npy", model);
  std::vector<int64_t> progress, firsts;
  CalibrateOptions options;
  options.progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 3);
    progress.push_back(done);
  };
  options.on_outputs = [&](int64_t first, const std::vector<ops::RuntimeValue>& outputs) {
    ASSERT_EQ(outputs.size(), 1u);
    firsts.push_back(first);
  };
  const CalibrationTable table = calibrate(model, *data, options);
  EXPECT_EQ(table.samples, 3);
  EXPECT_EQ(progress, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(firsts, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(table.model_digest, model_digest(model));
  ASSERT_EQ(table.tensors.size(), 4u);
  EXPECT_EQ(table.tensors.at("x").min, -6);
  EXPECT_EQ(table.tensors.at("x").max, 5);
  EXPECT_EQ(table.tensors.at("x").count, 6);
  EXPECT_EQ(table.tensors.at("t").min, -30);
  EXPECT_EQ(table.tensors.at("t").max, 50);
  EXPECT_EQ(table.tensors.at("y").min, 0);
  EXPECT_EQ(table.tensors.at("y").max, 50);
  EXPECT_EQ(table.tensors.at("unused").max, 6);
}

TEST(Calibrate, CountsWhatIsNotFinite) {
  const test::TempFolder folder;
  const ir::Model model =
      test::parse_text_graph("g (float[N, 2] x) => (float[N, 2] y) { y = Log(x) }");
  write_bytes(folder / "x.npy", npy(ir::Tensor::of<float>({2, 2}, {1, 0, -1, 1})));
  const auto data = open_dataset(folder / "x.npy", model);
  const CalibrationTable table = calibrate(model, *data, {});
  EXPECT_EQ(table.tensors.at("y").count, 2);
  EXPECT_EQ(table.tensors.at("y").non_finite, 2);
  EXPECT_EQ(table.tensors.at("y").max, 0);
  EXPECT_EQ(table_warnings(table).size(), 1u);
}

TEST(Calibrate, HonorsMaxSamplesInWholeBatches) {
  const test::TempFolder folder;
  const ir::Model model =
      test::parse_text_graph("g (float[2, 2] x) => (float[2, 2] y) { y = Relu(x) }");
  write_bytes(folder / "x.npy", npy(test::counting({9, 2})));
  const auto data = open_dataset(folder / "x.npy", model);
  const auto samples = [&](int64_t limit) {
    CalibrateOptions options;
    options.max_samples = limit;
    return calibrate(model, *data, options).samples;
  };
  EXPECT_EQ(samples(0), 8);
  EXPECT_EQ(samples(5), 4);
  EXPECT_EQ(samples(1), 2);
  EXPECT_EQ(samples(100), 8);
}

class DigitsTest : public testing::TestWithParam<const char*> {};

// Two tables of halves merge to the table of the whole; memory stays where one sample put it.
TEST_P(DigitsTest, StreamsTheBundledData) {
  const ir::Model model =
      ir::read_model(test::testdata(std::string("digits_") + GetParam() + ".onnx"));
  const auto data = open_dataset(test::testdata("digits_calib.h5"), model);
  const auto peak_of = [&](int64_t samples, CalibrationTable& table) {
    CalibrateOptions options;
    options.max_samples = samples;
    options.executor.threads = 1;
    const size_t before = ir::memory_in_use();
    ir::reset_memory_peak();
    table = calibrate(model, *data, options);
    return ir::memory_peak() - before;
  };
  CalibrationTable few, many, again;
  const size_t small = peak_of(2, few);
  const size_t large = peak_of(64, many);
  EXPECT_LE(large, small + small / 4);  // scratch memory may be laid out otherwise
  EXPECT_EQ(few.tensors.size(), many.tensors.size());
  EXPECT_TRUE(many.tensors.contains("logits"));
  EXPECT_EQ(many.tensors.at("image").count, 64 * 64);
  EXPECT_EQ(many.tensors.at("image").max, 1);
  peak_of(64, again);
  EXPECT_EQ(table_to_json(many), table_to_json(again));
  few.merge(many);
  EXPECT_EQ(few.tensors.at("logits").max, many.tensors.at("logits").max);
}

INSTANTIATE_TEST_SUITE_P(Models, DigitsTest, testing::Values("resnet", "dscnn", "mlp", "lstm"));

}  // namespace
}  // namespace fettle::calib
