// Steps over the fields of a serialized protobuf message. Private header of ir/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ir/error.h"

namespace fettle::ir {

enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kStartGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  size_t begin = 0;    // of the tag
  size_t content = 0;  // kBytes: of the bytes behind the length; else of the value
  size_t end = 0;      // behind the field
  uint64_t value = 0;  // kVarint
  size_t size() const { return end - content; }
};

// Walks the fields of bytes [begin, end). Throws kBadInput where they are no protobuf message;
// groups are stepped over whole.
class WireWalk {
 public:
  WireWalk(std::string_view bytes, size_t begin, size_t end)
      : bytes_(bytes), at_(begin), end_(end) {}
  // False at the end.
  bool next(WireField& field);

 private:
  uint64_t varint();
  void tag(WireField& field);
  void value(WireField& field);
  void skip_group(uint32_t number);
  [[noreturn]] void malformed(size_t at, const char* what) const;

  std::string_view bytes_;
  size_t at_;
  size_t end_;
};

void append_varint(std::string& out, uint64_t value);
inline uint64_t make_tag(int field, WireType type) {
  return static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(type);
}

}  // namespace fettle::ir
