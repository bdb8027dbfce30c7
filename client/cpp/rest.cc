#include "client/cpp/rest.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "wire/frame_words.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace tidings::client {

namespace {

constexpr size_t body_depth_max = 16;

PersonInfo read_person(wire::Fields& fields) {
  return {fields.decimal<model::UserId>("user"), std::string(fields.text("handle")),
          std::string(fields.text("display_name"))};
}

// Hands the object in `body` to `read`; `ok` says whether it was one and all fields were there.
template <class Read>
auto read_object(std::string_view body, bool& ok, Read read)
    -> decltype(read(std::declval<wire::Fields&>())) {
  ok = false;
  const auto parsed = wire::parse_json(body, body_depth_max);
  wire::JsonObject object;
  if (!parsed.ok() || parsed->root.get(object) != simdjson::SUCCESS) return {};
  wire::Fields fields(object);
  auto value = read(fields);
  ok = fields.ok();
  return value;
}

PersonInfo read_signed_up(std::string_view body, bool& ok) {
  return read_object(body, ok, read_person);
}

// RFC 3339 in UTC, as the server writes it.
std::optional<base::WallTime> parse_time(const std::string& text) {
  int year = 0, ms = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2u:%2u:%2u.%3dZ", &year, &month, &day, &hour, &minute, &second,
                  &ms) != 7) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const auto since = std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) +
                     std::chrono::minutes(minute) + std::chrono::seconds(second) + base::milliseconds(ms);
  return base::WallTime(since);
}

LogIn read_log_in(std::string_view body, bool& ok) {
  return read_object(body, ok, [](wire::Fields& fields) {
    LogIn out{std::string(fields.text("token")),
              fields.decimal<model::UserId>("user"),
              fields.decimal<model::DeviceId>("device"),
              std::string(fields.optional_text("refresh").value_or("")),
              {}};
    if (const auto expires = fields.optional_text("expires")) out.expires = parse_time(std::string(*expires));
    return out;
  });
}

std::vector<PersonInfo> read_people(std::string_view body, bool& ok) {
  return read_object(body, ok, [](wire::Fields& fields) {
    std::vector<PersonInfo> people;
    const auto rows = fields.array("users");
    if (!rows) return people;
    for (const wire::JsonValue value : *rows) {
      wire::JsonObject object;
      if (value.get(object) != simdjson::SUCCESS) {
        fields.complain("users", "has something that is no object");
        return people;
      }
      wire::Fields row(object);
      people.push_back(read_person(row));
      if (!row.ok()) fields.complain("users", "has a broken row");
    }
    return people;
  });
}

RestProblem read_problem(const net::HttpResponse& response) {
  bool ok = false;
  auto problem = read_object(response.body, ok, [](wire::Fields& fields) {
    const auto code = wire::code_named(fields.text("code"));
    return RestProblem{code.value_or(wire::Code::internal),
                       std::string(fields.optional_text("detail").value_or(""))};
  });
  if (!ok)
    problem = {wire::Code::internal,
               "The server answered with status " + std::to_string(response.status) + "."};
  if (problem.sentence.empty()) problem.sentence = wire::row(*problem.code).sentence;
  return problem;
}

net::HttpRequest request_of(std::string method, std::string path, std::string query = "",
                            std::string body = "") {
  net::HttpRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.query = std::move(query);
  request.body = std::move(body);
  if (!request.body.empty()) request.headers.emplace_back("content-type", "application/json");
  return request;
}

}  // namespace

