// An array in the NPY format within a buffer: a mapped file or a member of an archive.
#pragma once

#include <memory>
#include <string>

#include "calib/array.h"
#include "ir/buffer.h"

namespace fettle::calib {

// The array in bytes [offset, offset + size) of `buffer`; they must be the file exactly. Throws
// kBadInput when they are damaged, truncated or followed by something else.
std::unique_ptr<Array> open_npy_array(std::string name, std::shared_ptr<ir::Buffer> buffer,
                                      size_t offset, size_t size);

}  // namespace fettle::calib
