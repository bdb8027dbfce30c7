#include "account/local_service.h"
#include "api/api_for_test.h"
#include "api/time_text.h"

namespace tidings::api {
namespace {

using gateway::ann;
using gateway::bob;

TEST_F(ApiTest, ALifeFromSignUpToLogOut) {
  auto made = ask("POST", "/v1/accounts",
                  R"({"handle":"carl","password":"long enough","display_name":"Carl"})", {}, "");
  ASSERT_EQ(made->response.status, 201) << made->response.body;
  EXPECT_EQ(text(made, "handle"), "carl");
  EXPECT_EQ(made->header("Content-Type"), "application/json");
  expect_problem(
      ask("POST", "/v1/accounts", R"({"handle":"carl","password":"long enough","display_name":"C"})", {}, ""),
      409, "exists");
  auto in =
      ask("POST", "/v1/tokens", R"({"handle":"carl","password":"long enough","device_name":"test"})", {}, "");
  ASSERT_EQ(in->response.status, 201);
  EXPECT_EQ(text(in, "user"), text(made, "user"));
  const std::string token = text(in, "token");
  EXPECT_EQ(text(in, "expires").back(), 'Z');
  auto me = ask("GET", "/v1/me", "", {}, token);
  EXPECT_EQ(text(me, "display_name"), "Carl");
  EXPECT_EQ(text(me, "device"), text(in, "device"));
  EXPECT_EQ(ask("DELETE", "/v1/tokens", "", {}, token)->response.status, 204);
  expect_problem(ask("GET", "/v1/me", "", {}, token), 401, "unauthenticated");
}

TEST_F(ApiTest, ALogOutThatFailedMayBeRepeatedUntilItSucceeds) {
  struct Accounts : memory::MemoryAccounts {
    bool broken = true;
    wire::Answer<void> begin_removals(const std::vector<model::DeviceId>& devices) override {
      if (broken) return wire::problem(wire::Code::internal);
      return MemoryAccounts::begin_removals(devices);
    }
  } accounts;
  ASSERT_TRUE(accounts.add_account({gateway::ann, "ann", "ann", "hash"}).ok());
  ASSERT_TRUE(accounts
                  .add_device({gateway::ann_phone,
                               gateway::ann,
                               "",
                               base::sha256(std::string("phone")),
                               {},
                               base::wall_from_ms(2'000'000'000'000)})
                  .ok());
  account::LocalService service{
      {accounts, time_, random_, executor_, executor_, executor_, limits_, {1, 8192}}};
  ASSERT_TRUE(service.start().ok());
  Api api{{*gateway_, service, executor_, time_, random_, limits_, [] { return true; }, {}, ""}};
  const auto log_out = [&](const std::string& token) {
    return ask("DELETE", "/v1/tokens", "", {}, token, &api);
  };
  expect_problem(log_out("phone"), 500, "internal");
  expect_problem(log_out("phone"), 500, "internal");
  accounts.broken = false;
  EXPECT_EQ(log_out("phone")->response.status, 204);
  expect_problem(log_out("phone"), 401, "unauthenticated");
  expect_problem(log_out(""), 401, "unauthenticated");
}

TEST_F(ApiTest, TokensDevicesAndPasswordsHaveTheirEndpoints) {
  ask("POST", "/v1/accounts", R"({"handle":"carl","password":"long enough"})", {}, "");
  const std::string by_password = R"({"handle":"carl","password":"long enough","device_name":"phone"})";
  auto in = ask("POST", "/v1/tokens", by_password, {}, "");
  auto next = ask("POST", "/v1/tokens/refresh", R"({"refresh":")" + text(in, "refresh") + "\"}", {}, "");
  ASSERT_EQ(next->response.status, 200) << next->response.body;
  EXPECT_EQ(text(next, "device"), text(in, "device"));
  EXPECT_EQ(text(next, "refresh_expires").back(), 'Z');
  const std::string token = text(next, "token");
  auto other = ask("POST", "/v1/tokens", by_password, {}, "");

