#include "ir/wire_scan.h"

#include <algorithm>

#include "ir/buffer.h"
#include "ir/error.h"
#include "ir/tensor_typed.h"
#include "ir/wire_format.h"
#include "ir/wire_walk.h"

namespace fettle::ir {
namespace {

constexpr uint64_t kMaxNodes = 1'000'000;
constexpr uint64_t kMaxAttributes = 1'000;
constexpr uint64_t kMaxDims = 64;
constexpr uint64_t kMaxFunctions = 10'000;
constexpr int kMaxSubgraphDepth = 32;
constexpr uint64_t kMaxNameBytes = 64 << 10;
constexpr uint64_t kMaxMetadata = 100'000;
constexpr int kMaxMessageDepth = 100;  // protobuf's own limit

constexpr size_t kLengthBytes = 5;  // lengths are written before they are known
// Upper estimates of what protobuf and the IR take, beyond the bytes themselves.
constexpr uint64_t kBytesPerMessage = 600;
constexpr uint64_t kBytesPerString = 64;
constexpr uint64_t kBytesPerNumber = 16;

void limit(uint64_t count, uint64_t most, const char* what) {
  if (count > most) {
    fail(ErrorCode::kLimit, "the file has {} {}, more than the {} that fettle accepts", count, what,
         most);
  }
}

// Bytes of memory for one byte of a packed field of TensorProto.
uint64_t packed_growth(uint32_t field) {
  switch (field) {
    case kInt32DataField:
      return 4;
    case kInt64DataField:
    case kUint64DataField:
      return 8;
    default:
      return 1;
  }
}

// True for well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    const uint8_t lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return false;
    const uint8_t lowest = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t highest = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte(i + 1) < lowest || byte(i + 1) > highest) return false;
    for (size_t k = 2; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

size_t count_packed(std::string_view bytes) {
  return static_cast<size_t>(
      std::count_if(bytes.begin(), bytes.end(), [](char c) { return (c & 0x80) == 0; }));
}

class Scanner {
 public:
  explicit Scanner(std::string_view bytes) : bytes_(bytes) {}

  ScannedMessage scan(MessageKind kind) {
    scan_message(kind, 0, bytes_.size(), 0, 0, true);
    return std::move(result_);
  }

 private:
  // What is counted of one message of the kinds that have a limit.
  struct Counts {
    uint64_t attributes = 0;
    uint64_t metadata = 0;
    uint64_t functions = 0;
  };

  void spend(uint64_t bytes) {
    memory_ += bytes;
    if (memory_ > memory_limit()) {
      fail(ErrorCode::kLimit,
           "loading the file would take more than the memory limit of {} bytes; raise --max-memory",
           memory_limit());
    }
  }

  void copy(const WireField& field) {
    result_.reduced.append(bytes_.substr(field.begin, field.end - field.begin));
  }

  void count(MessageKind kind, const WireField& field, MessageKind holds, Counts& counts) {
    if (holds == MessageKind::kNode) limit(++nodes_, kMaxNodes, "nodes");
    if (holds == MessageKind::kFunction) limit(++counts.functions, kMaxFunctions, "functions");
    if (holds == MessageKind::kEntry && kind != MessageKind::kType) {
      limit(++counts.metadata, kMaxMetadata, "metadata entries in one place");
    }
    if (holds == MessageKind::kAttribute) {
      limit(++counts.attributes, kMaxAttributes, "attributes on one node");
    }
    if (holds == MessageKind::kName) check_name(field);
  }

  void check_name(const WireField& field) const {
    limit(field.size(), kMaxNameBytes, "bytes in one name");
    if (!is_utf8(bytes_.substr(field.content, field.size()))) {
      fail(ErrorCode::kBadInput, "the name at byte {} is not UTF-8; the file is damaged",
           field.content);
    }
  }

  void scan_message(MessageKind kind, size_t begin, size_t end, int depth, int subgraphs,
                    bool cutting) {
    if (depth > kMaxMessageDepth || subgraphs > kMaxSubgraphDepth + 1) {
      fail(ErrorCode::kLimit,
           "graphs or types are nested too deeply; at most {} levels are accepted",
           kMaxSubgraphDepth);
    }
    spend(kBytesPerMessage);
    if (kind == MessageKind::kTensor) {
      scan_tensor(begin, end, cutting);
      return;
    }
    Counts counts;
    WireWalk walk(bytes_, begin, end);
    for (WireField field; walk.next(field);) {
      const MessageKind holds =
          field.type == WireType::kBytes ? field_kind(kind, field.number) : MessageKind::kLeaf;
      count(kind, field, holds, counts);
      if (holds == MessageKind::kLeaf || holds == MessageKind::kName) {
        spend((field.type == WireType::kBytes ? kBytesPerString : kBytesPerNumber) +
              2 * (field.end - field.begin));
        copy(field);
        continue;
      }
      append_varint(result_.reduced, make_tag(static_cast<int>(field.number), WireType::kBytes));
      const size_t length_at = result_.reduced.size();
      result_.reduced.append(kLengthBytes, '\0');
      scan_message(holds, field.content, field.end, depth + 1,
                   subgraphs + (holds == MessageKind::kGraph),
                   cutting && holds != MessageKind::kTraining);
      patch_length(length_at);
    }
  }

  // Writes the number of bytes behind the placeholder as a varint of fixed width.
  void patch_length(size_t at) {
    uint64_t length = result_.reduced.size() - at - kLengthBytes;
    for (size_t i = 0; i < kLengthBytes; ++i, length >>= 7) {
      const bool last = i + 1 == kLengthBytes;
      result_.reduced[at + i] = static_cast<char>((length & 0x7f) | (last ? 0 : 0x80));
    }
  }

  // The one field whose data may be cut out of the tensor at [begin, end); number 0 for none.
  WireField find_cut(size_t begin, size_t end) {
    WireField found;
    uint64_t dims = 0;
    uint64_t metadata = 0;
    int candidates = 0;
    WireWalk walk(bytes_, begin, end);
    for (WireField field; walk.next(field);) {
      const bool bytes = field.type == WireType::kBytes;
      if (field.number == kCutDataField) {
        fail(ErrorCode::kUnsupported, "a tensor uses field {}, which fettle reserves",
             kCutDataField);
      }
      if (field.number == 1) {
        dims += bytes ? count_packed(bytes_.substr(field.content, field.size())) : 1;
        limit(dims, kMaxDims, "dimensions on one tensor");
      }
      if (field.number == 13) limit(++metadata, kMaxMetadata, "external data entries");
      if (field.number == 8 && bytes) check_name(field);
      const bool data = field.number == kRawDataField || field.number == kFloatDataField ||
                        field.number == kDoubleDataField;
      if (!data) continue;
      ++candidates;
      if (bytes && field.size() >= kCutThreshold) found = field;
    }
    return candidates == 1 ? found : WireField{};
  }

  void scan_tensor(size_t begin, size_t end, bool cutting) {
    const WireField cut = cutting ? find_cut(begin, end) : WireField{};
    WireWalk walk(bytes_, begin, end);
    for (WireField field; walk.next(field);) {
      if (cut.number != 0 && field.begin == cut.begin) continue;
      const bool bytes = field.type == WireType::kBytes;
      const uint64_t growth = bytes ? packed_growth(field.number) : 1;
      spend((bytes ? kBytesPerString : kBytesPerNumber) + growth * 2 * (field.end - field.begin));
      copy(field);
    }
    if (cut.number == 0) return;
    append_varint(result_.reduced, make_tag(kCutDataField, WireType::kVarint));
    append_varint(result_.reduced, result_.cuts.size());
    result_.cuts.push_back({cut.content, cut.size(), static_cast<int>(cut.number)});
  }

  std::string_view bytes_;
  ScannedMessage result_;
  uint64_t nodes_ = 0;
  uint64_t memory_ = 0;
};

}  // namespace

ScannedMessage scan_message(std::string_view bytes, MessageKind kind) {
  return Scanner(bytes).scan(kind);
}

}  // namespace fettle::ir
