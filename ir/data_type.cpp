#include "ir/data_type.h"

#include <array>

#include "ir/error.h"

namespace fettle::ir {
namespace {

enum class Class { kNone, kFloating, kSigned, kUnsigned, kOther };

struct Row {
  DataType type;
  std::string_view name;
  int bits;
  Class kind;
};

constexpr std::array<Row, 27> kRows = {{
    {DataType::kUndefined, "undefined", 0, Class::kNone},
    {DataType::kFloat, "float", 32, Class::kFloating},
    {DataType::kUint8, "uint8", 8, Class::kUnsigned},
    {DataType::kInt8, "int8", 8, Class::kSigned},
    {DataType::kUint16, "uint16", 16, Class::kUnsigned},
    {DataType::kInt16, "int16", 16, Class::kSigned},
    {DataType::kInt32, "int32", 32, Class::kSigned},
    {DataType::kInt64, "int64", 64, Class::kSigned},
    {DataType::kString, "string", 0, Class::kOther},
    {DataType::kBool, "bool", 8, Class::kOther},
    {DataType::kFloat16, "float16", 16, Class::kFloating},
    {DataType::kDouble, "double", 64, Class::kFloating},
    {DataType::kUint32, "uint32", 32, Class::kUnsigned},
    {DataType::kUint64, "uint64", 64, Class::kUnsigned},
    {DataType::kComplex64, "complex64", 64, Class::kOther},
    {DataType::kComplex128, "complex128", 128, Class::kOther},
    {DataType::kBfloat16, "bfloat16", 16, Class::kFloating},
    {DataType::kFloat8E4M3FN, "float8e4m3fn", 8, Class::kFloating},
    {DataType::kFloat8E4M3FNUZ, "float8e4m3fnuz", 8, Class::kFloating},
    {DataType::kFloat8E5M2, "float8e5m2", 8, Class::kFloating},
    {DataType::kFloat8E5M2FNUZ, "float8e5m2fnuz", 8, Class::kFloating},
    {DataType::kUint4, "uint4", 4, Class::kUnsigned},
    {DataType::kInt4, "int4", 4, Class::kSigned},
    {DataType::kFloat4E2M1, "float4e2m1", 4, Class::kFloating},
    {DataType::kFloat8E8M0, "float8e8m0", 8, Class::kFloating},
    {DataType::kUint2, "uint2", 2, Class::kUnsigned},
    {DataType::kInt2, "int2", 2, Class::kSigned},
}};

const Row& row(DataType type) {
  const auto index = static_cast<size_t>(type);
  FETTLE_ASSERT(index < kRows.size());
  return kRows[index];
}

}  // namespace

std::optional<DataType> data_type_from_onnx(int32_t number) {
  if (number <= 0 || static_cast<size_t>(number) >= kRows.size()) return std::nullopt;
  return static_cast<DataType>(number);
}

std::optional<DataType> data_type_from_name(std::string_view name) {
  for (const Row& r : kRows) {
    if (r.name == name && r.type != DataType::kUndefined) return r.type;
  }
  return std::nullopt;
}

std::string_view data_type_name(DataType type) { return row(type).name; }
int data_type_bits(DataType type) { return row(type).bits; }

size_t data_type_bytes(DataType type, int64_t count) {
  const int bits = row(type).bits;
  FETTLE_ASSERT(bits > 0 && count >= 0);
  int64_t total = 0;
  if (__builtin_mul_overflow(count, static_cast<int64_t>(bits), &total) ||
      total > INT64_MAX - 7) {
    fail(ErrorCode::kLimit, "{} elements of {} exceed the addressable size", count,
         data_type_name(type));
  }
  return static_cast<size_t>((total + 7) / 8);
}

bool is_floating(DataType type) { return row(type).kind == Class::kFloating; }
bool is_integer(DataType type) {
  return row(type).kind == Class::kSigned || row(type).kind == Class::kUnsigned;
}
bool is_signed_integer(DataType type) { return row(type).kind == Class::kSigned; }
bool is_sub_byte(DataType type) { return row(type).bits > 0 && row(type).bits < 8; }

}  // namespace fettle::ir
