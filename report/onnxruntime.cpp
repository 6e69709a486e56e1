#include "report/onnxruntime.h"

#include <dlfcn.h>
#include <glob.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "ir/error.h"

namespace fettle::report {
namespace {

// Slots of the version-14 function table that are used here; the table only ever grows.
enum Slot : size_t {
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSession = 7,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetSessionLogSeverityLevel = 22,
  kSetGraphOptimizationLevel = 23,
  kSetIntraOpNumThreads = 24,
  kSessionGetInputCount = 30,
  kSessionGetOutputCount = 31,
  kSessionGetInputName = 36,
  kSessionGetOutputName = 37,
  kCreateTensorWithData = 49,
  kGetTensorMutableData = 51,
  kGetTensorElementType = 60,
  kGetDimensionsCount = 61,
  kGetDimensions = 62,
  kGetTensorTypeAndShape = 65,
  kCreateCpuMemoryInfo = 69,
  kAllocatorFree = 76,
  kGetDefaultAllocator = 78,
  kReleaseEnv = 92,
  kReleaseStatus = 93,
  kReleaseMemoryInfo = 94,
  kReleaseSession = 95,
  kReleaseValue = 96,
  kReleaseShapeInfo = 99,
  kReleaseSessionOptions = 100,
};

struct ApiBase {
  const void* (*get_api)(uint32_t version);
  const char* (*get_version)();
};

std::vector<std::string> expand(const std::string& pattern) {
  std::vector<std::string> paths;
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  }
  globfree(&found);
  return paths;
}

std::vector<std::string> package_patterns() {
  std::vector<std::string> roots;
  const auto from_environment = [&roots](const char* variable, const std::string& below) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') roots.push_back(value + below);
  };
  from_environment("VIRTUAL_ENV", "/lib/python3*/site-packages");
  from_environment("HOME", "/.local/lib/python3*/site-packages");
  roots.insert(roots.end(), {".venv/lib/python3*/site-packages", "/usr/local/lib/python3*/dist-packages",
                             "/usr/local/lib/python3*/site-packages", "/usr/lib/python3/dist-packages"});
  from_environment("HOME", "/.pyenv/versions/*/lib/python3*/site-packages");
  std::vector<std::string> patterns;
  for (const std::string& root : roots) patterns.push_back(root + "/onnxruntime/capi/libonnxruntime.so*");
  for (const char* root : {"node_modules", "/usr/local/lib/node_modules", "/usr/lib/node_modules"}) {
    patterns.push_back(std::string(root) + "/onnxruntime-node/bin/napi-v*/linux/*/libonnxruntime.so*");
  }
  return patterns;
}

}  // namespace

std::optional<std::string> find_onnxruntime(const std::string& explicit_path) {
  const char* variable = std::getenv("FETTLE_ORT_LIBRARY");
  std::string named = explicit_path;
  if (named.empty() && variable != nullptr) named = variable;
  if (!named.empty()) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(named, error)) {
      fail(ErrorCode::kUsage, "no ONNX Runtime library at '{}'; name the libonnxruntime.so file itself",
           named);
    }
    return std::filesystem::absolute(named).string();  // dlopen() searches for names without folder
  }
  for (const char* name : {"libonnxruntime.so.1", "libonnxruntime.so"}) {
    if (void* handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL)) {
      dlclose(handle);
      return name;
    }
  }
  for (const std::string& pattern : package_patterns()) {
    const auto paths = expand(pattern);
    if (!paths.empty()) return paths.back();
  }
  return std::nullopt;
}

struct OnnxRuntime::Impl {
  void* library = nullptr;
  const ApiBase* base = nullptr;
  const void* const* table = nullptr;
  void* env = nullptr;
  void* memory_info = nullptr;
  void* allocator = nullptr;

  template <typename Result, typename... Args>
  Result call(Slot slot, Args... args) const {
    using Function = Result (*)(Args...);
    return reinterpret_cast<Function>(const_cast<void*>(table[slot]))(args...);
  }
  // A call that returns a status; failure becomes an Error with the runtime's own message.
  template <typename... Args>
  void checked(const char* what, Slot slot, Args... args) const {
    void* status = call<void*>(slot, args...);
    if (status == nullptr) return;
    const std::string message = call<const char*>(kGetErrorMessage, static_cast<const void*>(status));
    call<void>(kReleaseStatus, status);
    fail(ErrorCode::kUnsupported, "ONNX Runtime {}: {}", what, message);
  }
};

OnnxRuntime::OnnxRuntime(const std::string& library) : impl_(std::make_unique<Impl>()) {
  impl_->library = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (impl_->library == nullptr) {
    fail(ErrorCode::kUnsupported, "cannot load ONNX Runtime from '{}': {}", library, dlerror());
  }
  using GetBase = const ApiBase* (*)();
  const auto get_base = reinterpret_cast<GetBase>(dlsym(impl_->library, "OrtGetApiBase"));
  impl_->base = get_base != nullptr ? get_base() : nullptr;
  impl_->table = impl_->base != nullptr
                     ? static_cast<const void* const*>(impl_->base->get_api(14))
                     : nullptr;
  if (impl_->table == nullptr) {
    fail(ErrorCode::kUnsupported, "'{}' is not an ONNX Runtime 1.14 or newer", library);
  }
  impl_->checked("cannot start", kCreateEnv, 3, "fettle", &impl_->env);
  impl_->checked("cannot start", kCreateCpuMemoryInfo, 1, 0, &impl_->memory_info);
  impl_->checked("cannot start", kGetDefaultAllocator, &impl_->allocator);
}

