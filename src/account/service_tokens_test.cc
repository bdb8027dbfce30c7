// Refresh, devices, passwords, invites and pauses.
#include "account/secrets.h"
#include "account/service_fixture_for_test.h"

namespace tidings::account {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct RefreshTest : ServiceTest {
  void SetUp() override {
    ServiceTest::SetUp();
    ann = sign_up("ann")->user;
    first = *log_in("ann");
  }
  model::UserId ann;
  IssuedToken first;
};

TEST_F(RefreshTest, ARefreshGivesTheNextPairAndTheOldTokenLivesOnForAMinute) {
  clock.go_on(hours(1));
  const auto second = refresh(first.refresh);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->identity.user, ann);
  EXPECT_EQ(second->identity.device, first.identity.device);
  EXPECT_EQ(second->expires, clock.now + hours(24));
  EXPECT_EQ(second->refresh_expires, clock.now + hours(24 * 90));
  EXPECT_NE(second->token, first.token);
  EXPECT_NE(second->refresh, first.refresh);
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(authenticate(first.token).ok());
    EXPECT_TRUE(authenticate(second->token).ok());
    restart();
  }
  clock.go_on(seconds(59));
  EXPECT_TRUE(authenticate(first.token).ok());
  clock.go_on(seconds(1));
  EXPECT_EQ(code(authenticate(first.token)), Code::token_expired);
  EXPECT_TRUE(authenticate(second->token).ok());
  EXPECT_TRUE(revoked.empty());
}

TEST_F(RefreshTest, AnOldTokenDoesNotLiveLongerThanItWould) {
  clock.now = first.expires - seconds(10);
  ASSERT_TRUE(refresh(first.refresh).ok());
  clock.go_on(seconds(10));
  EXPECT_EQ(code(authenticate(first.token)), Code::token_expired);
}

TEST_F(RefreshTest, AnExpiredTokenIsNoHindranceAndAnExpiredRefreshIsTheEnd) {
  clock.now = first.expires + hours(1);
  EXPECT_EQ(code(authenticate(first.token)), Code::token_expired);
  const auto second = refresh(first.refresh);
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(authenticate(second->token).ok());
  clock.now = second->refresh_expires;
  EXPECT_EQ(code(refresh(second->refresh)), Code::token_expired);
}

TEST_F(RefreshTest, WhenTheAnswerWasLostTheOldRefreshWorksAgainAndItsUnusedSuccessorDies) {
  std::optional<IssuedToken> lost;
  for (int times = 0; times < 3; ++times) {
    const auto again = refresh(first.refresh);
    ASSERT_TRUE(again.ok()) << times;
    if (lost) {
      EXPECT_EQ(code(authenticate(lost->token)), Code::unauthenticated);
    }
    lost = *again;
    if (times == 1) restart();
  }
  EXPECT_TRUE(authenticate(first.token).ok());
  EXPECT_TRUE(authenticate(lost->token).ok());
  EXPECT_TRUE(refresh(lost->refresh).ok());
  EXPECT_TRUE(revoked.empty());
}

TEST_F(RefreshTest, ARefreshShownAgainAfterItsSuccessorWasUsedEndsTheDevice) {
  enum class Use { token, refresh, token_before_a_restart, two_later };
  for (const Use use : {Use::token, Use::refresh, Use::token_before_a_restart, Use::two_later}) {
    revoked.clear();
    const auto start = *log_in("ann");
    const auto next = *refresh(start.refresh);
    std::optional<IssuedToken> newest = next;
    if (use == Use::token || use == Use::token_before_a_restart) {
      ASSERT_TRUE(authenticate(next.token).ok());
    }
    if (use == Use::refresh || use == Use::two_later) newest = *refresh(next.refresh);
    if (use == Use::two_later) newest = *refresh(newest->refresh);
    if (use == Use::token_before_a_restart) restart();
    EXPECT_EQ(code(refresh(start.refresh)), Code::unauthenticated);
    EXPECT_EQ(revoked, std::vector{start.identity.device});
    EXPECT_EQ(code(authenticate(newest->token)), Code::unauthenticated);
    EXPECT_EQ(code(refresh(newest->refresh)), Code::unauthenticated);
    restart();
    EXPECT_EQ(code(authenticate(newest->token)), Code::unauthenticated);
  }
  EXPECT_TRUE(authenticate(first.token).ok()) << "another device lives on";
  EXPECT_EQ(registry.values()["tidings_account_refreshes_reused_total"], 4);
}

