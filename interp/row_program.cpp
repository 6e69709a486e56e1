#include "interp/row_program.h"

#include <algorithm>
#include <array>

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;
constexpr int64_t kLongest = 8192;  // elements of a row that is reduced

bool broadcast(const ir::Dims& a, const ir::Dims& b, ir::Dims& out) {
  const size_t rank = std::max(a.size(), b.size());
  out.resize(rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1) return false;
    out[rank - 1 - i] = da == 1 ? db : da;
  }
  return true;
}

// The form of a value of shape `dims` in the matrix of `output` split before axis `split`; false
// when it has none.
bool form_of(const ir::Dims& dims, const ir::Dims& output, size_t split, Form& form) {
  const size_t missing = output.size() - dims.size();
  bool leads = true;  // has all of the leading axes
  bool trails = true;
  bool leading_one = true;
  bool trailing_one = true;
  for (size_t i = 0; i < output.size(); ++i) {
    const int64_t extent = i < missing ? 1 : dims[i - missing];
    (i < split ? leads : trails) &= extent == output[i];
    (i < split ? leading_one : trailing_one) &= extent == 1;
  }
  if (leading_one && trailing_one) {
    form = Form::kScalar;
  } else if (leads && trails) {
    form = Form::kFull;
  } else if (leads && trailing_one) {
    form = Form::kPerRow;
  } else if (trails && leading_one) {
    form = Form::kPerColumn;
  } else {
    return false;
  }
  return true;
}

class RowProgram : public AcceleratedKernel {
 public:
  explicit RowProgram(RowChain chain)
      : pass_(std::move(chain)), operands_(pass_.operands()), held_(operands_) {}

  bool run(Call& call) override {
    bool blocked = false;
    for (size_t i = 0; i < operands_; ++i) {
      if (call.type(i) != type_of(i)) return false;
      blocked = blocked || call.blocked(i) != nullptr;
    }
    if (blocked) return quantizes() ? run_channels_last(call) : run_blocked(call);
    if (!plan(call)) return false;
    std::array<const std::byte*, kMostOperands> from;
    for (size_t i = 0; i < operands_; ++i) from[i] = call.tensor(i)->bytes();
    std::shared_ptr<ir::Buffer> storage;
    for (size_t i = 0; i < operands_ && storage == nullptr; ++i) {
      if (may_become_output(i) && call.tensor(i)->dims() == output_) storage = call.reusable(i);
    }
    const ir::DataType type = result_type();
    if (storage == nullptr) storage = allocate(shape_.rows * shape_.columns);
    pass_.run(shape_, from.data(), storage->mutable_data(), notes_);
    call.set(0, ir::Tensor(type, output_, std::move(storage)));
    return true;
  }

  bool note_ranges(RangeNotes* notes) override {
    notes_ = notes;
    return true;
  }

  static constexpr size_t kMostOperands = 16;

 private:
  ir::DataType type_of(size_t operand) const {
    const auto& numbers = pass_.chain().operands[operand];
    return numbers ? numbers->bytes.type : kFloat;
  }
  ir::DataType result_type() const {
    const auto& numbers = pass_.chain().result;
    return numbers ? numbers->bytes.type : kFloat;
  }
  // True when an operand or the result are bytes.
  bool quantizes() const {
    const auto& operands = pass_.chain().operands;
    return pass_.chain().result.has_value() ||
           std::any_of(operands.begin(), operands.end(), [](const auto& n) { return !!n; });
  }
  // True when the operand has an element of the result's type for every element of the result.
  bool may_become_output(size_t i) const {
    return shape_.forms[i] == Form::kFull && type_of(i) == kFloat && result_type() == kFloat;
  }
  std::shared_ptr<ir::Buffer> allocate(int64_t elements) const {
    const auto width = static_cast<size_t>(ir::data_type_bytes(result_type(), 1));
    return ir::Buffer::allocate(static_cast<size_t>(elements) * width);
  }
  size_t values() const { return operands_ + pass_.chain().instructions.size(); }

  // Float operands of one layout without padding, and scalars: a row of all elements.
  bool run_blocked(Call& call) {
    if (pass_.reduces()) return false;
    size_t leader = operands_;
    std::array<const std::byte*, kMostOperands> from{};
    shape_.forms.assign(values(), Form::kScalar);
    known_ = false;
    for (size_t i = 0; i < operands_; ++i) {
      const Blocked* own = call.blocked(i);
      if (own != nullptr) {
        if (is_padded(own->desc)) return false;
        if (leader == operands_) leader = i;
        if (own->desc != call.blocked(leader)->desc) return false;
        from[i] = own->buffer->data();
        shape_.forms[i] = Form::kFull;
      } else {
        const ir::Tensor& x = *call.tensor(i);
        if (x.size() != 1 || x.rank() > 2) return false;
        from[i] = x.bytes();
      }
    }
    if (!pass_.derive_forms(shape_)) return false;
    const dnnl::memory::desc desc = call.blocked(leader)->desc;
    std::shared_ptr<ir::Buffer> storage;
    for (size_t i = 0; i < operands_ && storage == nullptr; ++i) {
      if (call.blocked(i) != nullptr) storage = call.reusable(i);
    }
    if (storage == nullptr) storage = ir::Buffer::allocate(desc.get_size());
    shape_.rows = 1;
    shape_.columns = static_cast<int64_t>(desc.get_size() / sizeof(float));
    pass_.run(shape_, from.data(), storage->mutable_data(), notes_);
    call.set(0, Blocked{desc, std::move(storage), kFloat});
    return true;
  }

