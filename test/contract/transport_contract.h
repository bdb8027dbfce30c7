// What every Transport must do. An implementation takes part by a fixture:
//   struct Fixture {
//     struct Pair { std::unique_ptr<ports::Transport> a, b; };
//     Pair connect();                                   // two connected ends on one loop, without handlers
//     yet void on_loop(const std::function<void()>& call);  // runs `call` in one turn of that loop and waits
//     for it bool run_until(const std::function<bool()>& done);  // turns the loop until done(), asked on the
//     loop, or no
//                                                         // more hope; returns done()
//   };
// and INSTANTIATE_TYPED_TEST_SUITE_P(Name, TransportContract, Fixture). All transports are destroyed on the
// loop.
// Whoever can pause_reading() also instantiates PausingTransportContract. Whoever can move_out() also
// instantiates MovingTransportContract, with a Fixture that has besides
//   base::Executor& other();                                   // another loop's
//   void on_other(const std::function<void()>& call);          // as on_loop(), there
//   bool run_other_until(const std::function<bool()>& done);   // as run_until(), asked there
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ports/transport.h"

namespace tidings::contract {

// One end, and what it heard.
class TransportEnd final : public ports::Transport::Handler {
 public:
  explicit TransportEnd(std::unique_ptr<ports::Transport> transport) : transport_(std::move(transport)) {
    transport_->set_handler(this);
  }
  void on_frame(std::string_view frame) override {
    EXPECT_FALSE(calling_) << "called from inside send() or close()";
    EXPECT_EQ(closed, 0) << "a frame after on_closed";
    frames.emplace_back(frame);
    if (pause_at == frame) pause_reading(true);
    if (cut_at == frame) cut();
    if (echo) send(std::string(frame));
  }
  void on_closed(uint16_t with_code, std::string_view with_reason) override {
    EXPECT_FALSE(calling_) << "called from inside send() or close()";
    ++closed;
    code = with_code;
    reason = with_reason;
    if (cut_when_closed) cut();
  }

  void send(const std::string& frame) {
    if (!transport_) return;
    calling_ = true;
    transport_->send(frame);
    calling_ = false;
  }
  void close(uint16_t with_code, std::string_view with_reason) {
    calling_ = true;
    transport_->close(with_code, with_reason);
    calling_ = false;
  }
  void cut() { transport_.reset(); }
  size_t outbox_bytes() const { return transport_->outbox_bytes(); }
  void pause_reading(bool pause) { transport_->pause_reading(pause); }
  ports::MovedTransport move_out() { return transport_->move_out(); }
  bool open() const { return transport_ != nullptr; }

  std::vector<std::string> frames;
  int closed = 0;
  uint16_t code = 0;
  std::string reason;
  bool echo = false;
  bool cut_when_closed = false;
  std::optional<std::string> cut_at;
  std::optional<std::string> pause_at;

 private:
  std::unique_ptr<ports::Transport> transport_;
  bool calling_ = false;
};

template <class Fixture>
class TransportContract : public testing::Test {
 protected:
  void SetUp() override { connect(); }
  void TearDown() override {
    on_loop([this] {
      a.reset();
      b.reset();
    });
  }
  void connect() {
    auto pair = fixture.connect();
    on_loop([&] {
      a = std::make_unique<TransportEnd>(std::move(pair.a));
      b = std::make_unique<TransportEnd>(std::move(pair.b));
    });
  }
  void on_loop(const std::function<void()>& call) { fixture.on_loop(call); }
  void run_until(const std::function<bool()>& done) { ASSERT_TRUE(fixture.run_until(done)); }
  // What is under way has arrived when a frame each way has: frames keep their order.
  void exchange() {
    on_loop([this] {
      a->send("exchanged");
      b->send("exchanged");
    });
    const auto has_it = [](const TransportEnd& end) {
      return !end.frames.empty() && end.frames.back() == "exchanged";
    };
    run_until([&] { return has_it(*a) && has_it(*b); });
  }

