#include "cli/chat_profile.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "client/cpp/file.h"

namespace tidings::cli {

namespace {

constexpr size_t people_max = 10'000;

}  // namespace

bool ChatProfile::remember(model::UserId self, const std::string& person, model::UserId id) {
  if (user == self && known(person) == id) return false;
  if (user != self) people.clear();  // another account of this name
  user = self;
  if (people.size() >= people_max) people.clear();
  people[person] = id;
  return true;
}

std::optional<model::UserId> ChatProfile::known(const std::string& person) const {
  const auto found = people.find(person);
  if (user.value == 0 || found == people.end()) return std::nullopt;
  return found->second;
}

base::Status ChatProfile::save() const {
  std::string content = "# Keep this to yourself: the token is as good as the password.\nhandle = " + handle +
                        "\nserver = " + client::to_text(address) + "\ntoken = " + token + "\n";
  if (!refresh.empty()) content += "refresh = " + refresh + "\n";
  if (base::to_ms(expires) > 0) content += "expires_ms = " + std::to_string(base::to_ms(expires)) + "\n";
  if (!made_password.empty()) content += "made_password = " + made_password + "\n";
  if (user.value != 0) content += "user = " + model::to_text(user) + "\n";
  for (const auto& [person, id] : people) content += "person = " + person + " " + model::to_text(id) + "\n";
  return client::replace_file(path, content);
}

base::Status ChatProfile::keep(const client::LogIn& log_in) {
  token = log_in.token;
  refresh = log_in.refresh;
  expires = log_in.expires.value_or(base::WallTime());
  return save();
}

void ChatProfile::forget_log_in() {
  token.clear();
  refresh.clear();
  expires = {};
}

base::Result<std::string> default_profile_directory() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config && *config) return std::string(config) + "/tidings";
  const char* home = std::getenv("HOME");
  if (home && *home) return std::string(home) + "/.config/tidings";
  return base::failure("There is no home directory; say with --profiles DIR where to keep the profile.");
}

bool is_device_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

base::Result<ChatProfile> load_profile(const std::string& directory, const std::string& handle,
                                       const client::Address& address, const std::string& device) {
  if (auto made = client::make_private_directory(directory); !made) return base::fail(made.error());
  std::string name = handle + (device.empty() ? "" : "+" + device);
  if (address != client::Address()) {
    name += "@" + client::to_text(address);
    std::replace_if(name.begin(), name.end(), [](char c) { return c == ':' || c == '/'; }, '_');
  }
  ChatProfile profile{directory + "/" + name + ".profile",
                      directory + "/" + name + ".outbox",
                      handle,
                      address,
                      "",
                      "",
                      {},
                      {}};
  profile.device = device;
  auto content = client::read_file(profile.path);
  if (!content) return base::fail(content.error());
  if (!*content) return profile;
  std::string_view rest = **content;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto value = [line](std::string_view key) -> std::optional<std::string_view> {
      if (!line.starts_with(key)) return std::nullopt;
      return line.substr(key.size());
    };
    if (const auto token = value("token = ")) profile.token = *token;
    if (const auto refresh = value("refresh = ")) profile.refresh = *refresh;
    if (const auto expires = value("expires_ms = ")) {
      profile.expires = base::wall_from_ms(static_cast<int64_t>(model::parse_decimal(*expires).value_or(0)));
    }
    if (const auto password = value("made_password = ")) profile.made_password = *password;
    if (const auto user = value("user = ")) profile.user = {model::parse_decimal(*user).value_or(0)};
    if (const auto person = value("person = ")) {
      const size_t blank = std::min(person->find(' '), person->size());
      const auto id = model::parse_decimal(person->substr(std::min(blank + 1, person->size())));
      if (id) profile.people[std::string(person->substr(0, blank))] = {*id};
    }
  }
  return profile;
}

}  // namespace tidings::cli
