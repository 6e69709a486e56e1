// Concat between DequantizeLinear and QuantizeLinear runs on the bytes:
//
//   aq, bq, ... -- DQ -- Concat -- Q -- yq     =>     aq, bq, ... -- one copy, by tables -- yq
//
// The result is identical: each operand's bytes go through a table of Q(DQ(v)), or stay as they are
// where its parameters are those of the result. Conditions: 8-bit operands with one constant scale
// each; nothing else reads what lies between Concat and Q.
#include <algorithm>
#include <array>
#include <cstring>

#include "interp/byte_image.h"
#include "interp/byte_kernel.h"
#include "interp/fusion.h"
#include "interp/parallel.h"
#include "interp/qdq_pattern.h"
#include "ir/error.h"

namespace fettle::interp {
namespace {

struct Part {
  ir::DataType type = ir::DataType::kUint8;
  bool same = true;                  // bytes stay as they are
  std::array<uint8_t, 256> table{};  // else
};

class ByteConcat : public AcceleratedKernel {
 public:
  ByteConcat(std::vector<Part> parts, ir::DataType type, int64_t axis)
      : parts_(std::move(parts)), type_(type), axis_(axis) {}

  bool run(Call& call) override {
    const bool last = check(call);
    // Elements in memory: outer rows, of each operand `lengths` together.
    const size_t axis = axis_of(call);
    const ir::Dims& first = *call.dims(0);
    ir::Dims y = first;
    y[axis] = 0;
    int64_t outer = 1;
    int64_t inner = 1;
    for (size_t i = 0; i < first.size(); ++i) {
      if (i == axis) continue;
      // Channels last, axis 1 comes after all others.
      const bool before = last ? i != 1 && (axis == 1 || i < axis) : i < axis;
      (before ? outer : inner) *= first[i];
    }
    sources_.clear();
    copies_.clear();
    lengths_.clear();
    for (size_t i = 0; i < parts_.size(); ++i) {
      const int64_t extent = (*call.dims(i))[axis];
      y[axis] += extent;
      lengths_.push_back(extent * inner);
      sources_.push_back(source(call, i, last));
    }
    const int64_t row = y[axis] * inner;
    auto out = ir::Buffer::allocate(static_cast<size_t>(outer * row));
    auto* to = reinterpret_cast<uint8_t*>(out->mutable_data());
    for_each_row(outer, row / 8, [&](int64_t r) { copy_row(r, to + r * row); });
    if (last) {
      set_image(call, 0, std::move(out), y, type_);
    } else {
      call.set(0, ir::Tensor(type_, y, std::move(out)));
    }
    return true;
  }

 private:
  // Checks types and shapes; whether the operands are taken channels-last.
  bool check(Call& call) const {
    bool last = false;
    for (size_t i = 0; i < parts_.size(); ++i) {
      const ir::Dims* dims = call.dims(i);
      if (dims == nullptr || call.type(i) != parts_[i].type) {
        fail(ErrorCode::kBadInput, "operand {}: expected a quantized tensor of {}, found {}", i,
             ir::data_type_name(parts_[i].type), ir::data_type_name(call.type(i)));
      }
      last = last || call.blocked(i) != nullptr;
    }
    const ir::Dims& first = *call.dims(0);
    const size_t axis = axis_of(call);
    for (size_t i = 1; i < parts_.size(); ++i) {
      const ir::Dims& dims = *call.dims(i);
      bool fits = dims.size() == first.size();
      for (size_t d = 0; fits && d < dims.size(); ++d) fits = d == axis || dims[d] == first[d];
      if (!fits) {
        fail(ErrorCode::kBadInput, "shapes {} and {} cannot be concatenated along axis {}",
             ir::to_string(first), ir::to_string(dims), axis);
      }
    }
    return last && first.size() >= 3 && first.size() <= 5;
  }

  size_t axis_of(Call& call) const {
    const auto rank = static_cast<int64_t>(call.dims(0)->size());
    const int64_t axis = axis_ < 0 ? axis_ + rank : axis_;
    if (axis < 0 || axis >= rank) {
      fail(ErrorCode::kBadInput, "axis {} of a tensor with {} axes", axis_, rank);
    }
    return static_cast<size_t>(axis);
  }

  const uint8_t* source(Call& call, size_t i, bool last) {
    if (!last) return reinterpret_cast<const uint8_t*>(call.tensor(i)->bytes());
    const ByteImage image = byte_image(call, i);
    if (image.channels_last) return image.bytes;
    copies_.emplace_back();
    const std::byte* copy =
        in_layout(call, i, channels_last_desc(*call.dims(i), parts_[i].type), copies_.back());
    return reinterpret_cast<const uint8_t*>(copy);
  }

  void copy_row(int64_t r, uint8_t* to) const {
    for (size_t i = 0; i < parts_.size(); ++i) {
      const uint8_t* from = sources_[i] + r * lengths_[i];
      if (parts_[i].same) {
        std::memcpy(to, from, static_cast<size_t>(lengths_[i]));
      } else {
        byte_kernels().map(parts_[i].table.data(), from, lengths_[i], to);
      }
      to += lengths_[i];
    }
  }

  std::vector<Part> parts_;
  ir::DataType type_;
  int64_t axis_;
  std::vector<const uint8_t*> sources_;
  std::vector<int64_t> lengths_;
  std::vector<Blocked> copies_;
};

Part part_of(const QuantizedOperand& x, const QuantizedResult& y) {
  Part part;
  part.type = x.bytes.type;
  part.same = x.scale == y.scale && x.bytes.type == y.bytes.type &&
              x.bytes.zero_point == y.bytes.zero_point;
  part.table = requantization_table(x, y);
  return part;
}

}  // namespace

std::optional<Fusion> fuse_qdq_concat(const ir::Node& node, const FusionView& view) {
  auto y = quantized_result(node.output(0), view);
  if (!y || y->members.size() != 1 || node.inputs().empty() || view.opset(node) < 4) {
    return std::nullopt;
  }
  std::vector<Part> parts;
  Fusion fusion;
  for (const ir::Value* input : node.inputs()) {
    const auto x = quantized_operand(input, view);
    if (!x) return std::nullopt;
    parts.push_back(part_of(*x, *y));
    fusion.inputs.push_back(x->quantized);
  }
  fusion.members = {&node, y->members[0]};
  fusion.kernel =
      std::make_unique<ByteConcat>(std::move(parts), y->bytes.type, node.attr_int("axis", 1));
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
