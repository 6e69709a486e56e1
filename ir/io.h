// Reading and writing ONNX files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "ir/model.h"

namespace fettle::ir {

struct ReadOptions {
  // Accept external data through symbolic links that stay inside the model's real directory.
  bool allow_symlinks = false;
};

// Reads and checks a model. Constants are memory-mapped. Throws kBadInput with the file's name in
// its context for anything damaged, hostile or inconsistent.
Model read_model(const std::filesystem::path& path, const ReadOptions& options = {});
// The same from bytes in memory; external data resolves against `directory` (empty: refused).
Model parse_model(std::string bytes, const std::filesystem::path& directory = {},
                  const ReadOptions& options = {});

struct WriteOptions {
  // Tensors of at least this many bytes go to "<file name>.data" when the model needs external data.
  size_t external_threshold = 1024;
  // Total bytes above which external data is used at all (protobuf's own limit is 2 GiB - 1).
  uint64_t single_file_limit = (uint64_t{1} << 31) - (1 << 20);
  // Use external data whatever the size.
  bool force_external = false;
};

// Writes atomically: a temporary file in the destination folder, checked, then renamed. Refuses a
// path that is the model's own input file or one of its data files. Throws kBadInput (exit 2) when
// the destination cannot be written; nothing is left behind then.
void write_model(const Model& model, const std::filesystem::path& path,
                 const WriteOptions& options = {});
// The serialized model with all tensors inside. Throws kLimit beyond 2 GiB.
std::string serialize_model(const Model& model);

// One tensor from a serialized TensorProto (test_data_set_*/input_0.pb).
Tensor read_tensor(const std::filesystem::path& path);
std::string serialize_tensor(const Tensor& tensor, const std::string& name);

// The file that writing to `path` replaces: `path` itself, or what it links to at last, which need
// not exist. Throws kBadInput for links to open files (/dev/stdout) and links without end, and for
// what exists and is no regular file.
std::filesystem::path write_target(const std::filesystem::path& path);
// Writes bytes to `path` atomically, as write_model() does.
void write_file(const std::filesystem::path& path, std::string_view bytes);
// Throws kBadInput, as they do, when a file could not be written there now. Leaves nothing behind.
void check_writable(const std::filesystem::path& path);
// Removes the temporary files of writes in progress. Async-signal-safe: for handlers of SIGINT and
// SIGTERM, after which the process must end.
void remove_temporary_files() noexcept;

}  // namespace fettle::ir
