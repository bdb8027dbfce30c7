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
// without echo. An empty one means: make one, which `show_password` gets once. Fills in the profile's token
// and saves it.
base::Result<void, LogInFailure> log_in(net::Reactor& reactor, ChatProfile& profile, bool ask,
                                        const std::function<void(const std::string&)>& show_password);

}  // namespace tidings::cli
