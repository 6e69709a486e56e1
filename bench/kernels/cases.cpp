#include "bench/kernels/cases.h"

#include <cmath>

#include "bench/kernels/graph_builder.h"

namespace fettle::bench {
namespace {

using ir::DataType;
using ir::Dims;
using ir::Value;
using Ints = std::vector<int64_t>;

int64_t product(const Dims& dims) {
  int64_t out = 1;
  for (const int64_t d : dims) out *= d;
  return out;
}

// One image [1, channels, size, size]; padding keeps the extent at stride 1 and odd kernels.
struct Convolution {
  int64_t channels = 0;
  int64_t filters = 0;
  int64_t size = 0;
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t groups = 1;
  int64_t dilation = 1;
  bool transposed = false;
  bool bytes = false;  // uint8 in and out, int8 weights

  Workload operator()() const {
    GraphBuilder b;
    const int64_t pad = transposed ? (kernel - stride) / 2 : dilation * (kernel / 2);
    const Dims w = transposed ? Dims{channels, filters / groups, kernel, kernel}
                              : Dims{filters, channels / groups, kernel, kernel};
    const float scale = 1.0f / std::sqrt(static_cast<float>(channels / groups * kernel * kernel));
    Value* x = b.input({1, channels, size, size}, bytes ? DataType::kUint8 : DataType::kFloat);
    Value* weights =
        bytes ? b.dequantize(b.integers(w, DataType::kInt8), 0.01f * scale, DataType::kInt8)
              : b.weights(w, scale);
    Value* bias = bytes ? b.dequantize(b.integers({filters}, DataType::kInt32), 0.0002f * scale,
                                       DataType::kInt32)
                        : b.weights({filters});
    Value* y = b.op(transposed ? "ConvTranspose" : "Conv",
                    {bytes ? b.dequantize(x, 0.02f) : x, weights, bias},
                    ir::Attribute("kernel_shape", Ints{kernel, kernel}),
                    ir::Attribute("strides", Ints{stride, stride}),
                    ir::Attribute("dilations", Ints{dilation, dilation}),
                    ir::Attribute("pads", Ints(4, pad)), ir::Attribute("group", groups));
    const int64_t positions = transposed ? size * size : (size / stride) * (size / stride);
    return {b.finish(bytes ? b.quantize(y, 0.05f) : y),
            2.0 * static_cast<double>(product(w) * (positions))};
  }
};

// [rows, depth] times constant weights [depth, columns].
struct Product {
  int64_t rows = 1;
  int64_t depth = 0;
  int64_t columns = 0;
  bool gemm = false;  // with bias, weights transposed
  bool bytes = false;

  Workload operator()() const {
    GraphBuilder b;
    const float scale = 1.0f / std::sqrt(static_cast<float>(depth));
    Value* x = b.input({rows, depth}, bytes ? DataType::kUint8 : DataType::kFloat);
    Value* y = nullptr;
    if (bytes) {
      Value* w = b.dequantize(b.integers({depth, columns}, DataType::kInt8), 0.01f * scale,
                              DataType::kInt8);
      y = b.quantize(b.op("MatMul", {b.dequantize(x, 0.02f), w}), 0.05f);
    } else if (gemm) {
      y = b.op("Gemm", {x, b.weights({columns, depth}, scale), b.weights({columns})},
               ir::Attribute("transB", 1));
    } else {
      y = b.op("MatMul", {x, b.weights({depth, columns}, scale)});
    }
    return {b.finish(y), 2.0 * static_cast<double>(rows * depth * columns)};
  }
};

// Both operands computed: [batch, heads, rows, depth] times [batch, heads, depth, columns].
struct BatchedProduct {
  int64_t heads = 1;
  int64_t rows = 0;
  int64_t depth = 0;
  int64_t columns = 0;

  Workload operator()() const {
    GraphBuilder b;
    Value* x = b.input({1, heads, rows, depth});
    Value* y = b.op("MatMul", {x, b.input({1, heads, depth, columns})});
    return {b.finish(y), 2.0 * static_cast<double>(heads * rows * depth * columns)};
  }
};

struct Recurrent {
  std::string kind;  // LSTM or GRU
  int64_t steps = 0;
  int64_t width = 0;

