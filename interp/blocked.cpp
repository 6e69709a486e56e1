#include "interp/blocked.h"

#include <omp.h>

#include <algorithm>

#include "ir/error.h"

namespace fettle::interp {

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& cpu_stream() {
  thread_local dnnl::stream stream(cpu_engine());
  return stream;
}

dnnl::memory::data_type dnnl_type(ir::DataType type) {
  using dt = dnnl::memory::data_type;
  switch (type) {
    case ir::DataType::kFloat:
      return dt::f32;
    case ir::DataType::kInt32:
      return dt::s32;
    case ir::DataType::kInt8:
      return dt::s8;
    case ir::DataType::kUint8:
      return dt::u8;
    default:
      return dt::undef;
  }
}

dnnl::memory::desc plain_desc(const ir::Dims& dims, ir::DataType type) {
  dnnl::memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * std::max<int64_t>(dims[i], 1);
  }
  return dnnl::memory::desc(dims, dnnl_type(type), strides);
}

dnnl::memory::desc any_desc(const ir::Dims& dims, ir::DataType type) {
  return dnnl::memory::desc(dims, dnnl_type(type), dnnl::memory::format_tag::any);
}

dnnl::memory::desc channel_blocked_desc(const ir::Dims& dims, int64_t block) {
  using tag = dnnl::memory::format_tag;
  FETTLE_ASSERT(dims.size() >= 3 && dims.size() <= 5);
  static constexpr tag kTags[3][3] = {{tag::nCw4c, tag::nChw4c, tag::nCdhw4c},
                                      {tag::nCw8c, tag::nChw8c, tag::nCdhw8c},
                                      {tag::nCw16c, tag::nChw16c, tag::nCdhw16c}};
  const size_t row = block == 4 ? 0 : block == 8 ? 1 : 2;
  return dnnl::memory::desc(dims, dnnl::memory::data_type::f32, kTags[row][dims.size() - 3]);
}

dnnl::memory::desc channels_last_desc(const ir::Dims& dims, ir::DataType type) {
  using tag = dnnl::memory::format_tag;
  FETTLE_ASSERT(dims.size() >= 3 && dims.size() <= 5);
  static constexpr tag kTags[] = {tag::nwc, tag::nhwc, tag::ndhwc};
  return dnnl::memory::desc(dims, dnnl_type(type), kTags[dims.size() - 3]);
}

std::optional<ChannelLayout> channel_layout(const Blocked& blocked) {
  const ir::Dims dims = blocked.dims();
  if (dims.size() < 3 || dims.size() > 5) return std::nullopt;
  ChannelLayout layout{dims[0], dims[1], 1, 1, dims[1]};
  for (size_t i = 2; i < dims.size(); ++i) layout.positions *= dims[i];
  if (blocked.desc == channels_last_desc(dims, blocked.type)) return layout;
  if (blocked.type != ir::DataType::kFloat) return std::nullopt;
  for (const int64_t block : {int64_t{16}, int64_t{8}, int64_t{4}}) {
    if (blocked.desc != channel_blocked_desc(dims, block)) continue;
    layout.block = block;
    layout.groups = (dims[1] + block - 1) / block;
    return layout;
  }
  return std::nullopt;
}

bool is_padded(const dnnl::memory::desc& desc) {
  return !std::equal(desc.data.dims, desc.data.dims + desc.data.ndims, desc.data.padded_dims);
}

void append_layout(const dnnl::memory::desc& desc, std::vector<int64_t>& key) {
  const dnnl_blocking_desc_t& blocking = desc.data.format_desc.blocking;
  key.insert(key.end(), blocking.strides, blocking.strides + desc.data.ndims);
  key.insert(key.end(), blocking.inner_blks, blocking.inner_blks + blocking.inner_nblks);
  key.insert(key.end(), blocking.inner_idxs, blocking.inner_idxs + blocking.inner_nblks);
}

dnnl::memory memory_of(const dnnl::memory::desc& desc, const void* bytes) {
  return dnnl::memory(desc, cpu_engine(), const_cast<void*>(bytes));
}

Blocked allocate_blocked(const dnnl::memory::desc& desc, ir::DataType type) {
  return Blocked{desc, ir::Buffer::allocate(desc.get_size()), type};
}

void reorder(const dnnl::memory& from, const dnnl::memory& to) {
  dnnl::reorder(from, to).execute(cpu_stream(), const_cast<dnnl::memory&>(from),
                                  const_cast<dnnl::memory&>(to));
  cpu_stream().wait();
}

ir::Tensor to_plain(const Blocked& blocked) {
  const dnnl::memory::desc plain = plain_desc(blocked.dims(), blocked.type);
  if (plain == blocked.desc) return ir::Tensor(blocked.type, blocked.dims(), blocked.buffer);
  ir::Tensor out(blocked.type, blocked.dims());
  reorder(memory_of(blocked.desc, blocked.buffer->data()), memory_of(plain, out.mutable_bytes()));
  return out;
}

void* scratch(size_t size) {
  thread_local std::shared_ptr<ir::Buffer> buffer;
  if (buffer == nullptr || buffer->size() < size) {
    buffer.reset();
    buffer = ir::Buffer::allocate_pages(size);
  }
  return buffer->mutable_data();
}

dnnl::primitive_attr scratch_attr() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

OneThread::OneThread() : before_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}
OneThread::~OneThread() {
  omp_set_num_threads(before_);
}

void execute(const Prepared& prepared, std::unordered_map<int, dnnl::memory> arguments) {
  std::optional<OneThread> scope;
  if (prepared.one_thread) scope.emplace();
  const dnnl::memory::desc& scratchpad = prepared.scratchpad;
  if (scratchpad.get_size() > 0) {
    arguments.insert_or_assign(DNNL_ARG_SCRATCHPAD,
                               memory_of(scratchpad, scratch(scratchpad.get_size())));
  }
  prepared.primitive.execute(cpu_stream(), arguments);
  cpu_stream().wait();
}

}  // namespace fettle::interp
