// Long-polls as hellos: their rate, their turn, and two of one device.
#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

class PollsTest : public GatewayTest {
 protected:
  struct Call {
    std::optional<std::string> answer;
    // The only frame of the answer, which is a T.
    template <class T>
    T one() const {
      EXPECT_TRUE(answer);
      auto frames = wire::parse_server_frames(answer.value_or("[]")).frames;
      EXPECT_EQ(frames.size(), 1u) << answer.value_or("");
      const T* frame = frames.empty() || !frames[0].ok() ? nullptr : std::get_if<T>(&*frames[0]);
      EXPECT_NE(frame, nullptr) << answer.value_or("");
      return frame ? *frame : T{};
    }
  };
  std::shared_ptr<Call> begin_poll(Gateway::PollCall call = {}, model::DeviceId device = ann_phone) {
    call.token = device == ann_phone ? "ann-phone" : "ann-laptop";
    auto made = std::make_shared<Call>();
    gateway_->poll({ann, device}, std::move(call), [made](wire::Answer<std::string> frames) {
      EXPECT_FALSE(made->answer) << "answered twice";
      made->answer = frames.ok() ? *frames : "refused";
    });
    return made;
  }
  std::shared_ptr<Call> poll(Gateway::PollCall call = {}, model::DeviceId device = ann_phone) {
    auto made = begin_poll(std::move(call), device);
    executor_.run();
    return made;
  }
  static Gateway::PollCall of(const wire::Welcome& welcome) {
    Gateway::PollCall call;
    call.session = welcome.session;
    call.received = 0;
    return call;
  }
  static Gateway::PollCall from(std::string address) {
    Gateway::PollCall call;
    call.peer = std::move(address);
    return call;
  }
};

TEST_F(PollsTest, WhoBeginsDrawsAHelloOfItsAddress) {
  limits_.address_hellos = {1, std::chrono::minutes(1), 2};
  gateway_.reset();
  make();
  auto peer = connect();
  peer->address = "203.0.113.5";
  peer->say(hello("ann-laptop"));
  executor_.run();
  peer->one<wire::Welcome>();
  const auto welcome = poll(from("203.0.113.5"))->one<wire::Welcome>();
  const auto refused = poll(from("203.0.113.5"))->one<wire::ErrorFrame>();
  EXPECT_EQ(refused.code, wire::Code::rate_limited);
  EXPECT_GT(refused.retry_ms.value_or(0), 0u);
  poll(from("203.0.113.6"), ann_laptop)->one<wire::Welcome>();
  // Who goes on says no hello.
  auto call = of(welcome);
  call.peer = "203.0.113.5";
  call.frames = R"([{"type":"ping"}])";
  poll(std::move(call))->one<wire::Pong>();
}

TEST_F(PollsTest, WhoBeginsWaitsForItsTurnAsAHelloDoes) {
  limits_.hellos_in_flight_max = 1;
  limits_.hellos_waiting_max = 1;
  auto first = connect();
  first->say(hello("ann-laptop"));
  Gateway::PollCall asking;
  asking.frames = R"([{"type":"ping"}])";
  auto second = begin_poll(std::move(asking));
  EXPECT_EQ(gauge("tidings_gateway_hellos_waiting"), 1);
  auto third = begin_poll();
  executor_.run();
  const auto busy = third->one<wire::ErrorFrame>();
  EXPECT_EQ(busy.code, wire::Code::busy);
  EXPECT_GT(busy.retry_ms.value_or(0), 0u);
  const auto frames = wire::parse_server_frames(second->answer.value_or("[]")).frames;
  ASSERT_EQ(frames.size(), 2u) << "welcome, and what it asked with the call";
  EXPECT_TRUE(std::holds_alternative<wire::Welcome>(frames[0].value()));
  EXPECT_TRUE(std::holds_alternative<wire::Pong>(frames[1].value()));
  EXPECT_EQ(gauge("tidings_gateway_hellos_waiting"), 0);
}

