#include "interp/row_kernels.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "interp/parallel.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// Lines of `length` elements, `inner` apart.
struct Lines {
  int64_t outer = 1;
  int64_t length = 1;
  int64_t inner = 1;
};

// Along one axis, or (before opset 13) over all axes from one on.
class Softmax : public AcceleratedKernel {
 public:
  Softmax(int64_t axis, bool flattens, bool logarithm)
      : axis_(axis), flattens_(flattens), logarithm_(logarithm) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat) return false;
    std::shared_ptr<ir::Buffer> storage = call.reusable(0);
    const bool plain = call.blocked(0) == nullptr;
    const ir::Tensor& x = *call.tensor(0);
    const auto rank = static_cast<int64_t>(x.rank());
    const int64_t axis = axis_ < 0 ? axis_ + rank : axis_;
    if (axis < 0 || axis >= rank || x.size() == 0) return false;
    Lines lines;
    for (int64_t i = 0; i < rank; ++i) {
      const int64_t extent = x.dims()[static_cast<size_t>(i)];
      const bool inside = flattens_ ? i >= axis : i == axis;
      (inside ? lines.length : i < axis ? lines.outer : lines.inner) *= extent;
    }
    if (!plain || storage == nullptr) storage = ir::Buffer::allocate(x.byte_size());
    const float* from = x.data<float>().data();
    auto* to = reinterpret_cast<float*>(storage->mutable_data());
    if (lines.inner == 1) {
      for_each_row(lines.outer, lines.length * 8, [&](int64_t row) {
        one_line(from + row * lines.length, to + row * lines.length, lines.length);
      });
    } else {
      columns(from, to, lines);
    }
    call.set(0, ir::Tensor(kFloat, x.dims(), std::move(storage)));
    return true;
  }

 private:
  static constexpr int64_t kPiece = 256;

  void one_line(const float* x, float* y, int64_t n) const {
    const float greatest = max_row(x, n);
    if (!logarithm_) {
      const auto scale = static_cast<float>(1.0 / exp_shifted_row(x, greatest, y, n));
      affine_row(y, scale, 0.0f, y, n);
      return;
    }
    std::array<float, kPiece> powers;
    double sum = 0.0;
    for (int64_t at = 0; at < n; at += kPiece) {
      sum += exp_shifted_row(x + at, greatest, powers.data(), std::min(kPiece, n - at));
    }
    centered_affine_row(x, greatest, 1.0f, static_cast<float>(-std::log(sum)), y, n);
  }

  // Up to kPiece neighboring lines together.
  void columns(const float* x, float* y, const Lines& lines) const {
    const int64_t parts = (lines.inner + kPiece - 1) / kPiece;
    const int64_t width = std::min(kPiece, lines.inner);
    for_each_row(lines.outer * parts, lines.length * width * 8, [&](int64_t i) {
      const int64_t begin = i % parts * kPiece;
      const int64_t at = i / parts * lines.length * lines.inner + begin;
      some_columns(x + at, y + at, lines, std::min(kPiece, lines.inner - begin));
    });
  }

  void some_columns(const float* x, float* y, const Lines& lines, int64_t width) const {
    std::array<float, kPiece> greatest;
    std::array<double, kPiece> sums{};
    std::array<float, kPiece> powers;
    std::copy_n(x, width, greatest.begin());
    for (int64_t l = 1; l < lines.length; ++l) {
      const float* row = x + l * lines.inner;
      for (int64_t j = 0; j < width; ++j) greatest[j] = row[j] > greatest[j] ? row[j] : greatest[j];
    }
    for (int64_t l = 0; l < lines.length; ++l) {
      const float* row = x + l * lines.inner;
      float* to = logarithm_ ? powers.data() : y + l * lines.inner;
      for (int64_t j = 0; j < width; ++j) to[j] = row[j] - greatest[j];
      exp_row(to, to, width);
      for (int64_t j = 0; j < width; ++j) sums[j] += static_cast<double>(to[j]);
    }
    for (int64_t j = 0; j < width; ++j) {
      powers[j] = static_cast<float>(logarithm_ ? std::log(sums[j]) : 1.0 / sums[j]);
    }
    for (int64_t l = 0; l < lines.length; ++l) {
      const float* row = x + l * lines.inner;
      float* to = y + l * lines.inner;
      for (int64_t j = 0; j < width; ++j) {
        to[j] = logarithm_ ? row[j] - greatest[j] - powers[j] : to[j] * powers[j];
      }
    }
  }

  int64_t axis_;
  bool flattens_;
  bool logarithm_;
};

class PassThrough : public AcceleratedKernel {
 public:
  explicit PassThrough(ir::DataType only) : only_(only) {}

  bool run(Call& call) override {
    if (call.type(0) == ir::DataType::kUndefined) return false;
    if (only_ != ir::DataType::kUndefined && call.type(0) != only_) return false;
    call.forward(0, 0);
    return true;
  }

 private:
  ir::DataType only_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_softmax(const NodeFacts& facts) {
  const bool flattens = facts.opset < 13;
  return std::make_unique<Softmax>(facts.node->attr_int("axis", flattens ? 1 : -1), flattens,
                                   facts.node->is("LogSoftmax"));
}

std::unique_ptr<AcceleratedKernel> accelerate_pass_through(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  if (node.is("Identity")) return std::make_unique<PassThrough>(ir::DataType::kUndefined);
  if (node.is("Cast")) {
    const auto type = ir::data_type_from_onnx(static_cast<int32_t>(node.attr_int("to", 0)));
    return type ? std::make_unique<PassThrough>(*type) : nullptr;
  }
  // Dropout trains only when operand 2 says so (opset 12 on); before opset 7 by an attribute.
  const bool inference = node.input(2) == nullptr && facts.opset >= 7;
  if (!inference || node.output(1) != nullptr) return nullptr;
  return std::make_unique<PassThrough>(ir::DataType::kUndefined);
}

}  // namespace fettle::interp
