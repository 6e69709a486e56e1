// LabelEncoder, CategoryMapper and OneHotEncoder of ai.onnx.ml: look-ups in lists of labels.
#include <algorithm>
#include <bit>
#include <map>
#include <string>

#include "ops/cast_tensor.h"
#include "ops/element_width.h"
#include "ops/families.h"
#include "ops/ml_operands.h"

namespace fettle::ops {
namespace {

template <typename T>
ir::Tensor list_tensor(const std::vector<T>& values) {
  return ir::Tensor::of({static_cast<int64_t>(values.size())}, values);
}
ir::Tensor list_tensor(std::vector<std::string> values) {
  const auto count = static_cast<int64_t>(values.size());
  return ir::Tensor::of_strings({count}, std::move(values));
}

// Positions of labels of one type. Of equal labels the last counts; every NaN is the same label.
class LabelIndex {
 public:
  explicit LabelIndex(const ir::Tensor& labels) : type_(labels.type()) {
    for (int64_t i = 0; i < labels.size(); ++i) {
      if (type_ == ir::DataType::kString) {
        strings_[labels.strings()[static_cast<size_t>(i)]] = i;
      } else {
        numbers_[key(labels, i)] = i;
      }
    }
  }

  // Position of element `i` of `x`; -1 when it is none of the labels.
  int64_t find(const ir::Tensor& x, int64_t i) const {
    if (type_ == ir::DataType::kString) return at(strings_, x.strings()[static_cast<size_t>(i)]);
    return at(numbers_, key(x, i));
  }

 private:
  template <typename Map, typename Key>
  static int64_t at(const Map& map, const Key& key) {
    const auto it = map.find(key);
    return it == map.end() ? -1 : it->second;
  }
  // Bits that are equal exactly for equal numbers.
  static uint64_t key(const ir::Tensor& x, int64_t i) {
    if (ir::is_integer(x.type())) return static_cast<uint64_t>(ir::element_as_int(x, i));
    const double value = ir::element_as_double(x, i);
    if (std::isnan(value)) return ~uint64_t{0};
    return value == 0 ? 0 : std::bit_cast<uint64_t>(value);
  }

