// Looks through a serialized model before protobuf parses it: refuses what would take too much
// memory, and cuts large tensor data out, so that it is never copied. Private header of ir/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ir/wire_schema.h"

namespace fettle::ir {

// Data of at least this many bytes is cut out of messages.
inline constexpr size_t kCutThreshold = 4096;

// Where the data of a tensor lies in the scanned bytes.
struct CutRange {
  uint64_t offset = 0;
  uint64_t size = 0;
  int field = 0;  // of TensorProto: raw_data, or packed float_data or double_data
};

struct ScannedMessage {
  // The message; in place of data cut out, tensors hold kCutDataField with an index into `cuts`.
  std::string reduced;
  std::vector<CutRange> cuts;
};

// `kind` is kModel or kTensor. Throws kBadInput for malformed bytes, kLimit beyond the limits:
// 10^6 nodes, 10^3 attributes of a node, 64 dimensions of a tensor, 10^4 functions, subgraphs
// nested 32 deep, names of 64 KiB, 10^5 metadata entries, and the memory that parsing takes.
ScannedMessage scan_message(std::string_view bytes, MessageKind kind);

}  // namespace fettle::ir
