#include "ops/operator_mutation_cases.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;
using Longs = std::vector<int64_t>;

constexpr const char* kMicrosoft = "com.microsoft";

template <typename T>
Tensor ascending(ir::Dims dims) {
  Tensor t(ir::DataTypeOf<T>::value, std::move(dims));
  int next = 1;
  for (T& v : t.mutable_data<T>()) v = static_cast<T>(next++);
  return t;
}
Tensor bytes(ir::Dims dims) {
  return ascending<uint8_t>(std::move(dims));
}
Tensor real(ir::Dims dims) {
  return ascending<float>(std::move(dims));
}
Tensor blocks(const std::vector<int32_t>& of_columns) {
  return Tensor::of({static_cast<int64_t>(of_columns.size())}, of_columns);
}
Tensor scale() {
  return Tensor::scalar(0.5f);
}
Tensor zero() {
  return Tensor::scalar<uint8_t>(3);
}

Tensor nibbles(ir::Dims dims) {
  Tensor t(ir::DataType::kUint4, std::move(dims));
  for (size_t i = 0; i < t.byte_size(); ++i) t.mutable_bytes()[i] = std::byte(0x21);
  return t;
}

std::vector<MutationCase> product_cases() {
  return {
      {kMicrosoft,
       "QGemm",
       1,
       [] { return with(Attribute("transB", 1), Attribute("alpha", 2.0f)); },
       {bytes({2, 3}), scale(), zero(), bytes({4, 3}), real({4}), bytes({4}),
        ascending<int32_t>({2, 4}), scale(), zero()}},
      {kMicrosoft,
       "MatMulIntegerToFloat",
       1,
       [] { return with(); },
       {bytes({2, 2, 3}), bytes({3, 4}), scale(), real({4}), zero(), bytes({4}), real({4})}},
      {kMicrosoft,
       "DynamicQuantizeMatMul",
       1,
       [] { return with(); },
       {real({2, 3}), bytes({3, 4}), real({4}), bytes({4}), real({4})}},
      {kMicrosoft,
       "MatMulNBits",
       1,
       [] {
         return with(Attribute("N", 2), Attribute("K", 20), Attribute("block_size", 16),
                     Attribute("bits", 4));
       },
       {real({2, 20}), bytes({2, 2, 8}), real({2, 2}), bytes({2, 1}),
        blocks({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}), real({2})}},
      {kMicrosoft,
       "DynamicQuantizeLSTM",
       1,
       [] { return with(Attribute("hidden_size", 2), Attribute("direction", "bidirectional")); },
       {real({3, 2, 4}), bytes({2, 4, 8}), bytes({2, 2, 8}), real({2, 16}),
        Tensor::of<int32_t>({2}, {1, 3}), real({2, 2, 2}), real({2, 2, 2}), real({2, 6}),
        real({2, 8}), bytes({2}), real({2}), bytes({2, 8})},
       3},
      {kMicrosoft,
       "QLinearConv",
       1,
       [] {
         return with(Attribute("channels_last", 1), Attribute("group", 2),
                     Attribute("pads", Longs{1, 0, 0, 1}));
       },
       {bytes({1, 5, 4, 2}), scale(), zero(), bytes({2, 1, 2, 3}), real({2}), bytes({2}), scale(),
        zero(), ascending<int32_t>({2})}},
  };
}

std::vector<MutationCase> other_cases() {
  return {
      {kMicrosoft,
       "QLinearAdd",
       1,
       [] { return with(); },
       {bytes({2, 3}), scale(), zero(), bytes({3}), scale(), zero(), scale(), zero()}},
      {kMicrosoft,
       "QLinearLeakyRelu",
       1,
       [] { return with(Attribute("alpha", 0.5f)); },
       {bytes({2, 3}), scale(), zero(), scale(), zero()}},
      {kMicrosoft,
       "QLinearSoftmax",
       1,
       [] { return with(Attribute("opset", 13), Attribute("axis", 1)); },
       {bytes({2, 3, 4}), scale(), zero(), scale(), zero()}},
      {kMicrosoft,
       "QLinearConcat",
       1,
       [] { return with(Attribute("axis", -1)); },
       {scale(), zero(), bytes({2, 3}), scale(), zero(), bytes({2, 1}), scale(), zero()}},
      {kMicrosoft,
       "QLinearWhere",
       1,
       [] { return with(); },
       {Tensor(ir::DataType::kBool, {2, 1}), bytes({3}), scale(), zero(), bytes({2, 3}), scale(),
        zero(), scale(), zero()}},
      {kMicrosoft,
       "QLinearAveragePool",
       1,
       [] {
         return with(Attribute("kernel_shape", Longs{2, 3}), Attribute("strides", Longs{1, 2}),
                     Attribute("pads", Longs{1, 0, 0, 1}), Attribute("channels_last", 1),
                     Attribute("ceil_mode", 1), Attribute("count_include_pad", 1));
       },
       {bytes({1, 4, 5, 2}), scale(), zero(), scale(), zero()}},
      {kMicrosoft,
       "QLinearGlobalAveragePool",
       1,
       [] { return with(Attribute("channels_last", 1)); },
       {bytes({2, 3, 4, 2}), scale(), zero(), scale(), zero()}},
      {kMicrosoft,
       "GatherBlockQuantized",
       1,
       [] {
         return with(Attribute("block_size", 16), Attribute("bits", 4),
                     Attribute("quantize_axis", 1), Attribute("gather_axis", 0));
       },
       {bytes({3, 10}), Tensor::of<int64_t>({2}, {1, -3}), real({3, 2}), bytes({3, 1})}},
      {kMicrosoft,
       "GatherBlockQuantized",
       1,
       [] {
         return with(Attribute("block_size", 16), Attribute("quantize_axis", 0),
                     Attribute("gather_axis", 1));
       },
       {nibbles({18, 3}), Tensor::of<int64_t>({2, 1}, {1, 7}), real({2, 3}), nibbles({2, 3})}},
  };
}

}  // namespace

std::vector<MutationCase> quantized_contrib_cases() {
  std::vector<MutationCase> cases = product_cases();
  for (const MutationCase& c : other_cases()) cases.push_back(c);
  return cases;
}

}  // namespace fettle::test
