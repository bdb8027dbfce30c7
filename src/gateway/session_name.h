// What a welcome calls a session: "<gateway id>-<number>".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidings::gateway {

struct SessionName {
  uint64_t gateway = 0, number = 0;
};
std::string session_name(const SessionName& name);
std::optional<SessionName> parse_session_name(std::string_view text);

}  // namespace tidings::gateway
