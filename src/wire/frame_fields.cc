#include "wire/frame_fields.h"

namespace tidings::wire {

std::vector<model::UserId> read_users(Fields& fields, std::string_view name) {
  std::vector<model::UserId> users;
  const auto array = fields.array(name);
  if (!array) return users;
  for (const JsonValue value : *array) {
    const auto user = decimal_of<model::UserId>(value);
    if (!user) return fields.complain(name, "has something that is not a person's id"), users;
    users.push_back(*user);
  }
  return users;
}

std::optional<model::Cursor> read_cursor(Fields& fields, std::string_view name) {
  const auto object = fields.optional_object(name);
  if (!object) return std::nullopt;
  Fields inner(*object);
  const model::Cursor cursor{{inner.number("seq")}, inner.decimal<model::MessageId>("id")};
  if (!inner.ok()) fields.complain(name, "is not {seq, id}");
  return cursor;
}

std::optional<model::History> read_history(Fields& fields) {
  const auto text = fields.optional_text("history");
  if (!text) return std::nullopt;
  const auto history = history_named(*text);
  if (!history) fields.complain("history", "is neither joining nor all");
  return history;
}

model::Role read_role(Fields& fields) {
  const auto role = role_named(fields.text("role"));
  if (!role) fields.complain("role", "is none of member, admin and owner");
  return role.value_or(model::Role::member);
}

base::WallTime read_time(Fields& fields, std::string_view name) {
  return base::wall_from_ms(static_cast<int64_t>(fields.number(name)));
}

bool read_flag(Fields& fields, std::string_view name) {
  const auto yes = fields.optional_boolean(name);
  if (!yes) fields.complain(name, "is missing");
  return yes.value_or(false);
}

std::vector<JsonValue> elements_of(JsonValue value) {
  JsonArray array;
  std::vector<JsonValue> elements;
  if (value.get(array) != simdjson::SUCCESS) return elements;
  for (const JsonValue element : array) elements.push_back(element);
  return elements;
}

void write_users(JsonWriter& json, std::string_view name, const std::vector<model::UserId>& users) {
  json.key(name).begin_array();
  for (const auto user : users) json.id(user);
  json.end_array();
}

void write_cursor(JsonWriter& json, std::string_view name, const model::Cursor& cursor) {
  json.key(name).begin_object().key("seq").number(cursor.seq.value);
  write_id(json, "id", cursor.id);
  json.end_object();
}

}  // namespace tidings::wire
