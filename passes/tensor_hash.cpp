#include "passes/tensor_hash.h"

#include <cstring>

namespace fettle::passes {
namespace {

constexpr size_t kRemembered = 4096;  // bytes; smaller tensors are hashed again

// Finalizer of SplitMix64 (Steele, Lea, Flood 2014).
uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

uint64_t hash_bytes(const void* bytes, size_t size, uint64_t seed) {
  const char* at = static_cast<const char*>(bytes);
  uint64_t hash = seed ^ mixed(size);
  for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), at += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    hash = mixed(hash ^ word) + 0x9e3779b97f4a7c15ull;
  }
  uint64_t tail = 0;
  if (size > 0) std::memcpy(&tail, at, size);
  return mixed(hash ^ tail);
}

}  // namespace

uint64_t content_hash(const ir::Tensor& tensor) {
  uint64_t hash = 0;
  if (tensor.type() == ir::DataType::kString) {
    for (const std::string& s : tensor.strings()) hash = hash_bytes(s.data(), s.size(), hash);
    return hash;
  }
  return hash_bytes(tensor.bytes(), tensor.byte_size(), hash);
}

uint64_t TensorHashes::of(const ir::Tensor& tensor) {
  if (tensor.byte_size() < kRemembered) return content_hash(tensor);
  Entry& entry = entries_[tensor.bytes()];
  if (entry.buffer.lock() == tensor.buffer() && entry.size == tensor.byte_size()) return entry.hash;
  entry = {tensor.buffer(), tensor.byte_size(), content_hash(tensor)};
  return entry.hash;
}

}  // namespace fettle::passes
