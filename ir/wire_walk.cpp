#include "ir/wire_walk.h"

#include <vector>

namespace fettle::ir {
namespace {

constexpr size_t kMaxGroupDepth = 100;

}  // namespace

void WireWalk::malformed(size_t at, const char* what) const {
  fail(ErrorCode::kBadInput, "malformed at byte {}: {}; the file is damaged or truncated", at,
       what);
}

uint64_t WireWalk::varint() {
  uint64_t result = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at_ >= end_) malformed(at_, "a number is cut off");
    const auto byte = static_cast<uint8_t>(bytes_[at_++]);
    if (shift < 64) result |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return result;
  }
  malformed(at_, "a number has too many bytes");
}

void WireWalk::tag(WireField& field) {
  field.begin = at_;
  const uint64_t tag = varint();
  if (tag > UINT32_MAX || tag >> 3 == 0 || (tag & 7) > 5) malformed(field.begin, "no valid field");
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<WireType>(tag & 7);
}

void WireWalk::value(WireField& field) {
  field.content = at_;
  size_t size = 0;
  switch (field.type) {
    case WireType::kVarint:
      field.value = varint();
      break;
    case WireType::kFixed64:
      size = 8;
      break;
    case WireType::kFixed32:
      size = 4;
      break;
    case WireType::kBytes: {
      const uint64_t length = varint();
      if (length > end_ - at_) malformed(field.begin, "a field is longer than what is left");
      size = static_cast<size_t>(length);
      field.content = at_;
      break;
    }
    case WireType::kStartGroup:
    case WireType::kEndGroup:
      break;
  }
  if (size > end_ - at_) malformed(field.begin, "a field is longer than what is left");
  at_ += size;
  field.end = at_;
}

void WireWalk::skip_group(uint32_t number) {
  std::vector<uint32_t> open{number};
  while (!open.empty()) {
    if (at_ >= end_) malformed(at_, "a group has no end");
    WireField inner;
    tag(inner);
    value(inner);
    if (inner.type == WireType::kStartGroup) {
      open.push_back(inner.number);
      if (open.size() > kMaxGroupDepth) malformed(inner.begin, "groups are nested too deeply");
    } else if (inner.type == WireType::kEndGroup) {
      if (inner.number != open.back()) malformed(inner.begin, "a group ends that is not open");
      open.pop_back();
    }
  }
}

bool WireWalk::next(WireField& field) {
  if (at_ >= end_) return false;
  tag(field);
  if (field.type == WireType::kEndGroup) malformed(field.begin, "a group ends that is not open");
  value(field);
  if (field.type == WireType::kStartGroup) {
    skip_group(field.number);
    field.end = at_;
  }
  return true;
}

void append_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

}  // namespace fettle::ir
