// The words of the protocol for values that are enums in C++; both directions of the frames use them.
#pragma once

#include <optional>
#include <string_view>

#include "model/conversation.h"

namespace tidings::wire {

constexpr std::string_view word(model::ConversationKind kind) {
  switch (kind) {
    case model::ConversationKind::direct:
      return "direct";
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

constexpr std::optional<model::ConversationKind> conversation_kind_named(std::string_view text) {
  if (text == word(model::ConversationKind::direct)) return model::ConversationKind::direct;
  return std::nullopt;
}
constexpr std::optional<model::MessageKind> message_kind_named(std::string_view text) {
  if (text == word(model::MessageKind::text)) return model::MessageKind::text;
  return std::nullopt;
}
constexpr std::optional<model::HoleReason> hole_reason_named(std::string_view text) {
  for (const auto why :
       {model::HoleReason::not_member, model::HoleReason::retention, model::HoleReason::expired,
        model::HoleReason::hidden, model::HoleReason::unreadable}) {
    if (text == word(why)) return why;
  }
  return std::nullopt;
}

}  // namespace tidings::wire
