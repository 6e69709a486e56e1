// GatherBlockQuantized of com.microsoft: slices of a tensor quantized in blocks along one axis, as
// numbers. An index outside the axis gives zeros.
#include <algorithm>
#include <optional>
#include <vector>

#include "ops/axis_view.h"
#include "ops/packed_codes.h"
#include "ops/quantized_contrib.h"
#include "ops/real_elements.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

using ir::DataType;

enum Operand : size_t { kData, kIndices, kScales, kZeroPoints };

constexpr int64_t kDefaultBlock = 128;

bool is_small_float(DataType type) {
  using enum DataType;
  return type == kFloat8E4M3FN || type == kFloat8E4M3FNUZ || type == kFloat8E5M2 ||
         type == kFloat8E5M2FNUZ || type == kFloat4E2M1;
}

// The attributes for data of one type and rank.
struct GatherSpec {
  size_t gather_axis;
  size_t quantize_axis;
  int64_t block;  // 0: the whole axis
  int bits;       // of the codes packed in uint8 elements; 8 for other types

  // Codes per element of the data.
  int64_t per_element() const { return 8 / bits; }
};

GatherSpec gather_spec(const ir::Node& node, DataType type, int64_t rank) {
  GatherSpec spec{};
  spec.gather_axis = static_cast<size_t>(normalized_axis(node.attr_int("gather_axis", 0), rank));
  spec.quantize_axis =
      static_cast<size_t>(normalized_axis(node.attr_int("quantize_axis", 1), rank));
  spec.block = node.attr_int("block_size", kDefaultBlock);
  spec.bits = 8;
  if (spec.block != 0 || !is_small_float(type)) checked_block_size(spec.block);
  if (is_small_float(type)) return spec;
  const int bits = checked_code_bits(node.attr_int("bits", 4));
  if (type == DataType::kUint8) {
    spec.bits = bits;
    if (spec.gather_axis != 0 || static_cast<int64_t>(spec.quantize_axis) != rank - 1 || rank < 2) {
      fail(ErrorCode::kBadInput,
           "data of type uint8: expected gather_axis 0 and the last axis, another one, as "
           "quantize_axis; found {} and {} of {} axes",
           spec.gather_axis, spec.quantize_axis, rank);
    }
  } else if (type != DataType::kInt4 && type != DataType::kUint4) {
    fail(ErrorCode::kBadInput,
         "data: expected uint8, int4, uint4, float4e2m1 or an 8-bit float, found {}",
         ir::data_type_name(type));
  } else if (bits != 4) {
    fail(ErrorCode::kBadInput, "attribute bits: expected 4 for {}, found {}",
         ir::data_type_name(type), bits);
  }
  return spec;
}

// Numbers of the data by index, in the shape that codes have (packed elements unfolded).
class BlockQuantized {
 public:
  BlockQuantized(const KernelContext& context, const GatherSpec& spec)
      : spec_(spec),
        data_(context.input(kData)),
        scales_(context.input(kScales)),
        zeros_(context.optional(kZeroPoints)),
        dims_(data_.dims()) {
    dims_.back() = checked_mul(dims_.back(), spec.per_element());
    if (spec_.block == 0) spec_.block = std::max<int64_t>(dims_[spec_.quantize_axis], 1);
    check_scales();
    if (zeros_ != nullptr) check_zero_points();
  }

  const ir::Dims& dims() const { return dims_; }

  // Element `index` of the codes as a number; float32 arithmetic.
  float at(int64_t index) const {
    const int64_t scale = scale_of(index);
    return (code(index) - zero_point(scale)) *
           static_cast<float>(ir::element_as_double(scales_, scale));
  }

 private:
  // Extent `axis` of scales without broadcasting.
  int64_t scale_extent(size_t axis) const {
    return axis == spec_.quantize_axis ? ceil_div(dims_[axis], spec_.block) : dims_[axis];
  }

  void check_scales() const {
    if (!is_real(scales_.type()) || scales_.type() == DataType::kDouble) {
      fail(ErrorCode::kBadInput, "scales: expected float32, float16 or bfloat16, found {}",
           ir::data_type_name(scales_.type()));
    }
    bool fits = scales_.rank() == dims_.size();
    for (size_t a = 0; fits && a < dims_.size(); ++a) {
      const bool shared =
          is_small_float(data_.type()) && a != spec_.quantize_axis && scales_.dim(a) == 1;
      fits = shared || scales_.dim(a) == scale_extent(a);
    }
    if (fits) return;
    fail(ErrorCode::kBadInput,
         "scales: expected one per block of {} along axis {} of codes of shape {}, found shape {}",
         spec_.block, spec_.quantize_axis, ir::to_string(dims_), ir::to_string(scales_.dims()));
  }

