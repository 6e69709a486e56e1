#include <algorithm>

#include "calib/file.h"
#include "calib/npy.h"
#include "calib/readers.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr size_t kMaxFiles = 10'000;

class NpyFolder : public ArrayFile {
 public:
  explicit NpyFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() != ".npy") continue;
      names_.push_back(entry.path().stem().string());
      if (names_.size() > kMaxFiles) {
        fail(ErrorCode::kLimit,
             "the folder holds more than {} .npy files; expected one per model input, with all "
             "samples along its first axis",
             kMaxFiles);
      }
    }
    std::sort(names_.begin(), names_.end());
  }

  const std::vector<std::string>& names() const override { return names_; }

  std::unique_ptr<Array> open(const std::string& name) override {
    try {
      auto buffer = map_file(folder_ / (name + ".npy"));
      const size_t size = buffer->size();
      return open_npy_array(name, std::move(buffer), 0, size);
    } catch (Error& e) {
      e.add_context(name + ".npy");
      throw;
    }
  }

 private:
  std::filesystem::path folder_;
  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<ArrayFile> open_npy_folder(const std::filesystem::path& path) {
  return std::make_unique<NpyFolder>(path);
}

}  // namespace fettle::calib
