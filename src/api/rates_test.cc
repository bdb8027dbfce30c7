// Rates, request ids and metrics, as REST shows them.
#include "api/api_for_test.h"

namespace tidings::api {
namespace {

// A gateway with small rates, made before the Api that uses it.
class SmallRates : public ApiTest {
 protected:
  SmallRates() {
    limits_.person_sends = {1, std::chrono::seconds(2), 2};
    limits_.device_requests = {10, std::chrono::seconds(1), 5};
    limits_.address_calls = {1, std::chrono::seconds(1), 4};
    limits_.address_log_ins = {1, std::chrono::seconds(1), 1};
    gateway_.reset();
    make();
  }
};

class ApiRatesTest : public SmallRates {
 protected:
  std::shared_ptr<Answered> ask_from(const std::string& address, std::string method, std::string target,
                                     net::HttpHeaders headers = {}, std::string body = "",
                                     Api* api = nullptr) {
    net::HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(target);
    request.headers = std::move(headers);
    request.body = std::move(body);
    request.peer = address;
    auto answered = std::make_shared<Answered>();
    (api ? api : &here_)->on_request(std::move(request), [answered](net::HttpResponse response) {
      ++answered->count;
      answered->response = std::move(response);
    });
    executor_.run();
    return answered;
  }

  base::Registry registry_;
  Api here_{{*gateway_,
             service_,
             executor_,
             time_,
             random_,
             limits_,
             [] { return true; },
             {},
             "1.2.3",
             &registry_,
             "a token of operators"}};
};

TEST_F(ApiRatesTest, SendsTellWhatIsLeftAndAreRefusedInTheEnd) {
  auto first = ask("POST", messages(), hi_, {}, "ann-phone", &here_);
  down(ok(link().all<ports::Commands>().back().commands.back(), 1));
  EXPECT_EQ(first->response.status, 201);
  EXPECT_EQ(first->header("RateLimit-Policy"), R"("requests";q=5;w=1, "sends";q=2;w=4)");
  EXPECT_EQ(first->header("RateLimit"), R"("requests";r=4;t=1, "sends";r=1;t=2)");
  EXPECT_EQ(first->header("X-RateLimit-Limit"), "2");
  EXPECT_EQ(first->header("X-RateLimit-Remaining"), "1");
  EXPECT_EQ(first->header("X-RateLimit-Reset"), "2");
  EXPECT_EQ(first->header("Retry-After"), "");
  ask("POST", messages(), hi_, {}, "ann-laptop", &here_);
  const size_t appended = link().all<ports::Commands>().size();
  auto refused = ask("POST", messages(), hi_, {}, "ann-phone", &here_);
  expect_problem(refused, 429, "rate_limited");
  EXPECT_EQ(refused->header("Retry-After"), "2");
  EXPECT_EQ(refused->header("X-RateLimit-Remaining"), "0");
  EXPECT_NE(refused->response.body.find("\"retry_ms\":2000"), std::string::npos) << refused->response.body;
  EXPECT_EQ(link().all<ports::Commands>().size(), appended);
}

TEST_F(ApiRatesTest, WhateverADeviceAsksCosts) {
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(ask("GET", "/v1/me", "", {}, "ann-phone", &here_)->response.status, 200);
  expect_problem(ask("GET", "/v1/me", "", {}, "ann-phone", &here_), 429, "rate_limited");
  EXPECT_EQ(ask("GET", "/v1/me", "", {}, "ann-laptop", &here_)->response.status, 200);
  executor_.advance(std::chrono::milliseconds(100));
  EXPECT_EQ(ask("GET", "/v1/me", "", {}, "ann-phone", &here_)->response.status, 200);
}

TEST_F(ApiRatesTest, AnAddressHasABudgetBeforeAnybodyKnowsWhoAsks) {
  for (int i = 0; i < 4; ++i) {
    auto answer =
        ask_from("192.0.2.1", "GET", i == 0 ? "/nowhere" : "/v1/me", {{"Authorization", "Bearer x"}});
    EXPECT_EQ(answer->response.status, i == 0 ? 404 : 401);
    EXPECT_EQ(answer->header("X-RateLimit-Remaining"), std::to_string(3 - i));
  }
  auto refused = ask_from("192.0.2.1", "GET", "/v1/version");
  expect_problem(refused, 429, "rate_limited");
  EXPECT_EQ(refused->header("RateLimit"), R"("calls";r=0;t=4)");
  EXPECT_EQ(ask_from("192.0.2.2", "GET", "/v1/version")->response.status, 200);
  for (int i = 0; i < 9; ++i) {
    auto own = ask_from("127.0.0.1", "GET", "/v1/version");
    EXPECT_EQ(own->response.status, 200);
    EXPECT_EQ(own->header("RateLimit"), "");
  }
}

TEST_F(ApiRatesTest, LogInsOfAnAddressHaveARate) {
  const std::string body = R"({"handle":"carl","password":"long enough"})";
  EXPECT_EQ(ask_from("192.0.2.1", "POST", "/v1/accounts", {}, body)->response.status, 201);
  expect_problem(ask_from("192.0.2.1", "POST", "/v1/tokens", {}, body), 429, "rate_limited");
  EXPECT_EQ(ask_from("192.0.2.2", "POST", "/v1/tokens", {}, body)->response.status, 201);
}

TEST_F(ApiRatesTest, EveryAnswerHasARequestIdAndErrorsNameIt) {
  for (const char* path : {"/livez", "/nowhere", "/v1/me", "/metrics"}) {
    auto own = ask_from("192.0.2.9", "GET", path, {{"X-Request-Id", "my-1.A_b"}});
    EXPECT_EQ(own->header("X-Request-Id"), "my-1.A_b") << path;
    if (own->response.status >= 400) EXPECT_EQ(text(own, "request_id"), "my-1.A_b") << path;
  }
  for (const std::string& bad :
       {std::string("a b"), std::string("a\"b"), std::string(65, 'a'), std::string()}) {
    auto made = ask_from("127.0.0.1", "GET", "/nowhere", {{"X-Request-Id", bad}});
    EXPECT_EQ(made->header("X-Request-Id").size(), 16u) << bad;
    EXPECT_EQ(text(made, "request_id"), made->header("X-Request-Id"));
  }
  // What HTTP itself refuses.
  const auto refused = here_.refusal(431, "Too many headers.");
  const auto* id = net::find_header(refused.headers, "X-Request-Id");
  ASSERT_TRUE(id);
  EXPECT_NE(refused.body.find("\"request_id\":\"" + *id + "\""), std::string::npos) << refused.body;
}

TEST_F(ApiRatesTest, MetricsAreForWhoRunsTheServer) {
  for (const char* here : {"127.0.0.1", "127.1.2.3", "::1"}) {
    auto answer = ask_from(here, "GET", "/metrics");
    EXPECT_EQ(answer->response.status, 200);
    EXPECT_EQ(answer->header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_NE(answer->response.body.find("# TYPE tidings_api_calls_total counter\n"), std::string::npos);
  }
  for (const char* other : {"192.0.2.1", "", "127.0.0.1.evil", "::ffff:192.0.2.1"}) {
    expect_problem(ask_from(other, "GET", "/metrics"), 403, "forbidden");
  }
  const std::string token = "a token of operators";
  EXPECT_EQ(ask_from("192.0.2.3", "GET", "/metrics", {{"Authorization", "Bearer " + token}})->response.status,
            200);
  for (const std::string& wrong : {token + "x", token.substr(1), std::string("ann-phone")}) {
    expect_problem(ask_from("192.0.2.4", "GET", "/metrics", {{"Authorization", "Bearer " + wrong}}), 403,
                   "forbidden");
  }
  // A proxy here brings others.
  expect_problem(ask_from("127.0.0.1", "GET", "/metrics", {{"X-Forwarded-For", "192.0.2.1"}}), 403,
                 "forbidden");
  // Without a token that is configured an empty one opens nothing.
  Api bare{{*gateway_, service_, executor_, time_, random_, limits_, [] { return true; }, {}, "1.2.3"}};
  expect_problem(ask_from("192.0.2.5", "GET", "/metrics", {{"Authorization", "Bearer "}}, "", &bare), 403,
                 "forbidden");
}

TEST_F(ApiRatesTest, CallsAndRefusalsAreCounted) {
  ask_from("127.0.0.1", "GET", "/livez");
  ask_from("127.0.0.1", "GET", "/nowhere");
  auto waiting = ask("POST", messages(), hi_, {}, "ann-phone", &here_);
  auto values = registry_.values();
  EXPECT_EQ(values["tidings_api_calls_total"], 3);
  EXPECT_EQ(values["tidings_api_calls_under_way"], 1);
  EXPECT_EQ(values["tidings_api_refused_total{code=\"not_found\"}"], 1);
  down(ok(link().all<ports::Commands>().back().commands.back(), 1));
  EXPECT_EQ(registry_.values()["tidings_api_calls_under_way"], 0);
}

}  // namespace
}  // namespace tidings::api
