// Shapes from hostile files: empty tensors of huge extents and sizes beyond counting must end at
// once, with a result or an Error, never in a crash, a hang or an allocation beyond the limit.
#include <gtest/gtest.h>

#include "ir/error.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;

constexpr int64_t kHuge = int64_t{1} << 40;

// True for a result or an Error other than a defect.
testing::AssertionResult ends_well(Operator op, const std::vector<Tensor>& inputs) {
  const std::string name = op.name;
  try {
    run_operator(std::move(op), inputs);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kInternal) return testing::AssertionFailure() << name << e.what();
  } catch (const std::exception& e) {
    return testing::AssertionFailure() << name << ": " << e.what();
  }
  return testing::AssertionSuccess();
}

class HostileShape : public testing::TestWithParam<ir::Dims> {};

TEST_P(HostileShape, EndsWell) {
  const Tensor x(ir::DataType::kFloat, GetParam());
  const Tensor one = Tensor::scalar<float>(1);
  const Tensor none(ir::DataType::kFloat, {0});
  const Tensor zero = Tensor::of<int64_t>({1}, {0});
  const Tensor last = Tensor::of<int64_t>({1}, {-1});
  for (const char* name :
       {"Relu", "Exp", "Cast", "Softmax", "LogSoftmax", "Hardmax", "LRN", "LpNormalization",
        "MeanVarianceNormalization", "ReduceSum", "ReduceLogSumExp", "ArgMax", "Not", "IsNaN"}) {
    EXPECT_TRUE(ends_well({name, 13, with(Attribute("to", 10), Attribute("size", 3))}, {x}));
  }
  for (const char* name : {"Add", "Pow", "Less", "Max", "Mean", "PRelu"}) {
    EXPECT_TRUE(ends_well({name, 13}, {x, one}));
    EXPECT_TRUE(ends_well({name, 13}, {x, x}));
    EXPECT_TRUE(ends_well({name, 13}, {x, Tensor(ir::DataType::kFloat, {kHuge, 1, 1, 1, 0})}));
  }
  for (const Tensor& axis : {zero, last}) {
    EXPECT_TRUE(ends_well({"ReduceMean", 18}, {x, axis}));
    EXPECT_TRUE(ends_well({"CumSum", 14}, {x, axis}));
    EXPECT_TRUE(ends_well({"TopK", 11, {}, 2}, {x, axis}));
  }
  EXPECT_TRUE(ends_well({"Softmax", 12}, {x}));
  EXPECT_TRUE(ends_well({"LayerNormalization", 17, {}, 3}, {x, one, one}));
  EXPECT_TRUE(ends_well({"RMSNormalization", 23}, {x, one}));
  for (const Tensor& parameter : {one, none}) {
    EXPECT_TRUE(ends_well({"InstanceNormalization", 6}, {x, parameter, parameter}));
    EXPECT_TRUE(ends_well({"GroupNormalization", 21, with(Attribute("num_groups", kHuge))},
                          {x, parameter, parameter}));
    EXPECT_TRUE(ends_well({"BatchNormalization", 15, with(Attribute("training_mode", 1)), 3},
                          {x, parameter, parameter, parameter, parameter}));
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, HostileShape,
                         testing::Values(ir::Dims{kHuge, 0}, ir::Dims{0, kHuge},
                                         ir::Dims{kHuge, kHuge, 0}, ir::Dims{0, kHuge, kHuge},
                                         ir::Dims{kHuge, 0, kHuge, kHuge}, ir::Dims{0}, ir::Dims{},
                                         ir::Dims{1, 0, 3, 3}));

}  // namespace
}  // namespace fettle::test
