// A Service on executors that a test turns by hand, over Accounts in memory.
#pragma once

#include <optional>

#include <gtest/gtest.h>
#include <sodium.h>

#include "account/local_service.h"
#include "engine/memory/memory_accounts.h"
#include "test/contract/hand_executor.h"

namespace tidings::account {
using wire::Code;

struct TestClock : ports::Clock {
  base::WallTime wall() const override { return now; }
  base::MonotonicTime monotonic() const override { return since; }
  void go_on(base::milliseconds time) {
    now += time;
    since += time;
  }
  base::WallTime now = base::wall_from_ms(1795300000000);
  base::MonotonicTime since{};
};
struct TestRandom : ports::Random {
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out)
      byte = static_cast<uint8_t>((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
  }
  uint64_t state = 1;
};

// A disk that for a while takes no removal, or does not finish one.
struct TestAccounts : memory::MemoryAccounts {
  wire::Answer<void> begin_removals(const std::vector<model::DeviceId>& devices) override {
    if (broken) return wire::problem(Code::internal);
    return MemoryAccounts::begin_removals(devices);
  }
  wire::Answer<size_t> finish_removals() override {
    if (broken || halfway) return wire::problem(Code::internal);
    return MemoryAccounts::finish_removals();
  }
  wire::Answer<void> set_seen(const std::vector<std::pair<model::DeviceId, base::WallTime>>& seen) override {
    seen_rows += seen.size();
    return MemoryAccounts::set_seen(seen);
  }
  bool broken = false, halfway = false;
  size_t seen_rows = 0;
};
struct HomeExecutor : contract::HandExecutor {
  base::TimerId after(base::nanoseconds, base::Task task) override {
    timers.push_back(std::move(task));
    return timers.size();
  }
  std::vector<base::Task> timers;
};

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override { restart(); }
  void restart() {
    service.emplace(LocalService::Parts{accounts,
                                        clock,
                                        random,
                                        home,
                                        sql,
                                        hashing,
                                        limits,
                                        {crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN},
                                        sign_up_mode,
                                        &registry});
    ASSERT_TRUE(service->start().ok());
    service->on_revoked(shard, [this](model::DeviceId device) { revoked.push_back(device); });
  }
  void run() {
    while (home.run() + sql.run() + hashing.run() + shard.run() > 0) {
    }
  }
  // Where the answer of a call goes.
  template <class T>
  Callback<T> into(std::optional<wire::Answer<T>>& out) {
    return [&out](wire::Answer<T> answer) { out.emplace(std::move(answer)); };
  }
  template <class T, class Call>
  wire::Answer<T> ask(Call call) {
    std::optional<wire::Answer<T>> out;
    call(into<T>(out));
    EXPECT_FALSE(out.has_value()) << "never inside the call";
    run();
    if (!out) return wire::problem(Code::internal, "no answer");
    return std::move(*out);
  }
  wire::Answer<Profile> sign_up(const std::string& handle, const std::string& password = "password",
                                const std::string& name = "Name", const std::string& invite = "") {
    return ask<Profile>([&](auto done) {
      service->register_account(handle, password, name, shard, std::move(done), invite);
    });
  }
  wire::Answer<IssuedToken> log_in(const std::string& handle, const std::string& password = "password",
                                   const std::string& address = "") {
    return ask<IssuedToken>(
        [&](auto done) { service->log_in(handle, password, "phone", shard, std::move(done), address); });
  }
  wire::Answer<IssuedToken> refresh(const std::string& token) {
    return ask<IssuedToken>([&](auto done) { service->refresh(token, shard, std::move(done)); });
  }
  wire::Answer<std::vector<DeviceInfo>> list(model::UserId user) {
    return ask<std::vector<DeviceInfo>>(
        [&](auto done) { service->list_devices(user, shard, std::move(done)); });
  }
  wire::Answer<void> remove(model::UserId user, model::DeviceId device) {
    return ask<void>([&](auto done) { service->remove_device(user, device, shard, std::move(done)); });
  }
  wire::Answer<void> change_password(Identity who, const std::string& old, const std::string& fresh) {
    return ask<void>([&](auto done) { service->change_password(who, old, fresh, shard, std::move(done)); });
  }
  wire::Answer<IssuedInvite> invite(Identity who) {
    return ask<IssuedInvite>([&](auto done) { service->make_invite(who, shard, std::move(done)); });
  }
  wire::Answer<void> log_out(const std::string& token) {
    return ask<void>([&](auto done) { service->log_out(token, shard, std::move(done)); });
  }
  wire::Answer<Identity> authenticate(const std::string& token) {
    return ask<Identity>([&](auto done) { service->authenticate(token, shard, std::move(done)); });
  }
  template <class T>
  static Code code(const wire::Answer<T>& answer) {
    EXPECT_FALSE(answer.ok());
    return answer.ok() ? Code::internal : answer.error().code;
  }

  base::Limits limits;
  SignUp sign_up_mode = SignUp::open;
  base::Registry registry;
  TestAccounts accounts;
  TestClock clock;
  TestRandom random;
  HomeExecutor home;
  contract::HandExecutor sql, hashing, shard;
  std::vector<model::DeviceId> revoked;
  std::optional<LocalService> service;
};

}  // namespace tidings::account
