#include "interp/row_program.h"

#include <algorithm>
#include <array>

#include "interp/parallel.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;
constexpr int64_t kPiece = 1024;    // elements of a chunk
constexpr int64_t kLongest = 8192;  // elements of a row that is reduced

// What of a matrix [rows, columns] a value has.
enum class Form { kScalar, kPerRow, kPerColumn, kFull };

Form joined(Form a, Form b) {
  if (a == b || b == Form::kScalar) return a;
  return a == Form::kScalar ? b : Form::kFull;
}

// The shapes of all values of one call, as a matrix.
struct Layout {
  ir::Dims output;
  int64_t rows = 1;
  int64_t columns = 1;
  std::vector<Form> forms;
};

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
  RowProgram(size_t operands, std::vector<Instruction> instructions)
      : operands_(operands), instructions_(std::move(instructions)), held_(operands) {
    assign_registers();
    for (const Instruction& i : instructions_) {
      reduces_ = reduces_ || i.reduction != nullptr;
      cost_ += i.unary.loop != nullptr ? i.unary.cost : i.binary != nullptr ? i.binary->cost : 1;
    }
  }

  bool run(Call& call) override {
    bool blocked = false;
    for (size_t i = 0; i < operands_; ++i) {
      if (call.type(i) != kFloat) return false;
      blocked = blocked || call.blocked(i) != nullptr;
    }
    if (blocked) return run_blocked(call);
    if (!plan(call)) return false;
    std::array<const float*, kMostOperands> from;
    for (size_t i = 0; i < operands_; ++i) from[i] = call.tensor(i)->data<float>().data();
    std::shared_ptr<ir::Buffer> storage;
    for (size_t i = 0; i < operands_ && storage == nullptr; ++i) {
      if (layout_.forms[i] == Form::kFull && call.tensor(i)->dims() == layout_.output) {
        storage = call.reusable(i);
      }
    }
    const int64_t count = layout_.rows * layout_.columns;
    if (storage == nullptr) {
      storage = ir::Buffer::allocate(static_cast<size_t>(count) * sizeof(float));
    }
    compute(from.data(), reinterpret_cast<float*>(storage->mutable_data()));
    call.set(0, ir::Tensor(kFloat, layout_.output, std::move(storage)));
    return true;
  }

  static constexpr size_t kMostOperands = 16;

 private:
  // Operands of one layout without padding, and scalars: a row of all elements.
  bool run_blocked(Call& call) {
    if (reduces_) return false;
    size_t leader = operands_;
    std::array<const float*, kMostOperands> from{};
    layout_.forms.assign(operands_ + instructions_.size(), Form::kScalar);
    known_ = false;
    for (size_t i = 0; i < operands_; ++i) {
      const Blocked* own = call.blocked(i);
      if (own != nullptr) {
        if (is_padded(own->desc)) return false;
        if (leader == operands_) leader = i;
        if (own->desc != call.blocked(leader)->desc) return false;
        from[i] = reinterpret_cast<const float*>(own->buffer->data());
        layout_.forms[i] = Form::kFull;
      } else {
        const ir::Tensor& x = *call.tensor(i);
        if (x.size() != 1 || x.rank() > 2) return false;
        from[i] = x.data<float>().data();
      }
    }
    if (!derive_forms()) return false;
    const Blocked own = *call.blocked(leader);
    std::shared_ptr<ir::Buffer> storage;
    for (size_t i = 0; i < operands_ && storage == nullptr; ++i) {
      if (call.blocked(i) != nullptr) storage = call.reusable(i);
    }
    if (storage == nullptr) storage = ir::Buffer::allocate(own.desc.get_size());
    layout_.rows = 1;
    layout_.columns = static_cast<int64_t>(own.desc.get_size() / sizeof(float));
    compute(from.data(), reinterpret_cast<float*>(storage->mutable_data()));
    call.set(0, Blocked{own.desc, std::move(storage), kFloat});
    return true;
  }

  // Brings layout_ up to date for the shapes of this call; false when they make no matrix.
  bool plan(Call& call) {
    bool same = known_;
    for (size_t i = 0; i < operands_ && same; ++i) same = *call.dims(i) == held_[i];
    if (same) return possible_;
    for (size_t i = 0; i < operands_; ++i) held_[i] = *call.dims(i);
    known_ = true;
    possible_ = make_layout();
    return possible_;
  }

  bool make_layout() {
    std::vector<ir::Dims> dims = held_;
    for (const Instruction& i : instructions_) {
      ir::Dims result = dims[i.a];
      if (i.reduction != nullptr) {
        const auto rank = static_cast<int64_t>(result.size());
        if (rank == 0 || (i.axis >= 0 ? i.axis != rank - 1 : i.axis != -1)) return false;
        result.back() = 1;
      } else if (i.binary != nullptr && !broadcast(dims[i.a], dims[i.b], result)) {
        return false;
      }
      dims.push_back(std::move(result));
    }
    layout_.output = dims.back();
    const size_t rank = layout_.output.size();
    for (const ir::Dims& each : dims) {
      if (each.size() > rank) return false;
    }
    const int64_t count = ir::element_count(layout_.output);
    if (count == 0 || (reduces_ && rank == 0)) return false;
    for (size_t split = reduces_ ? rank - 1 : 0; split <= rank; ++split) {
      layout_.columns = 1;
      for (size_t i = split; i < rank; ++i) layout_.columns *= layout_.output[i];
      layout_.rows = count / layout_.columns;
      layout_.forms.assign(dims.size(), Form::kScalar);
      bool fits = true;
      for (size_t i = 0; i < operands_ && fits; ++i) {
        fits = form_of(held_[i], layout_.output, split, layout_.forms[i]);
      }
      if (fits) return (!reduces_ || layout_.columns <= kLongest) && derive_forms();
      if (reduces_) break;
    }
    return false;
  }

  // Forms of the results from those of the operands; the output must be full and what is reduced
  // must be.
  bool derive_forms() {
    for (size_t k = 0; k < instructions_.size(); ++k) {
      const Instruction& i = instructions_[k];
      Form form = layout_.forms[i.a];
      if (i.reduction != nullptr) {
        if (form != Form::kFull) return false;
        form = Form::kPerRow;
      } else if (i.binary != nullptr) {
        form = joined(form, layout_.forms[i.b]);
      }
      layout_.forms[operands_ + k] = form;
    }
    return layout_.forms.back() == Form::kFull;
  }

  // A register for every result but the last; one is free again after its last reader.
  void assign_registers() {
    std::vector<size_t> last(instructions_.size(), 0);
    for (size_t k = 0; k < instructions_.size(); ++k) {
      for (const size_t v : {instructions_[k].a, instructions_[k].b}) {
        if (v >= operands_) last[v - operands_] = k;
      }
    }
    std::vector<size_t> busy_until;
    for (size_t k = 0; k < instructions_.size(); ++k) {
      size_t at = 0;
      while (at < busy_until.size() && busy_until[at] >= k) ++at;
      if (at == busy_until.size()) busy_until.push_back(0);
      busy_until[at] = std::max(last[k], k);
      registers_.push_back(at);
    }
    register_count_ = busy_until.size();
  }

  // A part of the matrix: `rows` whole rows, or `columns` elements of one row.
  struct Chunk {
    int64_t row;
    int64_t rows;
    int64_t column;
    int64_t columns;

    int64_t size(Form form) const {
      switch (form) {
        case Form::kScalar:
          return 1;
        case Form::kPerRow:
          return rows;
        case Form::kPerColumn:
          return columns;
        case Form::kFull:
          break;
      }
      return rows * columns;
    }
  };

  void compute(const float* const* from, float* y) const {
    const int64_t width = reduces_ ? layout_.columns : std::min(layout_.columns, kPiece);
    const int64_t height = std::max<int64_t>(1, kPiece / width);
    const int64_t across = (layout_.columns + width - 1) / width;
    const int64_t down = (layout_.rows + height - 1) / height;
    // Registers are kept between the chunks of one group.
    const int64_t group = std::max<int64_t>(1, kChunk / (width * height));
    const int64_t chunks = across * down;
    for_each_row((chunks + group - 1) / group, group * width * height * cost_, [&](int64_t g) {
      const auto stride = static_cast<size_t>(std::max(kPiece, width));
      thread_local std::vector<float> storage;
      if (storage.size() < register_count_ * stride) storage.resize(register_count_ * stride);
      for (int64_t c = g * group; c < std::min(chunks, (g + 1) * group); ++c) {
        Chunk chunk{c / across * height, 0, c % across * width, 0};
        chunk.rows = std::min(height, layout_.rows - chunk.row);
        chunk.columns = std::min(width, layout_.columns - chunk.column);
        compute_chunk(chunk, from, storage.data(), stride, y);
      }
    });
  }

  void compute_chunk(const Chunk& chunk, const float* const* from, float* storage, size_t stride,
                     float* y) const {
    const auto value = [&](size_t v) -> const float* {
      if (v >= operands_) return storage + registers_[v - operands_] * stride;
      switch (layout_.forms[v]) {
        case Form::kScalar:
          return from[v];
        case Form::kPerRow:
          return from[v] + chunk.row;
        case Form::kPerColumn:
          return from[v] + chunk.column;
        case Form::kFull:
          break;
      }
      return from[v] + chunk.row * layout_.columns + chunk.column;
    };
    for (size_t k = 0; k < instructions_.size(); ++k) {
      const Instruction& i = instructions_[k];
      const Form form = layout_.forms[operands_ + k];
      float* to = k + 1 == instructions_.size() ? y + chunk.row * layout_.columns + chunk.column
                                                : storage + registers_[k] * stride;
      if (i.reduction != nullptr) {
        reduce(*i.reduction, value(i.a), chunk, to);
      } else if (i.binary == nullptr) {
        i.unary.apply(value(i.a), to, chunk.size(form));
      } else {
        combine(i, value(i.a), value(i.b), form, chunk, to);
      }
    }
  }

  static void reduce(const Fold<float, double>& fold, const float* x, const Chunk& chunk,
                     float* to) {
    for (int64_t r = 0; r < chunk.rows; ++r) {
      const double state = fold.row(fold.initial, x + r * chunk.columns, chunk.columns);
      to[r] = fold.finish(state, chunk.columns);
    }
  }

  void combine(const Instruction& i, const float* a, const float* b, Form form, const Chunk& chunk,
               float* to) const {
    const Form of_a = layout_.forms[i.a];
    const Form of_b = layout_.forms[i.b];
    const auto flat = [&](Form f) { return f == form || f == Form::kScalar; };
    if (flat(of_a) && flat(of_b)) {
      i.binary->loop(a, of_a == Form::kScalar ? 0 : 1, b, of_b == Form::kScalar ? 0 : 1, to,
                     chunk.size(form));
      return;
    }
    const auto row_step = [&](Form f) -> int64_t {
      return f == Form::kFull ? chunk.columns : f == Form::kPerRow ? 1 : 0;
    };
    const auto step = [](Form f) -> int64_t {
      return f == Form::kFull || f == Form::kPerColumn ? 1 : 0;
    };
    for (int64_t r = 0; r < chunk.rows; ++r) {
      i.binary->loop(a + r * row_step(of_a), step(of_a), b + r * row_step(of_b), step(of_b),
                     to + r * chunk.columns, chunk.columns);
    }
  }

  size_t operands_;
  std::vector<Instruction> instructions_;
  std::vector<size_t> registers_;
  size_t register_count_ = 0;
  bool reduces_ = false;
  int64_t cost_ = 0;
  bool known_ = false;
  bool possible_ = false;
  std::vector<ir::Dims> held_;
  Layout layout_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_row_program(size_t operands,
                                                    std::vector<Instruction> instructions) {
  if (operands > RowProgram::kMostOperands || instructions.empty()) return nullptr;
  return std::make_unique<RowProgram>(operands, std::move(instructions));
}

}  // namespace fettle::interp
