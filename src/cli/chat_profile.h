// What `tidings chat --as NAME` remembers about one person at one server: NAME.profile (for another server
// than the default one NAME@HOST_PORT.profile, for a further device of the same person NAME+DEVICE.profile)
// and NAME.outbox beside it, readable by their owner alone.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/cpp/rest.h"
#include "client/cpp/websocket_transport.h"
#include "model/ids.h"

namespace tidings::cli {

struct ChatProfile {
  std::string path;  // of the profile
  std::string outbox_path;
  std::string handle;
  client::Address address;
  std::string token;          // "": not logged in
  std::string made_password;  // made for a sign-up whose answer has not come; "" once logged in
  model::UserId user;         // 0: not known yet
  std::map<std::string, model::UserId> people;  // by handle: those with whom a conversation was opened
  std::string refresh = {};                     // makes the next token; "": none
  base::WallTime expires = {};                  // of the token; 0: not known
  std::string device = {};                      // as the person calls it; "": the one without a name

  // Whom one can write to without asking the server. False if that was known.
  bool remember(model::UserId self, const std::string& person, model::UserId id);
  // Nullopt if it takes the server to open that conversation.
  std::optional<model::UserId> known(const std::string& person) const;
  base::Status save() const;
  // Takes tokens over and saves them. If that fails they must not be used: the next start would show the old
  // refresh token again, and the server would end this log-in.
  base::Status keep(const client::LogIn& log_in);
  // It has ended for good: a password is needed.
  void forget_log_in();
};

// $XDG_CONFIG_HOME/tidings, else ~/.config/tidings.
base::Result<std::string> default_profile_directory();
// Makes the directory if it is not there.
base::Result<ChatProfile> load_profile(const std::string& directory, const std::string& handle,
                                       const client::Address& address, const std::string& device = "");
// [A-Za-z0-9_-]{1,32}
bool is_device_name(std::string_view text);

}  // namespace tidings::cli
