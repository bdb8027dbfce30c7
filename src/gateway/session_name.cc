#include "gateway/session_name.h"

#include "model/ids.h"

namespace tidings::gateway {

std::string session_name(const SessionName& name) {
  return std::to_string(name.gateway) + "-" + std::to_string(name.number);
}

std::optional<SessionName> parse_session_name(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == text.npos) return std::nullopt;
  const auto gateway = model::parse_decimal(text.substr(0, dash));
  const auto number = model::parse_decimal(text.substr(dash + 1));
  if (!gateway || !number) return std::nullopt;
  return SessionName{*gateway, *number};
}

}  // namespace tidings::gateway
