// Values that several frames have, read from JSON and written as JSON; both directions use them.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "wire/frame_words.h"
#include "wire/frames.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace tidings::wire {

// What is wrong becomes a complaint of `fields`.
std::vector<model::UserId> read_users(Fields& fields, std::string_view name);
std::optional<model::Cursor> read_cursor(Fields& fields, std::string_view name);
std::optional<model::History> read_history(Fields& fields);
model::Role read_role(Fields& fields);
base::WallTime read_time(Fields& fields, std::string_view name);
bool read_flag(Fields& fields, std::string_view name);
// The elements of an array; empty if it is none.
std::vector<JsonValue> elements_of(JsonValue value);

void write_users(JsonWriter& json, std::string_view name, const std::vector<model::UserId>& users);
void write_cursor(JsonWriter& json, std::string_view name, const model::Cursor& cursor);
template <class Id>
void write_id(JsonWriter& json, std::string_view name, const Id& id) {
  json.key(name).id(id);
}

// Events, without the brackets and `type`. nullopt: an event that this version does not know.
std::optional<model::Event> read_event(Fields& fields);

}  // namespace tidings::wire