TEST_F(RefreshTest, TheUnusedSuccessorThatDiedEndsTheDeviceTooWhenItIsShown) {
  const auto lost = *refresh(first.refresh);
  ASSERT_TRUE(refresh(first.refresh).ok());
  EXPECT_EQ(code(refresh(lost.refresh)), Code::unauthenticated);
  EXPECT_EQ(revoked, std::vector{first.identity.device});
}

TEST_F(RefreshTest, WhatIsNoRefreshTokenIsNobodys) {
  for (const std::string& bad : {std::string(), std::string("x"), first.token, std::string(67, 'A'),
                                 first.refresh + "x", first.refresh.substr(1)}) {
    EXPECT_EQ(code(refresh(bad)), Code::unauthenticated);
  }
  EXPECT_EQ(code(authenticate(first.refresh)), Code::unauthenticated);
  EXPECT_TRUE(authenticate(first.token).ok());
  // Who knows the family had a token of it once.
  EXPECT_EQ(code(refresh(first.refresh.substr(0, 24) + std::string(43, 'A'))), Code::unauthenticated);
  EXPECT_EQ(code(authenticate(first.token)), Code::unauthenticated);
}

TEST_F(RefreshTest, TwoAtTheSameTimeGiveOnePair) {
  std::array<std::optional<wire::Answer<IssuedToken>>, 2> out;
  for (auto& one : out) service->refresh(first.refresh, shard, into(one));
  run();
  ASSERT_TRUE(out[0]->ok());
  EXPECT_EQ(code(*out[1]), Code::busy);
  EXPECT_TRUE(authenticate((*out[0])->token).ok());
  EXPECT_TRUE(revoked.empty());
}

TEST_F(RefreshTest, ALogOutWhileARefreshIsUnderWayWins) {
  std::optional<wire::Answer<IssuedToken>> out;
  std::optional<wire::Answer<void>> ended;
  service->refresh(first.refresh, shard, into(out));
  home.run();
  service->log_out(first.token, shard, into(ended));
  run();
  EXPECT_TRUE(ended->ok());
  EXPECT_EQ(code(*out), Code::unauthenticated);
  restart();
  EXPECT_TRUE(accounts.devices()->empty());
}

TEST_F(RefreshTest, TheOldTokenLogsOutToo) {
  const auto second = *refresh(first.refresh);
  accounts.broken = true;
  EXPECT_EQ(code(log_out(first.token)), Code::internal);
  accounts.broken = false;
  EXPECT_TRUE(log_out(first.token).ok()) << "repeated";
  home.timers.clear();
  EXPECT_EQ(code(authenticate(second.token)), Code::unauthenticated);
  EXPECT_EQ(code(refresh(second.refresh)), Code::unauthenticated);
}

TEST_F(RefreshTest, OnlyHashesAreKept) {
  const auto second = *refresh(first.refresh);
  const auto device = accounts.devices().value()[0];
  EXPECT_EQ(device.token, hash_of(second.token));
  EXPECT_EQ(device.chain->current, hash_of(second.refresh));
  EXPECT_EQ(device.chain->previous, hash_of(first.refresh));
  EXPECT_EQ(device.chain->family, hash_of(second.refresh.substr(0, 24)));
}

// --- devices

