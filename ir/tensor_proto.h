// TensorProto and SparseTensorProto to tensors and back. Private header of ir/.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ir/attribute.h"

namespace onnx {
class SparseTensorProto;
class TensorProto;
}  // namespace onnx

namespace fettle::ir {

// Bytes of a tensor that lie outside its message.
struct TensorBytes {
  std::shared_ptr<Buffer> buffer;
  size_t offset = 0;
  size_t size = 0;
  int field = 9;  // the field of TensorProto they come from: raw_data, float_data or double_data
};

// Gives readers the data that is not in the message itself.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  // The bytes cut out of the message under this index, for elements of `alignment` bytes.
  virtual TensorBytes cut_bytes(uint64_t index, size_t alignment) = 0;
  // The `size` bytes that external_data of `proto` names.
  virtual TensorBytes external_bytes(const onnx::TensorProto& proto, size_t size,
                                     size_t alignment) = 0;
};

// The tensor in `proto`, which is consumed. `own_name` is the name that the writer gives a new
// tensor in its place (an initializer's name; empty in attributes). Throws kBadInput unless type,
// dimensions and data agree exactly.
StoredTensor tensor_from_proto(onnx::TensorProto& proto, TensorSource& source,
                               const std::string& own_name);
SparseTensor sparse_from_proto(onnx::SparseTensorProto& proto, TensorSource& source);

// Takes over the data of a tensor to be written, noting in `proto` where it goes; returns false to
// have it put into the message.
using TensorSink =
    std::function<bool(const StoredTensor& stored, bool initializer, onnx::TensorProto& proto)>;

void tensor_to_proto(const StoredTensor& stored, const std::string& own_name,
                     onnx::TensorProto& proto, const TensorSink& sink);
void sparse_to_proto(const SparseTensor& sparse, onnx::SparseTensorProto& proto,
                     const TensorSink& sink);

}  // namespace fettle::ir
