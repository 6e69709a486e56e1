// Valid configurations of the attention and fused operators with something broken: each either
// works or throws Error, never more, and a rule never contradicts its kernel.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "ir/buffer.h"
#include "ir/error.h"
#include "ir/graph.h"
#include "ops/infer_context.h"
#include "ops/refused.h"
#include "ops/table.h"

namespace fettle::ops {
namespace {

using test::refused;

using enum ir::DataType;

struct Operand {
  ir::DataType type = kFloat;
  ir::Dims dims;
  bool omitted = false;
};
const Operand kNone{kFloat, {}, true};

Operand real(ir::Dims dims) {
  return {kFloat, std::move(dims)};
}
Operand longs(ir::Dims dims) {
  return {kInt64, std::move(dims)};
}
Operand ints(ir::Dims dims) {
  return {kInt32, std::move(dims)};
}

struct Case {
  const char* domain;
  const char* op;
  int version;
  std::vector<std::pair<const char*, int64_t>> numbers;
  std::vector<Operand> operands;
};

constexpr const char* kMicrosoft = "com.microsoft";
constexpr int kTrials = 2000;  // per case

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"",
       "Attention",
       25,
       {{"is_causal", 1}},
       {real({2, 4, 3, 2}),
        real({2, 2, 5, 2}),
        real({2, 2, 5, 3}),
        {kBool, {2, 1, 3, 5}},
        kNone,
        kNone,
        longs({2})}},
      {"",
       "Attention",
       23,
       {{"q_num_heads", 4}, {"kv_num_heads", 2}, {"qk_matmul_output_mode", 2}},
       {real({2, 3, 8}), real({2, 5, 4}), real({2, 5, 6}), real({3, 7}), real({2, 2, 2, 2}),
        real({2, 2, 2, 3})}},
      {"",
       "RotaryEmbedding",
       23,
       {{"rotary_embedding_dim", 4}},
       {real({2, 3, 2, 6}), real({9, 2}), real({9, 2}), longs({2, 2})}},
      {"", "TensorScatter", 24, {{"axis", 1}}, {real({2, 4, 3}), real({2, 2, 3}), longs({2})}},
      {"",
       "LinearAttention",
       27,
       {{"q_num_heads", 4}, {"kv_num_heads", 2}},
       {real({2, 3, 8}), real({2, 3, 4}), real({2, 3, 6}), real({2, 2, 2, 3}), real({2, 3, 4}),
        real({2, 3, 2})}},
      {"",
       "CausalConvWithState",
       27,
       {},
       {real({2, 3, 4}), real({3, 1, 3}), real({3}), real({2, 3, 2})}},
      {"ai.onnx.preview",
       "FlexAttention",
       1,
       {},
       {real({2, 4, 3, 2}), real({2, 2, 5, 2}), real({2, 2, 5, 3})}},
      {kMicrosoft,
       "Attention",
       1,
       {{"num_heads", 2}, {"unidirectional", 1}},
       {real({2, 3, 2}), real({2, 12}), real({12}), ints({2, 5}), real({2, 2, 2, 2, 2}),
        real({1, 2, 3, 5})}},
      {kMicrosoft,
       "MultiHeadAttention",
       1,
       {{"num_heads", 2}},
       {real({2, 3, 4}), real({2, 5, 4}), real({2, 5, 4}), real({12}), ints({2}),
        real({1, 2, 3, 7}), real({2, 2, 2, 2}), real({2, 2, 2, 2})}},
      {kMicrosoft, "MultiHeadAttention", 1, {{"num_heads", 2}}, {real({2, 3, 2, 3, 4})}},
      {kMicrosoft,
       "RotaryEmbedding",
       1,
       {{"num_heads", 2}},
       {real({2, 3, 8}), longs({2, 3}), real({5, 2}), real({5, 2})}},
      {kMicrosoft, "FastGelu", 1, {}, {real({2, 3}), real({3})}},
      {kMicrosoft,
       "FusedMatMul",
       1,
       {{"transA", 1}, {"transBatchB", 1}},
       {real({2, 3, 4, 5}), real({4, 2, 3, 6})}},
      {kMicrosoft,
       "FusedConv",
       1,
       {{"group", 2}},
       {real({2, 4, 5, 5}), real({6, 2, 3, 3}), real({6}), real({2, 6, 3, 3})}},
      {kMicrosoft,
       "SkipLayerNormalization",
       1,
       {},
       {real({2, 3, 4}), real({3, 4}), real({4}), real({4}), real({4})}},
      {kMicrosoft,
       "SkipSimplifiedLayerNormalization",
       1,
       {},
       {real({2, 3, 4}), real({1, 3, 4}), real({4}), real({4})}},
      {kMicrosoft,
       "EmbedLayerNormalization",
       1,
       {},
       {ints({2, 3}), ints({2, 3}), real({5, 4}), real({6, 4}), real({2, 4}), real({4}), real({4}),
        ints({2, 3}), ints({1, 3})}},
  };
  return kCases;
}

