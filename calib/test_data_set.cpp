#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "calib/readers.h"
#include "ir/error.h"
#include "ir/io.h"

namespace fettle::calib {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSetPrefix = "test_data_set";

// The number that ends `text` after `prefix` (and an optional "_"), or nothing.
std::optional<int64_t> number_after(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  if (text.starts_with('_')) text.remove_prefix(1);
  int64_t number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || number < 0) {
    return std::nullopt;
  }
  return number;
}

std::vector<fs::path> find_sets(const fs::path& folder) {
  if (fs::exists(folder / "input_0.pb")) return {folder};
  std::map<int64_t, fs::path> sets;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto number = number_after(entry.path().filename().string(), kSetPrefix);
    if (number && entry.is_directory()) sets.emplace(*number, entry.path());
  }
  std::vector<fs::path> ordered;
  for (auto& [number, path] : sets) ordered.push_back(std::move(path));
  return ordered;
}

// How many input_K.pb the set holds; they must be numbered without a gap.
size_t count_inputs(const fs::path& set) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(set)) {
    const fs::path& file = entry.path();
    if (file.extension() == ".pb" && number_after(file.stem().string(), "input")) ++count;
  }
  for (size_t i = 0; i < count; ++i) {
    if (!fs::exists(set / fmt::format("input_{}.pb", i))) {
      fail(ErrorCode::kBadInput, "{} holds {} inputs but no input_{}.pb; number them from 0 on",
           set.filename().string(), count, i);
    }
  }
  return count;
}

class InputFiles : public EntryOpener {
 public:
  InputFiles(std::vector<fs::path> sets, size_t index) : sets_(std::move(sets)), index_(index) {}
  int64_t count() const override { return static_cast<int64_t>(sets_.size()); }
  ir::Tensor read(int64_t set) override {
    return ir::read_tensor(sets_.at(static_cast<size_t>(set)) / fmt::format("input_{}.pb", index_));
  }
  std::string name(int64_t set) const override {
    return sets_.at(static_cast<size_t>(set)).filename().string();
  }

 private:
  std::vector<fs::path> sets_;
  size_t index_;
};

class TestDataSets : public ArrayFile {
 public:
  TestDataSets(const fs::path& folder, const ir::Model& model) : sets_(find_sets(folder)) {
    std::vector<std::string> required, all;
    for (const ir::Value* input : model.graph->inputs()) {
      all.push_back(input->name());
      if (!input->has_initializer()) required.push_back(input->name());
    }
    for (const fs::path& set : sets_) {
      const size_t count = count_inputs(set);
      if (count != required.size() && count != all.size()) {
        fail(ErrorCode::kBadInput, "{} holds {} files input_K.pb; the model has {} inputs",
             set.filename().string(), count, required.size());
      }
      const std::vector<std::string>& names = count == required.size() ? required : all;
      if (!names_.empty() && names_ != names) {
        fail(ErrorCode::kBadInput, "{} holds another number of inputs than the sets before it",
             set.filename().string());
      }
      names_ = names;
    }
  }

  const std::vector<std::string>& names() const override { return names_; }

  std::unique_ptr<Array> open(const std::string& name) override {
    const auto at = std::find(names_.begin(), names_.end(), name);
    FETTLE_ASSERT(at != names_.end() && !sets_.empty());
    const auto index = static_cast<size_t>(at - names_.begin());
    return stack_entries(name, std::make_unique<InputFiles>(sets_, index));
  }

 private:
  std::vector<fs::path> sets_;
  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<ArrayFile> open_test_data_sets(const fs::path& path, const ir::Model& model) {
  return std::make_unique<TestDataSets>(path, model);
}

}  // namespace fettle::calib
