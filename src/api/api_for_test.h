// REST over a gateway with pretended core shards, for tests.
#pragma once

#include "api/api.h"
#include "test/gateway/fixture.h"
#include "wire/json_reader.h"

namespace tidings::api {

using gateway::ann;
using gateway::bob;

// An answered call, its body as text.
struct Answered {
  int count = 0;
  net::HttpResponse response;
  const std::string& header(std::string_view name) const {
    static const std::string none;
    const auto* found = net::find_header(response.headers, name);
    return found ? *found : none;
  }
};

class ApiTest : public gateway::GatewayTest {
 protected:
  std::shared_ptr<Answered> ask(std::string method, std::string target, std::string body = "",
                                net::HttpHeaders headers = {}, std::string token = "ann-phone",
                                Api* api = nullptr) {
    net::HttpRequest request;
    request.method = std::move(method);
    const size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != target.npos) request.query = target.substr(mark + 1);
    request.headers = std::move(headers);
    if (!token.empty()) request.headers.emplace_back("authorization", "bearer " + token);
    // So that refusals can be compared.
    if (!net::find_header(request.headers, "X-Request-Id"))
      request.headers.emplace_back("X-Request-Id", "test");
    request.body = std::move(body);
    auto answered = std::make_shared<Answered>();
    (api ? api : &api_)->on_request(std::move(request), [answered](net::HttpResponse response) {
      ++answered->count;
      answered->response = std::move(response);
    });
    executor_.run();
    return answered;
  }
  // The answer is a problem with this status and code.
  static void expect_problem(const std::shared_ptr<Answered>& answered, int status, const std::string& code) {
    ASSERT_EQ(answered->count, 1);
    EXPECT_EQ(answered->response.status, status) << answered->response.body;
    EXPECT_EQ(answered->header("Content-Type"), "application/problem+json");
    EXPECT_EQ(text(answered, "code"), code);
    EXPECT_NE(answered->response.body.find("\"status\":" + std::to_string(status)), std::string::npos);
    EXPECT_FALSE(text(answered, "title").empty() || text(answered, "type").empty() ||
                 text(answered, "detail").empty());
  }
  static std::string text(const std::shared_ptr<Answered>& answered, std::string_view field) {
    auto parsed = wire::parse_json(answered->response.body, 16);
    wire::JsonObject object;
    if (!parsed || parsed->root.get(object) != simdjson::SUCCESS) return "no JSON";
    return std::string(wire::Fields(object).optional_text(field).value_or("absent"));
  }
  std::string messages() { return "/v1/conversations/" + model::to_text(talk()) + "/messages"; }

  bool ready_ = true;
  Api api_{{*gateway_, service_, executor_, time_, random_, limits_, [this] { return ready_; }, {}, "1.2.3"}};
  const std::string hi_ = R"({"message":{"kind":"text","text":"hi"}})";
};

}  // namespace tidings::api
