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
  EXPECT_TRUE(this->accounts().remove_device({12}).value());
  EXPECT_FALSE(this->accounts().remove_device({12}).value());
  this->fixture.restart();
  const auto devices = this->accounts().devices().value();
  ASSERT_EQ(devices.size(), 1u);
  const auto expected = device(11, 1);
  EXPECT_EQ(devices[0].device, expected.device);
  EXPECT_EQ(devices[0].user, expected.user);
  EXPECT_EQ(devices[0].name, expected.name);
  EXPECT_EQ(devices[0].token, expected.token);
  EXPECT_EQ(devices[0].created, expected.created);
  EXPECT_EQ(devices[0].expires, expected.expires);
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

REGISTER_TYPED_TEST_SUITE_P(AccountsContract, AnAccountIsFoundByHandleAndByIdAlsoAfterARestart,
                            ATakenHandleIsRefusedAndChangesNothing, DevicesAreListedUntilTheyAreRemoved,
                            ADeviceOfNobodyOrWithATakenTokenIsRefused);

}  // namespace tidings::contract