OnnxRuntime::~OnnxRuntime() {
  if (impl_->memory_info != nullptr) impl_->call<void>(kReleaseMemoryInfo, impl_->memory_info);
  if (impl_->env != nullptr) impl_->call<void>(kReleaseEnv, impl_->env);
  // The library stays loaded: its worker threads may outlive the environment.
}

std::string OnnxRuntime::version() const { return impl_->base->get_version(); }

std::optional<std::string> usable_onnxruntime(const std::string& explicit_path) {
  const auto library = find_onnxruntime(explicit_path);
  const char* variable = std::getenv("FETTLE_ORT_LIBRARY");
  const bool named = !explicit_path.empty() || (variable != nullptr && *variable != '\0');
  if (library && named) OnnxRuntime{*library};
  return library;
}

struct OnnxRuntimeSession::Impl {
  OnnxRuntime::Impl& api;
  void* session = nullptr;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;

  std::vector<std::string> names(Slot count_slot, Slot name_slot) const {
    size_t count = 0;
    api.checked("cannot list the model's values", count_slot, session, &count);
    std::vector<std::string> all;
    for (size_t i = 0; i < count; ++i) {
      char* name = nullptr;
      api.checked("cannot list the model's values", name_slot, session, i, api.allocator, &name);
      all.emplace_back(name);
      api.checked("cannot list the model's values", kAllocatorFree, api.allocator,
                  static_cast<void*>(name));
    }
    return all;
  }

  void* make_value(const ir::Tensor& t) const {
    if (t.type() == ir::DataType::kString) {
      fail(ErrorCode::kUnsupported, "string inputs are not passed to ONNX Runtime");
    }
    void* value = nullptr;
    static std::byte nothing{};
    void* data = t.byte_size() > 0 ? const_cast<std::byte*>(t.bytes()) : &nothing;
    api.checked("cannot take an input", kCreateTensorWithData, api.memory_info, data, t.byte_size(),
                t.dims().data(), t.dims().size(), static_cast<int>(t.type()), &value);
    return value;
  }

  ir::Tensor take(void* value) const {
    void* info = nullptr;
    api.checked("cannot read an output", kGetTensorTypeAndShape, value, &info);
    int type = 0;
    size_t rank = 0;
    api.checked("cannot read an output", kGetTensorElementType, info, &type);
    api.checked("cannot read an output", kGetDimensionsCount, info, &rank);
    ir::Dims dims(rank);
    api.checked("cannot read an output", kGetDimensions, info, dims.data(), rank);
    api.call<void>(kReleaseShapeInfo, info);
    const auto element = ir::data_type_from_onnx(type);
    if (!element || *element == ir::DataType::kString) {
      fail(ErrorCode::kUnsupported, "ONNX Runtime returned an output of type {}", type);
    }
    ir::Tensor t(*element, dims);
    void* data = nullptr;
    api.checked("cannot read an output", kGetTensorMutableData, value, &data);
    if (t.byte_size() > 0) std::memcpy(t.mutable_bytes(), data, t.byte_size());
    return t;
  }
};

OnnxRuntimeSession::OnnxRuntimeSession(OnnxRuntime& runtime, const std::string& model_path,
                                       int threads)
    : impl_(new Impl{runtime.impl(), nullptr, {}, {}}) {
  const auto& api = impl_->api;
  void* options = nullptr;
  api.checked("cannot start", kCreateSessionOptions, &options);
  api.checked("cannot start", kSetSessionLogSeverityLevel, options, 3);
  api.checked("cannot start", kSetGraphOptimizationLevel, options, 99);
  if (threads > 0) api.checked("cannot start", kSetIntraOpNumThreads, options, threads);
  api.checked("cannot load the model", kCreateSession, api.env, model_path.c_str(), options,
              &impl_->session);
  api.call<void>(kReleaseSessionOptions, options);
  impl_->inputs = impl_->names(kSessionGetInputCount, kSessionGetInputName);
  impl_->outputs = impl_->names(kSessionGetOutputCount, kSessionGetOutputName);
}

OnnxRuntimeSession::~OnnxRuntimeSession() {
  if (impl_->session != nullptr) impl_->api.call<void>(kReleaseSession, impl_->session);
}

const std::vector<std::string>& OnnxRuntimeSession::input_names() const { return impl_->inputs; }
const std::vector<std::string>& OnnxRuntimeSession::output_names() const { return impl_->outputs; }

std::vector<ir::Tensor> OnnxRuntimeSession::run(const interp::Feeds& feeds) {
  const auto& api = impl_->api;
  std::vector<const char*> input_names;
  std::vector<const char*> output_names;
  std::vector<void*> inputs;
  std::vector<void*> outputs(impl_->outputs.size(), nullptr);
  for (const std::string& name : impl_->inputs) {
    const auto it = feeds.find(name);
    if (it == feeds.end() || !it->second.is_tensor()) continue;
    input_names.push_back(name.c_str());
    inputs.push_back(impl_->make_value(it->second.tensor));
  }
  for (const std::string& name : impl_->outputs) output_names.push_back(name.c_str());
  const auto release = [&](std::vector<void*>& values) {
    for (void* v : values) {
      if (v != nullptr) api.call<void>(kReleaseValue, v);
    }
  };
  std::vector<ir::Tensor> results;
  try {
    api.checked("cannot run the model", kRun, impl_->session, static_cast<void*>(nullptr),
                input_names.data(), inputs.data(), inputs.size(), output_names.data(),
                output_names.size(), outputs.data());
    for (void* v : outputs) results.push_back(impl_->take(v));
  } catch (...) {
    release(inputs);
    release(outputs);
    throw;
  }
  release(inputs);
  release(outputs);
  return results;
}

}  // namespace fettle::report
