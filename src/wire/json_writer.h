// Writes JSON (RFC 8259) into a string that the caller owns, without allocating beyond it. Strings must be
// UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/ids.h"

namespace tidings::wire {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  // One of ours: nothing in it needs an escape.
  JsonWriter& key(std::string_view name);

  JsonWriter& string(std::string_view text);
  // A string of what model::to_text says.
  template <class Tag>
  JsonWriter& id(const model::Uuid<Tag>& id) {
    return uuid(id.bytes);
  }
  template <class Tag>
  JsonWriter& id(model::Number<Tag> id) {
    return decimal(id.value);
  }
  JsonWriter& number(uint64_t n);
  JsonWriter& number(int64_t n);
  JsonWriter& boolean(bool yes) { return raw(yes ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  // Already JSON.
  JsonWriter& raw(std::string_view json);

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& uuid(const std::array<uint8_t, 16>& bytes);
  JsonWriter& decimal(uint64_t n);
  void separate();

  std::string& out_;
  bool follows_value_ = false;  // the next value or key stands behind one of the same object or array
};

}  // namespace tidings::wire
