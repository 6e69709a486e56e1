// Which array of a file belongs to which input: the naming conventions of docs/data_formats.md.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "calib/array.h"

namespace fettle::calib {

// Every character but letters, digits, '.', '-' and '_' replaced by '_': an input's name as a file
// name or key.
std::string escaped_name(const std::string& name);

class ArrayNames {
 public:
  explicit ArrayNames(ArrayFile& file);

  // The array named after the input: its name, its name without a leading "/", its escaped name, or
  // sample_K/<one of these> for all samples K, which are stacked. Null when there is none.
  std::unique_ptr<Array> find(const std::string& input);
  // For a model with one input: an unnamed array, or one under a customary name ("x", "data",
  // "images", "input", ...). Null when there is none.
  std::unique_ptr<Array> find_customary();
  // The first of these names that the file has and that no find() has returned; "" when none.
  std::string unused(const std::vector<std::string>& candidates) const;
  void mark_used(const std::string& name) { used_.insert(name); }
  // Names that nothing has used, without the members of sample groups.
  std::vector<std::string> all_unused() const;

 private:
  std::unique_ptr<Array> open(const std::string& name);
  std::unique_ptr<Array> open_group(const std::string& key);

  ArrayFile& file_;
  std::set<std::string> names_;
  std::set<std::string> used_;
  // Members of sample_K groups: key -> K -> name.
  std::map<std::string, std::map<int64_t, std::string>> groups_;
  std::set<int64_t> group_numbers_;
};

}  // namespace fettle::calib
