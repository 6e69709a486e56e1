#include "ir/wire_expand.h"

#include <optional>

#include "ir/error.h"
#include "ir/wire_format.h"
#include "ir/wire_walk.h"

namespace fettle::ir {
namespace {

constexpr size_t kReleaseThreshold = size_t{1} << 20;

std::string header(uint32_t field, uint64_t length) {
  std::string bytes;
  append_varint(bytes, make_tag(static_cast<int>(field), WireType::kBytes));
  append_varint(bytes, length);
  return bytes;
}

}  // namespace

ExpandedMessage::ExpandedMessage(std::string reduced, std::vector<CutData> data, MessageKind kind)
    : reduced_(std::move(reduced)), data_(std::move(data)) {
  size_ = expand(kind, 0, reduced_.size());
}

void ExpandedMessage::add_range(size_t begin, size_t end) {
  if (begin == end) return;
  if (!pieces_.empty() && pieces_.back().source == Source::kReduced &&
      pieces_.back().end == begin) {
    pieces_.back().end = end;
  } else {
    pieces_.push_back({Source::kReduced, begin, end});
  }
}

size_t ExpandedMessage::add_literal(std::string bytes) {
  literals_.push_back(std::move(bytes));
  pieces_.push_back({Source::kLiteral, literals_.size() - 1, 0});
  return literals_.size() - 1;
}

uint64_t ExpandedMessage::expand(MessageKind kind, size_t begin, size_t end) {
  if (kind == MessageKind::kTensor) return expand_tensor(begin, end);
  uint64_t size = 0;
  WireWalk walk(reduced_, begin, end);
  for (WireField field; walk.next(field);) {
    const MessageKind holds =
        field.type == WireType::kBytes ? field_kind(kind, field.number) : MessageKind::kLeaf;
    if (holds == MessageKind::kLeaf || holds == MessageKind::kName) {
      add_range(field.begin, field.end);
      size += field.end - field.begin;
      continue;
    }
    const size_t pieces_before = pieces_.size();
    const size_t literals_before = literals_.size();
    const size_t literal = add_literal({});
    const uint64_t expanded = expand(holds, field.content, field.end);
    if (expanded == field.size()) {  // nothing was cut out in there
      pieces_.resize(pieces_before);
      literals_.resize(literals_before);
      add_range(field.begin, field.end);
      size += field.end - field.begin;
    } else {
      literals_[literal] = header(field.number, expanded);
      size += literals_[literal].size() + expanded;
    }
  }
  return size;
}

uint64_t ExpandedMessage::expand_tensor(size_t begin, size_t end) {
  std::optional<uint64_t> index;
  WireField field;
  for (WireWalk walk(reduced_, begin, end); walk.next(field);) {
    if (field.number == kCutDataField) index = field.value;
  }
  if (!index) {
    add_range(begin, end);
    return end - begin;
  }
  FETTLE_ASSERT(*index < data_.size());
  const CutData& data = data_[*index];
  const std::string head = header(static_cast<uint32_t>(data.field), data.tensor.byte_size());
  bool placed = false;
  uint64_t size = head.size() + data.tensor.byte_size();
  const auto place = [&] {
    add_literal(head);
    pieces_.push_back({Source::kData, *index, 0});
    placed = true;
  };
  // Fields stand in ascending order, as protobuf writes them.
  for (WireWalk walk(reduced_, begin, end); walk.next(field);) {
    if (!placed && field.number > static_cast<uint32_t>(data.field)) place();
    if (field.number == kCutDataField) continue;
    add_range(field.begin, field.end);
    size += field.end - field.begin;
  }
  FETTLE_ASSERT(placed);
  return size;
}

void ExpandedMessage::write(const std::function<void(const void* bytes, size_t size)>& sink) const {
  for (const Piece& piece : pieces_) {
    switch (piece.source) {
      case Source::kReduced:
        sink(reduced_.data() + piece.begin, static_cast<size_t>(piece.end - piece.begin));
        break;
      case Source::kLiteral: {
        const std::string& bytes = literals_[piece.begin];
        sink(bytes.data(), bytes.size());
        break;
      }
      case Source::kData: {
        const Tensor& tensor = data_[piece.begin].tensor;
        sink(tensor.bytes(), tensor.byte_size());
        if (tensor.byte_size() >= kReleaseThreshold) tensor.buffer()->release_pages();
        break;
      }
    }
  }
}

}  // namespace fettle::ir
