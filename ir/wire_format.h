// Facts about ONNX's protobuf messages that generated code does not give: fields newer than the
// message classes (they live in the unknown-field set), and the private fields that ir/ puts into
// messages it holds itself. Private header of ir/.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fettle::ir {

// Fields that onnx.proto has since IR version 10.
inline constexpr int kNodeOverloadField = 8;
inline constexpr int kFunctionOverloadField = 13;

// Stands in a TensorProto for data cut out of the message; the value is an index into a list.
inline constexpr int kCutDataField = 536870001;
// In Attribute::carry: the payload was absent and stood for its default.
inline constexpr int kAbsentPayloadField = 536870002;

// The last length-delimited unknown field of this number; empty when there is none.
std::string unknown_string(const google::protobuf::Message& message, int field);
// Replaces it when it differs; an empty value removes it.
void set_unknown_string(google::protobuf::Message& message, int field, std::string_view value);
// The last varint unknown field of this number, taken out of the message.
std::optional<uint64_t> take_unknown_varint(google::protobuf::Message& message, int field);
void add_unknown_varint(google::protobuf::Message& message, int field, uint64_t value);

// Bytes of `message`, deterministic.
std::string serialize(const google::protobuf::MessageLite& message);
// serialize(stripped), or nothing when that is what the writer makes of a new object (`fresh`).
std::string carry_of(const google::protobuf::MessageLite& stripped,
                     const google::protobuf::MessageLite& fresh);
// Parses bytes that ir/ serialized itself.
void parse_carry(google::protobuf::MessageLite& message, const std::string& carry);

}  // namespace fettle::ir
