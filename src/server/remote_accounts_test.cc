#include "server/remote_accounts.h"

#include <random>

#include <gtest/gtest.h>

#include "account/local_service.h"
#include "engine/memory/memory_accounts.h"
#include "test/contract/fakes.h"

namespace tidings::server {
namespace {

using wire::Code;

// The accounts of a core, asked by a gateway process through bytes.
class RemoteAccountsTest : public testing::Test {
 protected:
  RemoteAccountsTest() {
    EXPECT_TRUE(local_.start());
    local_.on_revoked(executor_, [this](model::DeviceId device) {
      const auto frame = decode_control_down(encode_control(ControlDown(Revoked{device})));
      remote_.on_revoked_there(std::get<Revoked>(*frame).device);
    });
    connect();
  }
  void connect() {
    remote_.connected([this](const AccountAsk& ask) {
      auto frame = decode_control_up(encode_control(ControlUp(ask)));
      ASSERT_TRUE(frame);
      auto& there = std::get<AccountAsk>(*frame);
      if (deaf_) return;
      run_call(local_, std::move(there.call), executor_, [this, number = there.number](std::string bytes) {
        const auto answer = decode_control_down(encode_control(ControlDown(AccountAnswer{number, bytes})));
        EXPECT_TRUE(remote_.on_answer(std::get<AccountAnswer>(*answer)));
      });
    });
  }
  template <class T, class Call>
  wire::Answer<T> ask(Call call) {
    std::optional<wire::Answer<T>> out;
    call([&out](wire::Answer<T> answer) { out.emplace(std::move(answer)); });
    EXPECT_FALSE(out.has_value()) << "never inside the call";
    executor_.run_all();
    if (!out) return wire::problem(Code::internal, "no answer");
    return std::move(*out);
  }
  wire::Answer<account::IssuedToken> log_in(const std::string& password = "password") {
    return ask<account::IssuedToken>(
        [&](auto done) { remote_.log_in("ann", password, "phone", executor_, std::move(done), "10.0.0.1"); });
  }
  account::Profile sign_up() {
    return ask<account::Profile>([&](auto done) {
             remote_.register_account("ann", "password", "Ann", executor_, std::move(done), "");
           })
        .value();
  }

