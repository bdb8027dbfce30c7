#include "gateway/rates.h"

#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

using wire::Code;

constexpr base::Rate slow{1, std::chrono::seconds(1), 3};

class RatesTest : public GatewayTest {
 protected:
  // The gateway as the limits are now.
  void restart() {
    gateway_.reset();
    make();
  }
  int64_t held(const std::string& bucket) {
    return metrics_.values().at("tidings_gateway_rate_buckets{bucket=\"" + bucket + "\"}");
  }
  int64_t refusals(const std::string& bucket) {
    return metrics_.values().at("tidings_gateway_rate_limited_total{bucket=\"" + bucket + "\"}");
  }
  static std::string group(wire::Request request, uint8_t n, std::vector<model::UserId> members) {
    wire::ConversationCreate create;
    create.request = request;
    create.kind = model::ConversationKind::group;
    create.members = std::move(members);
    create.client_id = client_id(n);
    return wire::encode(create);
  }
};

TEST_F(RatesTest, SendsOfAPersonHaveABurstAndARate) {
  limits_.person_sends = slow;
  restart();
  auto phone = welcomed("ann-phone"), laptop = welcomed("ann-laptop");
  for (const uint8_t n : {uint8_t{1}, uint8_t{2}}) phone->say(wire::encode(send_of(n, n)));
  laptop->say(wire::encode(send_of(3, 3)));
  EXPECT_TRUE(phone->take().empty());
  EXPECT_EQ(link().all<ports::Commands>().size(), 3u);

  phone->say(wire::encode(send_of(4, 4)));
  auto error = phone->one<wire::ErrorFrame>();
  EXPECT_EQ(error.code, Code::rate_limited);
  EXPECT_EQ(error.request, wire::Request{4});
  EXPECT_EQ(error.retry_ms, 1000u);
  // One that was sent before costs, too.
  laptop->say(wire::encode(send_of(5, 3)));
  EXPECT_EQ(laptop->one<wire::ErrorFrame>().code, Code::rate_limited);
  EXPECT_EQ(link().all<ports::Commands>().size(), 3u);
  EXPECT_EQ(refusals("sends"), 2);
  // What came behind one that was refused waits for it.
  auto next = send_of(6, 6);
  next.previous = client_id(4);
  phone->say(wire::encode(next));
  EXPECT_EQ(phone->one<wire::ErrorFrame>().code, Code::order);

  auto other = welcomed("bob-phone");
  other->say(wire::encode(send_of(1, 9)));
  EXPECT_TRUE(other->take().empty());

  executor_.advance(std::chrono::seconds(1));
  phone->say(wire::encode(send_of(7, 4)));
  EXPECT_TRUE(phone->take().empty());
  EXPECT_EQ(link().all<ports::Commands>().size(), 5u);
}

TEST_F(RatesTest, EverythingThatADeviceAsksCosts) {
  limits_.device_requests = slow;
  restart();
  auto phone = welcomed("ann-phone");
  phone->say(wire::encode(send_of(1, 1)));
  wire::PullFrame pull;
  pull.request = 2;
  pull.conversation = talk();
  phone->say(wire::encode(pull));
  phone->say(group(3, 3, {}));
  EXPECT_TRUE(phone->take().empty());
  pull.request = 4;
  phone->say(wire::encode(pull));
  EXPECT_EQ(phone->one<wire::ErrorFrame>().code, Code::rate_limited);
  phone->say(group(5, 5, {}));
  EXPECT_EQ(phone->one<wire::ErrorFrame>().code, Code::rate_limited);
  phone->say(R"({"type":"ping"})");
  phone->one<wire::Pong>();
  auto laptop = welcomed("ann-laptop");
  laptop->say(wire::encode(send_of(1, 6)));
  EXPECT_TRUE(laptop->take().empty());
}

TEST_F(RatesTest, GroupsAndPeopleInThemHaveTheirOwn) {
  limits_.person_groups = slow;
  limits_.person_additions = {1, std::chrono::seconds(1), 4};
  restart();
  auto phone = welcomed("ann-phone");
  phone->say(group(1, 1, {bob, eve}));
  phone->say(group(2, 2, {bob, eve}));
  executor_.run();
  EXPECT_TRUE(phone->take().empty());
  phone->say(group(3, 3, {bob}));  // two groups are left, no additions
  EXPECT_EQ(phone->one<wire::ErrorFrame>().code, Code::rate_limited);
  EXPECT_EQ(refusals("additions"), 1);
  phone->say(group(4, 4, {}));
  EXPECT_EQ(phone->one<wire::ErrorFrame>().code, Code::rate_limited);
  EXPECT_EQ(refusals("groups"), 1);
  wire::MemberAdd add;
  add.request = 5;
  add.conversation = talk();
  add.client_id = client_id(5);
  add.users = {eve};
  phone->say(wire::encode(add));
  EXPECT_EQ(phone->one<wire::ErrorFrame>().code, Code::rate_limited);
  // A direct conversation is none.
  phone->say(wire::encode(send_of(6, 6)));
  EXPECT_TRUE(phone->take().empty());
}

