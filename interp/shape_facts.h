// What follows from the shapes of the inputs alone: types of values, and the contents of the small
// integer tensors that shapes are computed in.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "ops/infer_context.h"
#include "ops/table.h"

namespace fettle::interp {

class ShapeFacts {
 public:
  // The contents of a value where they are known, else null.
  using Constants = std::function<const ir::Tensor*(const ir::Value&)>;
  explicit ShapeFacts(Constants constants) : constants_(std::move(constants)) {}

  void set_type(const ir::Value& value, ir::Type type);
  // Infers the outputs of `node`, whose operands must have been seen before. Returns their
  // contents, in order, nothing where these do not follow from what is known.
  std::vector<std::optional<ir::Tensor>> infer(const ir::Node& node, const ops::OpDef* op,
                                               int64_t opset);

 private:
  const ops::ValueFacts& facts_of(const ir::Value& value);

  Constants constants_;
  std::unordered_map<const ir::Value*, ops::ValueFacts> facts_;
};

}  // namespace fettle::interp
