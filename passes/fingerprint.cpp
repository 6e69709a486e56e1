#include "passes/fingerprint.h"

#include <string>
#include <unordered_map>

#include "passes/tensor_hash.h"

namespace fettle::passes {
namespace {

class Hasher {
 public:
  void add(uint64_t x) {
    state_ ^= x + 0x9e3779b97f4a7c15ull + (state_ << 6) + (state_ >> 2);
    state_ *= 0xff51afd7ed558ccdull;
    state_ ^= state_ >> 33;
  }
  void add(const std::string& text) { add(std::hash<std::string>()(text)); }
  uint64_t state() const { return state_; }

  void add_graph(const ir::Graph& graph) {
    for (const ir::Value* v : graph.inputs()) add(number(v));
    for (const ir::Value* v : graph.constants()) {
      add(number(v));
      if (v->constant() != nullptr) add_tensor(*v->constant());
    }
    for (const ir::Node& node : graph.nodes()) {
      add(node.op_type);
      add(node.domain);
      for (const ir::Value* v : node.inputs()) add(number(v));
      for (const ir::Attribute& a : node.attributes()) add_attribute(a);
      for (const ir::Value* v : node.outputs()) add(number(v));
      for (const ir::Graph* sub : node.subgraphs()) add_graph(*sub);
    }
    for (const ir::Value* v : graph.outputs()) add(number(v));
  }

 private:
  uint64_t number(const ir::Value* value) {
    return value == nullptr ? 0 : numbers_.try_emplace(value, numbers_.size() + 1).first->second;
  }

  // Contents of small tensors; of large ones only where they are.
  void add_tensor(const ir::Tensor& tensor) {
    constexpr size_t kSmall = 1024;
    add(static_cast<uint64_t>(tensor.type()));
    for (const int64_t d : tensor.dims()) add(static_cast<uint64_t>(d));
    add(tensor.byte_size() <= kSmall ? content_hash(tensor)
                                     : reinterpret_cast<uintptr_t>(tensor.bytes()));
  }

  void add_attribute(const ir::Attribute& a) {
    add(a.name);
    add(static_cast<uint64_t>(a.kind));
    const auto add_payload = [&]<typename T>(const T& value) {
      if constexpr (std::is_same_v<T, int64_t>) {
        add(static_cast<uint64_t>(value));
      } else if constexpr (std::is_same_v<T, float>) {
        add(std::hash<float>()(value));
      } else if constexpr (std::is_same_v<T, std::string>) {
        add(value);
      } else if constexpr (std::is_same_v<T, std::vector<int64_t>>) {
        for (const int64_t v : value) add(static_cast<uint64_t>(v));
      } else if constexpr (std::is_same_v<T, std::vector<float>>) {
        for (const float v : value) add(std::hash<float>()(v));
      } else if constexpr (std::is_same_v<T, ir::StoredTensor>) {
        add_tensor(value.tensor);
      }
    };
    std::visit(add_payload, a.payload);
  }

  uint64_t state_ = 0;
  std::unordered_map<const ir::Value*, uint64_t> numbers_;
};

}  // namespace

uint64_t fingerprint(const ir::Model& model) {
  Hasher hasher;
  hasher.add_graph(*model.graph);
  return hasher.state();
}

}  // namespace fettle::passes