  void check_zero_points() const {
    if (is_small_float(data_.type())) {
      fail(ErrorCode::kBadInput, "zero_points: expected none for data of type {}",
           ir::data_type_name(data_.type()));
    }
    ir::Dims dims = scales_.dims();
    dims[spec_.quantize_axis] = ceil_div(dims[spec_.quantize_axis], spec_.per_element());
    if (zeros_->type() == data_.type() && zeros_->dims() == dims) return;
    fail(ErrorCode::kBadInput, "zero_points: expected {} {}, found {} {}",
         ir::data_type_name(data_.type()), ir::to_string(dims), ir::data_type_name(zeros_->type()),
         ir::to_string(zeros_->dims()));
  }

  int64_t scale_of(int64_t index) const {
    int64_t result = 0;
    int64_t stride = 1;
    for (size_t a = dims_.size(); a-- > 0; index /= dims_[a]) {
      const int64_t at = index % dims_[a];
      const int64_t extent = scales_.dim(a);
      if (a == spec_.quantize_axis) {
        result += at / spec_.block * stride;
      } else if (extent != 1) {
        result += at * stride;
      }
      stride *= extent;
    }
    return result;
  }

  float code(int64_t index) const {
    if (data_.type() != DataType::kUint8) {
      return static_cast<float>(ir::element_as_double(data_, index));
    }
    return static_cast<float>(packed_code(data_.data<uint8_t>().data(), index, spec_.bits));
  }

  // Packed ones fill whole bytes per line of scales.
  float zero_point(int64_t scale) const {
    const bool is_packed = data_.type() == DataType::kUint8;
    if (zeros_ == nullptr) return is_packed ? static_cast<float>(middle_code(spec_.bits)) : 0.0f;
    if (!is_packed) return static_cast<float>(ir::element_as_double(*zeros_, scale));
    const int64_t line = scales_.dims().back();
    const uint8_t* row =
        zeros_->data<uint8_t>().data() + scale / line * packed_size(line, spec_.bits);
    return static_cast<float>(packed_code(row, scale % line, spec_.bits));
  }

  GatherSpec spec_;
  const ir::Tensor& data_;
  const ir::Tensor& scales_;
  const ir::Tensor* zeros_;
  ir::Dims dims_;
};

// Replaces the dimension of an axis by those of the indices.
template <typename Dimension>
std::vector<Dimension> gathered(const std::vector<Dimension>& data, size_t axis,
                                const std::vector<Dimension>& indices) {
  const auto at = data.begin() + static_cast<std::ptrdiff_t>(axis);
  std::vector<Dimension> out(data.begin(), at);
  out.insert(out.end(), indices.begin(), indices.end());
  out.insert(out.end(), at + 1, data.end());
  return out;
}

}  // namespace

void infer_gather_block_quantized(InferContext& context) {
  const DataType element = context.element(kScales);
  const ir::Shape* data = context.shape(kData);
  const ir::Shape* indices = context.shape(kIndices);
  const DataType type = context.element(kData);
  if (data == nullptr || indices == nullptr || type == DataType::kUndefined) {
    return context.set(0, element);
  }
  const GatherSpec spec = gather_spec(context.node(), type, static_cast<int64_t>(data->size()));
  ir::Shape codes = *data;
  codes.back() = dim_mul(codes.back(), ir::Dim::of(spec.per_element()));
  context.set(0, element, gathered(codes, spec.gather_axis, *indices));
}

void gather_block_quantized(KernelContext& context) {
  const ir::Tensor& data = context.input(kData);
  const ir::Tensor& indices = context.input(kIndices);
  if (indices.type() != DataType::kInt64 && indices.type() != DataType::kInt32) {
    fail(ErrorCode::kBadInput, "indices: expected int32 or int64, found {}",
         ir::data_type_name(indices.type()));
  }
  const GatherSpec spec =
      gather_spec(context.node(), data.type(), static_cast<int64_t>(data.rank()));
  const BlockQuantized source(context, spec);
  ir::Tensor& y = context.output(0, context.input(kScales).type(),
                                 gathered(source.dims(), spec.gather_axis, indices.dims()));
  if (y.size() == 0) return;
  const AxisView view = view_along(source.dims(), static_cast<int64_t>(spec.gather_axis));
  std::vector<double> slice = scratch<double>(view.inner);
  for (int64_t i = 0; i < view.outer * indices.size(); ++i) {
    int64_t index = ir::element_as_int(indices, i % indices.size());
    if (index < -view.length || index >= view.length) {
      std::fill(slice.begin(), slice.end(), 0.0);
    } else {
      if (index < 0) index += view.length;
      const int64_t begin = (i / indices.size() * view.length + index) * view.inner;
      for (int64_t e = 0; e < view.inner; ++e) slice[static_cast<size_t>(e)] = source.at(begin + e);
    }
    store_doubles(slice.data(), view.inner, y, i * view.inner);
  }
}

}  // namespace fettle::ops
