#include "interp/pooling.h"

#include <algorithm>

#include "interp/parallel.h"
#include "interp/plain_max_pool.h"
#include "interp/shape_cache.h"
#include "ops/window.h"

namespace fettle::interp {
namespace {

using dnnl::memory;
constexpr ir::DataType kFloat = ir::DataType::kFloat;

struct Compiled {
  Prepared prepared;
  memory::desc dst;
};

bool all_positive(const ir::Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](int64_t d) { return d > 0; });
}

class Pool : public AcceleratedKernel {
 public:
  Pool(const ir::Node& node, dnnl::algorithm algorithm) : node_(node), algorithm_(algorithm) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat) return false;
    const ir::Dims x = *call.dims(0);
    if (x.size() < 3 || x.size() > 5 || !all_positive(x)) return false;
    const Blocked* own = call.blocked(0);
    if (own == nullptr && algorithm_ == dnnl::algorithm::pooling_max) return run_plain_max(call, x);
    const memory::desc src = own != nullptr ? own->desc : plain_desc(x, kFloat);
    ShapeCache<Compiled>::Key key = x;
    append_layout(src, key);
    Compiled* compiled = cache_.get(key, [&] { return compile(x, src); });
    if (compiled == nullptr) return false;
    Blocked unused;
    Blocked out = allocate_blocked(compiled->dst, kFloat);
    compiled->prepared.run({{DNNL_ARG_SRC, &src, in_layout(call, 0, src, unused)},
                            {DNNL_ARG_DST, &out.desc, out.buffer->mutable_data()}});
    call.set(0, std::move(out));
    return true;
  }

 private:
  bool run_plain_max(Call& call, const ir::Dims& x) const {
    const ops::Window window = ops::pool_window(node_, x);
    if (!all_positive(ops::pool_output_dims(window, x))) return false;
    for (size_t i = 0; i < window.rank(); ++i) {
      const int64_t last = (window.output[i] - 1) * window.strides[i] - window.pads_begin[i];
      if (window.pads_begin[i] >= window.extent(i) || last >= window.input[i]) return false;
      // With gaps between the taps a window at the edge may miss the input.
      if (window.dilations[i] > 1 && window.extent(i) > window.input[i]) return false;
    }
    call.set(0, plain_max_pool(*call.tensor(0), window));
    return true;
  }

  // Null when the window has a form that only the reference handles: an average that counts
  // padding, of which ceil_mode adds some that does not count; a window wholly within padding.
  std::unique_ptr<Compiled> compile(const ir::Dims& x, const memory::desc& src) const {
    const ops::Window window = ops::pool_window(node_, x);
    const ir::Dims y = ops::pool_output_dims(window, x);
    if (!all_positive(y)) return nullptr;
    memory::dims dilations;
    memory::dims pads_end;
    for (size_t i = 0; i < window.rank(); ++i) {
      const int64_t needed = (window.output[i] - 1) * window.strides[i] + window.extent(i) -
                             window.input[i] - window.pads_begin[i];
      const bool counts = algorithm_ == dnnl::algorithm::pooling_avg_include_padding;
      if (counts && needed > window.pads_end[i]) return nullptr;
      if (window.pads_begin[i] >= window.extent(i) || needed >= window.extent(i)) return nullptr;
      pads_end.push_back(needed);
      dilations.push_back(window.dilations[i] - 1);
    }
    try {
      using Pooling = dnnl::pooling_v2_forward;
      const Pooling::desc desc(dnnl::prop_kind::forward_inference, algorithm_, src,
                               any_desc(y, kFloat), window.strides, window.kernel, dilations,
                               window.pads_begin, pads_end);
      const int64_t work = ir::element_count(y) * ir::element_count(window.kernel);
      auto compiled = std::make_unique<Compiled>();
      compiled->prepared = prepare<Pooling>(
          work, [&] { return Pooling::primitive_desc(desc, scratch_attr(), cpu_engine()); },
          [&](const Pooling::primitive_desc& pd) { compiled->dst = pd.dst_desc(); });
      return compiled;
    } catch (const dnnl::error&) {
      return nullptr;
    }
  }

  const ir::Node& node_;
  dnnl::algorithm algorithm_;
  ShapeCache<Compiled> cache_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_max_pool(const NodeFacts& facts) {
  if (facts.node->output(1) != nullptr) return nullptr;
  return std::make_unique<Pool>(*facts.node, dnnl::algorithm::pooling_max);
}

std::unique_ptr<AcceleratedKernel> accelerate_average_pool(const NodeFacts& facts) {
  const bool counts = facts.node->attr_int("count_include_pad", 0) != 0;
  return std::make_unique<Pool>(*facts.node, counts ? dnnl::algorithm::pooling_avg_include_padding
                                                    : dnnl::algorithm::pooling_avg_exclude_padding);
}

}  // namespace fettle::interp
