#include "ops/cast_strings.h"

#include <cctype>
#include <charconv>
#include <limits>
#include <string>
#include <string_view>

#include "ops/dispatch.h"

namespace fettle::ops {
namespace {

template <typename T>
std::string text_of(T value) {
  if constexpr (kIsFloating<T>) {
    const Work<T> number = value;
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number > 0 ? "INF" : "-INF";
    return fmt::format("{}", number);
  } else {
    return fmt::format("{}", static_cast<Accumulator<T>>(value));
  }
}

std::string_view trimmed(std::string_view text) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

// True when all of `text` was a number of type T that fits.
template <typename T>
bool read(std::string_view text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && !text.empty();
}

double read_real(const std::string& whole) {
  const std::string_view text = trimmed(whole);
  double value = 0;
  if (read(text, value)) return value;
  // from_chars knows inf and nan in any case, but gives no value when the number is out of range.
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range && stop == text.data() + text.size()) {
    return std::strtod(std::string(text).c_str(), nullptr);
  }
  fail(ErrorCode::kBadInput, "expected a number; found the string '{}'", whole.substr(0, 40));
}

template <typename T>
T read_integer(const std::string& whole) {
  T value = 0;
  if (read(trimmed(whole), value)) return value;
  return truncate_to<T>(read_real(whole));
}

template <typename T, typename Read>
ir::Tensor parsed(const ir::Tensor& strings, Read read_one) {
  ir::Tensor y(ir::DataTypeOf<T>::value, strings.dims());
  auto out = y.mutable_data<T>();
  for (size_t i = 0; i < out.size(); ++i) out[i] = read_one(strings.strings()[i]);
  return y;
}

}  // namespace

ir::Tensor strings_of(const ir::Tensor& numbers) {
  ir::Tensor y(ir::DataType::kString, numbers.dims());
  auto& out = y.mutable_strings();
  if (numbers.type() == ir::DataType::kBool) {
    const auto in = numbers.data<uint8_t>();
    for (size_t i = 0; i < in.size(); ++i) out[i].assign(1, in[i] != 0 ? '1' : '0');
    return y;
  }
  dispatch(NumericTypes{}, numbers.type(), [&]<typename T>(Tag<T>) {
    const auto in = numbers.data<T>();
    for (size_t i = 0; i < in.size(); ++i) out[i] = text_of(in[i]);
  });
  return y;
}

ir::Tensor numbers_in(const ir::Tensor& strings, ir::DataType to) {
  if (!ir::is_integer(to)) return parsed<double>(strings, read_real);
  if (ir::is_signed_integer(to)) return parsed<int64_t>(strings, read_integer<int64_t>);
  return parsed<uint64_t>(strings, read_integer<uint64_t>);
}

}  // namespace fettle::ops
