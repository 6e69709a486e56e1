#include "calib/table.h"

#include <fmt/ranges.h>

#include "calib/range_scan.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

// Fowler, Noll and Vo's hash, variant 1a, 64 bits (draft-eastlake-fnv).
class Fnv1a {
 public:
  void text(std::string_view bytes) {
    for (const char c : bytes) byte(static_cast<unsigned char>(c));
    byte(0);  // ends a field: names cannot run into each other
  }
  std::string hex() const { return fmt::format("fnv1a64:{:016x}", hash_); }

 private:
  void byte(unsigned char b) { hash_ = (hash_ ^ b) * 0x100000001b3u; }
  uint64_t hash_ = 0xcbf29ce484222325u;
};

std::string name_of(const ir::Value* value) {
  return value != nullptr ? value->name() : "";
}

}  // namespace

std::string model_digest(const ir::Model& model) {
  Fnv1a hash;
  for (const ir::Value* input : model.graph->inputs()) {
    hash.text("input");
    hash.text(input->name());
    hash.text(ir::to_string(input->type));
  }
  for (const ir::Value* value : model.graph->constants()) {
    hash.text("constant");
    hash.text(value->name());
    if (const ir::Tensor* tensor = value->constant()) {
      hash.text(ir::data_type_name(tensor->type()));
      hash.text(ir::to_string(tensor->dims()));
    }
  }
  for (const ir::Node& node : model.graph->nodes()) {
    hash.text("node");
    hash.text(node.is_default_domain() ? "" : node.domain);
    hash.text(node.op_type);
    for (const ir::Value* value : node.inputs()) hash.text(name_of(value));
    hash.text("->");
    for (const ir::Value* value : node.outputs()) hash.text(name_of(value));
  }
  for (const ir::Value* output : model.graph->outputs()) {
    hash.text("output");
    hash.text(output->name());
  }
  return hash.hex();
}

void CalibrationTable::merge(const CalibrationTable& other) {
  if (method != other.method) {
    fail(ErrorCode::kBadInput,
         "calibration tables of different methods ('{}' and '{}') cannot be merged", method,
         other.method);
  }
  if (!model_digest.empty() && !other.model_digest.empty() && model_digest != other.model_digest) {
    fail(ErrorCode::kBadInput,
         "calibration tables of different models ({} and {}) cannot be merged; calibrate the same "
         "model with both data sets",
         model_digest, other.model_digest);
  }
  if (model_digest.empty()) model_digest = other.model_digest;
  if (__builtin_add_overflow(samples, other.samples, &samples)) {
    fail(ErrorCode::kLimit, "the merged calibration table counts more than 2^63 samples");
  }
  for (const auto& [name, range] : other.tensors) merge_range(tensors[name], range);
}

void check_table(const CalibrationTable& table, const ir::Model& model) {
  const std::string digest = model_digest(model);
  if (table.model_digest.empty() || table.model_digest == digest) return;
  size_t known = 0;
  for (const auto& [name, range] : table.tensors) known += model.graph->find(name) != nullptr;
  fail(
      ErrorCode::kBadInput,
      "the calibration table was made with another model (table {}, model {}; {} of its {} tensors "
      "are in this model); calibrate this model",
      table.model_digest, digest, known, table.tensors.size());
}

std::vector<std::string> table_warnings(const CalibrationTable& table) {
  std::vector<std::string> warnings;
  for (const auto& [name, range] : table.tensors) {
    if (range.non_finite == 0) continue;
    warnings.push_back(
        range.count == 0
            ? fmt::format("tensor '{}' has no finite element: no range is known", name)
            : fmt::format(
                  "tensor '{}' has {} NaN or infinite elements of {}; its range leaves them "
                  "out",
                  name, range.non_finite, range.count + range.non_finite));
  }
  return warnings;
}

}  // namespace fettle::calib
