#include "interp/packed_weights.h"

namespace fettle::interp {

const void* PackedWeights::get(const ir::Tensor& source, const dnnl::memory::desc& plain,
                               const dnnl::memory::desc& wanted, bool constant) {
  if (wanted == plain) return source.bytes();
  if (constant && packed_.buffer != nullptr && packed_.desc == wanted) {
    return packed_.buffer->data();
  }
  packed_ = {};
  Blocked fresh{wanted, ir::Buffer::allocate_pages(wanted.get_size()), source.type()};
  reorder(plain, source.bytes(), wanted, fresh.buffer->mutable_data());
  if (constant) source.buffer()->release_pages();
  packed_ = std::move(fresh);
  return packed_.buffer->data();
}

}  // namespace fettle::interp
