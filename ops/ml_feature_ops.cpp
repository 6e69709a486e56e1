// Binarizer, ArrayFeatureExtractor, Normalizer, Scaler, Imputer and FeatureVectorizer of
// ai.onnx.ml.
#include <algorithm>
#include <cmath>

#include "ops/axes.h"
#include "ops/dims.h"
#include "ops/dispatch.h"
#include "ops/element_width.h"
#include "ops/families.h"
#include "ops/ml_operands.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

using FeatureTypes = TypeList<float, double, int64_t, int32_t>;

void infer_features(InferContext& context) {
  context.set_same(0, 0);
}
void infer_float(InferContext& context) {
  infer_same_shape(context, ir::DataType::kFloat);
}

// --- Binarizer -------------------------------------------------------------------------------

void binarizer(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const double threshold = context.node().attr_float("threshold", 0);
  ir::Tensor& y = context.output(0, x.type(), x.dims());
  dispatch(FeatureTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    const auto to = y.mutable_data<T>();
    for (size_t i = 0; i < from.size(); ++i) {
      to[i] = static_cast<double>(from[i]) > threshold ? T(1) : T(0);
    }
  });
}

// --- ArrayFeatureExtractor -------------------------------------------------------------------

// Columns of the last axis; a vector counts as a matrix of one row.
void array_feature_extractor(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const ir::Tensor& y = context.input(1);
  if (x.rank() == 0 || y.type() != ir::DataType::kInt64 || ir::is_sub_byte(x.type())) {
    fail(ErrorCode::kBadInput, "expected data of rank >= 1 and int64 indices, found {} and {}",
         ir::to_string(x.dims()), ir::data_type_name(y.type()));
  }
  const int64_t columns = x.dims().back();
  const auto indices = y.data<int64_t>();
  for (const int64_t i : indices) {
    if (i < 0 || i >= columns) {
      fail(ErrorCode::kBadInput, "index {} is not in [0, {})", i, columns);
    }
  }
  ir::Dims dims = x.dims();
  if (dims.size() == 1) dims.insert(dims.begin(), 1);
  dims.back() = y.size();
  ir::Tensor& z = context.output(0, x.type(), std::move(dims));
  if (z.size() == 0) return;
  with_element(x.type(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = elements<T>(x);
    T* to = mutable_elements<T>(z);
    for (int64_t row = 0; row < z.size() / y.size(); ++row) {
      for (const int64_t i : indices) *to++ = from[row * columns + i];
    }
  });
}

void infer_array_feature_extractor(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) return context.set(0, context.element(0));
  if (x->empty()) fail(ErrorCode::kBadInput, "expected data of rank >= 1, found a scalar");
  ir::Shape out = *x;
  if (out.size() == 1) out.insert(out.begin(), ir::Dim::of(1));
  const ir::Shape* y = context.shape(1);
  out.back() = y != nullptr ? dim_product(*y, 0, y->size()) : ir::Dim::unknown();
  context.set(0, context.element(0), std::move(out));
}

// --- Normalizer ------------------------------------------------------------------------------

double row_maximum(const double* row, int64_t count) {
  return count == 0 ? 0 : *std::max_element(row, row + count);
}
double row_l1(const double* row, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::fabs(row[i]);
  return sum;
}
double row_l2(const double* row, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += row[i] * row[i];
  return std::sqrt(sum);
}

using RowNorm = double (*)(const double*, int64_t);
RowNorm norm_of(const ir::Node& node) {
  const std::string name = node.attr_string("norm", "MAX");
  if (name == "MAX") return row_maximum;
  if (name == "L1") return row_l1;
  if (name == "L2") return row_l2;
  fail(ErrorCode::kBadInput, "attribute 'norm': expected MAX, L1 or L2, found '{}'", name);
}

void normalizer(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const RowNorm norm = norm_of(context.node());
  const Samples samples(x);
  ir::Tensor& y = context.output(0, ir::DataType::kFloat, x.dims());
  const ir::Tensor values = as_doubles(x);
  const double* row = values.data<double>().data();
  float* to = y.mutable_data<float>().data();
  for (int64_t n = 0; n < samples.count && x.size() > 0; ++n, row += samples.features) {
    const double size = norm(row, samples.features);
    // A zero row stays as it is.
    for (int64_t i = 0; i < samples.features; ++i) {
      *to++ = static_cast<float>(size == 0 ? row[i] : row[i] / size);
    }
  }
}

// --- Scaler, Imputer -------------------------------------------------------------------------

// Throws unless there is one value, or one per feature.
template <typename T>
void require_per_feature(const std::vector<T>& values, const ir::Tensor& x, const char* name) {
  const int64_t features = x.rank() == 0 ? 1 : x.dims().back();
  if (values.size() != 1 && values.size() != static_cast<size_t>(features)) {
    fail(ErrorCode::kBadInput, "attribute '{}': expected 1 or {} values, found {}", name, features,
         values.size());
  }
}

template <typename T>
T per_feature(const std::vector<T>& values, int64_t i) {
  return values[static_cast<size_t>(i) % values.size()];
}

