// Content hashes of constants.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "ir/tensor.h"

namespace fettle::passes {

// Hash of the elements, whatever type and dimensions they have; the same on every machine and run.
uint64_t content_hash(const ir::Tensor& tensor);

// Remembers the hashes of large tensors, so that their pages are read once.
class TensorHashes {
 public:
  uint64_t of(const ir::Tensor& tensor);

 private:
  struct Entry {
    std::weak_ptr<ir::Buffer> buffer;  // the address may be reused once the buffer is gone
    size_t size = 0;
    uint64_t hash = 0;
  };
  std::unordered_map<const std::byte*, Entry> entries_;
};

}  // namespace fettle::passes
