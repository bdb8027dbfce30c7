// Gets a token for a profile that has none: asks for a password, signs up if the handle is free, else logs
// in.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "cli/chat_profile.h"
#include "cli/status.h"
#include "net/reactor.h"

namespace tidings::cli {

struct LogInFailure {
  Status status = status_failed;
  std::string sentence;
};

// Blocks; the reactor runs on another thread. The password is TIDINGS_PASSWORD, else, with `ask`, typed in
// without echo. An empty one means: make one, which `show_password` gets once. `invite` is for servers that
// want one. Fills in the profile's tokens and saves them.
base::Result<void, LogInFailure> log_in(net::Reactor& reactor, ChatProfile& profile, bool ask,
                                        const std::function<void(const std::string&)>& show_password,
                                        const std::string& invite = "");

// Gets the next token if the one that the profile has is near its end, and saves it; blocks as log_in. A
// log-in that has ended leaves the profile without a token. If the server cannot be asked now the token
// stays: it may still do.
base::Status refresh_if_due(net::Reactor& reactor, ChatProfile& profile, base::WallTime now);

}  // namespace tidings::cli
