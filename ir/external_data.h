// Tensors whose data lies in other files beside the model. Private header of ir/.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "ir/io.h"
#include "ir/mapped_file.h"
#include "ir/tensor_proto.h"

namespace fettle::ir {

// What external_data of a TensorProto says.
struct ExternalLocation {
  std::string location;
  uint64_t offset = 0;
  uint64_t length = 0;
  bool has_length = false;
};

// Throws kBadInput for a missing or unsafe location and for numbers that are not plain decimals.
// Unknown keys are ignored.
ExternalLocation external_location(const onnx::TensorProto& proto);

// Opens the data files of one model, each once, and nothing outside the model's folder.
class ExternalFiles {
 public:
  // `model` is the model's own file; empty when it came from memory. An empty `folder` refuses all.
  ExternalFiles(std::filesystem::path folder, std::filesystem::path model, ReadOptions options)
      : folder_(std::move(folder)), model_(std::move(model)), options_(options) {}

  // The bytes for a tensor of `size` bytes. Throws kBadInput unless the range lies in the file and
  // is as long as the tensor needs.
  TensorBytes read(const onnx::TensorProto& proto, size_t size, size_t alignment);
  // `location` is to be found under another path of our own making.
  void redirect(const std::string& location, const std::filesystem::path& path);
  // Paths of the files that were opened, sorted.
  std::vector<std::string> paths() const;
  void release_pages() const;

 private:
  MappedFile& file(const std::string& location);
  int open_strictly(const std::string& location) const;
  int open_through_links(const std::string& location) const;

  std::filesystem::path folder_;
  std::filesystem::path model_;
  ReadOptions options_;
  std::map<std::string, MappedFile> files_;
};

}  // namespace fettle::ir
