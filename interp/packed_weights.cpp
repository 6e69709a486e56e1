#include "interp/packed_weights.h"

namespace fettle::interp {

dnnl::memory PackedWeights::get(const ir::Tensor& source, const dnnl::memory::desc& plain,
                                const dnnl::memory::desc& wanted, bool constant) {
  if (wanted == plain) return memory_of(plain, source);
  if (constant && packed_.buffer != nullptr && packed_.desc == wanted) {
    return memory_of(packed_.desc, packed_.buffer->data());
  }
  packed_ = {};
  Blocked fresh{wanted, ir::Buffer::allocate_pages(wanted.get_size()), source.type()};
  reorder(memory_of(plain, source), memory_of(wanted, fresh.buffer->mutable_data()));
  if (constant) source.buffer()->release_pages();
  packed_ = std::move(fresh);
  return memory_of(packed_.desc, packed_.buffer->data());
}

}  // namespace fettle::interp
