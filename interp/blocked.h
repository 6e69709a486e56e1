// Float tensors in a memory format that a oneDNN primitive prefers, and the bridge to plain ones.
#pragma once

#include <dnnl.hpp>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/tensor.h"

namespace fettle::interp {

// Elements in the layout of `desc` (padding included and zero). Shared and immutable once stored,
// unless the only owner overwrites them.
struct Blocked {
  dnnl::memory::desc desc;
  std::shared_ptr<ir::Buffer> buffer;
  ir::DataType type = ir::DataType::kFloat;

  ir::Dims dims() const { return desc.dims(); }
};

// The CPU engine of the process and this thread's in-order stream.
const dnnl::engine& cpu_engine();
dnnl::stream& cpu_stream();

// The oneDNN type of float, int32, int8 and uint8; undef for all others.
dnnl::memory::data_type dnnl_type(ir::DataType type);
// Row-major descriptor. `dims` must have 1 to 6 axes.
dnnl::memory::desc plain_desc(const ir::Dims& dims, ir::DataType type);
dnnl::memory::desc any_desc(const ir::Dims& dims, ir::DataType type);

// [N, ceil(C / block), spatial..., block] for float data; `block` is 4, 8 or 16 and `dims` has 3 to
// 5 axes.
dnnl::memory::desc channel_blocked_desc(const ir::Dims& dims, int64_t block);

// Layouts [N, groups, spatial..., block] in which channel c is lane c % block of group c / block:
// channels-blocked ones and channels-last (one group of all channels).
struct ChannelLayout {
  int64_t batch = 0;
  int64_t channels = 0;
  int64_t groups = 0;
  int64_t positions = 0;  // product of the spatial extents
  int64_t block = 0;
};
// Nothing when the layout is none of these.
std::optional<ChannelLayout> channel_layout(const Blocked& blocked);
// Descriptor of channels-last data; `dims` has 3 to 5 axes.
dnnl::memory::desc channels_last_desc(const ir::Dims& dims, ir::DataType type);
// True when the layout holds more elements than the dims.
bool is_padded(const dnnl::memory::desc& desc);

// Appends numbers that identify the layout to a cache key.
void append_layout(const dnnl::memory::desc& desc, std::vector<int64_t>& key);

// Views of bytes as oneDNN memory; nothing is copied. Bytes given as constant must only be read.
dnnl::memory memory_of(const dnnl::memory::desc& desc, const void* bytes);
inline dnnl::memory memory_of(const dnnl::memory::desc& desc, const ir::Tensor& tensor) {
  return memory_of(desc, tensor.bytes());
}
// Uninitialised storage for `desc`. Throws kLimit beyond the memory limit.
Blocked allocate_blocked(const dnnl::memory::desc& desc, ir::DataType type);
// Copies between layouts of the same dims.
void reorder(const dnnl::memory& from, const dnnl::memory& to);
ir::Tensor to_plain(const Blocked& blocked);

// Scratch memory of this thread, at least `size` bytes, overwritten by the next call.
void* scratch(size_t size);
// Attributes with a caller-provided scratchpad, which execute() provides.
dnnl::primitive_attr scratch_attr();

// A primitive ready to run. Those built on oneDNN's general matrix product choose their kernels by
// the number of threads; they run on one thread, so that results do not depend on it.
struct Prepared {
  dnnl::primitive primitive;
  dnnl::memory::desc scratchpad;
  bool one_thread = false;
};

// Parallel regions that this thread starts have one thread while an object of this class lives.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// `describe()` returns the primitive's descriptor; `use(descriptor)` sees the one that is taken.
template <typename Primitive, typename Describe, typename Use>
Prepared prepare(Describe&& describe, Use&& use) {
  auto pd = describe();
  const bool one_thread =
      std::string_view(pd.impl_info_str()).find("gemm") != std::string_view::npos;
  std::optional<OneThread> scope;
  if (one_thread) {
    scope.emplace();
    pd = describe();
  }
  use(pd);
  return Prepared{Primitive(pd), pd.scratchpad_desc(), one_thread};
}

void execute(const Prepared& prepared, std::unordered_map<int, dnnl::memory> arguments);

}  // namespace fettle::interp
