#include "calib/array_names.h"

#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr std::array<std::string_view, 16> kCustomaryNames = {
    "x",      "X",       "data",     "inputs", "input", "images",  "image",   "samples",
    "x_test", "x_train", "features", "arr_0",  "calib", "x_calib", "input_0", "pixel_values"};

std::string without_leading_slash(const std::string& name) {
  const size_t begin = name.find_first_not_of('/');
  return begin == std::string::npos ? std::string() : name.substr(begin);
}

// ("input", 3) for "sample_3/input" or "sample3/input".
std::optional<std::pair<std::string, int64_t>> split_group(const std::string& name) {
  constexpr std::string_view kPrefix = "sample";
  const size_t slash = name.find('/');
  if (slash == std::string::npos || !name.starts_with(kPrefix)) return std::nullopt;
  std::string_view digits = std::string_view(name).substr(kPrefix.size(), slash - kPrefix.size());
  if (digits.starts_with('_')) digits.remove_prefix(1);
  int64_t number = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (result.ec != std::errc() || result.ptr != digits.data() + digits.size() || number < 0) {
    return std::nullopt;
  }
  return std::pair(name.substr(slash + 1), number);
}

class GroupEntries : public EntryOpener {
 public:
  GroupEntries(ArrayFile& file, std::vector<std::string> names)
      : file_(file), names_(std::move(names)) {}
  int64_t count() const override { return static_cast<int64_t>(names_.size()); }
  ir::Tensor read(int64_t index) override {
    return file_.open(names_.at(static_cast<size_t>(index)))->read_all();
  }
  std::string name(int64_t index) const override {
    const std::string& whole = names_.at(static_cast<size_t>(index));
    return whole.substr(0, whole.find('/'));
  }

 private:
  ArrayFile& file_;
  std::vector<std::string> names_;
};

}  // namespace

std::string escaped_name(const std::string& name) {
  std::string out = name;
  for (char& c : out) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    if (!plain) c = '_';
  }
  return out;
}

ArrayNames::ArrayNames(ArrayFile& file)
    : file_(file), names_(file.names().begin(), file.names().end()) {
  for (const std::string& name : names_) {
    if (const auto part = split_group(name)) {
      const auto [at, fresh] = groups_[part->first].emplace(part->second, name);
      if (!fresh) {
        fail(ErrorCode::kBadInput, "'{}' and '{}' are the same sample", at->second, name);
      }
      group_numbers_.insert(part->second);
    }
  }
}

std::unique_ptr<Array> ArrayNames::open(const std::string& name) {
  used_.insert(name);
  return file_.open(name);
}

std::unique_ptr<Array> ArrayNames::open_group(const std::string& key) {
  const std::map<int64_t, std::string>& members = groups_.at(key);
  std::vector<std::string> names;
  for (const int64_t number : group_numbers_) {
    const auto member = members.find(number);
    if (member == members.end()) {
      fail(ErrorCode::kBadInput, "sample {} has no array '{}', which other samples have", number,
           key);
    }
    names.push_back(member->second);
  }
  return stack_entries(key, std::make_unique<GroupEntries>(file_, std::move(names)));
}

std::unique_ptr<Array> ArrayNames::find(const std::string& input) {
  const std::vector<std::string> forms{input, without_leading_slash(input), escaped_name(input)};
  for (const std::string& form : forms) {
    if (!form.empty() && names_.contains(form) && !used_.contains(form)) return open(form);
  }
  for (const std::string& form : forms) {
    if (groups_.contains(form)) return open_group(form);
  }
  return nullptr;
}

std::unique_ptr<Array> ArrayNames::find_customary() {
  if (names_.contains("")) return open("");
  for (const std::string_view candidate : kCustomaryNames) {
    const std::string name(candidate);
    if (names_.contains(name) && !used_.contains(name)) return open(name);
  }
  return nullptr;
}

std::string ArrayNames::unused(const std::vector<std::string>& candidates) const {
  for (const std::string& name : candidates) {
    if (names_.contains(name) && !used_.contains(name)) return name;
  }
  return {};
}

std::vector<std::string> ArrayNames::all_unused() const {
  std::vector<std::string> out;
  for (const std::string& name : names_) {
    if (!used_.contains(name) && !split_group(name)) out.push_back(name);
  }
  return out;
}

}  // namespace fettle::calib
