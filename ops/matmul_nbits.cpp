// MatMulNBits of com.microsoft: A times the transpose of a weight [N, K] of packed codes, quantized
// in blocks along K.
#include "ops/convolution.h"
#include "ops/matrix_product.h"
#include "ops/packed_codes.h"
#include "ops/quantized_contrib.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

using ir::DataType;

enum Operand : size_t { kA, kB, kScales, kZeroPoints, kGroups, kBias };

struct NBitsSpec {
  int64_t n;
  int64_t k;
  int64_t block;
  int bits;
  int64_t blocks;    // along K
  int64_t row_size;  // bytes of a row of B

  explicit NBitsSpec(const ir::Node& node)
      : n(node.attr_int("N", 0)),
        k(node.attr_int("K", 0)),
        block(checked_block_size(node.attr_int("block_size", 0))),
        bits(checked_code_bits(node.attr_int("bits", 4))) {
    if (n < 1 || k < 1) {
      fail(ErrorCode::kBadInput, "attributes N and K: expected >= 1, found {} and {}", n, k);
    }
    blocks = ceil_div(k, block);
    row_size = checked_mul(blocks, block / (8 / bits));
  }
};

// A matrix [rows, columns] that old models hold as a vector.
void check_matrix(const ir::Tensor& tensor, int64_t rows, int64_t columns, std::string_view name) {
  if (tensor.dims() == ir::Dims{rows, columns} ||
      tensor.dims() == ir::Dims{checked_mul(rows, columns)}) {
    return;
  }
  fail(ErrorCode::kBadInput, "{}: expected shape [{}, {}], found {}", name, rows, columns,
       ir::to_string(tensor.dims()));
}

void check_type(const ir::Tensor& tensor, DataType type, std::string_view name) {
  if (tensor.type() == type) return;
  fail(ErrorCode::kBadInput, "{}: expected {}, found {}", name, ir::data_type_name(type),
       ir::data_type_name(tensor.type()));
}

// The weight as numbers: (code - zero point) * scale, in float32.
class NBitsWeight {
 public:
  explicit NBitsWeight(const KernelContext& context)
      : spec_(context.node()),
        codes_(context.input(kB)),
        scales_(context.input(kScales)),
        zeros_(context.optional(kZeroPoints)),
        groups_(context.optional(kGroups)) {
    const DataType type = context.input(kA).type();
    check_type(codes_, DataType::kUint8, "B");
    const ir::Dims dims = {spec_.n, spec_.blocks, spec_.row_size / spec_.blocks};
    if (codes_.dims() != dims) {
      fail(ErrorCode::kBadInput, "B: expected shape {}, found {}", ir::to_string(dims),
           ir::to_string(codes_.dims()));
    }
    check_type(scales_, type, "scales");
    check_matrix(scales_, spec_.n, spec_.blocks, "scales");
    if (zeros_ != nullptr) check_zero_points(type);
    if (groups_ != nullptr) check_groups();
  }

  const NBitsSpec& spec() const { return spec_; }

  // Elements [begin, begin + count) of the weight [N, K].
  void load(int64_t begin, int64_t count, double* out) const {
    const auto* codes = codes_.data<uint8_t>().data();
    for (int64_t i = begin; i < begin + count; ++i) {
      const int64_t row = i / spec_.k;
      const int64_t column = i % spec_.k;
      const int64_t group = groups_ != nullptr
                                ? groups_->data<int32_t>()[static_cast<size_t>(column)]
                                : column / spec_.block;
      const int32_t code = packed_code(codes + row * spec_.row_size, column, spec_.bits);
      const auto scale =
          static_cast<float>(ir::element_as_double(scales_, row * spec_.blocks + group));
      *out++ = (static_cast<float>(code) - zero_point(row, group)) * scale;
    }
  }

 private:
  void check_zero_points(DataType type) const {
    if (zeros_->type() == DataType::kUint8) {
      check_matrix(*zeros_, spec_.n, packed_size(spec_.blocks, spec_.bits), "zero_points");
    } else {
      check_type(*zeros_, type, "zero_points");
      check_matrix(*zeros_, spec_.n, spec_.blocks, "zero_points");
    }
  }

