// Rules and kernels of data movement on random operands, most of them senseless: each either works
// or throws Error, never more, and a rule never contradicts its kernel.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "ir/error.h"
#include "ir/graph.h"
#include "ops/element_width.h"
#include "ops/families.h"
#include "ops/infer_context.h"
#include "ops/refused.h"

namespace fettle::ops {
namespace {

using test::refused;

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  // Mostly small, now and then at the edge of int64.
  int64_t number() {
    static constexpr int64_t kEdges[] = {INT64_MIN,          INT64_MIN + 1, INT64_MAX,
                                         INT64_MAX - 1,      INT32_MAX,     int64_t{1} << 40,
                                         -(int64_t{1} << 40)};
    return below(12) == 0 ? kEdges[below(7)] : below(9) - 4;
  }

  std::vector<int64_t> numbers() {
    std::vector<int64_t> list(static_cast<size_t>(below(5)));
    for (int64_t& v : list) v = number();
    return list;
  }

  ir::Tensor tensor() {
    if (below(3) == 0) {
      const auto list = numbers();
      if (below(5) == 0) return ir::Tensor::scalar(number());
      return ir::Tensor::of({static_cast<int64_t>(list.size())}, list);
    }
    ir::Dims dims(static_cast<size_t>(below(5)));
    for (int64_t& d : dims) d = below(12) == 0 ? 0 : 1 + below(4);
    static constexpr ir::DataType kTypes[] = {
        ir::DataType::kFloat,  ir::DataType::kInt64,     ir::DataType::kInt32,
        ir::DataType::kBool,   ir::DataType::kUint4,     ir::DataType::kUint8,
        ir::DataType::kString, ir::DataType::kFloat16,   ir::DataType::kInt2,
        ir::DataType::kFloat,  ir::DataType::kComplex128};
    const ir::DataType type = kTypes[below(11)];
    ir::Tensor t(type, dims);
    fill_zero(t);
    if (type == ir::DataType::kInt64) {
      for (int64_t& v : t.mutable_data<int64_t>()) v = number();
    } else if (type != ir::DataType::kString) {
      for (size_t i = 0; i < t.byte_size(); ++i) t.mutable_bytes()[i] = std::byte(below(2));
    }
    return t;
  }

  void attributes(ir::Node& node) {
    for (const char* name :
         {"axis", "batch_dims", "k", "upper", "allowzero", "start", "end", "dtype", "keepdims",
          "num_outputs", "batch_axis", "time_axis", "sorted"}) {
      if (below(6) == 0)
        node.set_attribute(ir::Attribute(name, below(8) == 0 ? number() : below(3)));
    }
    for (const char* name : {"axes", "perm", "starts", "ends", "pads", "split", "shape"}) {
      if (below(6) == 0) node.set_attribute(ir::Attribute(name, numbers()));
    }
    static constexpr const char* kModes[] = {"constant", "reflect", "edge", "wrap", "?"};
    if (below(2) == 0) node.set_attribute(ir::Attribute("mode", kModes[below(5)]));
    static constexpr const char* kReductions[] = {"none", "add", "mul", "max", "min", "?"};
    if (below(2) == 0) node.set_attribute(ir::Attribute("reduction", kReductions[below(6)]));
    if (below(4) == 0) node.set_attribute(ir::Attribute("value", tensor()));
  }

 private:
  std::mt19937 random_;
};

bool agrees(const ir::Type& type, const ir::Tensor& tensor) {
  if (!type.known()) return true;
  if (!type.is_tensor()) return false;
  if (type.element != ir::DataType::kUndefined && type.element != tensor.type()) return false;
  if (!type.shape) return true;
  if (type.shape->size() != tensor.rank()) return false;
  for (size_t i = 0; i < tensor.rank(); ++i) {
    if ((*type.shape)[i].known() && (*type.shape)[i].value != tensor.dim(i)) return false;
  }
  return true;
}

struct Trial {
  const OpDef& op;
  std::vector<RuntimeValue> operands;
  ir::Graph graph;
  ir::Node* node = nullptr;