TEST_F(RefreshTest, DevicesAreListedNamedAndRemovedByTheirPerson) {
  const auto bob = sign_up("bob")->user;
  const auto bobs = *log_in("bob");
  clock.go_on(minutes(5));
  const auto laptop = *log_in("ann");
  auto devices = *list(ann);
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[0].device, first.identity.device);
  EXPECT_EQ(devices[0].name, "phone");
  EXPECT_EQ(devices[1].created, clock.now);
  EXPECT_EQ(devices[1].seen, clock.now);
  const auto rename = [&](model::UserId user, model::DeviceId device, const std::string& name) {
    return ask<void>([&](auto done) { service->rename_device(user, device, name, shard, std::move(done)); });
  };
  EXPECT_TRUE(rename(ann, laptop.identity.device, "Läptop").ok());
  EXPECT_EQ((*list(ann))[1].name, "Läptop");
  EXPECT_EQ(code(rename(ann, laptop.identity.device, "")), Code::bad_request);
  for (const model::DeviceId other : {bobs.identity.device, model::DeviceId{99}}) {
    EXPECT_EQ(code(rename(ann, other, "mine")), Code::not_found);
    EXPECT_EQ(code(remove(ann, other)), Code::not_found);
  }
  EXPECT_TRUE(authenticate(bobs.token).ok());
  EXPECT_TRUE(remove(ann, laptop.identity.device).ok());
  EXPECT_EQ(revoked, std::vector{laptop.identity.device});
  EXPECT_EQ(code(authenticate(laptop.token)), Code::unauthenticated);
  EXPECT_EQ(code(refresh(laptop.refresh)), Code::unauthenticated);
  EXPECT_EQ(code(remove(ann, laptop.identity.device)), Code::not_found);
  EXPECT_EQ(list(ann)->size(), 1u);
  EXPECT_EQ(list(bob)->size(), 1u);
}

TEST_F(RefreshTest, ARemovalThatBeganIsFinishedAtTheNextStart) {
  accounts.halfway = true;
  EXPECT_TRUE(log_out(first.token).ok()) << "it is written down that it is out";
  EXPECT_EQ(code(log_out(first.token)), Code::unauthenticated);
  restart();
  EXPECT_EQ(code(authenticate(first.token)), Code::unauthenticated);
  EXPECT_TRUE(list(ann)->empty());
  accounts.halfway = false;
  restart();
  EXPECT_EQ(accounts.finish_removals().value(), 0u) << "the start did it";
}

TEST_F(RefreshTest, ARemovalThatIsNotWrittenDownMayBeRepeated) {
  accounts.broken = true;
  EXPECT_EQ(code(remove(ann, first.identity.device)), Code::internal);
  EXPECT_EQ(code(authenticate(first.token)), Code::unauthenticated);
  EXPECT_EQ(code(remove({77}, first.identity.device)), Code::not_found);
  EXPECT_EQ(registry.values()["tidings_account_removals_waiting"], 1);
  accounts.broken = false;
  EXPECT_TRUE(remove(ann, first.identity.device).ok());
  EXPECT_EQ(code(remove(ann, first.identity.device)), Code::not_found);
  EXPECT_EQ(registry.values()["tidings_account_removals_waiting"], 0);
  home.timers.clear();
}

TEST_F(RefreshTest, WhenADeviceWasSeenIsWrittenAtMostOnceAMinute) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(authenticate(first.token).ok());
    clock.go_on(seconds(12));
    for (auto& timer : std::exchange(home.timers, {})) timer();
    run();
  }
  EXPECT_EQ(accounts.seen_rows, 1u);
  ASSERT_TRUE(authenticate(first.token).ok());
  EXPECT_EQ((*list(ann))[0].seen, clock.now);
  for (auto& timer : std::exchange(home.timers, {})) timer();
  run();
  EXPECT_EQ(accounts.devices().value()[0].seen, clock.now);
}

// --- passwords

