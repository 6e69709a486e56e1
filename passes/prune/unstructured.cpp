#include "passes/prune/unstructured.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "ir/error.h"
#include "ir/float16.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

// Non-negative floats compare like their bits, so magnitudes are selected as integers.
using Key = uint32_t;
constexpr Key kLargestKey = 0x7fffffffu;

template <typename T>
Key key_of(T element) {
  const auto magnitude = std::abs(static_cast<float>(element));
  if (std::isnan(magnitude)) return kLargestKey;
  const Key key = std::bit_cast<Key>(magnitude);
  // A double too small for float is still no zero.
  return key == 0 && !(static_cast<double>(element) == 0) ? 1 : key;
}

template <typename T>
bool is_zero(T element) {
  return static_cast<double>(element) == 0;
}

// Calls `visit(std::span<const T>)` with the elements as their C++ type.
template <typename Visit>
void with_elements(const ir::Tensor& tensor, Visit&& visit) {
  switch (tensor.type()) {
    case ir::DataType::kDouble: return visit(tensor.data<double>());
    case ir::DataType::kFloat16: return visit(tensor.data<ir::Float16>());
    case ir::DataType::kBfloat16: return visit(tensor.data<ir::Bfloat16>());
    default: return visit(tensor.data<float>());
  }
}

// The `count` smallest keys of all tensors: every key below `threshold`, and the first `ties` keys
// that equal it, in order.
struct Selection {
  Key threshold = 0;
  int64_t ties = 0;
};

// Radix selection in two passes of 16 bits: memory does not depend on the size of the weights.
Selection select_smallest(const std::vector<PrunableWeight>& weights, int64_t count) {
  constexpr int kBits = 16;
  Selection selection{0, count};
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<int64_t> histogram(size_t{1} << kBits, 0);
    for (const PrunableWeight& weight : weights) {
      with_elements(*weight.value->constant(), [&](auto elements) {
        for (const auto element : elements) {
          const Key key = key_of(element);
          if (pass == 0) ++histogram[key >> kBits];
          else if (key >> kBits == selection.threshold >> kBits) ++histogram[key & 0xffffu];
        }
      });
    }
    size_t bin = 0;
    while (bin + 1 < histogram.size() && histogram[bin] < selection.ties) {
      selection.ties -= histogram[bin++];
    }
    selection.threshold |= static_cast<Key>(bin) << (pass == 0 ? kBits : 0);
  }
  return selection;
}

int64_t count_zeros(const ir::Tensor& tensor) {
  int64_t zeros = 0;
  with_elements(tensor, [&](auto elements) {
    for (const auto element : elements) zeros += is_zero(element) ? 1 : 0;
  });
  return zeros;
}

template <typename T>
int64_t zero_selected(std::span<T> elements, Selection& selection) {
  int64_t zeroed = 0;
  for (T& element : elements) {
    const Key key = key_of(element);
    const bool tie = key == selection.threshold && selection.ties > 0;
    if (tie) --selection.ties;
    if (tie || key < selection.threshold) {
      zeroed += is_zero(element) ? 0 : 1;
      element = T(0.0f);
    }
  }
  return zeroed;
}

ir::Tensor pruned(const ir::Tensor& tensor, Selection& selection) {
  ir::Tensor copy(tensor.type(), tensor.dims());
  std::copy_n(tensor.bytes(), tensor.byte_size(), copy.mutable_bytes());
  switch (tensor.type()) {
    case ir::DataType::kDouble: zero_selected(copy.mutable_data<double>(), selection); break;
    case ir::DataType::kFloat16: zero_selected(copy.mutable_data<ir::Float16>(), selection); break;
    case ir::DataType::kBfloat16: zero_selected(copy.mutable_data<ir::Bfloat16>(), selection); break;
    default: zero_selected(copy.mutable_data<float>(), selection); break;
  }
  return spilled(std::move(copy));
}

// Bytes that the tensor takes as a zlib stream, without keeping the stream.
int64_t deflated_size(const ir::Tensor& tensor) {
  z_stream stream{};
  if (deflateInit(&stream, Z_DEFAULT_COMPRESSION) != Z_OK) {
    fail(ErrorCode::kLimit, "zlib cannot be started: not enough memory");
  }
  constexpr size_t kChunk = size_t{1} << 30;
  std::vector<Bytef> out(size_t{1} << 16);
  const std::byte* at = tensor.bytes();
  size_t left = tensor.byte_size();
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (stream.avail_in == 0 && left > 0) {
      const size_t take = std::min(left, kChunk);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(at));
      stream.avail_in = static_cast<uInt>(take);
      at += take;
      left -= take;
    }
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    status = deflate(&stream, left == 0 ? Z_FINISH : Z_NO_FLUSH);
    FETTLE_ASSERT(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR);
  }
  const auto size = static_cast<int64_t>(stream.total_out);
  deflateEnd(&stream);
  return size;
}

std::string statement_of(const PruneReport& report) {
  const auto percent = [](int64_t part, int64_t whole) {
    return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  };
  return fmt::format(
      "{:.1f} % of the weights are zero (before: {:.1f} %). Zeros are stored like any number: the model "
      "file and the memory it takes keep their size, and runtimes with dense kernels (ONNX Runtime, "
      "TensorRT, OpenVINO) do not run it faster. What shrinks is a compressed copy of the weights: "
      "{:.1f} % of the raw size under deflate, {:.1f} % before.",
      percent(report.zeros_after, report.weights), percent(report.zeros_before, report.weights),
      percent(report.compressed_after, report.raw_bytes),
      percent(report.compressed_before, report.raw_bytes));
}

}  // namespace

PruneReport prune_unstructured(ir::Model& model, const PruneOptions& options) {
  if (!(options.sparsity >= 0 && options.sparsity <= 1)) {
    fail(ErrorCode::kUsage, "sparsity must be between 0 and 1, found {}", options.sparsity);
  }
  WeightSearch search = find_weights(model, options.exclude);
  PruneReport report;
  for (const PrunableWeight& weight : search.found) {
    const ir::Tensor& tensor = *weight.value->constant();
    report.weights += tensor.size();
    report.raw_bytes += static_cast<int64_t>(tensor.byte_size());
  }
  const auto wanted = static_cast<int64_t>(
      std::llround(options.sparsity * static_cast<double>(report.weights)));
  Selection selection = select_smallest(search.found, wanted);
  report.threshold = wanted > 0 ? std::bit_cast<float>(selection.threshold) : 0.0f;
  for (const PrunableWeight& weight : search.found) {
    const ir::Tensor before = *weight.value->constant();
    PrunedTensor entry{weight.value->name(), weight.node};
    entry.is_first = &weight == &search.found.front();
    entry.is_last = &weight == &search.found.back();
    entry.elements = before.size();
    entry.zeros_before = count_zeros(before);
    weight.value->set_constant(pruned(before, selection));
    const ir::Tensor& after = *weight.value->constant();
    entry.zeros_after = count_zeros(after);
    report.zeros_before += entry.zeros_before;
    report.zeros_after += entry.zeros_after;
    report.compressed_before += deflated_size(before);
    report.compressed_after += deflated_size(after);
    if (before.buffer() != nullptr) before.buffer()->release_pages();
    report.tensors.push_back(std::move(entry));
  }
  report.skipped = std::move(search.skipped);
  report.statement = statement_of(report);
  return report;
}

}  // namespace fettle::passes
