#include "interp/blocked.h"

#include <algorithm>
#include <array>
#include <map>

#include "interp/subnormals.h"
#include "interp/team.h"
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

namespace {

// Descriptors made before on this thread: a small model needs hundreds of them in a run, and making them
// anew takes up to a tenth of its time.
class Descriptors {
 public:
  // The one of this layout (any number that tells layouts apart), made where it is not there.
  template <typename Make>
  const dnnl::memory::desc& get(int layout, const ir::Dims& dims, ir::DataType type, Make&& make) {
    const int kind = layout * 256 + static_cast<int>(type);
    auto hash = static_cast<uint64_t>(kind);
    for (const int64_t d : dims) hash = (hash ^ static_cast<uint64_t>(d)) * 0x9e3779b97f4a7c15u;
    Entry& entry = entries_[hash >> 57];
    if (entry.kind != kind || entry.dims != dims) {
      entry.kind = -1;  // in case that making it throws
      entry.desc = make();
      entry.dims = dims;
      entry.kind = kind;
    }
    return entry.desc;
  }

 private:
  struct Entry {
    int kind = -1;
    ir::Dims dims;
    dnnl::memory::desc desc;
  };
  std::array<Entry, 128> entries_;
};

Descriptors& descriptors() {
  thread_local Descriptors made;
  return made;
}
constexpr int kPlain = 0;
constexpr int kChannelsLast = 1;  // the others: blocks of so many channels

dnnl::memory::desc make_plain(const ir::Dims& dims, ir::DataType type) {
  dnnl::memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * std::max<int64_t>(dims[i], 1);
  }
  return dnnl::memory::desc(dims, dnnl_type(type), strides);
}

}  // namespace

dnnl::memory::desc plain_desc(const ir::Dims& dims, ir::DataType type) {
  return descriptors().get(kPlain, dims, type, [&] { return make_plain(dims, type); });
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
  return descriptors().get(static_cast<int>(block), dims, ir::DataType::kFloat, [&] {
    return dnnl::memory::desc(dims, dnnl::memory::data_type::f32, kTags[row][dims.size() - 3]);
  });
}

dnnl::memory::desc channels_last_desc(const ir::Dims& dims, ir::DataType type) {
  using tag = dnnl::memory::format_tag;
  FETTLE_ASSERT(dims.size() >= 3 && dims.size() <= 5);
  static constexpr tag kTags[] = {tag::nwc, tag::nhwc, tag::ndhwc};
  return descriptors().get(kChannelsLast, dims, type, [&] {
    return dnnl::memory::desc(dims, dnnl_type(type), kTags[dims.size() - 3]);
  });
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

Blocked allocate_blocked(const dnnl::memory::desc& desc, ir::DataType type) {
  return Blocked{desc, ir::Buffer::allocate(desc.get_size()), type};
}

namespace {

// Reorders by what they convert; every thread has its own.
class Reorders {
 public:
  Prepared& get(const dnnl::memory::desc& from, const dnnl::memory::desc& to) {
    key_.clear();
    key_.push_back(static_cast<int64_t>(from.data_type()));
    key_.push_back(static_cast<int64_t>(to.data_type()));
    key_.insert(key_.end(), from.data.dims, from.data.dims + from.data.ndims);
    append_layout(from, key_);
    append_layout(to, key_);
    key_.push_back(
        static_cast<int64_t>(to.data.extra.flags));  // sums of weights stored beside them
    key_.push_back(to.data.extra.compensation_mask);
    key_.push_back(to.data.extra.asymm_compensation_mask);
    key_.push_back(to.data.extra.scale_adjust == 1.0f ? 0 : 1);
    const auto found = held_.find(key_);
    if (found != held_.end()) return found->second;
    if (held_.size() == kMost) held_.clear();
    return held_.emplace(key_, make(from, to)).first->second;
  }

 private:
  static constexpr size_t kMost = 512;

  static Prepared make(const dnnl::memory::desc& from, const dnnl::memory::desc& to) {
    using Reorder = dnnl::reorder;
    const auto elements = static_cast<int64_t>(std::max(from.get_size(), to.get_size()) / 4);
    return prepare<Reorder>(
        elements * 4,
        [&] {
          return Reorder::primitive_desc(cpu_engine(), from, cpu_engine(), to, scratch_attr());
        },
        [](const Reorder::primitive_desc&) {});
  }

  std::vector<int64_t> key_;
  std::map<std::vector<int64_t>, Prepared> held_;
};

}  // namespace

void reorder(const dnnl::memory::desc& from, const void* source, const dnnl::memory::desc& to,
             void* target) {
  thread_local Reorders reorders;
  reorders.get(from, to).run({{DNNL_ARG_FROM, &from, source}, {DNNL_ARG_TO, &to, target}});
}

ir::Tensor to_plain(const Blocked& blocked) {
  const dnnl::memory::desc plain = plain_desc(blocked.dims(), blocked.type);
  if (plain == blocked.desc) return ir::Tensor(blocked.type, blocked.dims(), blocked.buffer);
  ir::Tensor out(blocked.type, blocked.dims());
  reorder(blocked.desc, blocked.buffer->data(), plain, out.mutable_bytes());
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

OneThread::OneThread() : before_(team_size()) {
  set_team_size(1);
}
OneThread::~OneThread() {
  set_team_size(before_);
}

void Prepared::bind(std::initializer_list<Argument> arguments) {
  const auto add = [this](int index, const dnnl::memory::desc& desc, const void* bytes) {
    bound_.memories.emplace_back(desc, cpu_engine(), const_cast<void*>(bytes));
    bound_.arguments.push_back({index, bound_.memories.back().get()});
    bound_.bytes.push_back(bytes);
  };
  bound_ = {};
  for (const Argument& a : arguments) add(a.index, *a.desc, a.bytes);
  if (scratchpad_ > 0) add(DNNL_ARG_SCRATCHPAD, scratchpad_desc_, scratch(scratchpad_));
}

void Prepared::place(size_t i, const void* bytes) {
  if (bound_.bytes[i] == bytes) return;
  bound_.memories[i].set_data_handle(const_cast<void*>(bytes));
  bound_.bytes[i] = bytes;
}

void Prepared::run(std::initializer_list<Argument> arguments) {
  const FlushSubnormals flush;
  std::optional<OneThread> scope;
  if (one_thread_) scope.emplace();
  if (bound_.arguments.empty()) {
    bind(arguments);
  } else {
    size_t i = 0;
    for (const Argument& a : arguments) place(i++, a.bytes);
    if (scratchpad_ > 0) place(i, scratch(scratchpad_));
  }
  const auto status =
      dnnl_primitive_execute(primitive_.get(), cpu_stream().get(),
                             static_cast<int>(bound_.arguments.size()), bound_.arguments.data());
  dnnl::error::wrap_c_api(status, "could not run a primitive");
}

}  // namespace fettle::interp
