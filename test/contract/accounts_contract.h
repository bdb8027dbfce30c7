// What every Accounts must do. An engine takes part by a fixture:
//   struct Fixture {
//     tidings::ports::Accounts& accounts();  // empty ones at first
//     void restart();                        // the process or the machine ends and starts again
//   };
// and INSTANTIATE_TYPED_TEST_SUITE_P(Name, AccountsContract, Fixture).
#pragma once

#include <algorithm>

#include <gtest/gtest.h>

#include "ports/accounts.h"

namespace tidings::contract {

template <class Fixture>
class AccountsContract : public testing::Test {
 protected:
  ports::Accounts& accounts() { return fixture.accounts(); }
  std::vector<uint64_t> device_ids() {
    std::vector<uint64_t> out;
    const auto devices = accounts().devices().value();
    for (const auto& device : devices) out.push_back(device.device.value);
    std::sort(out.begin(), out.end());
    return out;
  }
  Fixture fixture;
};

inline ports::Account account(uint64_t user, const std::string& handle) {
  return {{user}, handle, "Name of " + handle, "$argon2id$" + handle};
}
inline ports::Device device(uint64_t id, uint64_t user) {
  ports::Device out{.device = {id}, .user = {user}, .name = "phone"};
  out.token.fill(static_cast<uint8_t>(id));
  out.created = base::wall_from_ms(1795300000123);
  out.expires = base::wall_from_ms(1895300000123);
  return out;
}
inline ports::TokenHash hash(uint8_t fill) {
  ports::TokenHash out;
  out.fill(fill);
  return out;
}
inline ports::Device refreshing(uint64_t id, uint64_t user) {
  auto out = device(id, user);
  const auto n = static_cast<uint8_t>(id);
  out.chain = {.family = hash(n), .current = hash(static_cast<uint8_t>(n + 100)), .expires = out.expires};
  return out;
}
inline void expect_equal(const ports::Device& left, const ports::Device& right) {
  EXPECT_EQ(left.device, right.device);
  EXPECT_EQ(left.user, right.user);
  EXPECT_EQ(left.name, right.name);
  EXPECT_EQ(left.token, right.token);
  EXPECT_EQ(left.created, right.created);
  EXPECT_EQ(left.expires, right.expires);
  EXPECT_EQ(left.seen, right.seen);
  ASSERT_EQ(left.chain.has_value(), right.chain.has_value());
  if (!left.chain) return;
  EXPECT_EQ(left.chain->family, right.chain->family);
  EXPECT_EQ(left.chain->current, right.chain->current);
  EXPECT_EQ(left.chain->expires, right.chain->expires);
  EXPECT_EQ(left.chain->previous, right.chain->previous);
  EXPECT_EQ(left.chain->previous_token, right.chain->previous_token);
  EXPECT_EQ(left.chain->previous_expires, right.chain->previous_expires);
  EXPECT_EQ(left.chain->used, right.chain->used);
}

inline void expect_equal(const ports::Account& left, const ports::Account& right) {
  EXPECT_EQ(left.user, right.user);
  EXPECT_EQ(left.handle, right.handle);
  EXPECT_EQ(left.display_name, right.display_name);
  EXPECT_EQ(left.password_hash, right.password_hash);
}

TYPED_TEST_SUITE_P(AccountsContract);

TYPED_TEST_P(AccountsContract, AnAccountIsFoundByHandleAndByIdAlsoAfterARestart) {
  ports::Account ann = account(~uint64_t{0} >> 1, "ann");
  ann.display_name = std::string("Änn\0 O'Hara", 12);
  ASSERT_TRUE(this->accounts().add_account(ann).ok());
  ASSERT_TRUE(this->accounts().add_account(account(2, "bob")).ok());
  for (int round = 0; round < 2; ++round) {
    const auto found = this->accounts().find_by_handle("ann").value();
    ASSERT_TRUE(found.has_value());
    expect_equal(*found, ann);
    EXPECT_FALSE(this->accounts().find_by_handle("an").value().has_value());
    EXPECT_FALSE(this->accounts().find_by_handle("ANN").value().has_value());
    const auto both = this->accounts().find_by_ids({{2}, {3}, {2}, ann.user}).value();
    ASSERT_EQ(both.size(), 2u);
    for (const auto& one : both) expect_equal(one, one.user == ann.user ? ann : account(2, "bob"));
    EXPECT_TRUE(this->accounts().find_by_ids({}).value().empty());
    this->fixture.restart();
  }
}

TYPED_TEST_P(AccountsContract, ATakenHandleIsRefusedAndChangesNothing) {
  ASSERT_TRUE(this->accounts().add_account(account(1, "ann")).ok());
  const auto again = this->accounts().add_account(account(2, "ann"));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, wire::Code::exists);
  EXPECT_TRUE(this->accounts().find_by_ids({{2}}).value().empty());
  const auto same_id = this->accounts().add_account(account(1, "bob"));
  ASSERT_FALSE(same_id.ok());
  EXPECT_EQ(same_id.error().code, wire::Code::exists);
  EXPECT_FALSE(this->accounts().find_by_handle("bob").value().has_value());
  EXPECT_TRUE(this->accounts().add_account(account(3, "bob")).ok());
}

