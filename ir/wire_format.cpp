#include "ir/wire_format.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "ir/error.h"

namespace fettle::ir {

using google::protobuf::Message;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

std::string unknown_string(const Message& message, int field) {
  const UnknownFieldSet& fields = message.GetReflection()->GetUnknownFields(message);
  for (int i = fields.field_count(); i-- > 0;) {
    const UnknownField& f = fields.field(i);
    if (f.number() == field && f.type() == UnknownField::TYPE_LENGTH_DELIMITED) {
      return f.length_delimited();
    }
  }
  return {};
}

void set_unknown_string(Message& message, int field, std::string_view value) {
  if (unknown_string(message, field) == value) return;
  UnknownFieldSet* fields = message.GetReflection()->MutableUnknownFields(&message);
  fields->DeleteByNumber(field);
  if (!value.empty()) fields->AddLengthDelimited(field, std::string(value));
}

std::optional<uint64_t> take_unknown_varint(Message& message, int field) {
  UnknownFieldSet* fields = message.GetReflection()->MutableUnknownFields(&message);
  for (int i = fields->field_count(); i-- > 0;) {
    const UnknownField& f = fields->field(i);
    if (f.number() != field || f.type() != UnknownField::TYPE_VARINT) continue;
    const uint64_t value = f.varint();
    fields->DeleteByNumber(field);
    return value;
  }
  return std::nullopt;
}

void add_unknown_varint(Message& message, int field, uint64_t value) {
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(field, value);
}

std::string serialize(const google::protobuf::MessageLite& message) {
  const size_t size = message.ByteSizeLong();
  if (size > INT32_MAX) {
    fail(ErrorCode::kLimit,
         "the message takes {} bytes, more than protobuf's 2 GiB; use external data", size);
  }
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeWithCachedSizes(&coded);
  }
  return bytes;
}

std::string carry_of(const google::protobuf::MessageLite& stripped,
                     const google::protobuf::MessageLite& fresh) {
  std::string bytes = serialize(stripped);
  return bytes == serialize(fresh) ? std::string() : bytes;
}

void parse_carry(google::protobuf::MessageLite& message, const std::string& carry) {
  if (!carry.empty()) FETTLE_ASSERT(message.ParseFromString(carry));
}

}  // namespace fettle::ir
