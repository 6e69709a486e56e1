// Float tensors in a memory format that a oneDNN primitive prefers, and the bridge to plain ones.
#pragma once

#include <dnnl.hpp>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/tensor.h"

namespace fettle::interp {

// Elements in the layout of `desc` (padding included and zero). Shared and immutable once stored,
// unless the only owner overwrites them.
struct Blocked {
  dnnl::memory::desc desc;
  std::shared_ptr<ir::Buffer> buffer;
  ir::DataType type = ir::DataType::kFloat;
  mutable ir::Dims known_dims = {};  // made on first use

  const ir::Dims& dims() const {
    if (known_dims.empty()) known_dims = desc.dims();
    return known_dims;
  }
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

// Uninitialised storage for `desc`. Throws kLimit beyond the memory limit.
Blocked allocate_blocked(const dnnl::memory::desc& desc, ir::DataType type);
// Copies between layouts of the same dims.
void reorder(const dnnl::memory::desc& from, const void* source, const dnnl::memory::desc& to,
             void* target);
ir::Tensor to_plain(const Blocked& blocked);

// Scratch memory of this thread, at least `size` bytes, overwritten by the next call.
void* scratch(size_t size);
// Attributes with a caller-provided scratchpad, which execute() provides.
dnnl::primitive_attr scratch_attr();

// One operand of a primitive: its place (DNNL_ARG_...), layout and bytes. Bytes of operands that
// the primitive only reads are not written.
struct Argument {
  int index;
  const dnnl::memory::desc* desc;
  const void* bytes;
};

// A primitive ready to run.
class Prepared {
 public:
  Prepared() = default;
  // `one_thread`: it runs on the calling thread alone.
  Prepared(dnnl::primitive primitive, const dnnl::memory::desc& scratchpad, bool one_thread,
           std::string implementation)
      : primitive_(std::move(primitive)),
        scratchpad_(scratchpad.get_size()),
        scratchpad_desc_(scratchpad),
        one_thread_(one_thread),
        implementation_(std::move(implementation)) {}

  // Every run must name the same operands with the same layouts in the same order: their
  // descriptors are kept from the first run on. Not reentrant; copies are independent.
  void run(std::initializer_list<Argument> arguments);
  bool one_thread() const { return one_thread_; }
  const std::string& implementation() const { return implementation_; }

 private:
  // Memory objects of the operands of earlier runs; not copied.
  struct Bound {
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> arguments;
    std::vector<const void*> bytes;
    Bound() = default;
    Bound(const Bound&) {}
    Bound(Bound&&) = default;
    Bound& operator=(const Bound&) { return *this = Bound(); }
    Bound& operator=(Bound&&) = default;
  };
  void bind(std::initializer_list<Argument> arguments);
  void place(size_t i, const void* bytes);

  dnnl::primitive primitive_;
  size_t scratchpad_ = 0;
  dnnl::memory::desc scratchpad_desc_;
  bool one_thread_ = false;
  std::string implementation_;
  Bound bound_;
};

// Multiply-accumulates (or operations of similar cost) from which on a primitive is worth the start
// of a parallel region.
inline constexpr int64_t kSharedWork = 1'500'000;

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
// `work` is the number of multiply-accumulates. Primitives built on oneDNN's general matrix product
// choose their kernels by the number of threads; they run on one thread, so that results do not
// depend on it.
template <typename Primitive, typename Describe, typename Use>
Prepared prepare(int64_t work, Describe&& describe, Use&& use) {
  std::optional<OneThread> scope;
  if (work < kSharedWork) scope.emplace();
  auto pd = describe();
  if (!scope && std::string_view(pd.impl_info_str()).find("gemm") != std::string_view::npos) {
    scope.emplace();
    pd = describe();
  }
  use(pd);
  return Prepared(Primitive(pd), pd.scratchpad_desc(), scope.has_value(), pd.impl_info_str());
}

}  // namespace fettle::interp
