#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "calib/file.h"
#include "calib/table.h"
#include "ir/error.h"
#include "ir/io.h"

namespace fettle::calib {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSchema = "fettle.calibration_table";
constexpr int kVersion = 1;
constexpr size_t kMaxFile = size_t{256} << 20;
constexpr size_t kMaxTensors = 10'000'000;
constexpr int kMaxDepth = 4;

// Accepts what nlohmann's parser produces, but no repeated keys and no depth beyond the schema's.
class StrictEvents {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > kMaxDepth) fail(ErrorCode::kBadInput, "it is nested too deeply");
    if (event == Json::parse_event_t::object_start) keys_.emplace_back();
    if (event == Json::parse_event_t::object_end) keys_.pop_back();
    if (event == Json::parse_event_t::key &&
        !keys_.back().insert(parsed.get<std::string>()).second) {
      fail(ErrorCode::kBadInput, "the key '{}' occurs twice", parsed.get<std::string>());
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;
};

const Json& member(const Json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) fail(ErrorCode::kBadInput, "{} has no '{}'", where, key);
  return *found;
}

std::string text(const Json& object, const char* key) {
  const Json& value = member(object, key, "it");
  if (!value.is_string()) fail(ErrorCode::kBadInput, "'{}' is not a string", key);
  return value.get<std::string>();
}

int64_t count(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  const bool fits = value.is_number_unsigned() &&
                    value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()};
  if (!fits) fail(ErrorCode::kBadInput, "'{}' of {} is not a non-negative integer", key, where);
  return value.get<int64_t>();
}

float real(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  const float result = value.is_number() ? value.get<float>() : NAN;
  if (!std::isfinite(result)) {
    fail(ErrorCode::kBadInput, "'{}' of {} is not a finite number", key, where);
  }
  return result;
}

void check_keys(const Json& object, const std::set<std::string_view>& known,
                const std::string& where) {
  for (const auto& [key, value] : object.items()) {
    if (!known.contains(key)) fail(ErrorCode::kBadInput, "{} has an unknown key '{}'", where, key);
  }
}

TensorRange parse_range(const Json& object, const std::string& name) {
  const std::string where = "tensor '" + name + "'";
  if (!object.is_object()) fail(ErrorCode::kBadInput, "{} is not an object", where);
  check_keys(object, {"min", "max", "count", "non_finite"}, where);
  TensorRange range;
  range.min = real(object, "min", where);
  range.max = real(object, "max", where);
  range.count = count(object, "count", where);
  range.non_finite = count(object, "non_finite", where);
  if (range.min > range.max) {
    fail(ErrorCode::kBadInput, "{} has min {} above max {}", where, range.min, range.max);
  }
  return range;
}

CalibrationTable table_from(const Json& json) {
  if (!json.is_object() || !json.contains("schema") || json["schema"] != kSchema) {
    fail(ErrorCode::kBadInput, "expected an object with \"schema\": \"{}\"", kSchema);
  }
  const int64_t version = count(json, "version", "it");
  if (version != kVersion) {
    fail(ErrorCode::kBadInput, "schema version {} is not known (expected {})", version, kVersion);
  }
  check_keys(json, {"schema", "version", "method", "model_digest", "samples", "tensors"}, "it");
  CalibrationTable table;
  table.method = text(json, "method");
  if (table.method != "minmax") {
    fail(ErrorCode::kBadInput, "method '{}' is not known (expected 'minmax')", table.method);
  }
  table.model_digest = text(json, "model_digest");
  table.samples = count(json, "samples", "it");
  const Json& tensors = member(json, "tensors", "it");
  if (!tensors.is_object()) fail(ErrorCode::kBadInput, "'tensors' is not an object");
  if (tensors.size() > kMaxTensors) fail(ErrorCode::kLimit, "it holds {} tensors", tensors.size());
  for (const auto& [name, range] : tensors.items()) {
    table.tensors.emplace(name, parse_range(range, name));
  }
  return table;
}

}  // namespace

std::string table_to_json(const CalibrationTable& table) {
  nlohmann::ordered_json json;
  json["schema"] = kSchema;
  json["version"] = kVersion;
  json["method"] = table.method;
  json["model_digest"] = table.model_digest;
  json["samples"] = table.samples;
  nlohmann::ordered_json tensors = nlohmann::ordered_json::object();
  for (const auto& [name, range] : table.tensors) {
    // push_back: assignment by key searches an ordered object from its start.
    tensors.get_ref<nlohmann::ordered_json::object_t&>().push_back(
        {name,
         {{"min", range.min},
          {"max", range.max},
          {"count", range.count},
          {"non_finite", range.non_finite}}});
  }
  json["tensors"] = std::move(tensors);
  try {
    return json.dump(1) + "\n";
  } catch (const Json::exception&) {
    fail(
        ErrorCode::kUnsupported,
        "a value name of the model is not valid UTF-8 and cannot be stored in a calibration table");
  }
}

// " (line 3)" where the parser says where; its other words are for programmers.
static std::string position(const Json::exception& error, std::string_view json) {
  const auto* damage = dynamic_cast<const Json::parse_error*>(&error);
  if (damage == nullptr || damage->byte == 0) return "";
  const std::string_view before = json.substr(0, damage->byte - 1);
  return fmt::format(" (line {})", 1 + std::count(before.begin(), before.end(), '\n'));
}

CalibrationTable parse_table(std::string_view json) {
  try {
    return table_from(Json::parse(json, StrictEvents()));
  } catch (const Json::exception& e) {
    fail(ErrorCode::kBadInput, "it is not valid JSON{}", position(e, json));
  }
}

void save_table(const CalibrationTable& table, const std::filesystem::path& path) {
  ir::write_file(path, table_to_json(table));
}

CalibrationTable load_table(const std::filesystem::path& path) {
  try {
    const auto bytes = map_file(path);
    if (bytes->size() > kMaxFile) {
      fail(ErrorCode::kLimit, "it is larger than {} bytes", kMaxFile);
    }
    return parse_table({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  } catch (Error& e) {
    e.add_context(fmt::format("calibration table '{}'", path.string()));
    throw;
  }
}

}  // namespace fettle::calib
