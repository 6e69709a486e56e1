#include "calib/array.h"

#include <fmt/ranges.h>

#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr size_t kListedArrays = 12;

ir::Dims with_front(int64_t front, const ir::Dims& rest) {
  ir::Dims dims{front};
  dims.insert(dims.end(), rest.begin(), rest.end());
  return dims;
}

class StackedArray : public Array {
 public:
  StackedArray(std::string name, const ir::Tensor& first, std::unique_ptr<EntryOpener> entries)
      : Array(std::move(name), first.type(), with_front(entries->count(), first.dims())),
        entries_(std::move(entries)) {}

  ir::Tensor read(int64_t first, int64_t count) override {
    FETTLE_ASSERT(count == 1 && first >= 0 && first < entries_->count());
    const ir::Tensor entry = entries_->read(first);
    return entry.reshaped(with_front(1, entry.dims()));
  }

  ir::Tensor read_all() override {
    fail(ErrorCode::kUnsupported, "array '{}' is a stack of tensors and is read entry by entry",
         name());
  }

  bool stacked() const override { return true; }
  std::string row_name(int64_t row) const override { return entries_->name(row); }

 private:
  std::unique_ptr<EntryOpener> entries_;
};

}  // namespace

std::string Array::row_name(int64_t row) const {
  return fmt::format("sample {}", row);
}

std::unique_ptr<Array> stack_entries(std::string name, std::unique_ptr<EntryOpener> entries) {
  FETTLE_ASSERT(entries->count() >= 1);
  const ir::Tensor first = entries->read(0);
  return std::make_unique<StackedArray>(std::move(name), first, std::move(entries));
}

std::string ArrayFile::summary(const std::string& name) {
  const std::string label = name.empty() ? "an unnamed array" : fmt::format("'{}'", name);
  try {
    const auto array = open(name);
    return fmt::format("{} {} {}", label, ir::data_type_name(array->type()),
                       ir::to_string(array->dims()));
  } catch (const Error& e) {
    return fmt::format("{} (unusable: {})", label, e.message());
  }
}

std::string describe_arrays(ArrayFile& file) {
  const std::vector<std::string>& names = file.names();
  if (names.empty()) return "no arrays";
  std::vector<std::string> parts;
  for (size_t i = 0; i < names.size() && i < kListedArrays; ++i) {
    parts.push_back(file.summary(names[i]));
  }
  if (names.size() > kListedArrays) {
    parts.push_back(fmt::format("and {} more", names.size() - kListedArrays));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace fettle::calib