TYPED_TEST_P(AccountsContract, DevicesAreListedUntilTheyAreRemoved) {
  ASSERT_TRUE(this->accounts().add_account(account(1, "ann")).ok());
  ASSERT_TRUE(this->accounts().add_device(device(11, 1)).ok());
  ASSERT_TRUE(this->accounts().add_device(device(12, 1)).ok());
  this->fixture.restart();
  EXPECT_EQ(this->device_ids(), (std::vector<uint64_t>{11, 12}));
  ASSERT_TRUE(this->accounts().begin_removals({{12}, {99}}).ok());
  EXPECT_EQ(this->accounts().finish_removals().value(), 1u);
  EXPECT_EQ(this->accounts().finish_removals().value(), 0u);
  this->fixture.restart();
  const auto devices = this->accounts().devices().value();
  ASSERT_EQ(devices.size(), 1u);
  expect_equal(devices[0], device(11, 1));
}

TYPED_TEST_P(AccountsContract, ADeviceOfNobodyOrWithATakenTokenIsRefused) {
  ASSERT_TRUE(this->accounts().add_account(account(1, "ann")).ok());
  ASSERT_TRUE(this->accounts().add_device(device(11, 1)).ok());
  auto same_token = device(12, 1);
  same_token.token = device(11, 1).token;
  EXPECT_FALSE(this->accounts().add_device(same_token).ok());
  EXPECT_FALSE(this->accounts().add_device(device(13, 99)).ok());
  EXPECT_EQ(this->device_ids(), std::vector<uint64_t>{11});
}

TYPED_TEST_P(AccountsContract, WhatRotatesIsKeptAndOnlyOfActiveDevices) {
  ASSERT_TRUE(this->accounts().add_account(account(1, "ann")).ok());
  auto one = refreshing(11, 1);
  ASSERT_TRUE(this->accounts().add_device(one).ok());
  ASSERT_TRUE(this->accounts().add_device(device(12, 1)).ok());
  auto same_family = refreshing(13, 1);
  same_family.chain->family = one.chain->family;
  EXPECT_FALSE(this->accounts().add_device(same_family).ok());
  one.chain->previous = one.chain->current;
  one.chain->previous_token = one.token;
  one.chain->previous_expires = base::wall_from_ms(1795300060123);
  one.chain->current = hash(77);
  one.chain->expires = base::wall_from_ms(1995300000123);
  one.token = hash(78);
  one.expires = base::wall_from_ms(1795400000000);
  EXPECT_TRUE(this->accounts().rotate_tokens(one).value());
  this->fixture.restart();
  auto devices = this->accounts().devices_of({1}).value();
  ASSERT_EQ(devices.size(), 2u);
  expect_equal(devices[0], one);
  expect_equal(devices[1], device(12, 1));

  EXPECT_TRUE(this->accounts().mark_used({11}).value());
  const std::vector<std::pair<model::DeviceId, base::WallTime>> seen{
      {{11}, base::wall_from_ms(1795300099000)}, {{99}, base::wall_from_ms(1)}};
  ASSERT_TRUE(this->accounts().set_seen(seen).ok());
  EXPECT_TRUE(this->accounts().rename_device({1}, {11}, "laptop").value());
  EXPECT_FALSE(this->accounts().rename_device({2}, {11}, "stolen").value());
  this->fixture.restart();
  one.chain->used = true;
  one.seen = seen[0].second;
  one.name = "laptop";
  devices = this->accounts().devices_of({1}).value();
  ASSERT_EQ(devices.size(), 2u);
  expect_equal(devices[0], one);
  EXPECT_TRUE(this->accounts().devices_of({2}).value().empty());

  ASSERT_TRUE(this->accounts().begin_removals({{11}}).ok());
  EXPECT_FALSE(this->accounts().rotate_tokens(one).value());
  EXPECT_FALSE(this->accounts().mark_used({11}).value());
  EXPECT_FALSE(this->accounts().rename_device({1}, {11}, "back").value());
}

TYPED_TEST_P(AccountsContract, ARemovalThatBeganIsNeverTakenBack) {
  ASSERT_TRUE(this->accounts().add_account(account(1, "ann")).ok());
  for (const uint64_t id : {11, 12, 13}) ASSERT_TRUE(this->accounts().add_device(device(id, 1)).ok());
  ASSERT_TRUE(this->accounts().begin_removals({{11}, {13}}).ok());
  EXPECT_EQ(this->device_ids(), std::vector<uint64_t>{12});
  this->fixture.restart();
  EXPECT_EQ(this->device_ids(), std::vector<uint64_t>{12});
  EXPECT_EQ(this->accounts().devices_of({1}).value().size(), 1u);
  EXPECT_EQ(this->accounts().finish_removals().value(), 2u);
  this->fixture.restart();
  EXPECT_EQ(this->device_ids(), std::vector<uint64_t>{12});
  EXPECT_TRUE(this->accounts().add_device(device(11, 1)).ok()) << "the row is gone, and its token free";
}