  // Images of one shape, brought to channels-last where they are not; numbers per channel of every
  // sample or of all; scalars. A matrix of positions and channels for every sample.
  bool run_channels_last(Call& call) {
    if (pass_.reduces()) return false;
    ir::Dims dims;
    for (size_t i = 0; i < operands_ && dims.empty(); ++i) {
      if (call.blocked(i) != nullptr) dims = call.blocked(i)->dims();
    }
    if (dims.size() < 3 || dims.size() > 5 || ir::element_count(dims) == 0) return false;
    shape_.forms.assign(values(), Form::kScalar);
    known_ = false;
    std::array<int64_t, kMostOperands> step{};  // bytes from sample to sample
    const int64_t count = ir::element_count(dims) / dims[0];
    for (size_t i = 0; i < operands_; ++i) {
      const ir::Dims& own = *call.dims(i);
      const int64_t width = ir::data_type_bytes(type_of(i), 1);
      if (own == dims) {
        shape_.forms[i] = Form::kFull;
        step[i] = count * width;
      } else if (ir::element_count(own) != 1 || own.size() > dims.size()) {
        if (!per_channel(own, dims)) return false;
        shape_.forms[i] = Form::kPerColumn;
        if (own.size() == dims.size() && own[0] != 1) step[i] = dims[1] * width;
      }
    }
    if (!pass_.derive_forms(shape_)) return false;
    shape_.columns = dims[1];
    shape_.rows = count / dims[1];
    std::array<const std::byte*, kMostOperands> from{};
    std::vector<Blocked> copies(operands_);
    for (size_t i = 0; i < operands_; ++i) {
      from[i] = shape_.forms[i] == Form::kFull
                    ? in_layout(call, i, channels_last_desc(dims, type_of(i)), copies[i])
                    : call.tensor(i)->bytes();
    }
    const ir::DataType type = result_type();
    Blocked out = allocate_blocked(channels_last_desc(dims, type), type);
    std::byte* y = out.buffer->mutable_data();
    for (int64_t n = 0; n < dims[0]; ++n) {
      pass_.run(shape_, from.data(), y + n * count * ir::data_type_bytes(type, 1), notes_);
      for (size_t i = 0; i < operands_; ++i) from[i] += step[i];
    }
    call.set(0, std::move(out));
    return true;
  }

  // True for [N or 1, C, 1, ...] and the same without leading axes.
  static bool per_channel(const ir::Dims& own, const ir::Dims& image) {
    if (own.size() + 1 < image.size() || own.size() > image.size()) return false;
    const size_t missing = image.size() - own.size();
    for (size_t k = missing; k < image.size(); ++k) {
      const int64_t extent = own[k - missing];
      const bool fits = k == 0   ? extent == 1 || extent == image[0]
                        : k == 1 ? extent == image[1]
                                 : extent == 1;
      if (!fits) return false;
    }
    return true;
  }

  // Brings shape_ up to date for the shapes of this call; false when they make no matrix.
  bool plan(Call& call) {
    bool same = known_;
    for (size_t i = 0; i < operands_ && same; ++i) same = *call.dims(i) == held_[i];
    if (same) return possible_;
    for (size_t i = 0; i < operands_; ++i) held_[i] = *call.dims(i);
    known_ = true;
    possible_ = make_shape();
    return possible_;
  }

  bool make_shape() {
    std::vector<ir::Dims> dims = held_;
    for (const Instruction& i : pass_.chain().instructions) {
      ir::Dims result = dims[i.a];
      if (i.reduction != nullptr) {
        const auto rank = static_cast<int64_t>(result.size());
        if (rank == 0 || (i.axis >= 0 ? i.axis != rank - 1 : i.axis != -1)) return false;
        result.back() = 1;
      } else if (i.binary != nullptr && !broadcast(dims[i.a], dims[i.b], result)) {
        return false;
      }
      if (i.binary != nullptr && i.binary->op == "PRelu" && result != dims[i.a]) return false;
      dims.push_back(std::move(result));
    }
    output_ = dims.back();
    const size_t rank = output_.size();
    for (const ir::Dims& each : dims) {
      if (each.size() > rank) return false;
    }
    const int64_t count = ir::element_count(output_);
    const bool reduces = pass_.reduces();
    if (count == 0 || (reduces && rank == 0)) return false;
    for (size_t split = reduces ? rank - 1 : 0; split <= rank; ++split) {
      shape_.columns = 1;
      for (size_t i = split; i < rank; ++i) shape_.columns *= output_[i];
      shape_.rows = count / shape_.columns;
      shape_.forms.assign(dims.size(), Form::kScalar);
      bool fits = true;
      for (size_t i = 0; i < operands_ && fits; ++i) {
        fits = form_of(held_[i], output_, split, shape_.forms[i]);
      }
      if (fits) return (!reduces || shape_.columns <= kLongest) && pass_.derive_forms(shape_);
      if (reduces) break;
    }
    return false;
  }

  RowPass pass_;
  RangeNotes* notes_ = nullptr;
  size_t operands_;
  bool known_ = false;
  bool possible_ = false;
  std::vector<ir::Dims> held_;
  ir::Dims output_;
  RowShape shape_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_row_program(RowChain chain) {
  if (chain.operands.size() > RowProgram::kMostOperands || chain.instructions.empty()) {
    return nullptr;
  }
  return std::make_unique<RowProgram>(std::move(chain));
}

}  // namespace fettle::interp
