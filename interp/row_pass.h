// A pass over the rows of a matrix that computes a chain of element-wise functions, with reductions
// of whole rows between them, while the rows are in the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "interp/accelerated.h"
#include "interp/float_functions.h"
#include "interp/qdq_loops.h"
#include "interp/reduce_loops.h"

namespace fettle::interp {

// One function of a chain. Values are numbered: operands first, then the results of the
// instructions in order.
struct Instruction {
  UnaryFunction unary;                             // when `unary.loop` is set
  const BinaryFunction* binary = nullptr;          // else when set
  const Fold<float, double>* reduction = nullptr;  // else: over the last axis, which stays with 1
  int64_t axis = -1;                               // of the reduction; must be the last one
  size_t a = 0;
  size_t b = 0;
};

// Bytes that stand for numbers: (byte - zero point) * scale.
struct ByteNumbers {
  float scale = 1.0f;
  ByteTarget bytes;
};

struct RowChain {
  // Per operand: what its bytes stand for; nothing where it is float.
  std::vector<std::optional<ByteNumbers>> operands;
  std::vector<Instruction> instructions;
  // How the result of the last instruction is quantized; nothing where it stays float.
  std::optional<ByteNumbers> result;
};

// What of a matrix [rows, columns] a value has.
enum class Form { kScalar, kPerRow, kPerColumn, kFull };

struct RowShape {
  int64_t rows = 1;
  int64_t columns = 1;
  std::vector<Form> forms;  // of all values
};

class RowPass {
 public:
  explicit RowPass(RowChain chain);

  const RowChain& chain() const { return chain_; }
  size_t operands() const { return chain_.operands.size(); }
  bool reduces() const { return reduces_; }

  // Forms of the results from those of the operands. False when the output is not full or what is
  // reduced is not.
  bool derive_forms(RowShape& shape) const;
  // Computes the output from the operands' elements. `y` may be a full float operand when the
  // output is float. Shared by all threads.
  // Where `notes` is given, the ranges of full float operands and of a float output are added to
  // what it has of them.
  void run(const RowShape& shape, const std::byte* const* from, std::byte* y,
           RangeNotes* notes = nullptr) const;

 private:
  struct Chunk;
  struct Work;
  void assign_registers();
  void note_operands(const RowShape& shape, const Chunk& chunk, const std::byte* const* from,
                     RangeNotes& notes) const;
  void note_output(const RowShape& shape, const Chunk& chunk, const std::byte* y,
                   RangeNotes& notes) const;
  void repeat_columns(const Work& work, int64_t rows) const;
  void compute_chunk(const Work& work, const Chunk& chunk) const;
  void compute(const Work& work, const Chunk& chunk, size_t instruction, Form form,
               float* to) const;

  RowChain chain_;
  std::vector<size_t> registers_;  // by value number; not used for float operands
  size_t register_count_ = 0;
  bool reduces_ = false;
  int64_t cost_ = 0;
};

}  // namespace fettle::interp