TYPED_TEST_P(AccountsContract, ANewPasswordTakesTheOtherDevicesWithIt) {
  ASSERT_TRUE(this->accounts().add_account(account(1, "ann")).ok());
  ASSERT_TRUE(this->accounts().add_account(account(2, "bob")).ok());
  for (const uint64_t id : {11, 12, 13}) ASSERT_TRUE(this->accounts().add_device(device(id, 1)).ok());
  ASSERT_TRUE(this->accounts().add_device(device(21, 2)).ok());
  EXPECT_FALSE(this->accounts().change_password({1}, "another hash", "new", {12}).value());
  EXPECT_FALSE(this->accounts().change_password({9}, "$argon2id$ann", "new", {12}).value());
  this->fixture.restart();
  EXPECT_EQ(this->device_ids(), (std::vector<uint64_t>{11, 12, 13, 21}));
  EXPECT_TRUE(this->accounts().change_password({1}, "$argon2id$ann", "new", {12}).value());
  this->fixture.restart();
  EXPECT_EQ(this->device_ids(), (std::vector<uint64_t>{12, 21}));
  EXPECT_EQ(this->accounts().find_by_handle("ann").value()->password_hash, "new");
  EXPECT_EQ(this->accounts().find_by_handle("bob").value()->password_hash, "$argon2id$bob");
}

TYPED_TEST_P(AccountsContract, AnInviteIsUsedOnceAndWithTheAccountTogether) {
  const auto now = base::wall_from_ms(1795300000000), later = base::wall_from_ms(1795300000001);
  EXPECT_TRUE(this->accounts().is_invited(std::nullopt, now).value()) << "the first of all";
  ASSERT_TRUE(this->accounts().add_invited_account(account(1, "ann"), std::nullopt, now).ok());
  const auto refused = [&](const ports::Account& who, const std::optional<ports::TokenHash>& code,
                           base::WallTime when) {
    const auto added = this->accounts().add_invited_account(who, code, when);
    return added.ok() ? wire::Code::internal : added.error().code;
  };
  EXPECT_EQ(refused(account(2, "bob"), std::nullopt, now), wire::Code::forbidden);
  EXPECT_EQ(refused(account(2, "bob"), hash(5), now), wire::Code::forbidden);
  ASSERT_TRUE(this->accounts().add_invite({hash(5), {1}, later}, 2, now).ok());
  ASSERT_TRUE(this->accounts().add_invite({hash(6), {1}, base::wall_from_ms(1795300009000)}, 2, now).ok());
  EXPECT_EQ(this->accounts().add_invite({hash(7), {1}, later}, 2, now).error().code, wire::Code::limit);
  this->fixture.restart();
  EXPECT_TRUE(this->accounts().is_invited(hash(5), now).value());
  EXPECT_FALSE(this->accounts().is_invited(hash(5), later).value());
  EXPECT_EQ(refused(account(2, "bob"), hash(5), later), wire::Code::forbidden);
  EXPECT_EQ(refused(account(2, "ann"), hash(6), now), wire::Code::exists);
  EXPECT_TRUE(this->accounts().is_invited(hash(6), now).value()) << "it stays";
  ASSERT_TRUE(this->accounts().add_invited_account(account(2, "bob"), hash(6), now).ok());
  this->fixture.restart();
  EXPECT_EQ(refused(account(3, "eve"), hash(6), now), wire::Code::forbidden);
  EXPECT_TRUE(this->accounts().find_by_handle("bob").value().has_value());
  EXPECT_FALSE(this->accounts().find_by_handle("eve").value().has_value());
  ASSERT_TRUE(this->accounts().add_invite({hash(8), {1}, base::wall_from_ms(1795300009000)}, 1, later).ok())
      << "the expired one does not count";
}

TYPED_TEST_P(AccountsContract, ADisplayNameChanges) {
  ASSERT_TRUE(this->accounts().add_account(account(1, "ann")).ok());
  EXPECT_TRUE(this->accounts().set_display_name({1}, "Änn").value());
  EXPECT_FALSE(this->accounts().set_display_name({2}, "Nobody").value());
  this->fixture.restart();
  EXPECT_EQ(this->accounts().find_by_handle("ann").value()->display_name, "Änn");
}

REGISTER_TYPED_TEST_SUITE_P(AccountsContract, AnAccountIsFoundByHandleAndByIdAlsoAfterARestart,
                            ATakenHandleIsRefusedAndChangesNothing, DevicesAreListedUntilTheyAreRemoved,
                            ADeviceOfNobodyOrWithATakenTokenIsRefused,
                            WhatRotatesIsKeptAndOnlyOfActiveDevices, ARemovalThatBeganIsNeverTakenBack,
                            ANewPasswordTakesTheOtherDevicesWithIt,
                            AnInviteIsUsedOnceAndWithTheAccountTogether, ADisplayNameChanges);

}  // namespace tidings::contract
