#include "ops/infer_merge.h"

#include "ir/error.h"
#include "ops/dims.h"

namespace fettle::ops {
namespace {

template <typename Change>
ir::Type with_dims(ir::Type type, Change&& change) {
  if (type.shape) {
    for (ir::Dim& d : *type.shape) change(d);
  }
  if (type.inner) {
    type.inner = std::make_shared<const ir::Type>(with_dims(*type.inner, change));
  }
  return type;
}

bool reads_as_number(const std::string& symbol) {
  const auto value = int_value(int_add(ir::Dim::named(symbol), ir::Dim::of(0)));
  return value.has_value();
}

// Nothing when the types contradict each other.
std::optional<ir::Type> combined(const ir::Type& inferred, const ir::Type& declared) {
  if (!inferred.known()) return declared;
  if (!declared.known()) return inferred;
  if (inferred.kind != declared.kind) return std::nullopt;
  ir::Type result = inferred;
  if (result.element == ir::DataType::kUndefined) result.element = declared.element;
  if (declared.element != ir::DataType::kUndefined && declared.element != result.element) {
    return std::nullopt;
  }
  if (!result.shape) {
    result.shape = declared.shape;
  } else if (declared.shape) {
    if (result.shape->size() != declared.shape->size()) return std::nullopt;
    for (size_t i = 0; i < result.shape->size(); ++i) {
      ir::Dim& d = (*result.shape)[i];
      const ir::Dim& other = (*declared.shape)[i];
      if (d.known() && other.known() && d.value != other.value) return std::nullopt;
      if (!d.known() && (other.known() || !d.symbolic())) d = other;
    }
  }
  if (result.inner && declared.inner) {
    const auto inner = combined(*result.inner, *declared.inner);
    if (!inner) return std::nullopt;
    result.inner = std::make_shared<const ir::Type>(*inner);
  } else if (!result.inner) {
    result.inner = declared.inner;
  }
  return result;
}

}  // namespace

ir::Type sanitized(ir::Type type) {
  return with_dims(std::move(type), [](ir::Dim& d) {
    if (d.symbolic() && reads_as_number(d.symbol)) d.symbol = "{" + d.symbol + "}";
  });
}

ir::Type restored(ir::Type type) {
  return with_dims(std::move(type), [](ir::Dim& d) {
    const std::string& s = d.symbol;
    if (s.size() > 2 && s.front() == '{' && s.find('}') == s.size() - 1) {
      d.symbol = s.substr(1, s.size() - 2);
    }
  });
}

ir::Type merged(const ir::Type& inferred, const ir::Type& declared, const std::string& value,
                bool binding) {
  const auto both = combined(inferred, declared);
  if (!both && !binding && inferred.kind == declared.kind && inferred.element == declared.element) {
    return inferred;
  }
  if (!both) {
    fail(ErrorCode::kBadInput,
         "value '{}' is declared as {}, but the operator gives {}; correct the declaration", value,
         ir::to_string(declared), ir::to_string(inferred));
  }
  return *both;
}

ir::Type refined(const ir::Type& given, const ir::Type& declared) {
  return combined(given, declared).value_or(given);
}

ir::Type common(const ir::Type& a, const ir::Type& b) {
  if (a.kind != b.kind || a.element != b.element) return {};
  ir::Type result = a;
  if (a.inner && b.inner)
    result.inner = std::make_shared<const ir::Type>(common(*a.inner, *b.inner));
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size()) {
    result.shape.reset();
    return result;
  }
  for (size_t i = 0; i < a.shape->size(); ++i) {
    ir::Dim& d = (*result.shape)[i];
    if (!d.same((*b.shape)[i])) d = ir::Dim::unknown();
  }
  return result;
}

void keep_symbols(ir::Type& type, const ir::Type& declared) {
  if (!type.shape || !declared.shape || type.shape->size() != declared.shape->size()) return;
  for (size_t i = 0; i < type.shape->size(); ++i) {
    const ir::Dim& other = (*declared.shape)[i];
    if (!(*type.shape)[i].known() && other.symbolic()) (*type.shape)[i] = other;
  }
}

}  // namespace fettle::ops