class Mutator {
 public:
  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  void mutate(Operand& o) {
    static constexpr ir::DataType kTypes[] = {kFloat, kFloat16, kDouble, kInt64,
                                              kInt32, kBool,    kInt4,   kString};
    static constexpr int64_t kExtents[] = {0, 0, 1, 2, 3, 4, 6, 7, 8, int64_t{1} << 40};
    const auto axis = o.dims.empty() ? size_t{0} : static_cast<size_t>(below(o.dims.size()));
    switch (below(6)) {
      case 0:
        o.type = kTypes[below(8)];
        break;
      case 1:
        o.omitted = !o.omitted;
        break;
      case 2:
        if (!o.dims.empty()) o.dims.erase(o.dims.begin() + static_cast<int64_t>(axis));
        break;
      case 3:
        o.dims.insert(o.dims.begin() + static_cast<int64_t>(axis), kExtents[below(10)]);
        break;
      default:
        if (!o.dims.empty()) o.dims[axis] = kExtents[below(10)];
    }
  }

  int64_t number() {
    static constexpr int64_t kEdges[] = {INT64_MIN, INT64_MAX, INT32_MAX, int64_t{1} << 40, -1};
    return below(4) == 0 ? kEdges[below(5)] : below(5);
  }

  // Contents that are mostly in range as indices, masks and counts.
  ir::Tensor tensor(const Operand& o) {
    ir::Tensor t(o.type, o.dims);
    if (o.type == kString) return t;
    std::fill_n(t.mutable_bytes(), t.byte_size(), std::byte{0});
    const bool wild = below(20) == 0;
    if (o.type == kFloat) {
      for (float& v : t.mutable_data<float>()) v = static_cast<float>(below(9) - 4);
    } else if (o.type == kInt64) {
      for (int64_t& v : t.mutable_data<int64_t>()) v = wild ? number() : below(3);
    } else if (o.type == kInt32) {
      for (int32_t& v : t.mutable_data<int32_t>()) {
        v = static_cast<int32_t>(wild ? number() : below(2));
      }
    } else if (o.type == kBool) {
      for (bool& v : t.mutable_data<bool>()) v = below(2) != 0;
    }
    return t;
  }

 private:
  std::mt19937 random_{7};
};

bool agrees(const ir::Type& type, const ir::Tensor& tensor) {
  if (!type.known()) return true;
  if (!type.is_tensor() || type.element != tensor.type()) return false;
  if (!type.shape) return true;
  if (type.shape->size() != tensor.rank()) return false;
  for (size_t i = 0; i < tensor.rank(); ++i) {
    if ((*type.shape)[i].known() && (*type.shape)[i].value != tensor.dim(i)) return false;
  }
  return true;
}