void scaler(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  require_features(x);
  const std::vector<float> offset = context.node().attr_floats("offset");
  const std::vector<float> scale = context.node().attr_floats("scale");
  require_per_feature(offset, x, "offset");
  require_per_feature(scale, x, "scale");
  ir::Tensor& y = context.output(0, ir::DataType::kFloat, x.dims());
  float* to = y.mutable_data<float>().data();
  for (int64_t i = 0; i < x.size(); ++i) {
    to[i] = static_cast<float>((ir::element_as_double(x, i) - per_feature(offset, i)) *
                               per_feature(scale, i));
  }
}

template <typename T, typename V>
void impute(const ir::Tensor& x, ir::Tensor& y, const std::vector<V>& values, V replaced,
            const char* name) {
  require_per_feature(values, x, name);
  const auto from = x.data<T>();
  const auto to = y.mutable_data<T>();
  for (size_t i = 0; i < from.size(); ++i) {
    bool missing = from[i] == static_cast<T>(replaced);
    if constexpr (std::is_floating_point_v<T>) {
      missing = missing || (std::isnan(replaced) && std::isnan(from[i]));
    }
    to[i] = missing ? static_cast<T>(per_feature(values, static_cast<int64_t>(i))) : from[i];
  }
}

void imputer(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const ir::Node& node = context.node();
  ir::Tensor& y = context.output(0, x.type(), x.dims());
  dispatch(FeatureTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    if constexpr (std::is_integral_v<T>) {
      const int64_t replaced = node.attr_int("replaced_value_int64", 0);
      const auto values = node.attr_ints("imputed_value_int64s");
      const auto fits = [](int64_t v) { return static_cast<int64_t>(static_cast<T>(v)) == v; };
      if (!fits(replaced) || !std::all_of(values.begin(), values.end(), fits)) {
        fail(ErrorCode::kBadInput, "replaced and imputed values must fit {}",
             ir::data_type_name(x.type()));
      }
      impute<T>(x, y, values, replaced, "imputed_value_int64s");
    } else {
      impute<T>(x, y, node.attr_floats("imputed_value_floats"),
                node.attr_float("replaced_value_float", 0), "imputed_value_floats");
    }
  });
}

// --- FeatureVectorizer -----------------------------------------------------------------------

// Columns that each input takes: as many as inputdimensions says, cut or filled with zeros.
std::vector<int64_t> widths_of(const ir::Node& node, size_t inputs) {
  const auto widths = attribute_ints(node, "inputdimensions");
  const bool positive =
      widths && std::all_of(widths->begin(), widths->end(), [](int64_t w) { return w >= 0; });
  if (!positive || widths->size() != inputs) {
    fail(ErrorCode::kBadInput, "attribute 'inputdimensions': expected {} widths, found {}", inputs,
         widths ? ir::to_string(*widths) : "none");
  }
  return *widths;
}

int64_t total_width(const std::vector<int64_t>& widths) {
  int64_t total = 0;
  for (const int64_t w : widths) {
    if (__builtin_add_overflow(total, w, &total)) {
      fail(ErrorCode::kLimit, "the widths {} are too large", ir::to_string(widths));
    }
  }
  return total;
}

void feature_vectorizer(KernelContext& context) {
  const auto widths = widths_of(context.node(), context.input_count());
  const int64_t total = total_width(widths);
  const Samples first(context.input(0));
  ir::Tensor& y = context.output(0, ir::DataType::kFloat, {first.count, total});
  float* to = y.mutable_data<float>().data();
  std::fill_n(to, y.size(), 0.0f);
  int64_t column = 0;
  for (size_t k = 0; k < widths.size(); ++k) {
    const ir::Tensor& x = context.input(k);
    const Samples samples(x);
    if (samples.count != first.count) {
      fail(ErrorCode::kBadInput, "input {}: expected {} samples, found {}", k, first.count,
           samples.count);
    }
    const int64_t copied = std::min(widths[k], samples.features);
    for (int64_t n = 0; n < (copied > 0 ? samples.count : 0); ++n) {
      for (int64_t i = 0; i < copied; ++i) {
        to[n * total + column + i] =
            static_cast<float>(ir::element_as_double(x, n * samples.features + i));
      }
    }
    column += widths[k];
  }
}

void infer_feature_vectorizer(InferContext& context) {
  const int64_t total = total_width(widths_of(context.node(), context.input_count()));
  context.set(0, ir::DataType::kFloat, ir::Shape{known_samples(context, 0), ir::Dim::of(total)});
}

constexpr OpDef kOps[] = {
    {kMlDomain, "ArrayFeatureExtractor", 1, infer_array_feature_extractor, array_feature_extractor},
    {kMlDomain, "Binarizer", 1, infer_features, binarizer, kElementwise},
    {kMlDomain, "FeatureVectorizer", 1, infer_feature_vectorizer, feature_vectorizer},
    {kMlDomain, "Imputer", 1, infer_features, imputer},
    {kMlDomain, "Normalizer", 1, infer_float, normalizer},
    {kMlDomain, "Scaler", 1, infer_float, scaler},
};

}  // namespace

std::span<const OpDef> ml_feature_ops() {
  return kOps;
}

}  // namespace fettle::ops