  auto devices = ask("GET", "/v1/devices", "", {}, token);
  EXPECT_NE(devices->response.body.find(R"({"devices":[{"device":")"), std::string::npos)
      << devices->response.body;
  EXPECT_NE(devices->response.body.find(R"("current":true)"), std::string::npos);
  EXPECT_NE(devices->response.body.find(R"("current":false)"), std::string::npos);
  const std::string path = "/v1/devices/" + text(other, "device");
  EXPECT_EQ(ask("PATCH", path, R"({"name":"laptop"})", {}, token)->response.status, 204);
  EXPECT_NE(ask("GET", "/v1/devices", "", {}, token)->response.body.find("laptop"), std::string::npos);
  expect_problem(ask("PATCH", path, R"({"name":7})", {}, token), 400, "bad_request");
  // Nobody learns which devices others have.
  auto somebody = ask("DELETE", "/v1/devices/" + model::to_text(gateway::ann_phone), "", {}, token);
  for (const char* none : {"1234", "no-number", "18446744073709551616"}) {
    auto nobody = ask("DELETE", std::string("/v1/devices/") + none, "", {}, token);
    expect_problem(nobody, 404, "not_found");
    EXPECT_EQ(nobody->response.body, somebody->response.body);
  }
  EXPECT_EQ(ask("DELETE", path, "", {}, token)->response.status, 204);
  expect_problem(ask("GET", "/v1/me", "", {}, text(other, "token")), 401, "unauthenticated");

  EXPECT_EQ(text(ask("PATCH", "/v1/me", R"({"display_name":"Carl the Great"})", {}, token), "display_name"),
            "Carl the Great");
  EXPECT_EQ(text(ask("GET", "/v1/me", "", {}, token), "display_name"), "Carl the Great");
  expect_problem(ask("PATCH", "/v1/me", R"({"display_name":""})", {}, token), 400, "bad_request");

  other = ask("POST", "/v1/tokens", by_password, {}, "");
  const auto change = [&](const std::string& old) {
    return ask("PUT", "/v1/me/password", R"({"old":")" + old + R"(","new":"longer still"})", {}, token);
  };
  expect_problem(change("long enougH"), 403, "forbidden");
  EXPECT_EQ(change("long enough")->response.status, 204);
  EXPECT_EQ(ask("GET", "/v1/me", "", {}, token)->response.status, 200);
  expect_problem(ask("GET", "/v1/me", "", {}, text(other, "token")), 401, "unauthenticated");

  auto invite = ask("POST", "/v1/invites", "", {}, token);
  EXPECT_EQ(invite->response.status, 201);
  EXPECT_EQ(text(invite, "invite").size(), 22u);
  for (const auto& [method, where] :
       {std::pair("GET", "/v1/devices"), std::pair("POST", "/v1/invites"), std::pair("PATCH", "/v1/me"),
        std::pair("PUT", "/v1/me/password"), std::pair("DELETE", "/v1/devices/1")}) {
    expect_problem(ask(method, where, "", {}, ""), 401, "unauthenticated");
  }
}

TEST_F(ApiTest, WhoTriesTooManyPasswordsIsToldHowLongToWait) {
  limits_.log_in_failures_handle = 1;
  limits_.log_in_pause_min = std::chrono::milliseconds(2500);
  const std::string body = R"({"handle":"carl","password":"long enough"})";
  expect_problem(ask("POST", "/v1/tokens", body, {}, ""), 401, "unauthenticated");
  auto refused = ask("POST", "/v1/tokens", body, {}, "");
  expect_problem(refused, 429, "rate_limited");
  EXPECT_EQ(refused->header("Retry-After"), "3");
  EXPECT_NE(refused->response.body.find("\"retry_ms\":2500"), std::string::npos) << refused->response.body;
}

TEST_F(ApiTest, AWrongPasswordAndAnUnknownHandleLookTheSame) {
  ask("POST", "/v1/accounts", R"({"handle":"carl","password":"long enough"})", {}, "");
  auto wrong = ask("POST", "/v1/tokens", R"({"handle":"carl","password":"long enougH"})", {}, "");
  auto unknown = ask("POST", "/v1/tokens", R"({"handle":"nobody","password":"long enough"})", {}, "");
  expect_problem(wrong, 401, "unauthenticated");
  EXPECT_EQ(wrong->response.body, unknown->response.body);
  EXPECT_EQ(wrong->header("WWW-Authenticate").substr(0, 6), "Bearer");
}

TEST_F(ApiTest, WithoutAGoodTokenNothingIsTold) {
  for (const char* token : {"", "nobody's"}) {
    auto answered = ask("GET", "/v1/me", "", {}, token);
    expect_problem(answered, 401, "unauthenticated");
    EXPECT_FALSE(answered->header("WWW-Authenticate").empty());
  }
  expect_problem(ask("GET", "/v1/me", "", {}, "expired"), 401, "token_expired");
  expect_problem(ask("GET", "/v1/me", "", {{"Authorization", "Basic YTpi"}}, ""), 401, "unauthenticated");
}

TEST_F(ApiTest, UnknownPathsMethodsAndTypesHaveTheirOwnAnswers) {
  expect_problem(ask("GET", "/v1/nothing"), 404, "not_found");
  expect_problem(ask("GET", "/v1/conversations//messages"), 404, "not_found");
  expect_problem(ask("GET", "/v1/me/"), 404, "not_found");
  auto method = ask("PATCH", "/v1/tokens");
  expect_problem(method, 405, "unsupported");
  EXPECT_EQ(method->header("Allow"), "POST, DELETE");
  expect_problem(ask("POST", messages(), hi_, {{"content-type", "text/plain"}}), 415, "unsupported");
  EXPECT_EQ(ask("POST", messages(), hi_, {{"Content-Type", "Application/JSON; charset=utf-8"}})->count, 0)
      << "it was handed over";
}

TEST_F(ApiTest, BadBodiesAreBadRequests) {
  const std::string deep = R"({"message":)" + std::string(17, '[') + std::string(17, ']') + "}";
  for (const std::string& body :
       {std::string(), std::string("7"), std::string("[]"), std::string("{"), deep, std::string("{}"),
        std::string(R"({"message":"hi"})"), std::string(R"({"message":{"kind":7,"text":"hi"}})"),
        std::string(R"({"message":{"kind":"text"}})"),
        std::string(R"({"message":{"kind":"text","text":"\ud800"}})"),
        std::string(R"({"message":{"kind":"text","text":""}})"), std::string("{\"message\":\"\xff\"}")}) {
    expect_problem(ask("POST", messages(), body), 400, "bad_request");
  }
  expect_problem(ask("POST", messages(), R"({"message":{"kind":"poll"}})"), 400, "unsupported");
  expect_problem(
      ask("POST", messages(),
          R"({"message":{"kind":"text","text":")" + std::string(limits_.text_bytes_max + 1, 'x') + "\"}}"),
      413, "too_large");
  expect_problem(ask("POST", "/v1/accounts", R"({"handle":"x","password":"long enough"})", {}, ""), 400,
                 "bad_request");
  expect_problem(ask("POST", "/v1/accounts", R"({"handle":["x"],"password":"long enough"})", {}, ""), 400,
                 "bad_request");
  expect_problem(ask("GET", messages() + "?after=-1"), 400, "bad_request");
  expect_problem(ask("GET", messages() + "?limit=0"), 400, "bad_request");
  expect_problem(ask("GET", "/v1/conversations/no-uuid/messages"), 404, "not_found");
  EXPECT_TRUE(link().all<ports::Commands>().empty());
}

TEST_F(ApiTest, ASendIsAnsweredWhenTheFoldDid) {
  const std::string key = "0198F0AA-0000-7000-8000-000000000001";
  auto sent = ask("POST", messages(), R"({"odd":1,"message":{"kind":"text","text":"hi","odd":[2]}})",
                  {{"Idempotency-Key", key}});
  EXPECT_EQ(sent->count, 0);
  const auto command = last_commands().at(0);
  EXPECT_EQ(model::to_text(command.client_id), "0198f0aa-0000-7000-8000-000000000001");
  EXPECT_EQ(command.user, ann);
  auto reply = ok(command, 7);
  reply.time = base::wall_from_ms(1'795'300'000'123);
  down(reply);
  EXPECT_EQ(sent->response.status, 201);
  EXPECT_EQ(sent->response.body, R"({"conversation":")" + model::to_text(talk()) +
                                     R"(","seq":7,"ord":0,"id":"7000","time":"2026-11-21T22:26:40.123Z",)"
                                     R"("client_id":"0198f0aa-0000-7000-8000-000000000001"})");
  auto again = ask("POST", messages(), hi_, {{"Idempotency-Key", key}});
  reply.to = last_commands().at(0).reply_to;
  reply.duplicate = true;
  down(reply);
  EXPECT_EQ(again->response.status, 200);
  EXPECT_NE(again->response.body.find(R"("duplicate":true)"), std::string::npos);
}

