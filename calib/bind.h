// Matching the arrays of a file to the inputs of a model.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "calib/array.h"
#include "ir/model.h"

namespace fettle::calib {

// The array that feeds one input.
struct BoundArray {
  std::string input;
  ir::Type type;  // of the input
  std::unique_ptr<Array> array;
  bool whole = false;  // every entry of axis 0 is a whole input tensor; else axis 0 is samples
  // "array 'x' (for input 'image')", for messages.
  std::string describe() const;
};

struct Binding {
  std::vector<BoundArray> arrays;
  int64_t rows = 0;   // samples stored
  int64_t batch = 1;  // samples per run of the model
  std::optional<std::vector<int64_t>> labels;
  std::vector<std::string> notes;
  int64_t size() const { return rows / batch * batch; }
};

// Finds an array for every input without a default, checks types, shapes and lengths, and reads the
// labels. Throws kBadInput with what the model expects and what the file holds. `file` must outlive
// the result.
Binding bind_arrays(ArrayFile& file, const ir::Model& model);

// Throws kBadInput unless a whole tensor of these dimensions can be given to the input.
void check_whole_tensor(const BoundArray& bound, const ir::Dims& dims);

}  // namespace fettle::calib
