#include "calib/hdf5_handle.h"

#include "ir/error.h"

namespace fettle::calib {
namespace {

// The first entry of an upward walk is where the error arose.
herr_t keep_first(unsigned position, const H5E_error2_t* error, void* out) {
  if (position == 0 && error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
  return 0;
}

}  // namespace

Hdf5Guard::Hdf5Guard() {
  H5open();
  H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
}

Hdf5Guard::~Hdf5Guard() {
  H5Eset_auto2(H5E_DEFAULT, function_, data_);
}

void fail_hdf5(std::string_view action) {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &reason);
  H5Eclear2(H5E_DEFAULT);
  fail(ErrorCode::kBadInput, "HDF5 cannot {}: {}", action,
       reason.empty() ? "the file is damaged" : reason);
}

}  // namespace fettle::calib
