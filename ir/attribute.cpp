#include "ir/attribute.h"

#include "ir/graph.h"

namespace fettle::ir {

Attribute::Attribute() = default;
Attribute::~Attribute() = default;
Attribute::Attribute(Attribute&&) noexcept = default;
Attribute& Attribute::operator=(Attribute&&) noexcept = default;

Attribute::Attribute(std::string n, float value)
    : name(std::move(n)), kind(AttributeKind::kFloat), payload(value) {}
Attribute::Attribute(std::string n, int64_t value)
    : name(std::move(n)), kind(AttributeKind::kInt), payload(value) {}
Attribute::Attribute(std::string n, std::string value)
    : name(std::move(n)), kind(AttributeKind::kString), payload(std::move(value)) {}
Attribute::Attribute(std::string n, Tensor value)
    : name(std::move(n)), kind(AttributeKind::kTensor), payload(StoredTensor{std::move(value), {}, {}}) {}
Attribute::Attribute(std::string n, std::unique_ptr<Graph> value)
    : name(std::move(n)), kind(AttributeKind::kGraph) {
  Graphs graphs;
  graphs.push_back(std::move(value));
  payload = std::move(graphs);
}
Attribute::Attribute(std::string n, std::vector<float> value)
    : name(std::move(n)), kind(AttributeKind::kFloats), payload(std::move(value)) {}
Attribute::Attribute(std::string n, std::vector<int64_t> value)
    : name(std::move(n)), kind(AttributeKind::kInts), payload(std::move(value)) {}
Attribute::Attribute(std::string n, std::vector<std::string> value)
    : name(std::move(n)), kind(AttributeKind::kStrings), payload(std::move(value)) {}

Attribute Attribute::copy_without_graphs() const {
  Attribute copy;
  copy.name = name;
  copy.kind = kind;
  copy.reference = reference;
  copy.carry = carry;
  std::visit(
      [&copy](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Graphs>) {
          copy.payload = Graphs{};
        } else {
          copy.payload = value;
        }
      },
      payload);
  return copy;
}

}  // namespace fettle::ir
