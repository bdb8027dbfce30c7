// What `tidings chat --as NAME` remembers about one person at one server: NAME.profile (for another server
// than the default one NAME@HOST_PORT.profile) and NAME.outbox beside it, readable by their owner alone.
#pragma once

#include <string>

#include "base/result.h"
#include "client/cpp/websocket_transport.h"

namespace tidings::cli {

struct ChatProfile {
  std::string path;  // of the profile
  std::string outbox_path;
  std::string handle;
  client::Address address;
  std::string token;  // "": not logged in

  base::Status save() const;
};

// $XDG_CONFIG_HOME/tidings, else ~/.config/tidings.
base::Result<std::string> default_profile_directory();
// Makes the directory if it is not there.
base::Result<ChatProfile> load_profile(const std::string& directory, const std::string& handle,
                                       const client::Address& address);

}  // namespace tidings::cli