  base::Limits limits_{.account_calls_in_flight_max = 2};
  contract::FakeClock clock_;
  contract::SeededRandom random_{1};
  contract::HandExecutor executor_;
  memory::MemoryAccounts accounts_;
  account::LocalService local_{
      {accounts_, clock_, random_, executor_, executor_, executor_, limits_, {1, 8192}}};
  base::Gauge calls_;
  RemoteAccounts remote_{executor_, limits_, &calls_};
  bool deaf_ = false;
};

TEST_F(RemoteAccountsTest, EveryCallIsAnsweredAsByTheServiceItself) {
  const auto ann = sign_up();
  EXPECT_EQ(ann.display_name, "Ann");
  EXPECT_EQ(log_in("wrong password").error().code, Code::unauthenticated);
  const auto issued = log_in().value();
  const auto who = issued.identity;
  EXPECT_EQ(who.user, ann.user);
  EXPECT_EQ(ask<account::Identity>(
                [&](auto done) { remote_.authenticate(issued.token, executor_, std::move(done)); })
                .value()
                .device,
            who.device);
  const auto fresh = ask<account::IssuedToken>([&](auto done) {
                       remote_.refresh(issued.refresh, executor_, std::move(done));
                     }).value();
  EXPECT_GE(fresh.refresh_expires, issued.refresh_expires);
  EXPECT_FALSE(
      ask<account::IssuedInvite>([&](auto done) { remote_.make_invite(who, executor_, std::move(done)); })
          .value()
          .code.empty());
  EXPECT_TRUE(ask<void>(
      [&](auto done) { remote_.rename_device(who.user, who.device, "laptop", executor_, std::move(done)); }));
  const auto devices = ask<std::vector<account::DeviceInfo>>([&](auto done) {
                         remote_.list_devices(who.user, executor_, std::move(done));
                       }).value();
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_EQ(devices[0].name, "laptop");
  EXPECT_EQ(devices[0].created, clock_.wall());
  EXPECT_EQ(ask<account::Profile>(
                [&](auto done) { remote_.set_display_name(who.user, "Ann O.", executor_, std::move(done)); })
                .value()
                .display_name,
            "Ann O.");
  const auto found = ask<std::optional<account::Profile>>([&](auto done) {
                       remote_.find_by_handle("ann", executor_, std::move(done));
                     }).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->display_name, "Ann O.");
  EXPECT_FALSE(ask<std::optional<account::Profile>>([&](auto done) {
                 remote_.find_by_handle("bob", executor_, std::move(done));
               }).value());
  EXPECT_EQ(ask<std::vector<account::Profile>>(
                [&](auto done) { remote_.find_by_ids({who.user, {77}}, executor_, std::move(done)); })
                .value()
                .size(),
            1u);
  EXPECT_EQ(ask<void>([&](auto done) {
              remote_.change_password(who, "not it", "another password", executor_, std::move(done));
            })
                .error()
                .code,
            Code::forbidden);
  EXPECT_EQ(ask<void>([&](auto done) { remote_.remove_device(who.user, {1}, executor_, std::move(done)); })
                .error()
                .code,
            Code::not_found);
}

TEST_F(RemoteAccountsTest, WhoIsLoggedOutIsTold) {
  sign_up();
  const auto issued = log_in().value();
  std::vector<model::DeviceId> revoked;
  remote_.on_revoked(executor_, [&](model::DeviceId device) { revoked.push_back(device); });
  EXPECT_TRUE(ask<void>([&](auto done) { remote_.log_out(issued.token, executor_, std::move(done)); }));
  EXPECT_EQ(revoked, std::vector{issued.identity.device});
  // And who could not hear asks.
  const auto other = log_in().value().identity.device;
  EXPECT_EQ(ask<std::vector<model::DeviceId>>([&](auto done) {
              remote_.find_revoked({other, issued.identity.device, {5}}, executor_, std::move(done));
            }).value(),
            (std::vector<model::DeviceId>{issued.identity.device, {5}}));
  EXPECT_EQ(ask<account::Identity>(
                [&](auto done) { remote_.authenticate(issued.token, executor_, std::move(done)); })
                .error()
                .code,
            Code::unauthenticated);
}

TEST_F(RemoteAccountsTest, WithoutACoreEveryCallIsBusyAndWhatWasUnderWayToo) {
  sign_up();
  deaf_ = true;
  std::vector<Code> codes;
  const auto find = [&] {
    remote_.find_by_handle("ann", executor_, [&](wire::Answer<std::optional<account::Profile>> answer) {
      codes.push_back(answer.error().code);
    });
    executor_.run_all();
  };
  find();
  find();
  EXPECT_TRUE(codes.empty());
  find();
  EXPECT_EQ(codes, std::vector{Code::busy}) << "beyond the bound";
  EXPECT_EQ(calls_.value(), 2);
  remote_.disconnected();
  EXPECT_EQ(calls_.value(), 0);
  executor_.run_all();
  EXPECT_EQ(codes, std::vector(3, Code::busy));
  find();
  EXPECT_EQ(codes, std::vector(4, Code::busy));
  deaf_ = false;
  connect();
  EXPECT_TRUE(log_in());
}

TEST_F(RemoteAccountsTest, AnAnswerThatIsNoneIsBusyAndNobodysIsRefused) {
  deaf_ = true;
  std::optional<Code> code;
  remote_.authenticate("token", executor_,
                       [&](wire::Answer<account::Identity> answer) { code = answer.error().code; });
  executor_.run_all();
  EXPECT_FALSE(remote_.on_answer({99, "x"}));
  EXPECT_FALSE(remote_.on_answer({1, "\1\1"}));
  executor_.run_all();
  EXPECT_EQ(code, Code::busy);
  EXPECT_FALSE(remote_.on_answer({1, "\1\1\1"})) << "answered once";
}

TEST(ControlFrames, AnyBytesAreTakenOrRefused) {
  std::mt19937_64 random(3);
  const std::vector<base::Bytes> messages{
      encode_control(ControlUp(AccountAsk{7, call::LogIn{"ann", "password", "phone", "10.0.0.1"}})),
      encode_control(ControlUp(gateway::DeviceHello{{1}, {}, 2, 3})),
      encode_control(ControlUp(Alive{{1, 2}})),
      encode_control(ControlDown(CoreFacts{4, {1, {2}, base::epoch}, {{1, {2}, base::epoch}}})),
      encode_control(ControlDown(CoreStatus{base::epoch, true})),
      encode_control(ControlDown(AccountAnswer{1, "bytes"}))};
  size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto message = messages[random() % messages.size()];
    for (uint64_t changes = 1 + random() % 3; changes > 0; --changes)
      message[random() % message.size()] = static_cast<char>(random());
    if (random() % 3 == 0) message.resize(random() % message.size());
    refused += !decode_control_up(message);
    refused += !decode_control_down(message);
  }
  EXPECT_GT(refused, 1000u);
  const auto facts = decode_control_down(messages[3]);
  ASSERT_TRUE(facts);
  EXPECT_EQ(std::get<CoreFacts>(*facts).lineages.at(0).tag, 1u);
}

}  // namespace
}  // namespace tidings::server
