// Shape inference against what the models compute, and with symbolic dimensions.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "ir/error.h"
#include "ir/io.h"
#include "ops/conformance_cases.h"
#include "ops/infer.h"
#include "support/text_model.h"

namespace fettle::test {
namespace {

// Takes every declared type off but those of the main graph's inputs and of subgraph inputs.
void forget_types(ir::Model& model) {
  ir::for_each_graph(*model.graph, [](ir::Graph& graph) {
    for (ir::Value* value : graph.values()) {
      if (!value->is_input() && value->constant() == nullptr) value->type = {};
    }
  });
}

struct Score {
  int exact = 0;    // every extent proved
  int ranked = 0;   // the rank proved
  int unknown = 0;  // not even the rank
};

// What the inferred type says that the tensor contradicts, or nothing.
std::optional<std::string> contradiction(const ir::Type& type, const ir::Tensor& tensor,
                                         Score& score) {
  if (type.known() && (!type.is_tensor() || type.element != tensor.type())) {
    return fmt::format("inferred {}, computed {}", ir::to_string(type),
                       ir::data_type_name(tensor.type()));
  }
  if (!type.shape) {
    ++score.unknown;
    return std::nullopt;
  }
  bool fits = type.shape->size() == tensor.rank();
  bool exact = fits;
  for (size_t i = 0; fits && i < tensor.rank(); ++i) {
    const ir::Dim& d = (*type.shape)[i];
    fits = !d.known() || d.value == tensor.dim(i);
    exact = exact && d.known();
  }
  if (!fits) {
    return fmt::format("inferred {}, computed {}", ir::to_string(type),
                       ir::to_string(tensor.dims()));
  }
  ++(exact ? score.exact : score.ranked);
  return std::nullopt;
}

void check_case(const ConformanceCase& test_case, Score& score) {
  ir::Model model = ir::read_model(test_case.folder / "model.onnx");
  const auto sets = data_sets(test_case);
  if (unclaimed_operator(model) || sets.empty()) return;
  const auto expected = load_outputs(model, sets.front());
  forget_types(model);
  // Element types of inputs without a declared shape come from the data.
  ops::InferOptions options;
  for (const auto& [name, value] : load_feeds(model, sets.front())) {
    options.inputs[name] = ir::Type::tensor(value.tensor.type(), ir::shape_of(value.tensor.dims()));
  }
  ops::infer_shapes(model, options);
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!expected[i].is_tensor()) continue;
    const auto wrong = contradiction(model.graph->outputs()[i]->type, expected[i].tensor, score);
    if (wrong) ADD_FAILURE() << test_case.name << " output " << i << ": " << *wrong;
  }
}

TEST(ShapeInference, AgreesWithConformanceOutputs) {
  Score score;
  for (const char* suite : {"node", "simple", "pytorch-converted", "pytorch-operator"}) {
    for (const ConformanceCase& test_case : conformance_cases(suite)) {
      try {
        check_case(test_case, score);
      } catch (const Error& error) {
        ADD_FAILURE() << suite << "/" << test_case.name << ": " << error.what();
      }
    }
  }
  if (score.exact == 0) GTEST_SKIP() << "no conformance cases: the shared folder is absent";
  EXPECT_LT(score.unknown, 40);
  std::cout << "outputs: " << score.exact << " exact, " << score.ranked << " with some extents, "
            << score.unknown << " of unknown rank" << std::endl;
}

// A shape whose leading two extents, as far as they are greater than 1, are symbols that tell their
// value: "d3" for 3, so that equal extents stay equal.
ir::Shape symbolic_shape(const ir::Dims& dims) {
  ir::Shape shape = ir::shape_of(dims);
  for (size_t i = 0; i < std::min<size_t>(dims.size(), 2); ++i) {
    if (dims[i] > 1) shape[i] = ir::Dim::named(fmt::format("d{}", dims[i]));
  }
  return shape;
}

