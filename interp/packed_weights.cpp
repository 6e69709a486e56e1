#include "interp/packed_weights.h"

namespace fettle::interp {

const void* PackedWeights::get(const ir::Tensor& source, const dnnl::memory::desc& plain,
                               const dnnl::memory::desc& wanted, bool constant) {
  if (wanted == plain) return source.bytes();
  if (const void* packed = constant ? held(wanted) : nullptr) return packed;
  keep(source, plain, wanted);
  if (constant) source.buffer()->release_pages();
  return packed_.buffer->data();
}

const void* PackedWeights::keep(const ir::Tensor& source, const dnnl::memory::desc& plain,
                                const dnnl::memory::desc& wanted) {
  packed_ = {};
  Blocked fresh{wanted, ir::Buffer::allocate_pages(wanted.get_size()), source.type()};
  reorder(plain, source.bytes(), wanted, fresh.buffer->mutable_data());
  packed_ = std::move(fresh);
  return packed_.buffer->data();
}

}  // namespace fettle::interp
