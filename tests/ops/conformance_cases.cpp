#include "ops/conformance_cases.h"

#include <fmt/format.h>
#include <onnx/onnx-data_pb.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "ir/io.h"
#include "ops/table.h"
#include "support/text_model.h"

namespace fettle::test {
namespace {

std::vector<std::filesystem::path> sorted_folders(const std::filesystem::path& folder,
                                                  const std::string& prefix) {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::is_directory(folder)) return found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const bool named = entry.path().filename().string().rfind(prefix, 0) == 0;
    if (named && entry.is_directory()) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<std::string> unclaimed_in(
    ir::Graph& graph, const ir::Model& model,
    const std::vector<std::pair<std::string, int64_t>>& opsets) {
  std::optional<std::string> missing;
  ir::for_each_graph(graph, [&](ir::Graph& g) {
    for (const ir::Node& node : g.nodes()) {
      if (missing || model.find_function(node.domain, node.op_type, node.overload)) continue;
      int64_t opset = 0;
      for (const auto& [domain, version] : opsets) {
        const bool same = domain == node.domain ||
                          (node.is_default_domain() && (domain.empty() || domain == "ai.onnx"));
        if (same) opset = version;
      }
      const ops::OpDef* op = ops::find_op(node, opset);
      if (op != nullptr && op->kernel != nullptr) continue;
      missing = (node.is_default_domain() ? "" : node.domain + ".") + node.op_type;
    }
  });
  return missing;
}

// Relative and absolute tolerance of ONNX's backend tests; for narrow types at least one rounding
// step, because the expected values were rounded after other intermediate steps.
struct Tolerance {
  double relative;
  double absolute;
};
Tolerance tolerance_of(ir::DataType type) {
  switch (type) {
    case ir::DataType::kBfloat16:
      return {1.6e-2, 1e-3};
    case ir::DataType::kFloat16:
      return {2e-3, 1e-3};
    case ir::DataType::kFloat:
    case ir::DataType::kDouble:
      return {1e-3, 1e-7};
    default:
      return {0, 0};  // 8- and 4-bit floats are only moved and cast
  }
}

ir::Tensor to_tensor(const onnx::TensorProto& proto) {
  onnx::ModelProto holder;
  holder.set_ir_version(8);
  holder.add_opset_import()->set_version(17);
  holder.mutable_graph()->set_name("holder");
  *holder.mutable_graph()->add_initializer() = proto;
  holder.mutable_graph()->mutable_initializer(0)->set_name("value");
  return *ir::parse_model(holder.SerializeAsString()).graph->constants().at(0)->constant();
}

ops::RuntimeValue to_value(const onnx::SequenceProto& proto) {
  std::vector<ops::RuntimeValue> items;
  for (const auto& tensor : proto.tensor_values()) items.emplace_back(to_tensor(tensor));
  for (const auto& inner : proto.sequence_values()) items.push_back(to_value(inner));
  return ops::RuntimeValue::sequence(std::move(items));
}

ops::RuntimeValue to_value(const onnx::OptionalProto& proto) {
  std::vector<ops::RuntimeValue> content;
  if (proto.has_tensor_value()) content.emplace_back(to_tensor(proto.tensor_value()));
  if (proto.has_sequence_value()) content.push_back(to_value(proto.sequence_value()));
  return ops::RuntimeValue::optional(std::move(content));
}

// A stored value of the type that the model declares for it.
ops::RuntimeValue load_value(const std::filesystem::path& path, const ir::Type& type) {
  if (type.kind != ir::Type::Kind::kSequence && type.kind != ir::Type::Kind::kOptional) {
    return ir::read_tensor(path);
  }
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (type.kind == ir::Type::Kind::kSequence) {
    onnx::SequenceProto proto;
    proto.ParseFromString(bytes);
    return to_value(proto);
  }
  onnx::OptionalProto proto;
  proto.ParseFromString(bytes);
  return to_value(proto);
}

std::string shown(const ir::Tensor& t) {
  return fmt::format("{}{}", ir::data_type_name(t.type()), ir::to_string(t.dims()));
}

}  // namespace

std::filesystem::path conformance_folder() {
  const auto shared = shared_folder();
  if (!shared.empty()) return shared / "conformance";
  const std::filesystem::path written = std::filesystem::path(FETTLE_BINARY_DIR) / "conformance";
  const char* python = std::getenv("FETTLE_PYTHON");
  if (!std::filesystem::is_directory(written) && python != nullptr) {
    const std::string command =
        fmt::format("'{}' '{}/tests/support_tools/write_conformance.py' '{}'", python,
                    FETTLE_SOURCE_DIR, written.string());
    if (std::system(command.c_str()) != 0) return {};
  }
  return std::filesystem::is_directory(written) ? written : std::filesystem::path();
}

std::vector<ConformanceCase> conformance_cases(const std::string& suite) {
  std::vector<ConformanceCase> cases;
  const auto all = conformance_folder();
  if (all.empty()) return cases;
  for (const auto& folder : sorted_folders(all / suite, "test_")) {
    cases.push_back({suite, folder.filename().string(), folder});
  }
  return cases;
}

std::vector<std::filesystem::path> data_sets(const ConformanceCase& test_case) {
  return sorted_folders(test_case.folder, "test_data_set_");
}

std::optional<std::string> unclaimed_operator(const ir::Model& model) {
  if (auto missing = unclaimed_in(*model.graph, model, model.opset_imports)) return missing;
  for (const ir::Function& function : model.functions) {
    if (auto missing = unclaimed_in(*function.body, model, function.opset_imports)) return missing;
  }
  return std::nullopt;
}

interp::Feeds load_feeds(const ir::Model& model, const std::filesystem::path& data_set) {
  interp::Feeds feeds;
  size_t next = 0;
  for (const ir::Value* input : model.graph->inputs()) {
    if (input->has_initializer()) continue;
    const auto path = data_set / fmt::format("input_{}.pb", next++);
    if (std::filesystem::exists(path)) feeds[input->name()] = load_value(path, input->type);
  }
  return feeds;
}

std::vector<ops::RuntimeValue> load_outputs(const ir::Model& model,
                                            const std::filesystem::path& data_set) {
  std::vector<ops::RuntimeValue> outputs;
  for (const ir::Value* output : model.graph->outputs()) {
    const auto path = data_set / fmt::format("output_{}.pb", outputs.size());
    if (!std::filesystem::exists(path)) break;
    outputs.push_back(load_value(path, output->type));
  }
  return outputs;
}

std::optional<std::string> difference(const ops::RuntimeValue& actual,
                                      const ops::RuntimeValue& expected, double slack) {
  if (actual.kind != expected.kind) return "another kind of value";
  if (actual.is_tensor()) return difference(actual.tensor, expected.tensor, slack);
  if (expected.items == nullptr) return std::nullopt;
  if (actual.items == nullptr || actual.items->size() != expected.items->size()) {
    return fmt::format("expected {} entries", expected.items->size());
  }
  for (size_t i = 0; i < expected.items->size(); ++i) {
    if (auto what = difference((*actual.items)[i], (*expected.items)[i], slack)) {
      return fmt::format("entry {}: {}", i, *what);
    }
  }
  return std::nullopt;
}

std::optional<std::string> difference(const ir::Tensor& actual, const ir::Tensor& expected,
                                      double slack) {
  if (actual.type() != expected.type() || actual.dims() != expected.dims()) {
    return fmt::format("expected {}, found {}", shown(expected), shown(actual));
  }
  if (!ir::is_floating(actual.type())) {
    return ir::identical(actual, expected) ? std::nullopt
                                           : std::optional<std::string>("the elements differ");
  }
  const Tolerance tolerance = tolerance_of(actual.type());
  for (int64_t i = 0; i < actual.size(); ++i) {
    const double a = ir::element_as_double(actual, i);
    const double e = ir::element_as_double(expected, i);
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;
    const double allowed = slack * (tolerance.absolute + tolerance.relative * std::abs(e));
    if (!(std::abs(a - e) <= allowed)) {
      return fmt::format("element {} of {}: expected {}, found {}", i, shown(actual), e, a);
    }
  }
  return std::nullopt;
}

}  // namespace fettle::test
