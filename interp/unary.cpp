#include "interp/unary.h"

#include "interp/float_functions.h"
#include "interp/parallel.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

class Unary : public AcceleratedKernel {
 public:
  explicit Unary(const UnaryFunction& function) : function_(function) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat) return false;
    const Blocked* own = call.blocked(0);
    std::shared_ptr<ir::Buffer> storage = call.reusable(0);
    if (own != nullptr && (function_.keeps_zero || !is_padded(own->desc))) {
      const size_t bytes = own->desc.get_size();
      if (storage == nullptr) storage = ir::Buffer::allocate(bytes);
      apply(own->buffer->data(), *storage, static_cast<int64_t>(bytes / sizeof(float)));
      call.set(0, Blocked{own->desc, std::move(storage), kFloat});
      return true;
    }
    const ir::Tensor& x = *call.tensor(0);
    if (own != nullptr || storage == nullptr) storage = ir::Buffer::allocate(x.byte_size());
    apply(x.bytes(), *storage, x.size());
    call.set(0, ir::Tensor(kFloat, x.dims(), std::move(storage)));
    return true;
  }

 private:
  void apply(const std::byte* from, ir::Buffer& to, int64_t count) const {
    const auto* x = reinterpret_cast<const float*>(from);
    auto* y = reinterpret_cast<float*>(to.mutable_data());
    if (count <= kChunk) {
      function_.apply(x, y, count);
      return;
    }
    for_chunks(
        count,
        [&](int64_t begin, int64_t end) { function_.apply(x + begin, y + begin, end - begin); },
        function_.cost);
  }

  UnaryFunction function_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_unary(const NodeFacts& facts) {
  const std::optional<UnaryFunction> function = unary_function(facts);
  return function ? std::make_unique<Unary>(*function) : nullptr;
}

}  // namespace fettle::interp