  Fixture fixture;
  std::unique_ptr<TransportEnd> a;
  std::unique_ptr<TransportEnd> b;
};

TYPED_TEST_SUITE_P(TransportContract);

TYPED_TEST_P(TransportContract, FramesArriveWholeAndInOrderBothWays) {
  std::vector<std::string> sent;
  for (size_t i = 0; i < 500; ++i)
    sent.push_back(std::to_string(i) + std::string(i * i % 5000, '.') + "\xe2\x82\xac");
  sent.emplace_back("");
  sent.emplace_back(60'000, 'x');
  for (size_t turn = 0; turn < 3; ++turn) {
    this->on_loop([&] {
      for (size_t i = turn; i < sent.size(); i += 3) {
        this->a->send(sent[i]);
        this->b->send(sent[sent.size() - 1 - i]);
      }
    });
  }
  this->run_until(
      [&] { return this->a->frames.size() == sent.size() && this->b->frames.size() == sent.size(); });
  size_t at = 0;
  for (size_t turn = 0; turn < 3; ++turn) {
    for (size_t i = turn; i < sent.size(); i += 3, ++at) {
      ASSERT_EQ(this->b->frames[at], sent[i]);
      ASSERT_EQ(this->a->frames[at], sent[sent.size() - 1 - i]);
    }
  }
}

TYPED_TEST_P(TransportContract, AnAnswerMayBeSentFromInsideOnFrame) {
  this->b->echo = true;
  this->on_loop([&] {
    for (int i = 0; i < 100; ++i) this->a->send(std::to_string(i));
  });
  this->run_until([&] { return this->a->frames.size() == 100; });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(this->a->frames[static_cast<size_t>(i)], std::to_string(i));
}

TYPED_TEST_P(TransportContract, TheOutboxCountsWhatIsQueuedAndEmptiesAsThePeerTakesIt) {
  this->on_loop([&] {
    EXPECT_EQ(this->a->outbox_bytes(), 0u);
    for (int i = 0; i < 10; ++i) this->a->send(std::string(1000, 'x'));
    EXPECT_GE(this->a->outbox_bytes(), 10'000u);
    EXPECT_LE(this->a->outbox_bytes(), 11'000u);
  });
  this->run_until([&] { return this->b->frames.size() == 10 && this->a->outbox_bytes() == 0; });
}

TYPED_TEST_P(TransportContract, CloseSendsWhatIsQueuedThenTellsBothEndsOnce) {
  this->on_loop([&] {
    for (int i = 0; i < 100; ++i) this->a->send(std::to_string(i));
    this->a->close(4001, "enough");
    this->a->send("after the close");
    this->a->close(4002, "again");
    EXPECT_EQ(this->a->closed, 0);
  });
  this->run_until([&] { return this->a->closed == 1 && this->b->closed == 1; });
  EXPECT_EQ(this->b->frames.size(), 100u);
  EXPECT_EQ(this->b->frames.back(), "99");
  EXPECT_EQ(this->b->code, 4001);
  EXPECT_EQ(this->b->reason, "enough");
  this->on_loop([&] {
    this->a->send("to nobody");
    this->b->send("to nobody");
    this->a->close(1000, "");
    this->b->close(1000, "");
  });
  this->connect();  // new ends: what the old ones might still have heard had its time
  this->exchange();
}

TYPED_TEST_P(TransportContract, NothingIsHeardBetweenAnOwnCloseAndItsEnd) {
  this->on_loop([&] {
    this->a->close(4001, "");
    this->b->send("too late");
  });
  this->run_until([&] { return this->a->closed == 1 && this->b->closed == 1; });
  EXPECT_TRUE(this->a->frames.empty());
}

TYPED_TEST_P(TransportContract, BothEndsMayCloseAtOnce) {
  this->on_loop([&] {
    this->a->close(4001, "a");
    this->b->close(4002, "b");
  });
  this->run_until([&] { return this->a->closed == 1 && this->b->closed == 1; });
}

TYPED_TEST_P(TransportContract, DestroyingAnEndCutsItAndTheOtherHears1006) {
  this->exchange();
  this->on_loop([&] {
    this->a->cut();
    EXPECT_EQ(this->a->closed, 0);
  });
  this->run_until([&] { return this->b->closed == 1; });
  EXPECT_EQ(this->b->code, 1006);
  EXPECT_EQ(this->a->closed, 0);
  this->on_loop([&] { this->b->send("to nobody"); });
}

TYPED_TEST_P(TransportContract, AnEndMayBeDestroyedInsideItsCallbacks) {
  this->b->cut_at = "2";
  this->a->cut_when_closed = true;
  this->on_loop([&] {
    for (int i = 0; i < 5; ++i) this->a->send(std::to_string(i));
  });
  this->run_until([&] { return this->a->closed == 1; });
  EXPECT_EQ(this->b->frames.size(), 3u);
  EXPECT_FALSE(this->a->open());
  EXPECT_FALSE(this->b->open());
  EXPECT_EQ(this->b->closed, 0);
}

REGISTER_TYPED_TEST_SUITE_P(TransportContract, FramesArriveWholeAndInOrderBothWays,
                            AnAnswerMayBeSentFromInsideOnFrame,
                            TheOutboxCountsWhatIsQueuedAndEmptiesAsThePeerTakesIt,
                            CloseSendsWhatIsQueuedThenTellsBothEndsOnce,
                            NothingIsHeardBetweenAnOwnCloseAndItsEnd, BothEndsMayCloseAtOnce,
                            DestroyingAnEndCutsItAndTheOtherHears1006, AnEndMayBeDestroyedInsideItsCallbacks);

// --- pause_reading

template <class Fixture>
class PausingTransportContract : public TransportContract<Fixture> {
 protected:
  // What could have arrived on a connection has, when a younger one was made and used.
  void let_arrive() {
    auto pair = this->fixture.connect();
    std::unique_ptr<TransportEnd> c, d;
    this->on_loop([&] {
      c = std::make_unique<TransportEnd>(std::move(pair.a));
      d = std::make_unique<TransportEnd>(std::move(pair.b));
      c->send("young");
    });
    this->run_until([&] { return !d->frames.empty(); });
    this->on_loop([&] {
      c.reset();
      d.reset();
    });
  }
};

TYPED_TEST_SUITE_P(PausingTransportContract);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PausingTransportContract);

TYPED_TEST_P(PausingTransportContract, WhatIsSentDuringAPauseIsHeardAfterItInOrder) {
  this->on_loop([&] {
    this->b->pause_reading(true);
    for (int i = 0; i < 100; ++i) this->a->send(std::to_string(i));
  });
  this->let_arrive();
  this->on_loop([&] {
    EXPECT_TRUE(this->b->frames.empty());
    this->b->send("a pause stops one direction only");
  });
  this->run_until([&] { return this->a->frames.size() == 1; });
  this->on_loop([&] { this->b->pause_reading(false); });
  this->run_until([&] { return this->b->frames.size() == 100; });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(this->b->frames[static_cast<size_t>(i)], std::to_string(i));
}

TYPED_TEST_P(PausingTransportContract, APauseFromInsideOnFrameHoldsTheNextFrame) {
  this->b->pause_at = "2";
  this->on_loop([&] {
    for (int i = 0; i < 5; ++i) this->a->send(std::to_string(i));
  });
  this->run_until([&] { return this->b->frames.size() >= 3; });
  this->let_arrive();
  this->on_loop([&] {
    EXPECT_EQ(this->b->frames.size(), 3u);
    this->b->pause_reading(false);
    this->b->pause_reading(true);
    this->b->pause_reading(false);
    EXPECT_EQ(this->b->frames.size(), 3u) << "called from inside pause_reading()";
    this->a->send("5");
  });
  this->run_until([&] { return this->b->frames.size() == 6; });
  for (int i = 0; i < 6; ++i) EXPECT_EQ(this->b->frames[static_cast<size_t>(i)], std::to_string(i));
}

TYPED_TEST_P(PausingTransportContract, AnEndThatIsPausedMayCloseAndBeCut) {
  this->on_loop([&] {
    this->b->pause_reading(true);
    this->a->send("not read");
    this->b->close(4003, "");
  });
  this->run_until([&] { return this->a->closed == 1 && this->b->closed == 1; });
  EXPECT_EQ(this->a->code, 4003);
  EXPECT_TRUE(this->b->frames.empty());
  this->connect();
  this->on_loop([&] {
    this->b->pause_reading(true);
    this->b->cut();
  });
  this->run_until([&] { return this->a->closed == 1; });
  EXPECT_EQ(this->a->code, 1006);
}

REGISTER_TYPED_TEST_SUITE_P(PausingTransportContract, WhatIsSentDuringAPauseIsHeardAfterItInOrder,
                            APauseFromInsideOnFrameHoldsTheNextFrame, AnEndThatIsPausedMayCloseAndBeCut);

// --- move_out

template <class Fixture>
class MovingTransportContract : public TransportContract<Fixture> {
 protected:
  void TearDown() override {
    TransportContract<Fixture>::TearDown();
    this->fixture.on_other([this] { moved.reset(); });
  }
  // Moves b to the other loop: it is `moved` then. `before` runs on the loop right before.
  void move(const std::function<void()>& before = [] {}) {
    ports::MovedTransport under_way;
    this->on_loop([&] {
      before();
      under_way = this->b->move_out();
      EXPECT_TRUE(under_way);
      heard = std::move(this->b->frames);
      EXPECT_EQ(this->b->closed, 0);
      this->b.reset();
    });
    this->fixture.on_other([&] { moved = std::make_unique<TransportEnd>(under_way(this->fixture.other())); });
  }
  void run_other_until(const std::function<bool()>& done) {
    ASSERT_TRUE(this->fixture.run_other_until(done));
  }

  std::unique_ptr<TransportEnd> moved;
  std::vector<std::string> heard;  // before the move
};

TYPED_TEST_SUITE_P(MovingTransportContract);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MovingTransportContract);

TYPED_TEST_P(MovingTransportContract, NothingIsLostOrRepeatedOrOvertakenBothWays) {
  constexpr size_t count = 600;
  const auto text = [](size_t i) { return std::to_string(i) + std::string(i * i % 9000, '.'); };
  this->on_loop([&] {
    for (size_t i = 0; i < count / 2; ++i) this->a->send(text(i));
  });
  this->run_until([&] { return this->b->frames.size() > 2; });
  this->move([&] {
    for (size_t i = 0; i < count / 2; ++i) this->b->send(text(i));
  });
  this->fixture.on_other([&] {
    for (size_t i = count / 2; i < count; ++i) this->moved->send(text(i));
  });
  this->on_loop([&] {
    for (size_t i = count / 2; i < count; ++i) this->a->send(text(i));
  });
  this->run_other_until([&] { return this->heard.size() + this->moved->frames.size() == count; });
  this->run_until([&] { return this->a->frames.size() == count; });
  for (size_t i = 0; i < count; ++i) {
    const size_t before = this->heard.size();
    ASSERT_EQ(i < before ? this->heard[i] : this->moved->frames[i - before], text(i));
    ASSERT_EQ(this->a->frames[i], text(i));
  }
}

TYPED_TEST_P(MovingTransportContract, APausedEndMovesWithWhatItHasNotTold) {
  this->b->pause_at = "2";
  this->on_loop([&] {
    for (int i = 0; i < 50; ++i) this->a->send(std::to_string(i));
  });
  this->run_until([&] { return this->b->frames.size() == 3; });
  this->move();
  this->run_other_until([&] { return this->moved->frames.size() == 47; });
  EXPECT_EQ(this->heard.size(), 3u);
  EXPECT_EQ(this->moved->frames.front(), "3");
  EXPECT_EQ(this->moved->frames.back(), "49");
}

TYPED_TEST_P(MovingTransportContract, DroppedOnTheWayItCuts) {
  this->on_loop([&] {
    auto under_way = this->b->move_out();
    EXPECT_TRUE(under_way);
    this->b.reset();
  });
  this->run_until([&] { return this->a->closed == 1; });
  EXPECT_EQ(this->a->code, 1006);
}

TYPED_TEST_P(MovingTransportContract, AMovedEndClosesAndIsClosedAsBefore) {
  this->move();
  this->on_loop([&] { this->a->close(4004, "over"); });
  this->run_until([&] { return this->a->closed == 1; });
  this->run_other_until([&] { return this->moved->closed == 1; });
  EXPECT_EQ(this->moved->code, 4004);
  EXPECT_EQ(this->moved->reason, "over");
}

TYPED_TEST_P(MovingTransportContract, AnEndThatIsClosingStaysAndHearsItsEnd) {
  this->on_loop([&] {
    this->b->close(4005, "");
    EXPECT_FALSE(this->b->move_out());
  });
  this->run_until([&] { return this->a->closed == 1 && this->b->closed == 1; });
  this->on_loop([&] { EXPECT_FALSE(this->b->move_out()); });
}

REGISTER_TYPED_TEST_SUITE_P(MovingTransportContract, NothingIsLostOrRepeatedOrOvertakenBothWays,
                            APausedEndMovesWithWhatItHasNotTold, DroppedOnTheWayItCuts,
                            AMovedEndClosesAndIsClosedAsBefore, AnEndThatIsClosingStaysAndHearsItsEnd);

}  // namespace tidings::contract
