#include "api/call.h"

#include <algorithm>
#include <cctype>

#include "api/rate_headers.h"
#include "base/log_line.h"
#include "wire/json_writer.h"

namespace tidings::api {

namespace {

constexpr size_t request_id_bytes_max = 64;

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, {}, [](unsigned char c) { return std::tolower(c); },
      [](unsigned char c) { return std::tolower(c); });
}

// `type/subtype` without parameters.
bool is_json(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  return same_word(content_type, "application/json");
}

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= request_id_bytes_max &&
         std::ranges::all_of(
             text, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace

net::HttpResponse problem_response(const wire::Problem& problem, std::string_view request_id, int status) {
  const auto& row = wire::row(problem.code);
  net::HttpResponse response;
  response.status = status != 0 ? status : row.http_status;
  wire::JsonWriter json(response.body);
  json.begin_object().key("type").string("urn:tidings:problem:" + std::string(row.name));
  json.key("title").string(row.sentence).key("status").number(static_cast<uint64_t>(response.status));
  json.key("code").string(row.name);
  json.key("detail").string(problem.detail.empty() ? row.sentence : problem.detail);
  if (problem.retry_ms > 0) json.key("retry_ms").number(problem.retry_ms);
  json.key("request_id").string(request_id).end_object();
  response.headers.emplace_back("Content-Type", "application/problem+json");
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"tidings\"");
  if (row.retry == wire::Retry::as_is && response.status >= 429)
    response.headers.emplace_back("Retry-After",
                                  std::to_string(std::max<uint64_t>(1, (problem.retry_ms + 999) / 1000)));
  return response;
}

namespace {

std::string id_of(const net::HttpRequest& request, std::string made) {
  const auto* given = net::find_header(request.headers, "X-Request-Id");
  return given && is_request_id(*given) ? *given : std::move(made);
}

}  // namespace

Call::Call(net::HttpRequest request, net::HttpReply reply, std::string request_id, Metrics& metrics,
           std::weak_ptr<bool> api)
    : request_(std::move(request)),
      reply_(std::move(reply)),
      request_id_(id_of(request_, std::move(request_id))),
      metrics_(metrics),
      api_(std::move(api)) {
  metrics_.calls.add();
  metrics_.under_way.add(1);
}

Call::~Call() {
  if (reply_ && !api_.expired()) metrics_.under_way.add(-1);
}

bool Call::admit(const gateway::Rates::Asked& asked) {
  tell(asked.budget);
  if (asked.refused) refuse(*asked.refused);
  return !asked.refused;
}

std::string bearer_of(const net::HttpRequest& request) {
  const auto* header = net::find_header(request.headers, "Authorization");
  if (!header) return "";
  const size_t space = header->find(' ');
  if (space == header->npos || !same_word(std::string_view(*header).substr(0, space), "bearer")) return "";
  const size_t begin = header->find_first_not_of(' ', space);
  return begin == header->npos ? "" : header->substr(begin);
}

std::optional<wire::Fields> Call::body(size_t depth_max) {
  const auto* type = net::find_header(request_.headers, "Content-Type");
  if (type && !is_json(*type)) {
    refuse({wire::Code::unsupported, "The body is JSON: Content-Type: application/json."}, 415);
    return std::nullopt;
  }
  const auto text = wire::parse_json(request_.body, depth_max);
  wire::JsonObject object;
  if (!text) {
    refuse({wire::Code::bad_request, text.error()});
  } else if (text->root.get(object) != simdjson::SUCCESS) {
    refuse({wire::Code::bad_request, "The body is a JSON object."});
  } else if (text->is_spoiled(0)) {
    refuse({wire::Code::bad_request, "A string has half a surrogate pair."});
  } else {
    return wire::Fields(object);
  }
  return std::nullopt;
}

void Call::answer(int status, std::string json) {
  reply({status, {{"Content-Type", "application/json"}}, std::move(json)});
}

void Call::answer_text(std::string content_type, std::string text) {
  reply({200, {{"Content-Type", std::move(content_type)}}, std::move(text)});
}

void Call::answer_empty(int status) {
  reply({status, {}, ""});
}

void Call::refuse(const wire::Problem& problem, int status, net::HttpHeaders headers) {
  if (!reply_) return;
  auto response = problem_response(problem, request_id_, status);
  metrics_.refused(problem.code).add();
  // Whoever asks too fast must not fill the disk of who runs the server with it.
  const auto level = problem.code == wire::Code::internal ? base::LogLevel::error : base::LogLevel::debug;
  if (base::logs(level)) {
    base::log_fields(level, "api: refused",
                     {{"request_id", request_id_},
                      {"code", wire::name(problem.code)},
                      {"status", std::to_string(response.status)},
                      {"method", request_.method},
                      {"route", route_},
                      {"address", request_.peer}});
  }
  for (auto& header : headers) response.headers.push_back(std::move(header));
  reply(std::move(response));
}

void Call::reply(net::HttpResponse response) {
  if (!reply_) return;
  response.headers.emplace_back("X-Request-Id", request_id_);
  add_rate_headers(response.headers, budgets_);
  metrics_.under_way.add(-1);
  std::exchange(reply_, net::HttpReply())(std::move(response));
}

}  // namespace tidings::api
