// An installed ONNX Runtime, used through its stable C ABI when one is found; never linked.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "interp/executor.h"

namespace fettle::report {

// Where a libonnxruntime is: `explicit_path` (from --ort-library) if not empty, else
// $FETTLE_ORT_LIBRARY, the dynamic loader's path, then installed Python and Node packages. Nothing
// when none is found. Throws kUsage when an explicitly named file does not exist.
std::optional<std::string> find_onnxruntime(const std::string& explicit_path);

// The same; one that was named (by `explicit_path` or the variable) is loaded as well. Throws
// kUnsupported when that fails.
std::optional<std::string> usable_onnxruntime(const std::string& explicit_path);

// A loaded library. Throws kUnsupported when the file is no ONNX Runtime that answers ABI version 14.
class OnnxRuntime {
 public:
  explicit OnnxRuntime(const std::string& library);
  ~OnnxRuntime();
  std::string version() const;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// A model loaded in ONNX Runtime on the CPU with all graph optimizations.
class OnnxRuntimeSession {
 public:
  // threads 0: the runtime's default. Throws kUnsupported with the runtime's message when the model
  // does not load.
  OnnxRuntimeSession(OnnxRuntime& runtime, const std::string& model_path, int threads);
  ~OnnxRuntimeSession();

  const std::vector<std::string>& input_names() const;
  const std::vector<std::string>& output_names() const;
  // Runs on tensors (feeds beyond the session's inputs are ignored) and returns the tensor outputs
  // in order. Throws kUnsupported with the runtime's message on failure.
  std::vector<ir::Tensor> run(const interp::Feeds& feeds);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fettle::report