bool is_handle(std::string_view text) {
  return text.size() >= 3 && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

Rest::Rest(net::Reactor& reactor, Address address, std::string token)
    : reactor_(reactor), address_(std::move(address)), token_(std::move(token)) {}

template <class T>
void Rest::call(net::HttpRequest request, T (*read)(std::string_view, bool&), RestDone<T> done) {
  if (!token_.empty()) request.headers.emplace_back("authorization", "Bearer " + token_);
  net::http_request(
      reactor_, address_.host, address_.port, std::move(request),
      [read, done = std::move(done),
       weak = std::weak_ptr<bool>(alive_)](base::Result<net::HttpResponse> response) {
        if (!weak.lock()) return;
        if (!response.ok()) return done(base::fail(RestProblem{std::nullopt, response.error().sentence}));
        if (response->status < 200 || response->status > 299)
          return done(base::fail(read_problem(*response)));
        bool ok = false;
        T value = read(response->body, ok);
        if (!ok)
          return done(base::fail(RestProblem{wire::Code::internal, "The server's answer makes no sense."}));
        done(std::move(value));
      },
      address_.tls);
}

void Rest::sign_up(const std::string& handle, const std::string& password, const std::string& display_name,
                   RestDone<PersonInfo> done, const std::string& invite) {
  std::string body;
  wire::JsonWriter json(body);
  json.begin_object().key("handle").string(handle).key("password").string(password);
  json.key("display_name").string(display_name);
  if (!invite.empty()) json.key("invite").string(invite);
  json.end_object();
  call(request_of("POST", "/v1/accounts", "", std::move(body)), read_signed_up, std::move(done));
}

void Rest::log_in(const std::string& handle, const std::string& password, const std::string& device_name,
                  RestDone<LogIn> done) {
  std::string body;
  wire::JsonWriter json(body);
  json.begin_object().key("handle").string(handle).key("password").string(password);
  json.key("device_name").string(device_name).end_object();
  call(request_of("POST", "/v1/tokens", "", std::move(body)), read_log_in, std::move(done));
}

void Rest::refresh(const std::string& refresh, RestDone<LogIn> done) {
  std::string body;
  wire::JsonWriter json(body);
  json.begin_object().key("refresh").string(refresh).end_object();
  call(request_of("POST", "/v1/tokens/refresh", "", std::move(body)), read_log_in, std::move(done));
}

void Rest::find_by_handle(const std::string& handle, RestDone<std::optional<PersonInfo>> done) {
  // Nobody has another kind of handle, and it need not be escaped.
  if (!is_handle(handle)) {
    reactor_.post([done = std::move(done)] { done(std::optional<PersonInfo>()); });
    return;
  }
  const RestDone<std::vector<PersonInfo>> first = [done = std::move(done)](auto people) {
    if (!people.ok()) return done(base::fail(people.error()));
    done(people->empty() ? std::optional<PersonInfo>() : people->front());
  };
  call(request_of("GET", "/v1/users", "handle=" + handle), read_people, first);
}

void Rest::find_by_ids(const std::vector<model::UserId>& users, RestDone<std::vector<PersonInfo>> done) {
  std::string query = "ids=";
  for (const model::UserId user : users) query += (query.back() == '=' ? "" : ",") + model::to_text(user);
  call(request_of("GET", "/v1/users", std::move(query)), read_people, std::move(done));
}

// As many pages as the largest group has; a server that never ends the list is not believed.
constexpr size_t listed_members_max = 10'000;

Rest::MembersPage Rest::read_members(std::string_view body, bool& ok) {
  return read_object(body, ok, [](wire::Fields& fields) {
    MembersPage page;
    page.next = fields.optional_text("next_cursor").value_or("");
    const auto rows = fields.array("members");
    if (!rows) return page;
    for (const wire::JsonValue value : *rows) {
      wire::JsonObject object;
      if (value.get(object) != simdjson::SUCCESS) {
        fields.complain("members", "has something that is no object");
        return page;
      }
      wire::Fields row(object);
      const PersonInfo person = read_person(row);
      const auto role = wire::role_named(row.text("role"));
      if (!row.ok() || !role) fields.complain("members", "has a broken row");
      page.members.push_back({person, role.value_or(model::Role::member)});
    }
    return page;
  });
}

void Rest::members(const model::ConversationId& conversation, RestDone<std::vector<MemberInfo>> done) {
  more_members(conversation, "", {}, std::move(done));
}

void Rest::more_members(const model::ConversationId& conversation, std::string cursor,
                        std::vector<MemberInfo> before, RestDone<std::vector<MemberInfo>> done) {
  const std::string query = "limit=200" + (cursor.empty() ? "" : "&cursor=" + cursor);
  const RestDone<MembersPage> next = [this, conversation, before = std::move(before),
                                      done = std::move(done)](auto page) mutable {
    if (!page.ok()) return done(base::fail(page.error()));
    before.insert(before.end(), page->members.begin(), page->members.end());
    const bool whole = page->next.empty() || page->members.empty() || before.size() >= listed_members_max;
    if (whole) return done(std::move(before));
    more_members(conversation, page->next, std::move(before), std::move(done));
  };
  call(request_of("GET", "/v1/conversations/" + model::to_text(conversation) + "/members", query),
       &Rest::read_members, next);
}

}  // namespace tidings::client