TEST_F(ApiTest, AnyIdempotencyKeyBecomesAClientIdAndWithoutOneTheServerMints) {
  ask("POST", messages(), hi_, {{"idempotency-key", "order 66"}});
  EXPECT_EQ(last_commands().at(0).client_id.bytes, model::uuid_v8("order 66"));
  auto minted = ask("POST", messages(), hi_);
  EXPECT_EQ(last_commands().at(0).client_id.version(), 7);
  EXPECT_EQ(model::uuid_v7_time(last_commands().at(0).client_id.bytes), time_.wall());
  down(ok(last_commands().at(0), 1));
  EXPECT_EQ(text(minted, "client_id"), model::to_text(last_commands().at(0).client_id));
  expect_problem(ask("POST", messages(), hi_, {{"Idempotency-Key", ""}}), 400, "bad_request");
}

TEST_F(ApiTest, RefusalsOfTheFoldKeepTheirCode) {
  auto sent = ask("POST", messages(), hi_);
  down(refused(last_commands().at(0), wire::Code::not_found, true));
  expect_problem(sent, 404, "not_found");
  sent = ask("POST", messages(), hi_);
  down(refused(last_commands().at(0), wire::Code::busy, false));
  expect_problem(sent, 503, "busy");
  EXPECT_EQ(sent->header("Retry-After"), "1");
}

