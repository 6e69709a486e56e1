// Named arrays of a data file, before they are matched to a model's inputs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/tensor.h"

namespace fettle::calib {

// One stored array. Reading is by rows of axis 0, so that an array of any length can be streamed.
class Array {
 public:
  Array(std::string name, ir::DataType type, ir::Dims dims)
      : name_(std::move(name)), type_(type), dims_(std::move(dims)) {}
  virtual ~Array() = default;
  const std::string& name() const { return name_; }
  ir::DataType type() const { return type_; }
  const ir::Dims& dims() const { return dims_; }
  // Rows [first, first + count) as a tensor [count, dims()[1], ...] in native byte order. Requires
  // rank >= 1 and rows that exist. Throws kBadInput when the file turns out damaged.
  virtual ir::Tensor read(int64_t first, int64_t count) = 0;
  // The whole array.
  virtual ir::Tensor read_all() = 0;
  // True when axis 0 was made by putting whole input tensors side by side; their shapes may then
  // differ from each other and dims() shows the first.
  virtual bool stacked() const { return false; }
  // What messages call a row: where it was a tensor by itself, the name that it has in the file.
  virtual std::string row_name(int64_t row) const;

 private:
  std::string name_;
  ir::DataType type_;
  ir::Dims dims_;
};

// A file or folder that holds arrays.
class ArrayFile {
 public:
  virtual ~ArrayFile() = default;
  // Names in a fixed order. An unnamed single array (.npy) has the name "".
  virtual const std::vector<std::string>& names() const = 0;
  // Throws kBadInput when the array is damaged, of a type that is not numbers, or refused for
  // safety.
  virtual std::unique_ptr<Array> open(const std::string& name) = 0;
  // "'image' float [256, 1, 8, 8]" for messages; the reason when it cannot be opened.
  virtual std::string summary(const std::string& name);
};

// Whole tensors, one after the other, as one array: dims() is [entries.size(), entry dims...].
// Entries are read one at a time, on demand.
class EntryOpener {
 public:
  virtual ~EntryOpener() = default;
  virtual int64_t count() const = 0;
  virtual ir::Tensor read(int64_t index) = 0;
  // As the file or folder names it: "sample_7".
  virtual std::string name(int64_t index) const = 0;
};
// Reads the first entry to learn type and shape. Requires count() >= 1.
std::unique_ptr<Array> stack_entries(std::string name, std::unique_ptr<EntryOpener> entries);

// The summaries of the arrays, separated by commas; a long list is cut.
std::string describe_arrays(ArrayFile& file);

}  // namespace fettle::calib
