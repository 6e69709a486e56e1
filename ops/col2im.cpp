#include "ops/col2im.h"

#include <algorithm>

#include "ops/axes.h"
#include "ops/dims.h"
#include "ops/dispatch.h"
#include "ops/scratch.h"
#include "ops/window.h"

namespace fettle::ops {
namespace {

// Row-major walk over `extents`.
void advance(ir::Dims& index, const ir::Dims& extents) {
  for (size_t a = index.size(); a-- > 0;) {
    if (++index[a] < extents[a]) return;
    index[a] = 0;
  }
}

// Offset in the image that element `tap` of block `block` falls on; -1 outside.
int64_t image_offset(const Window& w, const ir::Dims& tap, const ir::Dims& block) {
  int64_t offset = 0;
  for (size_t a = 0; a < w.rank(); ++a) {
    const int64_t at = block[a] * w.strides[a] - w.pads_begin[a] + tap[a] * w.dilations[a];
    if (at < 0 || at >= w.input[a]) return -1;
    offset = offset * w.input[a] + at;
  }
  return offset;
}

// Adds the blocks of one channel, columns [taps, blocks] of `parts` numbers each, into `sums`.
template <typename T>
void add_blocks(const Window& w, const T* columns, int64_t blocks, int64_t parts,
                std::vector<Accumulator<T>>& sums) {
  const int64_t taps = ir::element_count(w.kernel);
  ir::Dims tap(w.rank(), 0);
  for (int64_t k = 0; k < taps; ++k) {
    ir::Dims block(w.rank(), 0);
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t offset = image_offset(w, tap, block);
      for (int64_t p = 0; offset >= 0 && p < parts; ++p) {
        sums[static_cast<size_t>(offset * parts + p)] +=
            static_cast<Accumulator<T>>(columns[(k * blocks + b) * parts + p]);
      }
      advance(block, w.output);
    }
    advance(tap, w.kernel);
  }
}

template <typename T>
void fold(const Window& w, const ir::Tensor& x, ir::Tensor& y, int64_t parts) {
  const int64_t channels = y.dim(0) * y.dim(1);
  const int64_t pixels = ir::element_count(w.input) * parts;
  const int64_t step = channels == 0 ? 0 : x.size() / channels * parts;
  const T* from = reinterpret_cast<const T*>(x.bytes());
  T* to = reinterpret_cast<T*>(y.mutable_bytes());
  auto sums = scratch<Accumulator<T>>(pixels);
  for (int64_t c = 0; c < channels; ++c) {
    std::fill(sums.begin(), sums.end(), Accumulator<T>(0));
    add_blocks(w, from + c * step, x.dim(2), parts, sums);
    for (int64_t i = 0; i < pixels; ++i) {
      to[c * pixels + i] = narrow<T>(sums[static_cast<size_t>(i)]);
    }
  }
}

ir::Dims checked_shape(const KernelContext& context, size_t operand, size_t axes) {
  const auto shape = operand_ints(context, operand);
  const bool positive =
      shape && std::all_of(shape->begin(), shape->end(), [](int64_t d) { return d > 0; });
  if (!positive || shape->empty() || (axes != 0 && shape->size() != axes)) {
    fail(ErrorCode::kBadInput, "input {}: expected one positive extent per spatial axis, found {}",
         operand, shape ? ir::to_string(*shape) : "none");
  }
  return *shape;
}

}  // namespace

void col2im(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const ir::Dims image = checked_shape(context, 1, 0);
  const ir::Dims block = checked_shape(context, 2, image.size());
  const Window w = resolve_window(conv_spec(context.node(), block), image);
  const int64_t taps = ir::element_count(block);
  if (x.rank() != 3 || x.dim(1) % taps != 0 || x.dim(2) != ir::element_count(w.output)) {
    fail(ErrorCode::kBadInput, "expected x [N, C * {}, {}], found {}", taps,
         ir::element_count(w.output), ir::to_string(x.dims()));
  }
  ir::Dims dims = {x.dim(0), x.dim(1) / taps};
  dims.insert(dims.end(), image.begin(), image.end());
  ir::Tensor& y = context.output(0, x.type(), dims);
  if (x.type() == ir::DataType::kComplex64) return fold<float>(w, x, y, 2);
  if (x.type() == ir::DataType::kComplex128) return fold<double>(w, x, y, 2);
  dispatch(NumericTypes{}, x.type(), [&]<typename T>(Tag<T>) { fold<T>(w, x, y, 1); });
}

void infer_col2im(InferContext& context) {
  const auto image = context.ints(1);
  const auto block = context.known_ints(2);
  const auto count =
      image ? std::optional(image->size()) : (block ? std::optional(block->size()) : std::nullopt);
  if (!count) return context.set(0, context.element(0));
  ir::Shape out(2);
  if (const ir::Shape* x = context.shape(0); x != nullptr && x->size() == 3) {
    out[0] = (*x)[0];
    if (block) {
      int64_t taps = 1;
      for (const int64_t b : *block) {
        if (b < 1 || __builtin_mul_overflow(taps, b, &taps)) {
          fail(ErrorCode::kBadInput, "input 2: {} is not a block", ir::to_string(*block));
        }
      }
      out[1] = dim_floor_div((*x)[1], ir::Dim::of(taps));
    }
  }
  for (size_t a = 0; a < *count; ++a) out.push_back(image ? (*image)[a] : ir::Dim::unknown());
  context.set(0, context.element(0), std::move(out));
}

}  // namespace fettle::ops
