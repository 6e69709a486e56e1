#include "interp/row_pass.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "interp/parallel.h"

namespace fettle::interp {
namespace {

constexpr int64_t kPiece = 1024;   // elements of a chunk
constexpr int64_t kNarrow = 256;   // columns of a matrix whose rows are taken together

Form joined(Form a, Form b) {
  if (a == b || b == Form::kScalar) return a;
  return a == Form::kScalar ? b : Form::kFull;
}

}  // namespace

// A part of the matrix: `rows` whole rows, or `columns` elements of one row.
struct RowPass::Chunk {
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
  // Of the first element of the chunk, in a value of this form.
  int64_t offset(Form form, int64_t width) const {
    switch (form) {
      case Form::kScalar:
        return 0;
      case Form::kPerRow:
        return row;
      case Form::kPerColumn:
        return column;
      case Form::kFull:
        break;
    }
    return row * width + column;
  }
};

namespace {

void reduce(const Fold<float, double>& fold, const float* x, int64_t rows, int64_t columns,
            float* to) {
  for (int64_t r = 0; r < rows; ++r) {
    const double state = fold.row(fold.initial, x + r * columns, columns);
    to[r] = fold.finish(state, columns);
  }
}

// Operands with their forms; a result of `rows` rows of `columns` elements, or of `count` elements
// where that is no matrix.
struct Pair {
  const float* a;
  const float* b;
  Form of_a;
  Form of_b;
  Form result;
};

void combine(const BinaryFunction& function, const Pair& p, int64_t count, int64_t rows,
             int64_t columns, float* to) {
  const auto flat = [&](Form f) { return f == p.result || f == Form::kScalar; };
  if (flat(p.of_a) && flat(p.of_b)) {
    function.loop(p.a, p.of_a == Form::kScalar ? 0 : 1, p.b, p.of_b == Form::kScalar ? 0 : 1, to,
                  count);
    return;
  }
  const auto row_step = [&](Form f) -> int64_t {
    return f == Form::kFull ? columns : f == Form::kPerRow ? 1 : 0;
  };
  const auto step = [](Form f) -> int64_t {
    return f == Form::kFull || f == Form::kPerColumn ? 1 : 0;
  };
  for (int64_t r = 0; r < rows; ++r) {
    function.loop(p.a + r * row_step(p.of_a), step(p.of_a), p.b + r * row_step(p.of_b),
                  step(p.of_b), to + r * columns, columns);
  }
}

// Whether any instruction but the one at `except` reads the value.
bool is_read(const RowChain& chain, size_t value, size_t except) {
  for (size_t k = 0; k < chain.instructions.size(); ++k) {
    const Instruction& i = chain.instructions[k];
    if (k != except && (i.a == value || i.b == value)) return true;
  }
  return false;
}

void remove_instruction(RowChain& chain, size_t at) {
  const size_t value = chain.operands.size() + at;
  chain.instructions.erase(chain.instructions.begin() + static_cast<std::ptrdiff_t>(at));
  for (Instruction& i : chain.instructions) {
    if (i.a > value) --i.a;
    if (i.b > value) --i.b;
  }
}

// Makes one function of f(x) and x * f(x) where there is one and nothing else reads f(x).
void join_products(RowChain& chain) {
  for (size_t k = 0; k < chain.instructions.size(); ++k) {
    Instruction& product = chain.instructions[k];
    if (product.binary == nullptr || product.binary->op != "Mul") continue;
    for (const auto& [f, x] : {std::pair(product.a, product.b), std::pair(product.b, product.a)}) {
      if (f < chain.operands.size() || is_read(chain, f, k)) continue;
      const size_t inner = f - chain.operands.size();
      const UnaryFunction& function = chain.instructions[inner].unary;
      if (function.loop == nullptr || chain.instructions[inner].a != x) continue;
      const auto joined = times_operand(function);
      if (!joined) continue;
      product = Instruction{*joined, nullptr, nullptr, -1, x, x};
      remove_instruction(chain, inner);
      --k;
      break;
    }
  }
}

void merge_notes(const std::optional<ElementRange>& from, std::optional<ElementRange>& to) {
  if (!from) return;
  if (!to) to.emplace();
  merge(*to, *from);
}

void merge_notes(const RangeNotes& from, RangeNotes& to) {
  to.operands.resize(from.operands.size());
  for (size_t i = 0; i < from.operands.size(); ++i) merge_notes(from.operands[i], to.operands[i]);
  merge_notes(from.output, to.output);
}

}  // namespace

RowPass::RowPass(RowChain chain) : chain_(std::move(chain)) {
  join_products(chain_);
  assign_registers();
  for (const Instruction& i : chain_.instructions) {
    reduces_ = reduces_ || i.reduction != nullptr;
    cost_ += i.unary.loop != nullptr ? i.unary.cost : i.binary != nullptr ? i.binary->cost : 1;
  }
}

bool RowPass::derive_forms(RowShape& shape) const {
  for (size_t k = 0; k < chain_.instructions.size(); ++k) {
    const Instruction& i = chain_.instructions[k];
    Form form = shape.forms[i.a];
    if (i.reduction != nullptr) {
      if (form != Form::kFull) return false;
      form = Form::kPerRow;
    } else if (i.binary != nullptr) {
      form = joined(form, shape.forms[i.b]);
    }
    shape.forms[operands() + k] = form;
  }
  return shape.forms.back() == Form::kFull;
}

// A register for every quantized operand and every result (the last one uses its own only when it
// is quantized); one is free again after its last reader.
void RowPass::assign_registers() {
  const size_t count = operands() + chain_.instructions.size();
  std::vector<size_t> last(count, 0);  // by value: the last instruction that reads it
  for (size_t k = 0; k < chain_.instructions.size(); ++k) {
    last[chain_.instructions[k].a] = std::max(last[chain_.instructions[k].a], k);
    last[chain_.instructions[k].b] = std::max(last[chain_.instructions[k].b], k);
  }
  registers_.assign(count, 0);
  std::vector<size_t> busy_until;
  for (size_t v = 0; v < count; ++v) {
    const bool operand = v < operands();
    if (operand && !chain_.operands[v]) continue;
    const size_t made = operand ? 0 : v - operands();
    size_t at = 0;
    while (at < busy_until.size() && (operand || busy_until[at] >= made)) ++at;
    if (at == busy_until.size()) busy_until.push_back(0);
    busy_until[at] = std::max(last[v], made);
    registers_[v] = at;
  }
  register_count_ = busy_until.size();
}

// Adds the elements of a chunk of the operands that `notes` wants. They may be overwritten when the
// chunk is computed.
void RowPass::note_operands(const RowShape& shape, const Chunk& chunk,
                            const std::byte* const* from, RangeNotes& notes) const {
  notes.operands.resize(operands());
  for (size_t v = 0; v < operands(); ++v) {
    if (!notes.wanted[v] || shape.forms[v] != Form::kFull || chain_.operands[v]) continue;
    if (!notes.operands[v]) notes.operands[v].emplace();
    const auto* x = reinterpret_cast<const float*>(from[v]);
    add_elements(x + chunk.offset(Form::kFull, shape.columns), chunk.rows * chunk.columns,
                 *notes.operands[v]);
  }
}

void RowPass::note_output(const RowShape& shape, const Chunk& chunk, const std::byte* y,
                          RangeNotes& notes) const {
  if (!notes.output_wanted || chain_.result) return;
  if (!notes.output) notes.output.emplace();
  add_elements(reinterpret_cast<const float*>(y) + chunk.offset(Form::kFull, shape.columns),
               chunk.rows * chunk.columns, *notes.output);
}

// What a thread works on: a group of chunks.
struct RowPass::Work {
  const RowShape& shape;
  const std::byte* const* from;
  std::byte* y;
  float* storage;  // registers, then one more for every value
  size_t stride;   // of a register
  // Numbers per column, and single ones, are the same for all chunks: they are computed once, into
  // their value's own register, the former repeated for every row of a chunk.
  bool repeats;

