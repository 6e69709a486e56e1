#include "calib/hdf5_array.h"
#include "calib/hdf5_handle.h"
#include "calib/hdf5_index.h"
#include "calib/readers.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

class Hdf5File : public ArrayFile {
 public:
  explicit Hdf5File(const std::filesystem::path& path) {
    const Hdf5Guard guard;
    const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access.get(), false, true);  // reading needs no lock, nor a writable folder
#endif
    file_ =
        std::make_shared<Hdf5Handle>(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
    if (!file_->valid()) fail_hdf5("open the file");
    index_ = index_hdf5(file_->get());
  }

  const std::vector<std::string>& names() const override {
    return index_.names;
  }

  std::unique_ptr<Array> open(const std::string& name) override {
    const auto refused = index_.refused.find(name);
    if (refused != index_.refused.end()) {
      fail(ErrorCode::kBadInput,
           "'{}' is {}, which is refused for safety; write the dataset itself into the file", name,
           refused->second);
    }
    const Hdf5Guard guard;
    return open_hdf5_array(file_, name);
  }

 private:
  std::shared_ptr<Hdf5Handle> file_;
  Hdf5Index index_;
};

}  // namespace

std::unique_ptr<ArrayFile> open_hdf5(const std::filesystem::path& path) {
  return std::make_unique<Hdf5File>(path);
}

}  // namespace fettle::calib
