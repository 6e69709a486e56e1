// QLinearAveragePool and QLinearGlobalAveragePool of com.microsoft, in the order of operations of
// ONNX Runtime.
#include "ops/channels_last.h"
#include "ops/element_width.h"
#include "ops/pool_windows.h"
#include "ops/quantized_contrib.h"
#include "ops/quantized_operands.h"
#include "ops/requantize.h"

namespace fettle::ops {
namespace {

using ir::DataType;

// Operands: X, its scale and zero point, Y's scale and zero point. X and Y as [N, C, spatial...].
struct QuantizedPool {
  bool channels_last;
  ir::Tensor x;
  TensorQuantization from;
  TensorQuantization to;
  QuantRange range;

  explicit QuantizedPool(const KernelContext& context)
      : channels_last(has_channels_last(context.node())),
        x(context.input(0)),
        from(tensor_quantization(context, 1, x.type())),
        to(tensor_quantization(context, 3, x.type())),
        range(quant_range(x.type())) {
    if (x.rank() < 3) {
      fail(ErrorCode::kBadInput, "expected an input of rank >= 3, found {}",
           ir::to_string(x.dims()));
    }
    if (channels_last) x = channels_moved_forward(x);
  }

  void set_output(KernelContext& context, ir::Tensor y) const {
    context.set_output(0, channels_last ? channels_moved_back(y) : std::move(y));
  }
};

// The average is taken over numbers in float32; Y's zero point is added before rounding. With
// count_include_pad every window counts all its taps.
template <typename T>
void average_of_maps(const QuantizedPool& pool, const Window& window, bool include_pad,
                     ir::Tensor& y) {
  const PoolWindows windows(window);
  const int64_t in_map = ir::element_count(window.input);
  const int64_t out_map = ir::element_count(window.output);
  const auto kernel = static_cast<float>(ir::element_count(window.kernel));
  const T* in = pool.x.data<T>().data();
  T* out = y.mutable_data<T>().data();
  for (int64_t map = 0; map < y.size() / out_map; ++map, in += in_map, out += out_map) {
    float sum = 0;
    float count = 0;
    windows.for_each(
        [&](int64_t, int64_t inside, int64_t) {
          sum = 0;
          count = include_pad ? kernel : static_cast<float>(inside);
        },
        [&](int64_t offset, int64_t cells, int64_t step) {
          for (int64_t i = 0; i < cells; ++i) {
            sum += dequantize_one(in[offset + i * step], pool.from.scale, pool.from.zero_point);
          }
        },
        [&](int64_t position) {
          const float average = count > 0 ? sum / count : 0.0f;
          const float code = average / pool.to.scale + static_cast<float>(pool.to.zero_point);
          out[position] = static_cast<T>(round_and_saturate(code, 0, pool.range));
        });
  }
}

ir::Shape global_shape(const ir::Shape& x) {
  ir::Shape y(x.size(), ir::Dim::of(1));
  y[0] = x[0];
  y[1] = x[1];
  return y;
}

// Sets output 0 to rule(X's shape), both as [N, C, spatial...].
template <typename Rule>
void infer_quantized_pool(InferContext& context, Rule rule) {
  const ir::Shape* shape = context.shape(0);
  if (shape == nullptr) return context.set(0, context.element(0));
  if (shape->size() < 3) {
    fail(ErrorCode::kBadInput, "expected an input of rank >= 3, found {}", ir::to_string(*shape));
  }
  const bool last = has_channels_last(context.node());
  ir::Shape y = rule(last ? channels_moved_forward(*shape) : *shape);
  context.set(0, context.element(0), last ? channels_moved_back(std::move(y)) : std::move(y));
}

}  // namespace

void infer_qlinear_average_pool(InferContext& context) {
  infer_quantized_pool(context, [&](const ir::Shape& x) {
    const WindowSpec spec = pool_spec(context.node(), x.size() - 2);
    ir::Shape y = {x[0], x[1]};
    for (size_t a = 0; a < spec.rank(); ++a) {
      y.push_back(window_output_dim(spec, a, x[a + 2]));
    }
    return y;
  });
}

void qlinear_average_pool(KernelContext& context) {
  const QuantizedPool pool(context);
  const Window window = pool_window(context.node(), pool.x.dims());
  const bool include_pad = context.node().attr_int("count_include_pad", 0) != 0;
  ir::Tensor y(pool.x.type(), pool_output_dims(window, pool.x.dims()));
  if (y.size() > 0) {
    if (y.type() == DataType::kInt8) {
      average_of_maps<int8_t>(pool, window, include_pad, y);
    } else {
      average_of_maps<uint8_t>(pool, window, include_pad, y);
    }
  }
  pool.set_output(context, std::move(y));
}

void infer_qlinear_global_average_pool(InferContext& context) {
  infer_quantized_pool(context, global_shape);
}

// The exact sum of a map, times x_scale / (y_scale * pixels).
void qlinear_global_average_pool(KernelContext& context) {
  const QuantizedPool pool(context);
  ir::Dims dims(pool.x.rank(), 1);
  dims[0] = pool.x.dim(0);
  dims[1] = pool.x.dim(1);
  ir::Tensor y(pool.x.type(), dims);
  const int64_t pixels = y.size() == 0 ? 0 : pool.x.size() / y.size();
  if (pixels == 0 && y.size() > 0) {
    fail(ErrorCode::kBadInput, "expected maps with elements, found an input of shape {}",
         ir::to_string(pool.x.dims()));
  }
  const float factor = pool.from.scale / (pool.to.scale * static_cast<float>(pixels));
  const auto* in = elements<uint8_t>(pool.x);
  auto* out = mutable_elements<uint8_t>(y);
  const bool is_signed = pool.x.type() == DataType::kInt8;
  for (int64_t map = 0; map < y.size(); ++map, in += pixels) {
    int64_t sum = -static_cast<int64_t>(pool.from.zero_point) * pixels;
    for (int64_t i = 0; i < pixels; ++i) sum += is_signed ? static_cast<int8_t>(in[i]) : in[i];
    out[map] = static_cast<uint8_t>(
        round_and_saturate(static_cast<float>(sum) * factor, pool.to.zero_point, pool.range));
  }
  pool.set_output(context, std::move(y));
}

}  // namespace fettle::ops