  bool once(Form form) const {
    return repeats && (form == Form::kPerColumn || form == Form::kScalar);
  }
  // How a value is read within a chunk.
  Form as_read(Form form) const {
    return repeats && form == Form::kPerColumn ? Form::kFull : form;
  }
};

void RowPass::run(const RowShape& shape, const std::byte* const* from, std::byte* y,
                  RangeNotes* notes) const {
  std::mutex merging;
  const int64_t width = reduces_ ? shape.columns : std::min(shape.columns, kPiece);
  const int64_t height = std::max<int64_t>(1, kPiece / width);
  const int64_t across = (shape.columns + width - 1) / width;
  const int64_t down = (shape.rows + height - 1) / height;
  const bool repeats = width <= kNarrow && shape.rows > 1 &&
                       std::count(shape.forms.begin(), shape.forms.end(), Form::kPerColumn) > 0;
  // Registers are kept between the chunks of one group.
  const int64_t group = std::max<int64_t>(1, kChunk / (width * height));
  const int64_t chunks = across * down;
  for_each_row((chunks + group - 1) / group, group * width * height * cost_, [&](int64_t g) {
    const auto stride = static_cast<size_t>(std::max(kPiece, width));
    const size_t registers = register_count_ + (repeats ? shape.forms.size() : 0);
    thread_local std::vector<float> storage;
    if (storage.size() < registers * stride) storage.resize(registers * stride);
    const Work work{shape, from, y, storage.data(), stride, repeats};
    if (repeats) repeat_columns(work, std::min(height, shape.rows));
    std::optional<RangeNotes> noted;
    if (notes != nullptr) noted = RangeNotes{notes->wanted, notes->output_wanted, {}, {}};
    for (int64_t c = g * group; c < std::min(chunks, (g + 1) * group); ++c) {
      Chunk chunk{c / across * height, 0, c % across * width, 0};
      chunk.rows = std::min(height, shape.rows - chunk.row);
      chunk.columns = std::min(width, shape.columns - chunk.column);
      if (noted) note_operands(shape, chunk, from, *noted);
      compute_chunk(work, chunk);
      if (noted) note_output(shape, chunk, y, *noted);
    }
    if (!noted) return;
    const std::lock_guard<std::mutex> lock(merging);
    merge_notes(*noted, *notes);
  });
}

void RowPass::repeat_columns(const Work& work, int64_t rows) const {
  const RowShape& shape = work.shape;
  const Chunk row{0, 1, 0, shape.columns};
  for (size_t v = 0; v < shape.forms.size(); ++v) {
    const Form form = shape.forms[v];
    if (!work.once(form)) continue;
    float* to = work.storage + (register_count_ + v) * work.stride;
    const int64_t n = row.size(form);
    if (v >= operands()) {
      compute(work, row, v - operands(), form, to);
    } else if (const auto& numbers = chain_.operands[v]) {
      dequantize_bytes(reinterpret_cast<const uint8_t*>(work.from[v]), numbers->scale, n,
                       numbers->bytes, to);
    } else {
      std::copy_n(reinterpret_cast<const float*>(work.from[v]), n, to);
    }
    if (form == Form::kScalar) continue;
    for (int64_t r = 1; r < rows; ++r) std::copy_n(to, n, to + r * n);
  }
}

// One instruction on the elements of a chunk, into `to`, a value of this form.
void RowPass::compute(const Work& work, const Chunk& chunk, size_t instruction, Form form,
                      float* to) const {
  const RowShape& shape = work.shape;
  const auto value = [&](size_t v) -> const float* {
    if (work.once(shape.forms[v])) return work.storage + (register_count_ + v) * work.stride;
    if (v >= operands() || chain_.operands[v]) return work.storage + registers_[v] * work.stride;
    return reinterpret_cast<const float*>(work.from[v]) +
           chunk.offset(shape.forms[v], shape.columns);
  };
  const Instruction& i = chain_.instructions[instruction];
  if (i.reduction != nullptr) {
    reduce(*i.reduction, value(i.a), chunk.rows, chunk.columns, to);
  } else if (i.binary == nullptr) {
    i.unary.apply(value(i.a), to, chunk.size(form));
  } else {
    const auto as_read = [&](size_t v) {
      return form == Form::kFull ? work.as_read(shape.forms[v]) : shape.forms[v];
    };
    combine(*i.binary, {value(i.a), value(i.b), as_read(i.a), as_read(i.b), form},
            chunk.size(form), chunk.rows, chunk.columns, to);
  }
}

void RowPass::compute_chunk(const Work& work, const Chunk& chunk) const {
  const RowShape& shape = work.shape;
  for (size_t v = 0; v < operands(); ++v) {
    const auto& numbers = chain_.operands[v];
    const Form form = shape.forms[v];
    if (!numbers || work.once(form)) continue;
    const auto* bytes = reinterpret_cast<const uint8_t*>(work.from[v]);
    dequantize_bytes(bytes + chunk.offset(form, shape.columns), numbers->scale, chunk.size(form),
                     numbers->bytes, work.storage + registers_[v] * work.stride);
  }
  const int64_t at = chunk.offset(Form::kFull, shape.columns);
  const size_t last = shape.forms.size() - 1;
  float* end = work.storage + registers_[last] * work.stride;
  for (size_t v = operands(); v <= last; ++v) {
    const Form form = shape.forms[v];
    if (work.once(form)) continue;
    const bool direct = v == last && !chain_.result;
    float* to = direct ? reinterpret_cast<float*>(work.y) + at
                       : work.storage + registers_[v] * work.stride;
    compute(work, chunk, v - operands(), form, to);
  }
  if (!chain_.result) return;
  quantize_bytes(end, chain_.result->scale, chunk.rows * chunk.columns, chain_.result->bytes,
                 reinterpret_cast<uint8_t*>(work.y) + at);
}

}  // namespace fettle::interp