  Workload operator()() const {
    GraphBuilder b;
    const int64_t gates = kind == "LSTM" ? 4 : 3;
    const float scale = 1.0f / std::sqrt(static_cast<float>(width));
    Value* x = b.input({steps, 1, width});
    const std::vector<Value*> operands{x, b.weights({1, gates * width, width}, scale),
                                       b.weights({1, gates * width, width}, scale),
                                       b.weights({1, 2 * gates * width}, scale)};
    const double operations = 4.0 * static_cast<double>(steps * gates * width * width);
    Value* y = kind == "GRU" ? b.op(kind, operands, ir::Attribute("hidden_size", width),
                                    ir::Attribute("linear_before_reset", 1))
                             : b.op(kind, operands, ir::Attribute("hidden_size", width));
    return {b.finish(y), operations};
  }
};

// A model of one input made by `body`.
template <typename Body>
std::function<Workload()> one_input(const Dims& dims, Body body, DataType type = DataType::kFloat) {
  return [dims, body, type] {
    GraphBuilder b;
    Value* x = b.input(dims, type);
    return Workload{b.finish(body(b, x))};
  };
}

// The same for operators that read a part of their input only.
template <typename Body>
std::function<Workload()> selection(const Dims& dims, Body body) {
  return [make = one_input(dims, body)] {
    Workload work = make();
    work.selects = true;
    return work;
  };
}

std::function<Workload()> unary(const std::string& op, const Dims& dims) {
  return one_input(dims, [op](GraphBuilder& b, Value* x) { return b.op(op, {x}); });
}

std::function<Workload()> binary(const std::string& op, const Dims& dims, const Dims& other) {
  return one_input(dims, [op, other](GraphBuilder& b, Value* x) {
    return b.op(op, {x, b.input(other)});
  });
}

std::function<Workload()> pool(const std::string& op, const Dims& dims, int64_t kernel,
                               int64_t stride) {
  return one_input(dims, [=](GraphBuilder& b, Value* x) {
    return b.op(op, {x}, ir::Attribute("kernel_shape", Ints{kernel, kernel}),
                ir::Attribute("strides", Ints{stride, stride}),
                ir::Attribute("pads", Ints(4, kernel / 2)));
  });
}

std::function<Workload()> transpose(const Dims& dims, const Ints& order) {
  return one_input(dims, [order](GraphBuilder& b, Value* x) {
    return b.op("Transpose", {x}, ir::Attribute("perm", order));
  });
}

std::function<Workload()> concat(const Dims& dims, int64_t axis) {
  return one_input(dims, [=](GraphBuilder& b, Value* x) {
    return b.op("Concat", {x, b.input(dims)}, ir::Attribute("axis", axis));
  });
}

std::function<Workload()> slice(const Dims& dims, int64_t axis, int64_t start, int64_t end,
                                int64_t step) {
  return selection(dims, [=](GraphBuilder& b, Value* x) {
    return b.op("Slice", {x, b.axes({start}), b.axes({end}), b.axes({axis}), b.axes({step})});
  });
}

// `count` rows, spread over the first axis.
std::function<Workload()> gather(const Dims& dims, int64_t count) {
  return selection(dims, [=](GraphBuilder& b, Value* x) {
    Ints rows;
    for (int64_t i = 0; i < count; ++i) rows.push_back(i * 7919 % dims[0]);
    return b.op("Gather", {x, b.axes(rows)}, ir::Attribute("axis", 0));
  });
}

std::function<Workload()> resize(const Dims& dims, const std::string& mode, float factor) {
  return one_input(dims, [=](GraphBuilder& b, Value* x) {
    Value* scales = b.constant(ir::Tensor::of<float>({4}, {1, 1, factor, factor}));
    return b.op("Resize", {x, nullptr, scales}, ir::Attribute("mode", mode),
                ir::Attribute("coordinate_transformation_mode",
                              mode == "nearest" ? "asymmetric" : "half_pixel"),
                ir::Attribute("nearest_mode", "floor"));
  });
}

Value* layer_normalization(GraphBuilder& b, Value* x, int64_t width) {
  return b.op("LayerNormalization", {x, b.weights({width}), b.weights({width})});
}

}  // namespace

std::vector<Case> all_cases() {
  const Dims image{1, 64, 56, 56};
  const Dims tokens{1, 128, 256};
  return {
      {"conv/1x1_64x256_56", Convolution{.channels = 64, .filters = 256, .size = 56, .kernel = 1}},
      {"conv/1x1_512x512_7", Convolution{.channels = 512, .filters = 512, .size = 7, .kernel = 1}},
      {"conv/3x3_64x64_56", Convolution{.channels = 64, .filters = 64, .size = 56}},
      {"conv/3x3_16x16_32", Convolution{.channels = 16, .filters = 16, .size = 32}},
      {"conv/3x3_256x256_14", Convolution{.channels = 256, .filters = 256, .size = 14}},
      {"conv/3x3_stride2_64x128_56",
       Convolution{.channels = 64, .filters = 128, .size = 56, .stride = 2}},
      {"conv/7x7_stride2_3x64_224",
       Convolution{.channels = 3, .filters = 64, .size = 224, .kernel = 7, .stride = 2}},
      {"conv/3x3_dilated_64x64_28",
       Convolution{.channels = 64, .filters = 64, .size = 28, .dilation = 2}},
      {"conv/3x3_groups8_128x128_28",
       Convolution{.channels = 128, .filters = 128, .size = 28, .groups = 8}},
      {"conv/depthwise_96_112",
       Convolution{.channels = 96, .filters = 96, .size = 112, .groups = 96}},
      {"conv/depthwise_384_14",
       Convolution{.channels = 384, .filters = 384, .size = 14, .groups = 384}},
      {"conv/transposed_4x4_64x32_28", Convolution{.channels = 64,
                                                   .filters = 32,
                                                   .size = 28,
                                                   .kernel = 4,
                                                   .stride = 2,
                                                   .transposed = true}},
      {"conv_int8/1x1_64x256_56",
       Convolution{.channels = 64, .filters = 256, .size = 56, .kernel = 1, .bytes = true}},
      {"conv_int8/1x1_512x512_7",
       Convolution{.channels = 512, .filters = 512, .size = 7, .kernel = 1, .bytes = true}},
      {"conv_int8/3x3_64x64_56",
       Convolution{.channels = 64, .filters = 64, .size = 56, .bytes = true}},
      {"conv_int8/3x3_16x16_32",
       Convolution{.channels = 16, .filters = 16, .size = 32, .bytes = true}},
      {"conv_int8/3x3_256x256_14",
       Convolution{.channels = 256, .filters = 256, .size = 14, .bytes = true}},
      {"conv_int8/3x3_dilated_64x64_28",
       Convolution{.channels = 64, .filters = 64, .size = 28, .dilation = 2, .bytes = true}},
      {"conv_int8/3x3_groups8_128x128_28",
       Convolution{.channels = 128, .filters = 128, .size = 28, .groups = 8, .bytes = true}},
      {"conv_int8/depthwise_96_112",
       Convolution{.channels = 96, .filters = 96, .size = 112, .groups = 96, .bytes = true}},
      {"conv_int8/depthwise_384_14",
       Convolution{.channels = 384, .filters = 384, .size = 14, .groups = 384, .bytes = true}},
      {"matmul/1x512x512", Product{.depth = 512, .columns = 512}},
      {"matmul/1x2048x1000", Product{.depth = 2048, .columns = 1000}},
      {"matmul/64x512x512", Product{.rows = 64, .depth = 512, .columns = 512}},
      {"matmul/512x512x512", Product{.rows = 512, .depth = 512, .columns = 512}},
      {"gemm/1x512x512", Product{.depth = 512, .columns = 512, .gemm = true}},
      {"gemm/64x512x512", Product{.rows = 64, .depth = 512, .columns = 512, .gemm = true}},
      {"matmul_int8/1x512x512", Product{.depth = 512, .columns = 512, .bytes = true}},
      {"matmul_int8/64x512x512", Product{.rows = 64, .depth = 512, .columns = 512, .bytes = true}},
      {"matmul_int8/512x512x512",
       Product{.rows = 512, .depth = 512, .columns = 512, .bytes = true}},
      {"attention/scores_4x128x64",
       BatchedProduct{.heads = 4, .rows = 128, .depth = 64, .columns = 128}},
      {"attention/values_4x128x64",
       BatchedProduct{.heads = 4, .rows = 128, .depth = 128, .columns = 64}},
      {"lstm/50x128", Recurrent{"LSTM", 50, 128}},
      {"lstm/20x256", Recurrent{"LSTM", 20, 256}},
      {"gru/50x128", Recurrent{"GRU", 50, 128}},
      {"softmax/4x128x128", unary("Softmax", {4, 128, 128})},
      {"softmax/1x1000", unary("Softmax", {1, 1000})},
      {"layernorm/128x256",
       one_input(tokens, [](GraphBuilder& b, Value* x) { return layer_normalization(b, x, 256); })},
      {"pool/max_3x3_64_56", pool("MaxPool", image, 3, 2)},
      {"pool/average_3x3_64_56", pool("AveragePool", image, 3, 1)},
      {"pool/global_512_7", unary("GlobalAveragePool", {1, 512, 7, 7})},
      {"elementwise/add", binary("Add", image, image)},
      {"elementwise/add_per_channel", binary("Add", image, {1, 64, 1, 1})},
      {"elementwise/mul_small", binary("Mul", {1, 16, 32}, {1, 16, 32})},
      {"elementwise/relu", unary("Relu", image)},
      {"elementwise/sigmoid", unary("Sigmoid", image)},
      {"elementwise/gelu", unary("Gelu", tokens)},
      {"elementwise/exp", unary("Exp", image)},
      {"transpose/channels_last", transpose(image, {0, 2, 3, 1})},
      {"transpose/heads", transpose({1, 128, 4, 64}, {0, 2, 1, 3})},
      {"concat/channels", concat(image, 1)},
      {"concat/last_axis", concat(image, 3)},
      {"slice/channels", slice({2, 64, 56, 56}, 1, 16, 48, 1)},
      {"slice/every_second_column", slice(image, 3, 0, 56, 2)},
      {"gather/128_of_30000x256", gather({30000, 256}, 128)},
      {"resize/nearest_2x", resize(image, "nearest", 2)},
      {"resize/linear_2x", resize(image, "linear", 2)},
      {"quantize/uint8",
       one_input(image, [](GraphBuilder& b, Value* x) { return b.quantize(x, 0.02f); })},
      {"dequantize/uint8",
       one_input(
           image, [](GraphBuilder& b, Value* x) { return b.dequantize(x, 0.02f); },
           DataType::kUint8)},
  };
}

}  // namespace fettle::bench
