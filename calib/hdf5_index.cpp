#include "calib/hdf5_index.h"

#include <set>

#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr size_t kMaxObjects = 1'000'000;
constexpr int kMaxDepth = 16;

struct Link {
  std::string name;
  H5L_type_t type;
};

struct LinkList {
  std::vector<Link> links;
  bool full = false;
};

herr_t collect_link(hid_t, const char* name, const H5L_info_t* info, void* out) noexcept {
  auto* list = static_cast<LinkList*>(out);
  if (list->links.size() >= kMaxObjects) {
    list->full = true;
    return -1;
  }
  list->links.push_back({name, info->type});
  return 0;
}

class Walk {
 public:
  explicit Walk(Hdf5Index& index) : index_(index) {}

  void visit(hid_t group, const std::string& prefix, int depth) {
    LinkList list;
    hsize_t position = 0;
    const herr_t status =
        H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &position, collect_link, &list);
    if (list.full) too_many();
    if (status < 0) fail_hdf5("list the group '/" + prefix + "'");
    for (const Link& link : list.links) add(group, prefix, link, depth);
  }

 private:
  void add(hid_t group, const std::string& prefix, const Link& link, int depth) {
    if (++objects_ > kMaxObjects) too_many();
    const std::string path = prefix + link.name;
    if (link.type != H5L_TYPE_HARD) {
      index_.refused.emplace(path, link.type == H5L_TYPE_SOFT ? "a soft link" : "an external link");
      index_.names.push_back(path);
      return;
    }
    H5O_info_t info;
    if (H5Oget_info_by_name(group, link.name.c_str(), &info, H5P_DEFAULT) < 0) {
      fail_hdf5("look up '" + path + "'");
    }
    if (info.type == H5O_TYPE_DATASET) index_.names.push_back(path);
    if (info.type != H5O_TYPE_GROUP || depth >= kMaxDepth || !seen_.insert(info.addr).second)
      return;
    const Hdf5Handle child(H5Gopen2(group, link.name.c_str(), H5P_DEFAULT), H5Gclose);
    if (!child.valid()) fail_hdf5("open the group '" + path + "'");
    visit(child.get(), path + "/", depth + 1);
  }

  [[noreturn]] static void too_many() {
    fail(ErrorCode::kLimit,
         "the file holds more than {} objects; store the samples as one dataset per input",
         kMaxObjects);
  }

  Hdf5Index& index_;
  std::set<haddr_t> seen_;
  size_t objects_ = 0;
};

}  // namespace

Hdf5Index index_hdf5(hid_t file) {
  Hdf5Index index;
  const Hdf5Handle root(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose);
  if (!root.valid()) fail_hdf5("open the root group");
  Walk(index).visit(root.get(), "", 0);
  return index;
}

}  // namespace fettle::calib