  ir::DataType type_;
  std::map<std::string, int64_t> strings_;
  std::map<uint64_t, int64_t> numbers_;
};

// Labels and what they stand for, element by element; `fallback` (one element) for other labels.
struct Mapping {
  ir::Tensor keys;
  ir::Tensor values;
  ir::Tensor fallback;
};

void check(const Mapping& m) {
  if (!m.keys.defined() || !m.values.defined() || m.keys.size() != m.values.size()) {
    fail(ErrorCode::kBadInput, "expected one list of keys and one of as many values");
  }
  const bool known = m.keys.type() == ir::DataType::kString || ir::is_integer(m.keys.type()) ||
                     m.keys.type() == ir::DataType::kFloat ||
                     m.keys.type() == ir::DataType::kDouble;
  if (!known || ir::is_sub_byte(m.values.type())) {
    fail(ErrorCode::kBadInput, "labels cannot be {} or values {}",
         ir::data_type_name(m.keys.type()), ir::data_type_name(m.values.type()));
  }
  if (m.fallback.size() != 1 || m.fallback.type() != m.values.type()) {
    fail(ErrorCode::kBadInput, "default_tensor: expected one {}, found {} {}",
         ir::data_type_name(m.values.type()), ir::data_type_name(m.fallback.type()),
         ir::to_string(m.fallback.dims()));
  }
}

void apply(KernelContext& context, const Mapping& m) {
  const ir::Tensor& x = context.input(0);
  check(m);
  if (x.type() != m.keys.type()) {
    fail(ErrorCode::kBadInput, "expected {} as the keys, found {}",
         ir::data_type_name(m.keys.type()), ir::data_type_name(x.type()));
  }
  const LabelIndex index(m.keys);
  ir::Tensor& y = context.output(0, m.values.type(), x.dims());
  with_element(y.type(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* values = elements<T>(m.values);
    const T* fallback = elements<T>(m.fallback);
    T* to = mutable_elements<T>(y);
    for (int64_t i = 0; i < x.size(); ++i) {
      const int64_t found = index.find(x, i);
      to[i] = found < 0 ? *fallback : values[found];
    }
  });
}

// The attribute `prefix`_tensor, _strings, _int64s or _floats that the node has.
ir::Tensor list_attribute(const ir::Node& node, const std::string& prefix) {
  if (const ir::Tensor* tensor = node.attr_tensor(prefix + "_tensor")) return *tensor;
  if (node.has_attribute(prefix + "_strings")) {
    return list_tensor(node.attr_strings(prefix + "_strings"));
  }
  if (node.has_attribute(prefix + "_int64s")) {
    return list_tensor(node.attr_ints(prefix + "_int64s"));
  }
  if (node.has_attribute(prefix + "_floats")) {
    return list_tensor(node.attr_floats(prefix + "_floats"));
  }
  return {};
}

// The default of values of this type.
ir::Tensor default_value(const ir::Node& node, ir::DataType type) {
  if (const ir::Tensor* tensor = node.attr_tensor("default_tensor")) return *tensor;
  if (type == ir::DataType::kString) {
    return list_tensor(std::vector{node.attr_string("default_string", "_Unused")});
  }
  if (ir::is_integer(type)) {
    return cast_tensor(ir::Tensor::scalar(node.attr_int("default_int64", -1)), type);
  }
  return cast_tensor(ir::Tensor::scalar(node.attr_float("default_float", -0.0f)), type);
}

// --- LabelEncoder, CategoryMapper ------------------------------------------------------------

void label_encoder_2(KernelContext& context) {
  Mapping m{list_attribute(context.node(), "keys"), list_attribute(context.node(), "values"), {}};
  m.fallback = default_value(context.node(), m.values.type());
  apply(context, m);
}

void infer_label_encoder_2(InferContext& context) {
  infer_same_shape(context, list_attribute(context.node(), "values").type());
}

// Strings to integers or integers to strings, by the type of the input.
void apply_either_way(KernelContext& context, ir::Tensor strings, ir::Tensor integers) {
  const bool from_strings = context.input(0).type() == ir::DataType::kString;
  if (!from_strings) std::swap(strings, integers);
  const ir::DataType type = integers.type();
  apply(context, {std::move(strings), std::move(integers), default_value(context.node(), type)});
}

ir::DataType other_type(ir::DataType type) {
  if (type == ir::DataType::kString) return ir::DataType::kInt64;
  return type == ir::DataType::kInt64 ? ir::DataType::kString : ir::DataType::kUndefined;
}

void infer_either_way(InferContext& context) {
  infer_same_shape(context, other_type(context.element(0)));
}

void label_encoder_1(KernelContext& context) {
  auto classes = context.node().attr_strings("classes_strings");
  std::vector<int64_t> positions(classes.size());
  for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int64_t>(i);
  apply_either_way(context, list_tensor(std::move(classes)), list_tensor(positions));
}

void category_mapper(KernelContext& context) {
  apply_either_way(context, list_tensor(context.node().attr_strings("cats_strings")),
                   list_tensor(context.node().attr_ints("cats_int64s")));
}

// --- OneHotEncoder ---------------------------------------------------------------------------

ir::Tensor categories(const ir::Node& node) {
  ir::Tensor cats = list_attribute(node, "cats");
  if (!cats.defined()) fail(ErrorCode::kBadInput, "expected cats_strings or cats_int64s");
  return cats;
}

void one_hot_encoder(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const ir::Tensor cats = categories(context.node());
  const bool strings = cats.type() == ir::DataType::kString;
  if (strings != (x.type() == ir::DataType::kString)) {
    fail(ErrorCode::kBadInput, "categories of {} do not fit an input of {}",
         ir::data_type_name(cats.type()), ir::data_type_name(x.type()));
  }
  if (!strings) require_features(x);
  const LabelIndex index(cats);
  ir::Dims dims = x.dims();
  dims.push_back(cats.size());
  ir::Tensor& y = context.output(0, ir::DataType::kFloat, std::move(dims));
  float* to = y.mutable_data<float>().data();
  std::fill_n(to, y.size(), 0.0f);
  const bool zeros = context.node().attr_int("zeros", 1) != 0;
  // Other numbers become integers.
  const ir::Tensor keys = strings ? x : cast_tensor(x, ir::DataType::kInt64);
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t found = index.find(keys, i);
    if (found >= 0) {
      to[i * cats.size() + found] = 1;
    } else if (!zeros) {
      fail(ErrorCode::kBadInput, "element {} is none of the categories", i);
    }
  }
}

void infer_one_hot_encoder(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) return context.set(0, ir::DataType::kFloat);
  ir::Shape out = *x;
  out.push_back(ir::Dim::of(categories(context.node()).size()));
  context.set(0, ir::DataType::kFloat, std::move(out));
}

constexpr OpDef kOps[] = {
    {kMlDomain, "CategoryMapper", 1, infer_either_way, category_mapper},
    {kMlDomain, "LabelEncoder", 1, infer_either_way, label_encoder_1},
    {kMlDomain, "LabelEncoder", 2, infer_label_encoder_2, label_encoder_2},
    {kMlDomain, "OneHotEncoder", 1, infer_one_hot_encoder, one_hot_encoder},
};

}  // namespace

std::span<const OpDef> ml_encoder_ops() {
  return kOps;
}

}  // namespace fettle::ops
