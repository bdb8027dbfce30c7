#include "cli/chat_profile.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "client/cpp/file.h"

namespace tidings::cli {

base::Status ChatProfile::save() const {
  return client::replace_file(
      path, "# Keep this to yourself: the token is as good as the password.\nhandle = " + handle +
                "\nserver = " + client::to_text(address) + "\ntoken = " + token + "\n");
}

base::Result<std::string> default_profile_directory() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config && *config) return std::string(config) + "/tidings";
  const char* home = std::getenv("HOME");
  if (home && *home) return std::string(home) + "/.config/tidings";
  return base::failure("There is no home directory; say with --profiles DIR where to keep the profile.");
}

base::Result<ChatProfile> load_profile(const std::string& directory, const std::string& handle,
                                       const client::Address& address) {
  if (auto made = client::make_private_directory(directory); !made) return base::fail(made.error());
  std::string name = handle;
  if (address != client::Address()) {
    name += "@" + client::to_text(address);
    std::replace_if(name.begin(), name.end(), [](char c) { return c == ':' || c == '/'; }, '_');
  }
  ChatProfile profile{directory + "/" + name + ".profile", directory + "/" + name + ".outbox", handle,
                      address, ""};
  auto content = client::read_file(profile.path);
  if (!content) return base::fail(content.error());
  if (!*content) return profile;
  std::string_view rest = **content;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    constexpr std::string_view key = "token = ";
    if (line.starts_with(key)) profile.token = line.substr(key.size());
  }
  return profile;
}

}  // namespace tidings::cli
