#include "ops/code_map.h"

#include "ops/element_width.h"

namespace fettle::ops {

CodeMap requantizing_map(ir::DataType type, const TensorQuantization& from,
                         const TensorQuantization& to) {
  if (from.scale == to.scale && from.zero_point == to.zero_point) {
    CodeMap same{};
    for (size_t code = 0; code < same.size(); ++code) same[code] = static_cast<uint8_t>(code);
    return same;
  }
  return code_map(type, from, to, [](float value) { return value; });
}

ir::Tensor mapped(const ir::Tensor& codes, const CodeMap& map) {
  ir::Tensor out(codes.type(), codes.dims());
  const auto* from = elements<uint8_t>(codes);
  auto* to = mutable_elements<uint8_t>(out);
  for (int64_t i = 0; i < codes.size(); ++i) to[i] = map[from[i]];
  return out;
}

}  // namespace fettle::ops