TEST_F(ApiTest, ADirectConversationIsMadeOnceAndFoundAgain) {
  const std::string body = R"({"kind":"direct","members":["2"]})";
  auto made = ask("POST", "/v1/conversations", body);
  down(ok(last_commands().at(0), 1));
  EXPECT_EQ(made->response.status, 201);
  EXPECT_EQ(text(made, "conversation"), model::to_text(talk()));
  auto again = ask("POST", "/v1/conversations", body);
  auto reply = ok(last_commands().at(0), 1);
  reply.duplicate = true;
  down(reply);
  EXPECT_EQ(again->response.status, 200);
  expect_problem(ask("POST", "/v1/conversations", R"({"kind":"direct","members":["999"]})"), 404,
                 "not_found");
  expect_problem(ask("POST", "/v1/conversations", R"({"kind":"direct","members":["1"]})"), 400,
                 "bad_request");
  expect_problem(ask("POST", "/v1/conversations", R"({"kind":"direct","members":[2]})"), 400, "bad_request");
  expect_problem(ask("POST", "/v1/conversations", R"({"kind":"self","members":["2"]})"), 400, "unsupported");
}

TEST_F(ApiTest, MessagesAreAPageWithTheEventsBytes) {
  auto read = ask("GET", messages() + "?after=3&limit=500");
  const auto pull = link().all<ports::Pull>().at(0);
  EXPECT_EQ(pull.user, ann);
  EXPECT_EQ(pull.after.value, 3u);
  EXPECT_EQ(pull.limit, limits_.page_events_max);
  ports::Page page;
  page.conversation = talk();
  page.events = {R"({"type":"event","seq":4})"};
  page.from = page.upto = {4};
  page.head = {9};
  page.asof = {9};
  page.more = true;
  down(ports::PageOut{pull.query, page});
  EXPECT_EQ(read->response.status, 200);
  EXPECT_EQ(
      read->response.body,
      R"({"conversation":")" + model::to_text(talk()) +
          R"(","events":[{"type":"event","seq":4}],"holes":[],"from":4,"upto":4,"head":9,"more":true,"earlier":false,)"
          R"("asof":9,"marks":[],"mark_count":0})");
}