TEST_F(RefreshTest, ANewPasswordLogsAllOtherDevicesOut) {
  const auto laptop = *log_in("ann"), tablet = *log_in("ann");
  ASSERT_TRUE(sign_up("bob").ok());
  const auto bobs = *log_in("bob");
  accounts.halfway = true;
  EXPECT_TRUE(change_password(laptop.identity, "password", "new password").ok());
  EXPECT_EQ(std::set(revoked.begin(), revoked.end()),
            (std::set{first.identity.device, tablet.identity.device}));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(code(authenticate(first.token)), Code::unauthenticated);
    EXPECT_EQ(code(refresh(tablet.refresh)), Code::unauthenticated);
    EXPECT_TRUE(authenticate(laptop.token).ok());
    EXPECT_TRUE(authenticate(bobs.token).ok());
    restart();
  }
  EXPECT_EQ(code(log_in("ann", "password")), Code::unauthenticated);
  EXPECT_TRUE(log_in("ann", "new password").ok());
  home.timers.clear();
}

TEST_F(RefreshTest, AWrongOldPasswordChangesNothingAndHasToWait) {
  limits.log_in_failures_handle = 2;
  EXPECT_EQ(code(change_password(first.identity, "password", "short")), Code::bad_request);
  EXPECT_EQ(code(change_password(first.identity, "passworD", "new password")), Code::forbidden);
  EXPECT_EQ(code(change_password(first.identity, "", "new password")), Code::forbidden);
  EXPECT_EQ(code(change_password(first.identity, "passworD", "new password")), Code::forbidden);
  EXPECT_EQ(code(change_password(first.identity, "password", "new password")), Code::rate_limited);
  EXPECT_TRUE(authenticate(first.token).ok());
  clock.go_on(minutes(2));
  EXPECT_TRUE(change_password(first.identity, "password", "new password").ok());
  EXPECT_TRUE(revoked.empty());
}

TEST_F(RefreshTest, WhoLogsInByTheOldPasswordWhileItChangesIsNotIn) {
  for (const bool change_first : {true, false}) {
    std::optional<wire::Answer<IssuedToken>> in;
    std::optional<wire::Answer<void>> changed;
    const std::string old = change_first ? "password" : "new password 1";
    const auto look_up = [&](auto call) {
      call();
      home.run(), sql.run(), home.run();
    };
    const auto log_in = [&] { service->log_in("ann", old, "", shard, into(in)); };
    const auto change = [&] {
      service->change_password(first.identity, old, "new password " + std::to_string(change_first), shard,
                               into(changed));
    };
    // Both find the old password right before either of them writes.
    change_first ? look_up(change) : look_up(log_in);
    change_first ? look_up(log_in) : look_up(change);
    EXPECT_EQ(hashing.run(), 2u);
    run();
    ASSERT_TRUE(changed.has_value() && in.has_value());
    EXPECT_TRUE(changed->ok());
    EXPECT_EQ(in->ok(), !change_first);
    if (in->ok()) {
      EXPECT_EQ(code(authenticate((*in)->token)), Code::unauthenticated);
    }
    const auto devices = accounts.devices().value();
    ASSERT_EQ(devices.size(), 1u);
    EXPECT_EQ(devices[0].device, first.identity.device);
  }
}

// --- invites

struct InviteTest : ServiceTest {
  void SetUp() override {
    sign_up_mode = SignUp::invite;
    ServiceTest::SetUp();
  }
};

TEST_F(InviteTest, TheFirstNeedsNoneAndEveryOtherOneOfTheirOwn) {
  ASSERT_TRUE(sign_up("ann").ok());
  const auto ann = *log_in("ann");
  EXPECT_EQ(code(sign_up("bob")), Code::forbidden);
  EXPECT_EQ(code(sign_up("bob", "password", "Bob", "guessed")), Code::forbidden);
  EXPECT_EQ(hashing.run(), 0u);
  const auto code_for_bob = invite(ann.identity);
  ASSERT_TRUE(code_for_bob.ok());
  EXPECT_EQ(code_for_bob->code.size(), 22u);
  EXPECT_EQ(code_for_bob->expires, clock.now + hours(24 * 7));
  EXPECT_EQ(code(sign_up("ann", "password", "Other", code_for_bob->code)), Code::exists);
  restart();
  EXPECT_TRUE(sign_up("bob", "password", "Bob", code_for_bob->code).ok());
  EXPECT_EQ(code(sign_up("eve", "password", "Eve", code_for_bob->code)), Code::forbidden);
  const auto stale = *invite(ann.identity);
  clock.now = stale.expires;
  EXPECT_EQ(code(sign_up("eve", "password", "Eve", stale.code)), Code::forbidden);
}

