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
