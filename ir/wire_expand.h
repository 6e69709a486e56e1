// The inverse of wire_scan: puts data back into a serialized message while it is written, so that
// weights are never copied. Private header of ir/.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/tensor.h"
#include "ir/wire_schema.h"

namespace fettle::ir {

// Bytes that belong into field `field` of the TensorProto that holds kCutDataField = their index.
struct CutData {
  Tensor tensor;
  int field = 0;
};

// A serialized message without its large data, ready to be written with it.
class ExpandedMessage {
 public:
  // `reduced` is a message of `kind` as protobuf serialized it.
  ExpandedMessage(std::string reduced, std::vector<CutData> data, MessageKind kind);

  // Bytes of the whole message.
  uint64_t size() const { return size_; }
  // Passes the message to `sink` piece by piece, in order.
  void write(const std::function<void(const void* bytes, size_t size)>& sink) const;

 private:
  enum class Source : uint8_t { kReduced, kLiteral, kData };
  struct Piece {
    Source source;
    uint64_t begin;  // kReduced: range of reduced_; else `begin` is an index
    uint64_t end;
  };

  uint64_t expand(MessageKind kind, size_t begin, size_t end);
  uint64_t expand_tensor(size_t begin, size_t end);
  void add_range(size_t begin, size_t end);
  size_t add_literal(std::string bytes);

  std::string reduced_;
  std::vector<CutData> data_;
  std::vector<std::string> literals_;
  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
};

}  // namespace fettle::ir