std::string shown(const Case& c) {
  std::string text = c.op;
  for (const Operand& o : c.operands) {
    text +=
        o.omitted ? " -" : fmt::format(" {}{}", ir::data_type_name(o.type), ir::to_string(o.dims));
  }
  for (const auto& [name, value] : c.numbers) text += fmt::format(" {}={}", name, value);
  return text;
}

// Whether the kernel computed something; fails the test where kernel and rule misbehave.
bool run(const Case& c, Mutator& random) {
  const OpDef* op = find_op(c.domain, c.op, c.version);
  EXPECT_NE(op, nullptr) << c.op;
  ir::Graph graph;
  std::vector<ir::Value*> values;
  std::vector<RuntimeValue> operands;
  std::vector<ValueFacts> facts;
  const size_t count = c.operands.size();
  for (size_t i = 0; i < count; ++i) {
    const Operand& o = c.operands[i];
    values.push_back(o.omitted ? nullptr : &graph.add_input(fmt::format("x{}", i), {}));
    operands.emplace_back(o.omitted ? ir::Tensor() : random.tensor(o));
    facts.push_back({ir::Type::tensor(o.type, ir::shape_of(o.dims)), nullptr, {}, nullptr});
  }
  ir::Node& node = graph.add_node(c.op, values, {"y0", "y1", "y2", "y3"}, nullptr, c.domain);
  for (const auto& [name, value] : c.numbers) node.set_attribute(ir::Attribute(name, value));
  std::vector<const RuntimeValue*> inputs;
  std::vector<const ValueFacts*> known;
  for (size_t i = 0; i < count; ++i) {
    inputs.push_back(c.operands[i].omitted ? nullptr : &operands[i]);
    known.push_back(c.operands[i].omitted ? nullptr : &facts[i]);
  }
  KernelContext kernel(node, c.version, inputs, nullptr);
  InferContext rule(node, c.version, known, nullptr);
  const auto code = refused([&] { op->kernel(kernel); });
  const auto rule_code = refused([&] { op->infer(rule); });
  EXPECT_NE(code, ErrorCode::kInternal) << shown(c);
  EXPECT_NE(rule_code, ErrorCode::kInternal) << shown(c);
  if (code) return false;
  EXPECT_FALSE(rule_code) << shown(c) << ": the rule refuses what the kernel computes";
  for (size_t k = 0; k < kernel.outputs().size(); ++k) {
    if (!kernel.outputs()[k].is_tensor()) continue;
    const ir::Tensor& computed = kernel.outputs()[k].tensor;
    EXPECT_TRUE(agrees(rule.outputs()[k].type, computed))
        << shown(c) << ": output " << k << " inferred " << ir::to_string(rule.outputs()[k].type)
        << ", computed " << ir::data_type_name(computed.type()) << ir::to_string(computed.dims());
  }
  return true;
}

TEST(AttentionMutation, NeitherCrashNorContradict) {
  const size_t before = ir::memory_limit();
  ir::set_memory_limit(size_t{64} << 20);
  Mutator random;
  int worked = 0;
  for (const Case& valid : cases()) {
    EXPECT_TRUE(run(valid, random)) << shown(valid);
    for (int i = 0; i < kTrials && !testing::Test::HasFailure(); ++i) {
      Case broken = valid;
      for (int64_t k = random.below(2); k >= 0; --k) {
        random.mutate(broken.operands[static_cast<size_t>(random.below(broken.operands.size()))]);
      }
      if (!broken.numbers.empty() && random.below(4) == 0) {
        broken.numbers[static_cast<size_t>(random.below(broken.numbers.size()))].second =
            random.number();
      }
      // Operands that cannot exist are of no interest.
      if (refused([&] {
            for (const Operand& o : broken.operands) ir::Tensor(o.type, o.dims);
          })) {
        continue;
      }
      worked += run(broken, random) ? 1 : 0;
    }
  }
  EXPECT_GT(worked, kTrials);
  ir::set_memory_limit(before);
}

}  // namespace
}  // namespace fettle::ops
