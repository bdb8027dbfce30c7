#include <atomic>
#include <thread>

#include "account/service_fixture_for_test.h"
#include "account/text_rules.h"
#include "base/thread_executor.h"

namespace tidings::account {
namespace {

TEST_F(ServiceTest, APersonSignsUpLogsInIsKnownAndLogsOut) {
  const auto ann = sign_up("ann", "correct horse", "Änn");
  ASSERT_TRUE(ann.ok());
  EXPECT_EQ(ann->display_name, "Änn");
  EXPECT_GT(ann->user.value, 0u);
  EXPECT_LT(ann->user.value, 1ull << 63);
  const auto issued = log_in("ann", "correct horse");
  ASSERT_TRUE(issued.ok());
  EXPECT_EQ(issued->token.size(), 43u);
  EXPECT_EQ(issued->identity.user, ann->user);
  EXPECT_EQ(issued->expires, clock.now + std::chrono::hours(24));
  EXPECT_EQ(issued->refresh_expires, clock.now + std::chrono::hours(24 * 90));
  const auto known = authenticate(issued->token);
  ASSERT_TRUE(known.ok());
  EXPECT_EQ(known->user, ann->user);
  EXPECT_EQ(known->device, issued->identity.device);
  EXPECT_TRUE(log_out(issued->token).ok());
  EXPECT_EQ(revoked, std::vector{issued->identity.device});
  EXPECT_EQ(code(authenticate(issued->token)), Code::unauthenticated);
  EXPECT_EQ(code(log_out(issued->token)), Code::unauthenticated);
  restart();
  EXPECT_EQ(code(authenticate(issued->token)), Code::unauthenticated);
}

TEST_F(ServiceTest, TokensSurviveARestartAndOnlyTheirHashIsKept) {
  ASSERT_TRUE(sign_up("ann").ok());
  const auto issued = log_in("ann");
  ASSERT_TRUE(issued.ok());
  restart();
  EXPECT_TRUE(authenticate(issued->token).ok());
  const auto devices = accounts.devices().value();
  ASSERT_EQ(devices.size(), 1u);
  const std::string kept(devices[0].token.begin(), devices[0].token.end());
  EXPECT_EQ(kept.find(issued->token.substr(0, 8)), std::string::npos);
  EXPECT_EQ(code(authenticate(kept)), Code::unauthenticated);
  EXPECT_EQ(code(authenticate("")), Code::unauthenticated);
  EXPECT_EQ(accounts.find_by_handle("ann").value()->password_hash.rfind("$argon2id$", 0), 0u);
}

TEST_F(ServiceTest, AnExpiredTokenSaysSo) {
  ASSERT_TRUE(sign_up("ann").ok());
  const auto issued = log_in("ann");
  ASSERT_TRUE(issued.ok());
  clock.now = issued->expires - base::milliseconds(1);
  EXPECT_TRUE(authenticate(issued->token).ok());
  clock.now = issued->expires;
  EXPECT_EQ(code(authenticate(issued->token)), Code::token_expired);
  EXPECT_EQ(code(log_out(issued->token)), Code::unauthenticated);
}

TEST_F(ServiceTest, WrongPasswordAndUnknownHandleAreAlikeAndBothAreHashed) {
  ASSERT_TRUE(sign_up("ann").ok());
  for (const char* handle : {"ann", "nobody", "NOT A HANDLE"}) {
    std::optional<wire::Answer<IssuedToken>> out;
    service->log_in(handle, "wrong password", "", shard, into(out));
    home.run(), sql.run(), home.run();
    EXPECT_EQ(hashing.run(), 1u) << handle;
    run();
    ASSERT_TRUE(out.has_value());
    EXPECT_EQ(code(*out), Code::unauthenticated);
    EXPECT_EQ(out->error().detail, "");
  }
}

TEST_F(ServiceTest, WhatIsNotAllowedIsRefusedBeforeAnyWork) {
  std::string hundred;
  for (int i = 0; i < 100; ++i) hundred += "😀";
  EXPECT_TRUE(sign_up("a_9", std::string(1024, 'p'), hundred).ok());
  for (const std::string handle : {"", "ab", "Ann", "a b c", "a-b", "änn"}) {
    EXPECT_EQ(code(sign_up(handle)), Code::bad_request) << handle;
  }
  EXPECT_EQ(code(sign_up(std::string(33, 'a'))), Code::bad_request);
  EXPECT_EQ(code(sign_up("bob", "1234567")), Code::bad_request);
  EXPECT_EQ(code(sign_up("bob", std::string(1025, 'p'))), Code::bad_request);
  for (const std::string& name : {std::string(), hundred + "x", std::string("\xff"), std::string("\xc3")}) {
    EXPECT_EQ(code(sign_up("bob", "password", name)), Code::bad_request);
  }
  EXPECT_EQ(code(sign_up("a_9")), Code::exists);
}

TEST_F(ServiceTest, BeyondDevicesMaxTheOldestIsLoggedOut) {
  limits.devices_max = 3;
  ASSERT_TRUE(sign_up("ann").ok());
  ASSERT_TRUE(sign_up("bob").ok());
  const auto other = log_in("bob");
  std::vector<IssuedToken> issued;
  for (int i = 0; i < 5; ++i) {
    clock.now +=
        base::milliseconds(i == 4 ? -1000 : 1);  // the clock may go back: the newest stays all the same
    auto one = log_in("ann");
    ASSERT_TRUE(one.ok());
    issued.push_back(*std::move(one));
  }
  EXPECT_EQ(revoked, (std::vector{issued[0].identity.device, issued[1].identity.device}));
  restart();
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(authenticate(issued[i].token).ok(), i >= 2) << i;
  EXPECT_TRUE(authenticate(other->token).ok());
}

TEST_F(ServiceTest, ALoggedOutDeviceDoesNotComeBackAfterARestart) {
  ASSERT_TRUE(sign_up("ann").ok());
  enum class Again { repeated, timer, next_write };
  for (const Again again : {Again::repeated, Again::timer, Again::next_write}) {
    const auto issued = log_in("ann");
    ASSERT_TRUE(issued.ok());
    revoked.clear();
    home.timers.clear();
    accounts.broken = true;
    EXPECT_EQ(code(log_out(issued->token)), Code::internal);
    EXPECT_EQ(code(log_out(issued->token)), Code::internal) << "it may be repeated until it succeeds";
    EXPECT_EQ(code(authenticate(issued->token)), Code::unauthenticated);
    EXPECT_EQ(revoked.size(), 1u);
    ASSERT_EQ(home.timers.size(), 1u);
    accounts.broken = false;
    if (again == Again::repeated) {
      EXPECT_TRUE(log_out(issued->token).ok());
      EXPECT_EQ(code(log_out(issued->token)), Code::unauthenticated);
    } else if (again == Again::timer) {
      home.timers[0]();
      run();
    } else {
      ASSERT_TRUE(sign_up("bob").ok());
    }
    EXPECT_TRUE(accounts.devices()->empty());
    restart();
    EXPECT_EQ(code(authenticate(issued->token)), Code::unauthenticated);
  }
}

TEST_F(ServiceTest, AnEvictedDeviceDoesNotComeBackAfterARestart) {
  limits.devices_max = 1;
  ASSERT_TRUE(sign_up("ann").ok());
  const auto old = log_in("ann");
  accounts.broken = true;
  const auto issued = log_in("ann");
  ASSERT_TRUE(old.ok() && issued.ok());
  EXPECT_EQ(accounts.devices()->size(), 2u);
  accounts.broken = false;
  ASSERT_EQ(home.timers.size(), 1u);
  home.timers[0]();
  run();
  restart();
  EXPECT_EQ(code(authenticate(old->token)), Code::unauthenticated);
  EXPECT_TRUE(authenticate(issued->token).ok());
}

TEST_F(ServiceTest, BeyondTheLimitOfRemovalsALogOutIsBusyAndChangesNothing) {
  limits.device_removals_max = 1;
  ASSERT_TRUE(sign_up("ann").ok());
  const auto first = log_in("ann"), second = log_in("ann");
  accounts.broken = true;
  EXPECT_EQ(code(log_out(first->token)), Code::internal);
  EXPECT_EQ(code(log_out(second->token)), Code::busy);
  EXPECT_EQ(code(log_in("ann")), Code::busy);
  EXPECT_TRUE(authenticate(second->token).ok());
  accounts.broken = false;
  home.timers.at(0)();
  run();
  EXPECT_TRUE(log_out(second->token).ok());
  home.timers.clear();
}

TEST_F(ServiceTest, TooManyHashesAreAnsweredBusyAndRoomComesBack) {
  limits.password_hashes_queued_max = 2;
  ASSERT_TRUE(sign_up("ann").ok());
  std::array<std::optional<wire::Answer<IssuedToken>>, 3> out;
  for (auto& one : out) service->log_in("ann", "password", "", shard, into(one));
  run();
  EXPECT_TRUE(out[0]->ok() && out[1]->ok());
  EXPECT_EQ(code(*out[2]), Code::busy);
  EXPECT_TRUE(log_in("ann").ok());
  EXPECT_TRUE(log_in("nobody").error().code == Code::unauthenticated);
  EXPECT_TRUE(sign_up("bob").ok());
}

TEST_F(ServiceTest, PeopleAreFoundByHandleAndByIdWithoutTheirSecrets) {
  const auto ann = sign_up("ann"), bob = sign_up("bob");
  using Found = std::optional<Profile>;
  const auto find = [&](const char* handle) {
    return ask<Found>([&](auto done) { service->find_by_handle(handle, shard, std::move(done)); }).value();
  };
  EXPECT_EQ(find("ann")->user, ann->user);
  EXPECT_FALSE(find("nobody").has_value());
  EXPECT_FALSE(find("?").has_value());
  const auto both = ask<std::vector<Profile>>(
      [&](auto done) { service->find_by_ids({bob->user, {1}, ann->user}, shard, std::move(done)); });
  ASSERT_EQ(both->size(), 2u);
}

TEST_F(ServiceTest, DestroyedWhileCallsAreUnderWayItTellsNobody) {
  ASSERT_TRUE(sign_up("ann").ok());
  std::optional<wire::Answer<IssuedToken>> out;
  for (int steps = 0; steps < 5; ++steps) {
    service->log_in("ann", "password", "", shard, into(out));
    if (steps > 0) home.run();
    if (steps > 1) sql.run();
    if (steps > 2) home.run();
    if (steps > 3) hashing.run();
    service.reset();
    run();
    EXPECT_FALSE(out.has_value()) << steps;
    restart();
  }
}

TEST_F(ServiceTest, OnRealThreadsEveryCallIsAnsweredOnce) {
  base::ThreadExecutor real_home("home"), real_sql("sql"), real_hashing("hash", 2), real_shard("shard");
  std::atomic<int> answered = 0, good = 0;
  {
    LocalService real({accounts,
                       clock,
                       random,
                       real_home,
                       real_sql,
                       real_hashing,
                       limits,
                       {crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN}});
    ASSERT_TRUE(real.start().ok());
    constexpr int people = 20;
    for (int i = 0; i < people; ++i) {
      const std::string handle = "person_" + std::to_string(i);
      real.register_account(handle, "password", "Name", real_shard, [&, handle](wire::Answer<Profile>) {
        real.log_in(handle, "password", "", real_shard, [&](wire::Answer<IssuedToken> issued) {
          if (!issued.ok()) return void(++answered);
          real.authenticate(issued->token, real_shard, [&](wire::Answer<Identity> who) {
            good += who.ok();
            ++answered;
          });
        });
      });
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (answered < people && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(good, people);
    for (auto* executor : {&real_hashing, &real_sql, &real_home, &real_shard}) executor->stop();
  }
}

TEST(Utf8, WellFormedTextIsCountedAndNothingElse) {
  EXPECT_EQ(utf8_characters(""), 0u);
  EXPECT_EQ(utf8_characters("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), 4u);
  EXPECT_EQ(utf8_characters("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"), 3u);
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x80\x80", "\xe0\x9f\xbf",
                          "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                          "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "\xe2\x28\xa1", "\xf0\x9f\x98"}) {
    EXPECT_EQ(utf8_characters(bad), std::nullopt) << testing::PrintToString(bad);
  }
}

}  // namespace
}  // namespace tidings::account