  void check_groups() const {
    check_type(*groups_, DataType::kInt32, "g_idx");
    const int64_t padded = checked_mul(spec_.blocks, spec_.block);
    if (groups_->dims() != ir::Dims{spec_.k} && groups_->dims() != ir::Dims{padded}) {
      fail(ErrorCode::kBadInput, "g_idx: expected shape [{}] or [{}], found {}", spec_.k, padded,
           ir::to_string(groups_->dims()));
    }
    for (const int32_t group : groups_->data<int32_t>()) {
      if (group < 0 || group >= spec_.blocks) {
        fail(ErrorCode::kBadInput, "g_idx: expected blocks in [0, {}), found {}", spec_.blocks,
             group);
      }
    }
  }

  float zero_point(int64_t row, int64_t group) const {
    if (zeros_ == nullptr) return static_cast<float>(middle_code(spec_.bits));
    if (zeros_->type() != DataType::kUint8) {
      return static_cast<float>(ir::element_as_double(*zeros_, row * spec_.blocks + group));
    }
    const uint8_t* packed =
        zeros_->data<uint8_t>().data() + row * packed_size(spec_.blocks, spec_.bits);
    return static_cast<float>(packed_code(packed, group, spec_.bits));
  }

  NBitsSpec spec_;
  const ir::Tensor& codes_;
  const ir::Tensor& scales_;
  const ir::Tensor* zeros_;
  const ir::Tensor* groups_;
};

void add_bias(const ir::Tensor& bias, int64_t rows, double* sums) {
  const int64_t n = bias.size();
  for (int64_t i = 0; i < rows * n; ++i) sums[i] += ir::element_as_double(bias, i % n);
}

}  // namespace

void infer_matmul_nbits(InferContext& context) {
  const NBitsSpec spec(context.node());
  const ir::Shape* a = context.shape(kA);
  if (a == nullptr) return context.set(0, context.element(kA));
  if (a->empty() || (a->back().known() && a->back().value != spec.k)) {
    fail(ErrorCode::kBadInput, "A: expected {} columns (K), found shape {}", spec.k,
         ir::to_string(*a));
  }
  ir::Shape y = *a;
  y.back() = ir::Dim::of(spec.n);
  context.set(0, context.element(kA), std::move(y));
}

// accuracy_level lets an implementation round A; exact products are allowed at every level.
void matmul_nbits(KernelContext& context) {
  const ir::Tensor& a = context.input(kA);
  if (!is_real(a.type()) || a.type() == DataType::kDouble) {
    fail(ErrorCode::kBadInput, "A: expected float32, float16 or bfloat16, found {}",
         ir::data_type_name(a.type()));
  }
  if (context.node().attr_int("weight_prepacked", 0) != 0) {
    fail(ErrorCode::kUnsupported,
         "attribute weight_prepacked: expected 0, found {}; layouts of CUDA kernels are not read",
         context.node().attr_int("weight_prepacked", 0));
  }
  const NBitsWeight weight(context);
  const NBitsSpec& spec = weight.spec();
  if (a.rank() == 0 || a.dims().back() != spec.k) {
    fail(ErrorCode::kBadInput, "A: expected {} columns (K), found shape {}", spec.k,
         ir::to_string(a.dims()));
  }
  const ir::Tensor* bias = context.optional(kBias);
  if (bias != nullptr) {
    check_type(*bias, a.type(), "bias");
    if (bias->dims() != ir::Dims{spec.n}) {
      fail(ErrorCode::kBadInput, "bias: expected shape [{}], found {}", spec.n,
           ir::to_string(bias->dims()));
    }
  }
  ir::Dims dims = a.dims();
  dims.back() = spec.n;
  ir::Tensor& y = context.output(0, a.type(), std::move(dims));
  if (y.size() == 0) return;
  const int64_t rows = a.size() / spec.k;
  ir::Tensor scratch = scratch_doubles(y.size());
  double* sums = scratch.mutable_data<double>().data();
  const LoadOperand load = [&](int64_t begin, int64_t count, double* out) {
    weight.load(begin, count, out);
  };
  multiply({plain_loader(a), 0, rows, spec.k}, {load, 0, spec.k, spec.n, true}, sums);
  if (bias != nullptr) add_bias(*bias, rows, sums);
  store_doubles(sums, y.size(), y, 0);
}

}  // namespace fettle::ops
