// The REST calls that a client needs around the connection: sign up, log in, refresh, look people up
// (protocol.md §13 and its appendix). One reactor; callbacks run there, later, and not at all once the Rest
// is gone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "client/cpp/websocket_transport.h"
#include "model/conversation.h"
#include "model/ids.h"
#include "net/http.h"
#include "wire/codes.h"

namespace tidings::client {

struct PersonInfo {
  model::UserId user;
  std::string handle;
  std::string display_name;
};
struct MemberInfo {
  PersonInfo person;
  model::Role role = model::Role::member;
};
struct LogIn {
  std::string token;
  model::UserId user;
  model::DeviceId device;
  // Makes the next pair of tokens; "" from a server that gives none. It works once: keep the new one before
  // using it.
  std::string refresh;
  std::optional<base::WallTime> expires;  // of the token, by the server's clock
};

// Why a call brought nothing: the server could not be reached (no code), or it said no.
struct RestProblem {
  std::optional<wire::Code> code;
  std::string sentence;
};
template <class T>
using RestDone = std::function<void(base::Result<T, RestProblem>)>;

class Rest {
 public:
  // `token` may be empty for signing up and logging in.
  Rest(net::Reactor& reactor, Address address, std::string token);

  void sign_up(const std::string& handle, const std::string& password, const std::string& display_name,
               RestDone<PersonInfo> done, const std::string& invite = "");
  void log_in(const std::string& handle, const std::string& password, const std::string& device_name,
              RestDone<LogIn> done);
  void refresh(const std::string& refresh, RestDone<LogIn> done);
  // Nullopt if there is nobody of this handle.
  void find_by_handle(const std::string& handle, RestDone<std::optional<PersonInfo>> done);
  // Those that exist and that one may know.
  void find_by_ids(const std::vector<model::UserId>& users, RestDone<std::vector<PersonInfo>> done);
  // Everybody who is in it now, page by page.
  void members(const model::ConversationId& conversation, RestDone<std::vector<MemberInfo>> done);

 private:
  struct MembersPage {
    std::vector<MemberInfo> members;
    std::string next;
  };
  static MembersPage read_members(std::string_view body, bool& ok);
  void more_members(const model::ConversationId& conversation, std::string cursor,
                    std::vector<MemberInfo> before, RestDone<std::vector<MemberInfo>> done);
  template <class T>
  void call(net::HttpRequest request, T (*read)(std::string_view body, bool& ok), RestDone<T> done);

  net::Reactor& reactor_;
  Address address_;
  std::string token_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// [a-z0-9_]{3,32}
bool is_handle(std::string_view text);

}  // namespace tidings::client