TEST_F(ApiTest, PeopleAreFoundByHandleAndThoseOneTalksToById) {
  auto found = ask("GET", "/v1/users?handle=bob");
  EXPECT_EQ(found->response.body, R"({"users":[{"user":"2","handle":"bob","display_name":"bob"}]})");
  EXPECT_EQ(ask("GET", "/v1/users?handle=nobody")->response.body, R"({"users":[]})");

  auto several = ask("GET", "/v1/users?ids=3,2,1,2");
  EXPECT_EQ(several->count, 0);
  for (size_t shard = 0; shard < 2; ++shard) {
    std::vector<ports::DownFrame> answers;
    for (const auto& question : links_[shard].all<ports::AskMember>()) {
      EXPECT_EQ(question.user, ann);
      answers.emplace_back(ports::MemberOut{question.query, question.conversation == talk()});
    }
    down(shard, std::move(answers));
  }
  executor_.run();
  EXPECT_EQ(
      several->response.body,
      R"({"users":[{"user":"2","handle":"bob","display_name":"bob"},{"user":"1","handle":"ann","display_name":"ann"}]})");

  expect_problem(ask("GET", "/v1/users"), 400, "bad_request");
  expect_problem(ask("GET", "/v1/users?ids="), 400, "bad_request");
  expect_problem(ask("GET", "/v1/users?ids=1,,2"), 400, "bad_request");
  std::string many = "/v1/users?ids=1";
  for (int i = 100; i < 150; ++i) many += "," + std::to_string(i);
  expect_problem(ask("GET", many), 422, "limit");
}

TEST_F(ApiTest, HealthAndVersionNeedNoToken) {
  EXPECT_EQ(ask("GET", "/livez", "", {}, "")->response.status, 200);
  EXPECT_EQ(ask("GET", "/readyz", "", {}, "")->response.status, 200);
  ready_ = false;
  expect_problem(ask("GET", "/readyz", "", {}, ""), 503, "busy");
  EXPECT_EQ(text(ask("GET", "/v1/version", "", {}, ""), "version"), "1.2.3");
}

TEST_F(ApiTest, EveryAnswerHasARequestIdTheAskersIfItIsOne) {
  EXPECT_EQ(ask("GET", "/livez", "", {{"X-Request-Id", ""}})->header("X-Request-Id").size(), 16u);
  EXPECT_EQ(ask("GET", "/livez", "", {{"X-Request-Id", "abc-1"}})->header("X-Request-Id"), "abc-1");
  EXPECT_EQ(ask("GET", "/livez", "", {{"X-Request-Id", "a\r\nSet-Cookie: x"}})->header("X-Request-Id").size(),
            16u);
}

TEST_F(ApiTest, WhatTheHttpServerRefusesIsAProblemToo) {
  for (const int status : {400, 404, 408, 413, 431, 500, 503}) {
    const auto response = api_.refusal(status, "Do this.");
    EXPECT_EQ(response.status, status);
    EXPECT_NE(response.body.find("\"status\":" + std::to_string(status)), std::string::npos);
    EXPECT_NE(response.body.find("\"detail\":\"Do this.\""), std::string::npos) << response.body;
  }
}

TEST(TimeText, IsRfc3339) {
  EXPECT_EQ(time_text(base::wall_from_ms(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(time_text(base::wall_from_ms(951'782'400'007)), "2000-02-29T00:00:00.007Z");
  EXPECT_EQ(time_text(base::wall_from_ms(-1)), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace tidings::api