// The number that a symbol made by symbolic_shape() stands for; nothing for expressions.
std::optional<int64_t> number_of(const std::string& symbol) {
  if (symbol.size() < 2 || symbol[0] != 'd' ||
      !std::all_of(symbol.begin() + 1, symbol.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  return std::stoll(symbol.substr(1));
}

struct SymbolicScore {
  int resolved = 0;
  std::vector<std::string> lost;  // rank known with numbers, but not with symbols
};

void check_symbolic(const ConformanceCase& test_case, SymbolicScore& score) {
  const auto sets = data_sets(test_case);
  ir::Model numbers = ir::read_model(test_case.folder / "model.onnx");
  if (unclaimed_operator(numbers) || sets.empty()) return;
  const auto feeds = load_feeds(numbers, sets.front());
  const auto expected = load_outputs(numbers, sets.front());
  ir::Model symbols = ir::clone(numbers);
  ops::InferOptions with_numbers;
  ops::InferOptions with_symbols;
  for (const auto& [name, value] : feeds) {
    if (!value.is_tensor()) continue;
    const ir::Tensor& t = value.tensor;
    with_numbers.inputs[name] = ir::Type::tensor(t.type(), ir::shape_of(t.dims()));
    // Integers may be shapes, axes or lengths, whose own extent decides about ranks.
    const bool data = ir::is_floating(t.type());
    with_symbols.inputs[name] =
        ir::Type::tensor(t.type(), data ? symbolic_shape(t.dims()) : ir::shape_of(t.dims()));
  }
  forget_types(numbers);
  forget_types(symbols);
  ops::infer_shapes(numbers, with_numbers);
  ops::infer_shapes(symbols, with_symbols);
  for (size_t i = 0; i < expected.size(); ++i) {
    const ir::Type& known = numbers.graph->outputs()[i]->type;
    const ir::Type& type = symbols.graph->outputs()[i]->type;
    if (!expected[i].is_tensor() || !known.shape) continue;
    const ir::Dims& dims = expected[i].tensor.dims();
    const std::string what = fmt::format("{} output {}: {} for {}", test_case.name, i,
                                         ir::to_string(type), ir::to_string(dims));
    if (type.element != known.element || !type.shape) {
      score.lost.push_back(what);
      continue;
    }
    ++score.resolved;
    EXPECT_EQ(type.shape->size(), dims.size()) << what;
    for (size_t k = 0; k < std::min(dims.size(), type.shape->size()); ++k) {
      const ir::Dim& d = (*type.shape)[k];
      const auto number = d.known() ? std::optional(d.value) : number_of(d.symbol);
      EXPECT_TRUE(!number || *number == dims[k]) << what;
    }
  }
}

TEST(ShapeInference, ResolvesWithSymbolicBatchAndSequence) {
  SymbolicScore score;
  for (const char* suite : {"node", "simple", "pytorch-converted", "pytorch-operator"}) {
    for (const ConformanceCase& test_case : conformance_cases(suite)) {
      try {
        check_symbolic(test_case, score);
      } catch (const Error& error) {
        ADD_FAILURE() << suite << "/" << test_case.name << ": " << error.what();
      }
    }
  }
  if (score.resolved == 0) GTEST_SKIP() << "no conformance cases: the shared folder is absent";
  std::cout << "outputs: " << score.resolved << " resolved, " << score.lost.size() << " not"
            << std::endl;
  for (const std::string& what : score.lost) std::cout << "  " << what << std::endl;
  EXPECT_EQ(score.lost.size(), 0u);
}

// Types of the model's inputs with "N" as first extent where it is 1 or not a number.
std::unordered_map<std::string, ir::Type> symbolic_inputs(const ir::Model& model) {
  std::unordered_map<std::string, ir::Type> types;
  for (const ir::Value* input : model.graph->inputs()) {
    if (input->has_initializer() || !input->type.is_tensor()) continue;
    ir::Type type = input->type;
    if (!type.shape || type.shape->empty()) continue;
    ir::Dim& first = type.shape->front();
    if (!first.known() || first.value == 1) first = ir::Dim::named("N");
    types[input->name()] = std::move(type);
  }
  return types;
}

// Ranks of these depend on the extents: branches of If squeeze, or do not.
bool rank_depends_on_extents(const std::string& model) {
  return model.rfind("silero_vad", 0) == 0;
}

TEST(ShapeInference, RanksThatDependOnExtentsResolveForKnownOnes) {
  if (shared_folder().empty()) GTEST_SKIP() << "no zoo: the shared folder is absent";
  ir::Model model = ir::read_model(shared_folder() / "zoo" / "models" / "silero_vad.onnx");
  forget_types(model);
  ops::InferOptions options;
  options.inputs["input"] = ir::Type::tensor(ir::DataType::kFloat, ir::shape_of({1, 512}));
  options.inputs["state"] = ir::Type::tensor(ir::DataType::kFloat, ir::shape_of({2, 1, 128}));
  ops::infer_shapes(model, options);
  EXPECT_EQ(ir::to_string(model.graph->outputs()[0]->type), "tensor(float)[1, 1]");
  EXPECT_EQ(ir::to_string(model.graph->outputs()[1]->type), "tensor(float)[2, 1, 128]");
}

TEST(ShapeInference, RanksOfZooModelsResolveWithSymbolicBatch) {
  if (shared_folder().empty()) GTEST_SKIP() << "no zoo: the shared folder is absent";
  std::vector<std::filesystem::path> models;
  for (const auto& entry :
       std::filesystem::directory_iterator(shared_folder() / "zoo" / "models")) {
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  }
  std::sort(models.begin(), models.end());
  for (const auto& path : models) {
    try {
      ir::Model model = ir::read_model(path);
      forget_types(model);
      const bool claimed =
          !unclaimed_operator(model) && !rank_depends_on_extents(path.filename().string());
      ops::infer_shapes(model, {symbolic_inputs(model)});
      std::cout << path.filename().string() << (claimed ? "" : " (not claimed)");
      for (const ir::Value* output : model.graph->outputs()) {
        std::cout << " " << ir::to_string(output->type);
        EXPECT_TRUE(!claimed || output->type.shape) << path << ": " << output->name();
      }
      std::cout << std::endl;
    } catch (const Error& error) {
      ADD_FAILURE() << path << ": " << error.what();
    }
  }
}

}  // namespace
}  // namespace fettle::test
