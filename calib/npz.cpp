#include <map>
#include <memory>
#include <string_view>

#include "calib/file.h"
#include "calib/npy.h"
#include "calib/readers.h"
#include "calib/zip.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr uint64_t kSummaryLimit = uint64_t{16} << 20;  // bytes unpacked for the sake of a message

class NpzFile : public ArrayFile {
 public:
  explicit NpzFile(std::shared_ptr<ir::Buffer> archive) : archive_(std::move(archive)) {
    for (ZipEntry& entry : read_zip_directory(*archive_)) {
      if (!entry.name.ends_with(kSuffix)) continue;
      std::string key = entry.name.substr(0, entry.name.size() - kSuffix.size());
      names_.push_back(key);
      entries_.emplace(std::move(key), std::move(entry));
    }
  }

  const std::vector<std::string>& names() const override { return names_; }

  std::unique_ptr<Array> open(const std::string& name) override {
    const ZipMember member = unpack(name);
    try {
      return open_npy_array(name, member.buffer, member.offset, member.size);
    } catch (Error& e) {
      e.add_context("member '" + name + ".npy'");
      throw;
    }
  }

  std::string summary(const std::string& name) override {
    const ZipEntry& entry = entries_.at(name);
    if (!entry.deflated || entry.uncompressed <= kSummaryLimit) {
      return ArrayFile::summary(name);
    }
    return fmt::format("'{}' (compressed, {} bytes)", name, entry.uncompressed);
  }

 private:
  // A member that an array still reads is not unpacked again.
  ZipMember unpack(const std::string& name) {
    const auto found = members_.find(name);
    if (found != members_.end()) {
      if (auto buffer = found->second.buffer.lock()) {
        return {std::move(buffer), found->second.offset, found->second.size};
      }
    }
    ZipMember member = open_zip_member(archive_, entries_.at(name));
    members_[name] = {member.buffer, member.offset, member.size};
    return member;
  }

  struct Unpacked {
    std::weak_ptr<ir::Buffer> buffer;
    size_t offset = 0;
    size_t size = 0;
  };

  std::shared_ptr<ir::Buffer> archive_;
  std::vector<std::string> names_;
  std::map<std::string, ZipEntry> entries_;
  std::map<std::string, Unpacked> members_;
};

}  // namespace

std::unique_ptr<ArrayFile> open_npz(const std::filesystem::path& path) {
  return std::make_unique<NpzFile>(map_file(path));
}

}  // namespace fettle::calib
