// The words of the protocol for values that are enums in C++; both directions of the frames use them.
#pragma once

#include <optional>
#include <string_view>

#include "model/conversation.h"
#include "wire/frames.h"

namespace tidings::wire {

constexpr std::string_view word(model::ConversationKind kind) {
  switch (kind) {
    case model::ConversationKind::direct:
      return "direct";
    case model::ConversationKind::group:
      return "group";
    case model::ConversationKind::self:
      return "self";
  }
  return "";
}
constexpr std::string_view word(model::Role role) {
  switch (role) {
    case model::Role::member:
      return "member";
    case model::Role::admin:
      return "admin";
    case model::Role::owner:
      return "owner";
  }
  return "";
}
constexpr std::string_view word(model::History history) {
  switch (history) {
    case model::History::joining:
      return "joining";
    case model::History::all:
      return "all";
  }
  return "";
}
constexpr std::string_view word(HistoryPlace place) {
  switch (place) {
    case HistoryPlace::before:
      return "before";
    case HistoryPlace::after:
      return "after";
    case HistoryPlace::around:
      return "around";
  }
  return "";
}
constexpr std::string_view word(model::MessageKind kind) {
  switch (kind) {
    case model::MessageKind::text:
      return "text";
  }
  return "";
}
constexpr std::string_view word(model::HoleReason why) {
  switch (why) {
    case model::HoleReason::not_member:
      return "not_member";
    case model::HoleReason::retention:
      return "retention";
    case model::HoleReason::expired:
      return "expired";
    case model::HoleReason::hidden:
      return "hidden";
    case model::HoleReason::unreadable:
      return "unreadable";
  }
  return "";
}

// The value that is called so.
template <class Enum, size_t size>
constexpr std::optional<Enum> named(std::string_view text, const Enum (&values)[size]) {
  for (const auto value : values) {
    if (text == word(value)) return value;
  }
  return std::nullopt;
}
constexpr std::optional<model::ConversationKind> conversation_kind_named(std::string_view text) {
  using enum model::ConversationKind;
  return named(text, {direct, group, self});
}
constexpr std::optional<model::Role> role_named(std::string_view text) {
  using enum model::Role;
  return named(text, {member, admin, owner});
}
constexpr std::optional<model::History> history_named(std::string_view text) {
  using enum model::History;
  return named(text, {joining, all});
}
constexpr std::optional<model::MessageKind> message_kind_named(std::string_view text) {
  return named(text, {model::MessageKind::text});
}
constexpr std::optional<model::HoleReason> hole_reason_named(std::string_view text) {
  using enum model::HoleReason;
  return named(text, {not_member, retention, expired, hidden, unreadable});
}

}  // namespace tidings::wire