TEST_F(InviteTest, OneInviteOfTwoAtTheSameTimeMakesOneAccount) {
  ASSERT_TRUE(sign_up("ann").ok());
  const auto code_for_one = invite(log_in("ann")->identity)->code;
  std::array<std::optional<wire::Answer<Profile>>, 2> out;
  service->register_account("bob", "password", "Bob", shard, into(out[0]), code_for_one);
  service->register_account("eve", "password", "Eve", shard, into(out[1]), code_for_one);
  run();
  EXPECT_TRUE(out[0]->ok());
  EXPECT_EQ(code(*out[1]), Code::forbidden);
}

TEST_F(InviteTest, UnusedOnesAreBounded) {
  limits.invites_max = 2;
  ASSERT_TRUE(sign_up("ann").ok());
  const auto ann = log_in("ann")->identity;
  const auto first = *invite(ann);
  ASSERT_TRUE(invite(ann).ok());
  EXPECT_EQ(code(invite(ann)), Code::limit);
  ASSERT_TRUE(sign_up("bob", "password", "Bob", first.code).ok());
  EXPECT_TRUE(invite(ann).ok());
}

TEST_F(ServiceTest, ClosedMeansClosed) {
  ASSERT_TRUE(sign_up("ann").ok());
  sign_up_mode = SignUp::closed;
  restart();
  const auto refused = sign_up("bob");
  EXPECT_EQ(code(refused), Code::forbidden);
  EXPECT_NE(refused.error().detail, "");
  const auto ann = log_in("ann");
  ASSERT_TRUE(ann.ok());
  EXPECT_EQ(code(invite(ann->identity)), Code::forbidden);
}

// --- pauses

TEST_F(ServiceTest, WrongPasswordsOfAHandleHaveToWaitAndThenTheRightOneWorks) {
  ASSERT_TRUE(sign_up("ann").ok());
  ASSERT_TRUE(sign_up("bob").ok());
  for (size_t i = 0; i < limits.log_in_failures_handle; ++i) {
    EXPECT_EQ(code(log_in("ann", "wrong password")), Code::unauthenticated) << i;
  }
  const auto refused = log_in("ann");
  EXPECT_EQ(code(refused), Code::rate_limited);
  EXPECT_EQ(refused.error().retry_ms, 1000u);
  EXPECT_TRUE(log_in("bob").ok());
  clock.go_on(base::milliseconds(refused.error().retry_ms));
  EXPECT_TRUE(log_in("ann").ok());
  EXPECT_EQ(code(log_in("ann", "wrong password")), Code::unauthenticated);
  EXPECT_TRUE(log_in("ann").ok()) << "the right one forgot the wrong ones";
  EXPECT_EQ(registry.values()["tidings_account_log_ins_paused_total"], 1);
}

TEST_F(ServiceTest, AnAddressThatTriesManyHandlesHasToWait) {
  limits.log_in_failures_address = 3;
  ASSERT_TRUE(sign_up("ann").ok());
  for (const char* handle : {"aaa", "bbb", "ccc"}) {
    EXPECT_EQ(code(log_in(handle, "password", "192.0.2.1")), Code::unauthenticated);
  }
  EXPECT_EQ(code(log_in("ann", "password", "192.0.2.1")), Code::rate_limited);
  EXPECT_TRUE(log_in("ann", "password", "192.0.2.2").ok());
  clock.go_on(seconds(1));
  EXPECT_TRUE(log_in("ann", "password", "192.0.2.1").ok());
  for (int i = 0; i < 9; ++i)
    EXPECT_EQ(code(log_in("a" + std::to_string(100 + i), "x", "127.0.0.1")), Code::unauthenticated);
}

}  // namespace
}  // namespace tidings::account