  Trial(const OpDef& row, Generator& random) : op(row) {
    std::vector<ir::Value*> inputs;
    const int64_t count = random.below(5);
    for (int64_t i = 0; i < count; ++i) {
      operands.emplace_back(i > 0 && random.below(3) == 0 ? operands[0].tensor : random.tensor());
      inputs.push_back(&graph.add_input(fmt::format("x{}", i), {}));
    }
    node = &graph.add_node(std::string(op.name), inputs, {"y0", "y1"});
    random.attributes(*node);
  }

  std::string shown() const {
    std::string text(op.name);
    for (const RuntimeValue& v : operands) {
      text +=
          fmt::format(" {}{}", ir::data_type_name(v.tensor.type()), ir::to_string(v.tensor.dims()));
    }
    return text;
  }

  // `known` lets the rule see contents, not only shapes.
  std::optional<ErrorCode> infer(bool known, std::vector<ValueFacts>& outputs) const {
    std::vector<ValueFacts> facts;
    for (const RuntimeValue& v : operands) {
      const ir::Tensor& t = v.tensor;
      facts.push_back({ir::Type::tensor(t.type(), ir::shape_of(t.dims())), known ? &t : nullptr,
                       known ? ints_of(t) : std::nullopt, nullptr});
    }
    std::vector<const ValueFacts*> inputs;
    for (const ValueFacts& f : facts) inputs.push_back(&f);
    InferContext context(*node, op.since_version, inputs, nullptr);
    const auto code = refused([&] { op.infer(context); });
    outputs = context.outputs();
    return code;
  }
};

class RandomOperands : public testing::TestWithParam<std::span<const OpDef> (*)()> {
 protected:
  void SetUp() override { ir::set_memory_limit(size_t{64} << 20); }
  void TearDown() override { ir::set_memory_limit(before_); }

 private:
  size_t before_ = ir::memory_limit();
};

TEST_P(RandomOperands, NeitherCrashNorContradict) {
  Generator random(20);
  int worked = 0;
  for (const OpDef& op : GetParam()()) {
    for (int i = 0; i < 1500; ++i) {
      const Trial trial(op, random);
      std::vector<const RuntimeValue*> inputs;
      for (const RuntimeValue& v : trial.operands) inputs.push_back(&v);
      KernelContext context(*trial.node, op.since_version, inputs, nullptr);
      const auto code = refused([&] { op.kernel(context); });
      ASSERT_NE(code, ErrorCode::kInternal) << trial.shown();
      for (const bool known : {true, false}) {
        std::vector<ValueFacts> facts;
        const auto rule_code = trial.infer(known, facts);
        ASSERT_NE(rule_code, ErrorCode::kInternal) << trial.shown();
        if (code) continue;
        ASSERT_FALSE(rule_code) << trial.shown() << ": the rule refuses what the kernel computes";
        for (size_t k = 0; k < facts.size(); ++k) {
          if (!context.outputs()[k].is_tensor()) continue;
          const ir::Tensor& computed = context.outputs()[k].tensor;
          ASSERT_TRUE(agrees(facts[k].type, computed))
              << trial.shown() << ": inferred " << ir::to_string(facts[k].type) << ", computed "
              << ir::to_string(computed.dims());
          const auto contents = ints_of(computed);
          if (!facts[k].ints || !contents) continue;
          ASSERT_EQ(facts[k].ints->size(), contents->size()) << trial.shown();
          for (size_t j = 0; j < contents->size(); ++j) {
            const ir::Dim& said = (*facts[k].ints)[j];
            ASSERT_TRUE(said == ir::Dim::unknown() || said.same((*contents)[j])) << trial.shown();
          }
        }
      }
      worked += code ? 0 : 1;
    }
  }
  EXPECT_GT(worked, 500);
}

INSTANTIATE_TEST_SUITE_P(Families, RandomOperands,
                         testing::Values(view_ops, movement_ops, generator_ops, indexing_ops));

}  // namespace
}  // namespace fettle::ops
