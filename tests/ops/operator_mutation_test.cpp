// Valid nodes of losses, signals, geometry, strings, ai.onnx.ml and quantized operators with
// something broken: each either works or throws Error, never more, and a rule never contradicts its
// kernel.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ir/buffer.h"
#include "ir/error.h"
#include "ops/operator_mutation_cases.h"
#include "ops/refused.h"

namespace fettle::test {
namespace {

using enum ir::DataType;
using ir::Attribute;
using ir::Tensor;
using Longs = std::vector<int64_t>;
using Strings = std::vector<std::string>;
using Floats = std::vector<float>;

constexpr int kTrials = 1500;  // per case

class Mutator {
 public:
  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  int64_t number() {
    static constexpr int64_t kEdges[] = {
        INT64_MIN, INT64_MAX, INT64_MAX - 1, INT32_MAX, int64_t{1} << 40, -1, 0};
    return below(2) == 0 ? kEdges[below(7)] : below(7) - 2;
  }

  void mutate(Attribute& a) {
    if (auto* v = std::get_if<int64_t>(&a.payload)) *v = number();
    if (auto* v = std::get_if<float>(&a.payload)) *v = real_number();
    if (auto* v = std::get_if<std::string>(&a.payload)) v->assign(below(2) == 0 ? "NONE" : "((");
    if (auto* v = std::get_if<Longs>(&a.payload)) change(*v, [&] { return number(); });
    if (auto* v = std::get_if<Floats>(&a.payload)) change(*v, [&] { return real_number(); });
    if (auto* v = std::get_if<Strings>(&a.payload)) {
      change(*v, [&] { return std::string(below(2) == 0 ? "BRANCH_NEQ" : "a"); });
    }
  }

  void mutate(Tensor& t) {
    static constexpr ir::DataType kTypes[] = {kFloat, kFloat16, kDouble, kInt64,    kInt32,
                                              kBool,  kInt4,    kString, kComplex64};
    static constexpr int64_t kExtents[] = {0, 0, 1, 2, 3, 4, 5, int64_t{1} << 40};
    if (t.type() == kInt64 && below(2) == 0) {
      for (int64_t& v : t.mutable_data<int64_t>()) v = below(3) == 0 ? number() : v;
      return;
    }
    if (t.type() == kFloat && below(3) == 0) {
      for (float& v : t.mutable_data<float>()) v = below(2) == 0 ? real_number() : v;
      return;
    }
    ir::Dims dims = t.dims();
    const auto axis = dims.empty() ? size_t{0} : static_cast<size_t>(below(dims.size()));
    const int64_t kind = below(4);
    if (kind == 1 && !dims.empty()) dims[axis] = kExtents[below(8)];
    if (kind == 2 && !dims.empty()) dims.erase(dims.begin() + static_cast<int64_t>(axis));
    if (kind == 3) dims.push_back(1 + below(3));
    try {
      t = Tensor(kind == 0 ? kTypes[below(9)] : t.type(), dims);
    } catch (const Error&) {
      return;  // larger than the memory limit
    }
    if (t.type() == kString) return;
    for (size_t i = 0; i < t.byte_size(); ++i) t.mutable_bytes()[i] = std::byte(below(2));
  }

 private:
  float real_number() {
    static constexpr float kEdges[] = {NAN, INFINITY, -INFINITY, 3e38f, -1e20f, 0, 1e-30f};
    return below(2) == 0 ? kEdges[below(7)] : static_cast<float>(below(9) - 4);
  }
  template <typename List, typename Make>
  void change(List& list, Make make) {
    if (list.empty() || below(4) == 0) {
      list.push_back(make());
    } else if (below(4) == 0) {
      list.pop_back();
    } else {
      list[static_cast<size_t>(below(list.size()))] = make();
    }
  }

  std::mt19937 random_{7};
};

Operator operator_of(const MutationCase& c, std::vector<Attribute> attributes) {
  return {c.op, c.version, std::move(attributes), c.outputs, c.domain};
}

bool agrees(const ir::Type& type, const Tensor& tensor) {
  if (!tensor.defined() || !type.known()) return true;
  if (type.element != kUndefined && type.element != tensor.type()) return false;
  if (!type.shape) return true;
  bool same = type.shape->size() == tensor.rank();
  for (size_t i = 0; same && i < tensor.rank(); ++i) {
    same = !(*type.shape)[i].known() || (*type.shape)[i].value == tensor.dim(i);
  }
  return same;
}

// Runs kernel and rule; true when the kernel worked.
bool check(const MutationCase& c, const std::function<std::vector<Attribute>()>& attributes,
           const std::vector<Tensor>& operands) {
  std::vector<Tensor> computed;
  const auto code =
      refused([&] { computed = run_operator(operator_of(c, attributes()), operands); });
  EXPECT_NE(code, ErrorCode::kInternal) << c.op;
  for (const bool known : {true, false}) {
    std::vector<ops::ValueFacts> facts;
    for (const Tensor& t : operands) {
      facts.push_back(tensor_facts(t.type(), ir::shape_of(t.dims())));
      if (known) facts.back().constant = &t;
    }
    std::vector<ops::ValueFacts> inferred;
    const auto rule_code =
        refused([&] { inferred = infer_operator(operator_of(c, attributes()), facts); });
    EXPECT_NE(rule_code, ErrorCode::kInternal) << c.op;
    if (code) continue;
    EXPECT_FALSE(rule_code) << c.op << ": the rule refuses what the kernel computes";
    for (size_t i = 0; i < inferred.size() && i < computed.size(); ++i) {
      EXPECT_TRUE(agrees(inferred[i].type, computed[i]))
          << c.op << ": inferred " << ir::to_string(inferred[i].type) << ", computed "
          << ir::to_string(computed[i].dims());
    }
  }
  return !code;
}

void run_cases(const std::vector<MutationCase>& cases) {
  const size_t before = ir::memory_limit();
  ir::set_memory_limit(size_t{64} << 20);
  Mutator mutator;
  for (const MutationCase& c : cases) {
    EXPECT_TRUE(check(c, c.attributes, c.operands)) << c.op << " as it should be";
    for (int trial = 0; trial < kTrials && !testing::Test::HasFailure(); ++trial) {
      std::vector<Tensor> operands = c.operands;
      const auto seed = static_cast<uint32_t>(mutator.below(1 << 30));
      const int64_t what = mutator.below(3);
      if (what != 0) mutator.mutate(operands[static_cast<size_t>(mutator.below(operands.size()))]);
      // The same change in every copy of the attributes.
      const auto attributes = [&] {
        auto list = c.attributes();
        std::mt19937 random(seed);
        Mutator own;
        for (uint32_t i = random() % 64; i > 0; --i) own.below(2);
        if (what != 1 && !list.empty()) own.mutate(list[random() % list.size()]);
        return list;
      };
      check(c, attributes, operands);
    }
  }
  ir::set_memory_limit(before);
}

TEST(OperatorMutation, DefaultDomain) {
  run_cases(default_domain_cases());
}
TEST(OperatorMutation, MachineLearningDomain) {
  run_cases(ml_domain_cases());
}
TEST(OperatorMutation, QuantizedContrib) {
  run_cases(quantized_contrib_cases());
}

}  // namespace
}  // namespace fettle::test
