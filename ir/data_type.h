// Element types, numbered as in TensorProto.DataType (IR version 13).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fettle::ir {

enum class DataType : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
};

// The type with this ONNX number, or nothing when it is unknown or UNDEFINED.
std::optional<DataType> data_type_from_onnx(int32_t number);
// The type of this name as data_type_name() spells it, or nothing.
std::optional<DataType> data_type_from_name(std::string_view name);
// Lower-case name as ONNX's type strings spell it: "float", "uint8", "float8e4m3fn", ...
std::string_view data_type_name(DataType type);
// Width of one element in bits; 0 for strings and UNDEFINED.
int data_type_bits(DataType type);
// Bytes that `count` elements take when packed; throws kLimit on overflow, kInternal for strings.
size_t data_type_bytes(DataType type, int64_t count);
// True for float16, bfloat16, float, double and the 8- and 4-bit floats.
bool is_floating(DataType type);
// True for signed and unsigned integers of any width (bool is not one).
bool is_integer(DataType type);
bool is_signed_integer(DataType type);
// True for the types of which several elements share a byte (4-bit and 2-bit).
bool is_sub_byte(DataType type);

// Maps a C++ type to its DataType (float16 and bfloat16 are wrapped in ir/float16.h).
template <typename T>
struct DataTypeOf;
template <> struct DataTypeOf<float> { static constexpr DataType value = DataType::kFloat; };
template <> struct DataTypeOf<double> { static constexpr DataType value = DataType::kDouble; };
template <> struct DataTypeOf<uint8_t> { static constexpr DataType value = DataType::kUint8; };
template <> struct DataTypeOf<int8_t> { static constexpr DataType value = DataType::kInt8; };
template <> struct DataTypeOf<uint16_t> { static constexpr DataType value = DataType::kUint16; };
template <> struct DataTypeOf<int16_t> { static constexpr DataType value = DataType::kInt16; };
template <> struct DataTypeOf<uint32_t> { static constexpr DataType value = DataType::kUint32; };
template <> struct DataTypeOf<int32_t> { static constexpr DataType value = DataType::kInt32; };
template <> struct DataTypeOf<uint64_t> { static constexpr DataType value = DataType::kUint64; };
template <> struct DataTypeOf<int64_t> { static constexpr DataType value = DataType::kInt64; };
template <> struct DataTypeOf<bool> { static constexpr DataType value = DataType::kBool; };

}  // namespace fettle::ir
