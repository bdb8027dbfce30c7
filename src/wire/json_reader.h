// Reads JSON that strangers sent: simdjson's DOM, plus what Tidings demands of it: a depth limit, and strings
// that are Unicode (an escaped lone surrogate spoils only the frame it stands in). Nothing here throws. A
// repeated key: the first one counts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <simdjson.h>

#include "base/result.h"
#include "model/ids.h"

namespace tidings::wire {

using JsonValue = simdjson::dom::element;
using JsonObject = simdjson::dom::object;
using JsonArray = simdjson::dom::array;

// Numbers in frames stay below 2^53, so that every JSON library reads them exactly.
inline constexpr uint64_t json_number_end = 1ull << 53;

// One parsed text. Valid until the next parse on this thread: buffer and tape are reused, one set per thread,
// because a text is read at once and never kept.
struct JsonText {
  JsonValue root;
  // Elements of the top array (0: the one object) with an escaped lone surrogate, which reads as U+FFFD.
  std::vector<size_t> spoiled;
  bool is_spoiled(size_t index) const;
};
// `depth_max` counts objects and arrays inside each other. The error is a sentence.
base::Result<JsonText, std::string> parse_json(std::string_view text, size_t depth_max);

// The fields of an object, read by name. Absent and null are the same. A field that is missing although it is
// needed, or is of the wrong type, gives a zero value and makes the whole object wrong(); the first complaint
// is kept.
class Fields {
 public:
  explicit Fields(JsonObject object) : object_(object) {}

  bool ok() const { return complaint_.empty(); }
  // "" while all is well, else a sentence that names the field and never its content.
  const std::string& complaint() const { return complaint_; }
  void complain(std::string_view name, std::string_view what);

  bool has(std::string_view name) const;
  // It is there and true; anything else is nothing to complain about.
  bool is_true(std::string_view name) const;
  std::optional<std::string_view> optional_text(std::string_view name);
  std::string_view text(std::string_view name);
  std::optional<uint64_t> optional_number(std::string_view name);  // 0..2^53-1
  uint64_t number(std::string_view name);
  std::optional<bool> optional_boolean(std::string_view name);
  std::optional<JsonObject> optional_object(std::string_view name);
  std::optional<JsonArray> optional_array(std::string_view name);
  std::optional<JsonArray> array(std::string_view name);

  template <class Id>  // a UUID type
  std::optional<Id> optional_uuid(std::string_view name) {
    const auto value = optional_text(name);
    if (!value) return std::nullopt;
    const auto bytes = model::parse_uuid(*value);
    if (!bytes) return complain(name, "is not a UUID"), std::nullopt;
    return Id{*bytes};
  }
  template <class Id>
  Id uuid(std::string_view name) {
    return needed(name, optional_uuid<Id>(name));
  }
  template <class Id>  // a number in a decimal string
  std::optional<Id> optional_decimal(std::string_view name) {
    const auto value = optional_text(name);
    if (!value) return std::nullopt;
    const auto n = model::parse_decimal(*value);
    if (!n) return complain(name, "is not a decimal string"), std::nullopt;
    return Id{*n};
  }
  template <class Id>
  Id decimal(std::string_view name) {
    return needed(name, optional_decimal<Id>(name));
  }

 private:
  std::optional<JsonValue> find(std::string_view name) const;
  template <class T>
  T needed(std::string_view name, std::optional<T> value) {
    if (!value) complain(name, "is missing");
    return value ? std::move(*value) : T{};
  }

  JsonObject object_;
  std::string complaint_;
};

// The text of an array's element, and the like; nullopt if it is something else.
std::optional<std::string_view> text_of(JsonValue value);
std::optional<uint64_t> number_of(JsonValue value);
template <class Id>
std::optional<Id> uuid_of(JsonValue value) {
  const auto text = text_of(value);
  const auto bytes = text ? model::parse_uuid(*text) : std::nullopt;
  return bytes ? std::optional<Id>(Id{*bytes}) : std::nullopt;
}
template <class Id>
std::optional<Id> decimal_of(JsonValue value) {
  const auto text = text_of(value);
  const auto n = text ? model::parse_decimal(*text) : std::nullopt;
  return n ? std::optional<Id>(Id{*n}) : std::nullopt;
}

}  // namespace tidings::wire