TEST_F(RatesTest, AnAddressThatSaysHelloTooOftenIsClosed) {
  limits_.address_hellos = slow;
  restart();
  const auto greet = [&](const std::string& address) {
    auto peer = connect();
    peer->address = address;
    peer->say(hello("ann-phone"));
    executor_.run();
    return peer;
  };
  for (const char* address : {"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1",
                              "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"}) {
    EXPECT_FALSE(greet(address)->closed) << address;
  }
  for (const char* address : {"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::4"}) {
    auto refused = greet(address);
    EXPECT_EQ(refused->one<wire::ErrorFrame>().code, Code::rate_limited) << address;
    ASSERT_TRUE(refused->closed);
    EXPECT_EQ(refused->closed->first, 1013);
  }
  EXPECT_EQ(metrics_.values().at("tidings_gateway_refused_total{code=\"rate_limited\"}"), 3);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(greet("127.0.0.1")->closed);
  executor_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(greet("192.0.2.1")->closed);
}

TEST_F(RatesTest, AProcessHasPartsOfOneForItsGateways) {
  limits_.process_requests = {4, std::chrono::seconds(1), 4};
  Rates rates(limits_, metrics_, 2);
  const auto now = time_.monotonic();
  EXPECT_FALSE(rates.request({ann, ann_phone}, now).refused);
  EXPECT_FALSE(rates.request({bob, bob_phone}, now).refused);
  const auto refused = rates.request({eve, eve_phone}, now);
  ASSERT_TRUE(refused.refused);
  EXPECT_EQ(refused.refused->retry_ms, 500u);
  EXPECT_EQ(refused.budget.policy, "process");
}

TEST_F(RatesTest, OnlyBucketsThatAreNotFullAreKept) {
  limits_.rate_buckets_max = 50;
  Rates rates(limits_, metrics_, 1);
  for (uint64_t i = 0; i < 1000; ++i) rates.send({{i}, {i}}, time_.monotonic());
  EXPECT_EQ(held("sends"), 50);
  rates.settle(time_.monotonic() + std::chrono::seconds(10));
  EXPECT_EQ(held("sends"), 0);
}

TEST_F(RatesTest, WhatTheCoreRefusesSaysWhenToTryAgain) {
  auto phone = welcomed("ann-phone");
  phone->say(wire::encode(send_of(1, 1)));
  const auto command = link().all<ports::Commands>().back().commands.back();
  down(refused(command, Code::rate_limited, false));
  EXPECT_EQ(phone->one<wire::ErrorFrame>().retry_ms, 1000u);
}

TEST_F(RatesTest, LiftedRatesRefuseNobodyAndHoldNothing) {
  limits_.lift_rates();
  Rates rates(limits_, metrics_, 1);
  const auto now = time_.monotonic();
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_FALSE(rates.request({ann, ann_phone}, now).refused);
    ASSERT_FALSE(rates.send({ann, ann_phone}, now).refused);
    ASSERT_FALSE(rates.hello("192.0.2.1", now).refused);
    ASSERT_FALSE(rates.call("192.0.2.1", now).refused);
    ASSERT_FALSE(rates.log_in("192.0.2.1", now).refused);
  }
  EXPECT_FALSE(rates.request({ann, ann_phone}, now).budget.rate.limited());
  EXPECT_EQ(held("sends"), 0);
}

TEST_F(RatesTest, TicksAndDeliveriesAreTimed) {
  auto phone = welcomed("ann-phone"), other = welcomed("bob-phone");
  phone->say(wire::encode(send_of(1, 1)));
  const auto durable = time_.monotonic();
  executor_.advance(std::chrono::milliseconds(3));
  auto reply = ok(link().all<ports::Commands>().back().commands.back(), 1);
  reply.durable = durable;
  down(reply);
  auto event = live({ann, bob}, 0, "{}");
  event.folded = durable;
  down(event);
  down(live({ann, bob}, 0, "{}"));  // not measured
  EXPECT_EQ(metrics_.histogram("tidings_gateway_durable_to_tick_seconds").sum(),
            std::chrono::milliseconds(3));
  EXPECT_EQ(metrics_.histogram("tidings_gateway_tick_to_delivered_seconds").count(), 1u);
}

}  // namespace
}  // namespace tidings::gateway
