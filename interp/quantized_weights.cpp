#include "interp/quantized_weights.h"

#include <algorithm>

#include "interp/float_product.h"
#include "interp/parallel.h"
#include "interp/subnormals.h"
#include "ops/packed_codes.h"

namespace fettle::interp {
namespace {

using ir::DataType;

enum Operand : size_t { kA, kB, kScales, kZeroPoints, kGroups, kBias };

// The transposed weight [n, k]: codes in blocks along k, each with a scale and a zero point.
struct Codes {
  int64_t n = 0;
  int64_t k = 0;
  int64_t block = 0;
  int bits = 0;

  int64_t blocks() const { return ops::ceil_div(k, block); }
  int64_t block_bytes() const { return block * bits / 8; }
  int64_t zero_bytes() const { return ops::packed_size(blocks(), bits); }  // of a row
};

std::optional<Codes> codes_of(const ir::Node& node) {
  const Codes c{node.attr_int("N", 0), node.attr_int("K", 0), node.attr_int("block_size", 0),
                static_cast<int>(std::clamp<int64_t>(node.attr_int("bits", 4), 0, 16))};
  const bool bits = c.bits == 2 || c.bits == 4 || c.bits == 8;
  const bool block = c.block >= 16 && (c.block & (c.block - 1)) == 0;
  constexpr int64_t kMost = int64_t{1} << 28;
  const bool extents = c.n >= 1 && c.k >= 1 && c.n <= kMost && c.k <= kMost && c.block <= kMost;
  return bits && block && extents ? std::optional(c) : std::nullopt;
}

// [rows, columns], which old models hold as a vector.
bool is_matrix(const ir::Tensor& tensor, DataType type, int64_t rows, int64_t columns) {
  return tensor.type() == type &&
         (tensor.dims() == ir::Dims{rows, columns} || tensor.dims() == ir::Dims{rows * columns});
}

class MatMulNBits : public AcceleratedKernel {
 public:
  explicit MatMulNBits(const Codes& codes) : codes_(codes) {}

  bool run(Call& call) override {
    if (call.type(kA) != DataType::kFloat || call.has(kGroups)) return false;
    const ir::Tensor& a = *call.tensor(kA);
    if (a.rank() == 0 || a.dims().back() != codes_.k || a.size() == 0) return false;
    const float* bias = nullptr;
    if (call.has(kBias)) {
      if (call.type(kBias) != DataType::kFloat || *call.dims(kBias) != ir::Dims{codes_.n}) {
        return false;
      }
      bias = call.tensor(kBias)->data<float>().data();
    }
    if (weights_.empty() && !pack(call)) return false;
    const FlushSubnormals flush;
    ir::Dims dims = a.dims();
    dims.back() = codes_.n;
    ir::Tensor out(DataType::kFloat, std::move(dims));
    ProductEnd end;
    end.bias = bias;
    multiply({a.data<float>().data(), a.size() / codes_.k, codes_.k, 1}, weights_, end,
             out.mutable_data<float>().data(), codes_.n);
    call.set(0, std::move(out));
    return true;
  }

 private:
  // False for operands that are not constant or not as the attributes say.
  bool pack(Call& call) {
    const bool zeros = call.has(kZeroPoints);
    if (!call.is_constant(kB) || !call.is_constant(kScales) ||
        (zeros && !call.is_constant(kZeroPoints))) {
      return false;
    }
    const ir::Tensor& b = *call.tensor(kB);
    const ir::Tensor& scales = *call.tensor(kScales);
    if (b.type() != DataType::kUint8 ||
        b.dims() != ir::Dims{codes_.n, codes_.blocks(), codes_.block_bytes()} ||
        !is_matrix(scales, DataType::kFloat, codes_.n, codes_.blocks())) {
      return false;
    }
    const ir::Tensor* zero = zeros ? call.tensor(kZeroPoints) : nullptr;
    if (zeros && !is_matrix(*zero, DataType::kUint8, codes_.n, codes_.zero_bytes()) &&
        !is_matrix(*zero, DataType::kFloat, codes_.n, codes_.blocks())) {
      return false;
    }
    ir::Tensor weights(DataType::kFloat, {codes_.n, codes_.k});
    float* to = weights.mutable_data<float>().data();
    const auto* from = b.data<uint8_t>().data();
    const float* scale = scales.data<float>().data();
    for_each_row(codes_.n, codes_.k * 2, [&](int64_t row) {
      for (int64_t i = 0; i < codes_.blocks(); ++i) {
        const int64_t at = row * codes_.blocks() + i;
        const int64_t first = i * codes_.block;
        decode(from + at * codes_.block_bytes(), zero_point(zero, row, i), scale[at],
               std::min(codes_.block, codes_.k - first), to + row * codes_.k + first);
      }
    });
    weights_ = PackedMatrix({to, codes_.k, codes_.n, 1, codes_.k});
    return true;
  }

  float zero_point(const ir::Tensor* zero, int64_t row, int64_t block) const {
    if (zero == nullptr) return static_cast<float>(ops::middle_code(codes_.bits));
    if (zero->type() == DataType::kFloat) {
      return zero->data<float>()[static_cast<size_t>(row * codes_.blocks() + block)];
    }
    const uint8_t* packed = zero->data<uint8_t>().data() + row * codes_.zero_bytes();
    return static_cast<float>(ops::packed_code(packed, block, codes_.bits));
  }

  void decode(const uint8_t* from, float zero, float scale, int64_t count, float* to) const {
    for (int64_t i = 0; i < count; ++i) {
      to[i] = (static_cast<float>(ops::packed_code(from, i, codes_.bits)) - zero) * scale;
    }
  }

  Codes codes_;
  PackedMatrix weights_;  // [k, n]
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_matmul_nbits(const NodeFacts& facts) {
  const std::optional<Codes> codes = codes_of(*facts.node);
  if (!codes || facts.node->attr_int("weight_prepacked", 0) != 0) return nullptr;
  return std::make_unique<MatMulNBits>(*codes);
}

}  // namespace fettle::interp