TEST_F(PollsTest, OfTwoOfADeviceTheOlderOneIsToldAndDoesNotComeBack) {
  const auto first = poll()->one<wire::Welcome>();
  executor_.advance(base::milliseconds(10));
  const auto second = poll()->one<wire::Welcome>();
  executor_.advance(base::seconds(1));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(poll(of(first))->one<wire::ErrorFrame>().code, wire::Code::replaced);
  auto waits = poll(of(second));
  EXPECT_FALSE(waits->answer) << "the newer one goes on";
  EXPECT_EQ(gauge("tidings_gateway_polls_replaced"), 1);
  poll(of(first), ann_laptop)->one<wire::Welcome>();
  executor_.advance(limits_.resume_timeout);
  EXPECT_EQ(gauge("tidings_gateway_polls_replaced"), 0);
}

TEST_F(PollsTest, OneThatWaitsIsToldAtOnceAndAgain) {
  const auto first = poll()->one<wire::Welcome>();
  auto waits = poll(of(first));
  executor_.advance(base::milliseconds(10));
  const auto peer = welcomed("ann-phone");
  EXPECT_EQ(waits->one<wire::ErrorFrame>().code, wire::Code::replaced);
  EXPECT_EQ(poll(of(first))->one<wire::ErrorFrame>().code, wire::Code::replaced);
  EXPECT_FALSE(peer->closed);
}

TEST_F(PollsTest, OnlySoManyReplacedOnesAreRemembered) {
  limits_.polls_replaced_max = 1;
  wire::Welcome welcomes[3];
  for (auto& welcome : welcomes) {
    welcome = poll()->one<wire::Welcome>();
    executor_.advance(base::milliseconds(10));
  }
  EXPECT_EQ(gauge("tidings_gateway_polls_replaced"), 1);
  EXPECT_EQ(poll(of(welcomes[1]))->one<wire::ErrorFrame>().code, wire::Code::replaced);
  poll(of(welcomes[0]))->one<wire::Welcome>();
}

// A call that was late on its way, behind the client's own WebSocket.
TEST_F(PollsTest, ACallWithoutResumeDoesNotEndASessionThatIsOnASocket) {
  const auto first = poll()->one<wire::Welcome>();
  auto socket = connect();
  wire::Hello hello;
  hello.token = "ann-phone";
  hello.session = first.session;
  hello.resume = first.resume;
  hello.received = 0;
  socket->say(wire::encode(hello));
  executor_.run();
  EXPECT_TRUE(socket->one<wire::Welcome>().resumed);
  EXPECT_EQ(poll(of(first))->one<wire::ErrorFrame>().code, wire::Code::replaced);
  EXPECT_FALSE(socket->closed);
}

TEST_F(PollsTest, WhatWaitsIsSeenInGauges) {
  limits_.unacked_frames_max = 4;
  const auto peer = welcomed("ann-laptop");
  peer->reads = false;
  const auto welcome = poll()->one<wire::Welcome>();
  auto waits = poll(of(welcome));
  for (uint64_t seq = 1; seq <= 6; ++seq) down(live({bob}, 0, "{}", seq));
  executor_.advance(base::seconds(1));
  EXPECT_EQ(gauge("tidings_gateway_polls_waiting"), 1);
  EXPECT_EQ(gauge("tidings_gateway_outbox_bytes"), 0);
  for (uint64_t seq = 7; seq <= 12; ++seq) down(live({ann}, 0, R"({"type":"n"})", seq));
  executor_.advance(base::seconds(1));
  EXPECT_EQ(gauge("tidings_gateway_polls_waiting"), 0) << "answered";
  EXPECT_EQ(gauge("tidings_gateway_outbox_bytes"), 4 * 12);
  EXPECT_EQ(gauge("tidings_gateway_unacked_bytes"), 2 * 4 * (12 + 4));
  EXPECT_EQ(gauge("tidings_gateway_dirty_conversations"), 2) << "one of each session";
  EXPECT_EQ(gauge("tidings_gateway_places_waiting"), 2 * 4);
  gateway_.reset();
  for (const char* name :
       {"polls_waiting", "outbox_bytes", "unacked_bytes", "dirty_conversations", "places_waiting"})
    EXPECT_EQ(gauge(std::string("tidings_gateway_") + name), 0) << name;
}

}  // namespace
}  // namespace tidings::gateway
