#include "calib/hdf5_type.h"

#include <algorithm>
#include <vector>

#include "ir/error.h"

namespace fettle::calib {
namespace {

struct TypeRow {
  hid_t stored;
  ir::DataType element;
};

// IEEE binary16 as h5py and netCDF write it: the fields of 1.5.10 in two bytes.
Hdf5Handle half_type() {
  Hdf5Handle type(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  H5Tset_fields(type.get(), 15, 10, 5, 0, 10);
  H5Tset_size(type.get(), 2);
  H5Tset_ebias(type.get(), 15);
  return type;
}

// The predefined types are macros that open the library, so the table cannot be a constant.
std::vector<TypeRow> little_endian_types(hid_t half) {
  return {{H5T_STD_I8LE, ir::DataType::kInt8},    {H5T_STD_U8LE, ir::DataType::kUint8},
          {H5T_STD_I16LE, ir::DataType::kInt16},  {H5T_STD_U16LE, ir::DataType::kUint16},
          {H5T_STD_I32LE, ir::DataType::kInt32},  {H5T_STD_U32LE, ir::DataType::kUint32},
          {H5T_STD_I64LE, ir::DataType::kInt64},  {H5T_STD_U64LE, ir::DataType::kUint64},
          {H5T_IEEE_F32LE, ir::DataType::kFloat}, {H5T_IEEE_F64LE, ir::DataType::kDouble},
          {half, ir::DataType::kFloat16}};
}

}  // namespace

Hdf5Type read_hdf5_type(hid_t type, const std::string& dataset) {
  if (H5Tget_class(type) == H5T_ENUM && H5Tget_size(type) == 1) return {ir::DataType::kBool, false};
  const Hdf5Handle half = half_type();
  for (const TypeRow& row : little_endian_types(half.get())) {
    if (H5Tequal(type, row.stored) > 0) return {row.element, false};
    const Hdf5Handle swapped(H5Tcopy(row.stored), H5Tclose);
    if (H5Tset_order(swapped.get(), H5T_ORDER_BE) >= 0 && H5Tequal(type, swapped.get()) > 0) {
      return {row.element, true};
    }
  }
  fail(ErrorCode::kBadInput,
       "dataset '{}' holds elements that are not integers, bool or floats of 16, 32 or 64 bits; "
       "convert them to float32",
       dataset);
}

void to_native(const Hdf5Type& type, std::byte* elements, size_t bytes) {
  const size_t width = ir::data_type_bytes(type.element, 1);
  if (type.big_endian && width > 1) {
    for (size_t i = 0; i + width <= bytes; i += width) {
      std::reverse(elements + i, elements + i + width);
    }
  }
  if (type.element == ir::DataType::kBool) {
    for (size_t i = 0; i < bytes; ++i) elements[i] = std::byte(elements[i] != std::byte{0} ? 1 : 0);
  }
}

}  // namespace fettle::calib
