// Parts that records and events have in common, as bytes. Readers return false for a value that they do not
// know; what is missing is found by Reader::ok().
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/conversation.h"
#include "model/record.h"
#include "wire/record.h"

namespace tidings::wire {

inline constexpr uint8_t schema_number = 1;

template <class Enum>
void put(base::Writer& out, Enum value) {
  out.fixed(static_cast<uint8_t>(value));
}
template <class Enum>
Enum get(base::Reader& in) {
  return static_cast<Enum>(in.fixed<uint8_t>());
}
// An enum whose values are first..last without a hole.
template <class Enum>
bool get_between(base::Reader& in, Enum& value, Enum first, Enum last) {
  value = get<Enum>(in);
  return value >= first && value <= last;
}

inline void put_flag(base::Writer& out, bool yes) {
  out.fixed<uint8_t>(yes ? 1 : 0);
}
inline bool get_flag(base::Reader& in, bool& yes) {
  const auto byte = in.fixed<uint8_t>();
  yes = byte == 1;
  return byte <= 1;
}

template <class Id>
Id get_uuid(base::Reader& in) {
  return Id{in.array<16>()};
}

inline void put_user(base::Writer& out, model::UserId user) {
  out.fixed(user.value);
}
inline model::UserId get_user(base::Reader& in) {
  return {in.fixed<uint64_t>()};
}

inline void put_time(base::Writer& out, base::WallTime time) {
  out.fixed<int64_t>(base::to_ms(time));
}
inline base::WallTime get_time(base::Reader& in) {
  return base::wall_from_ms(in.fixed<int64_t>());
}

inline bool get_role(base::Reader& in, model::Role& role) {
  return get_between(in, role, model::Role::member, model::Role::owner);
}
inline bool get_history(base::Reader& in, model::History& history) {
  return get_between(in, history, model::History::joining, model::History::all);
}
inline bool get_kind(base::Reader& in, model::ConversationKind& kind) {
  return get_between(in, kind, model::ConversationKind::direct, model::ConversationKind::self);
}

inline void put_users(base::Writer& out, const std::vector<model::UserId>& users) {
  out.varint(users.size());
  for (const auto user : users) put_user(out, user);
}
inline bool get_users(base::Reader& in, std::vector<model::UserId>& users) {
  const uint64_t count = in.varint();
  if (count > users_in_record_max || count > in.left() / sizeof(uint64_t)) return false;
  users.reserve(count);
  for (uint64_t i = 0; i < count; ++i) users.push_back(get_user(in));
  return true;
}

inline void put_message(base::Writer& out, const model::Message& message) {
  put(out, message.kind);
  out.string(message.text);
}
inline bool get_message(base::Reader& in, model::Message& message) {
  message.kind = get<model::MessageKind>(in);
  message.text = in.string();
  return message.kind == model::MessageKind::text;
}

// Of a command and of its event alike. A direct conversation has neither title nor history.
template <class Created>
void put_created(base::Writer& out, const Created& created) {
  put(out, created.kind);
  put_users(out, created.members);
  if (created.kind != model::ConversationKind::group) return;
  out.string(created.title);
  put(out, created.history);
}
template <class Created>
bool get_created(base::Reader& in, Created& created) {
  created.kind = get<model::ConversationKind>(in);
  if (created.kind == model::ConversationKind::direct) return get_users(in, created.members);
  if (created.kind != model::ConversationKind::group || !get_users(in, created.members)) return false;
  created.title = in.string();
  return get_history(in, created.history);
}

enum UpdateFlags : uint8_t { has_title = 1, has_history = 2 };
template <class Updated>
void put_updated(base::Writer& out, const Updated& updated) {
  out.fixed<uint8_t>((updated.title ? has_title : 0) | (updated.history ? has_history : 0));
  if (updated.title) out.string(*updated.title);
  if (updated.history) put(out, *updated.history);
}
template <class Updated>
bool get_updated(base::Reader& in, Updated& updated) {
  const auto flags = in.fixed<uint8_t>();
  if (flags & ~(has_title | has_history)) return false;
  if (flags & has_title) updated.title = in.string();
  return !(flags & has_history) || get_history(in, updated.history.emplace());
}

// Every value begins with the number of its schema.
base::Status check_schema(base::Reader& in, const char* what);

}  // namespace tidings::wire
