// In what order sessions hear the frames of one batch, of a small conversation and of one that is large
// enough for its events to be written in one piece.
#include "gateway/fan_out.h"

#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

class FanOutTest : public GatewayTest, public testing::WithParamInterface<uint64_t> {
 protected:
  // The frames since the last call, each by a word.
  static std::vector<std::string> heard(Peer& peer) {
    std::vector<std::string> out;
    for (const auto& text : std::exchange(peer.got, {})) {
      if (text.starts_with(R"({"type":"ok")")) {
        out.push_back("ok " +
                      std::to_string(std::get<wire::Ok>(*wire::parse_server_frames(text).frames[0]).request));
      } else if (text.starts_with(R"({"type":"page")")) {
        out.push_back("page");
      } else {
        out.push_back(text);
      }
    }
    return out;
  }
  ports::DownFrame event(uint64_t seq, uint64_t except = 0) {
    return of(with_strangers({ann, bob}), "event " + std::to_string(seq), seq, except);
  }
  static ports::EventOut of(std::vector<model::UserId> people, std::string bytes, uint64_t seq,
                            uint64_t except = 0, model::UserId from = model::UserId{99}) {
    return live(std::move(people), except, std::move(bytes), seq, from);
  }
  // As many as the parameter says, who are not connected.
  static std::vector<model::UserId> with_strangers(std::vector<model::UserId> people) {
    for (uint64_t i = 0; i < GetParam(); ++i) people.push_back({1000 + i});
    return people;
  }
  void down_all(std::vector<ports::DownFrame> frames) { down(shard_of(talk()), std::move(frames)); }
  using Words = std::vector<std::string>;
};

TEST_P(FanOutTest, EventsComeInTheOrderOfTheBatch) {
  auto phone = welcomed("ann-phone"), laptop = welcomed("ann-laptop"), bobs = welcomed("bob-phone");
  auto eves = welcomed("eve-phone");
  std::vector<ports::DownFrame> batch;
  for (uint64_t seq = 1; seq <= 3; ++seq) batch.push_back(event(seq));
  batch.push_back(of(with_strangers({eve, ann}), "other people", 4));
  batch.push_back(event(5));
  down_all(std::move(batch));
  const Words all = {"event 1", "event 2", "event 3", "other people", "event 5"};
  EXPECT_EQ(heard(*phone), all);
  EXPECT_EQ(heard(*laptop), all);
  EXPECT_EQ(heard(*bobs), (Words{"event 1", "event 2", "event 3", "event 5"}));
  EXPECT_EQ(heard(*eves), Words{"other people"});
}

TEST_P(FanOutTest, AnAnswerStandsWhereItStandsInTheBatch) {
  auto phone = welcomed("ann-phone"), laptop = welcomed("ann-laptop");
  phone->say(wire::encode(send_of(1, 1)));
  phone->say(wire::encode(send_of(2, 2)));
  const auto sends = link().all<ports::Commands>();
  ASSERT_EQ(sends.size(), 2u);
  const auto first = sends[0].commands[0], second = sends[1].commands[0];
  std::vector<ports::DownFrame> batch;
  batch.push_back(event(1));
  batch.push_back(ok(first, 2));
  batch.push_back(event(2, first.reply_to.session));
  batch.push_back(ok(second, 3));
  batch.push_back(event(3, second.reply_to.session));
  batch.push_back(event(4));
  down_all(std::move(batch));
  EXPECT_EQ(heard(*phone), (Words{"event 1", "ok 1", "ok 2", "event 4"}));
  EXPECT_EQ(heard(*laptop), (Words{"event 1", "event 2", "event 3", "event 4"}));
}

TEST_P(FanOutTest, ReceiptsAndPagesStandThereToo) {
  auto phone = welcomed("ann-phone"), bobs = welcomed("bob-phone");
  phone->say(wire::encode(wire::PullFrame{2, talk(), {0}, {}, {}}));
  ports::Page page;
  page.conversation = talk();
  std::vector<ports::DownFrame> batch;
  batch.push_back(event(1));
  batch.push_back(ports::ReceiptOut{talk(), {bob}, false, "receipt"});
  batch.push_back(event(2));
  batch.push_back(ports::PageOut{link().all<ports::Pull>().back().query, page});
  batch.push_back(event(3));
  down_all(std::move(batch));
  EXPECT_EQ(heard(*phone), (Words{"event 1", "event 2", "page", "event 3"}));
  EXPECT_EQ(heard(*bobs), (Words{"event 1", "receipt", "event 2", "event 3"}));
}

TEST_P(FanOutTest, WhatIsWrittenInOnePieceIsTheSame) {
  auto phone = welcomed("ann-phone"), laptop = welcomed("ann-laptop"), bobs = welcomed("bob-phone");
  down_all({event(1), event(2), event(3)});
  const bool large = GetParam() > 0;
  for (const auto& peer : {phone, laptop, bobs}) {
    EXPECT_EQ(peer->shared, large ? 3u : 0u);
    EXPECT_EQ(heard(*peer), (Words{"event 1", "event 2", "event 3"}));
    peer->shared = 0;
  }
  // Bob wrote the fifth: no mark is owed for it.
  down_all({event(4), of(with_strangers({ann, bob}), "event 5", 5, 0, bob)});
  EXPECT_EQ(bobs->shared, 0u);
  EXPECT_EQ(phone->shared, large ? 2u : 0u);
  for (const auto& peer : {phone, bobs}) EXPECT_EQ(heard(*peer), (Words{"event 4", "event 5"}));
}

TEST_P(FanOutTest, WhoSentItIsLeftOut) {
  auto phone = welcomed("ann-phone"), laptop = welcomed("ann-laptop");
  phone->say(wire::encode(send_of(1, 1)));
  const auto sent = link().all<ports::Commands>().at(0).commands.at(0);
  down_all({event(1), event(2, sent.reply_to.session), event(3)});
  EXPECT_EQ(heard(*phone), (Words{"event 1", "event 3"}));
  EXPECT_EQ(heard(*laptop), (Words{"event 1", "event 2", "event 3"}));
}

TEST_P(FanOutTest, WhoComesOrGoesBetweenTwoBatchesIsToldAndNotTold) {
  auto phone = welcomed("ann-phone"), bobs = welcomed("bob-phone");
  down_all({event(1)});
  auto laptop = welcomed("ann-laptop");
  down_all({event(2)});
  bobs->say(wire::encode(wire::Bye{}));
  executor_.run();
  down_all({event(3)});
  EXPECT_EQ(heard(*phone), (Words{"event 1", "event 2", "event 3"}));
  EXPECT_EQ(heard(*laptop), (Words{"event 2", "event 3"}));
  EXPECT_EQ(heard(*bobs), (Words{"event 1", "event 2"}));
}

TEST_P(FanOutTest, WhoHasNoRoomForAllHearsWhatHasRoomAndThatTheRestIsMissing) {
  limits_.unacked_frames_max = 4;
  auto phone = welcomed("ann-phone"), bobs = welcomed("bob-phone");
  down_all({event(1), event(2), event(3)});
  bobs->say(wire::encode(wire::Ack{3}));
  down_all({event(4), event(5), event(6)});
  EXPECT_EQ(heard(*phone), (Words{"event 1", "event 2", "event 3", "event 4"}));
  EXPECT_EQ(heard(*bobs), (Words{"event 1", "event 2", "event 3", "event 4", "event 5", "event 6"}));
  phone->say(wire::encode(wire::Ack{4}));
  const auto dirty = phone->one<wire::Dirty>();
  ASSERT_EQ(dirty.conversations.size(), 1u);
  EXPECT_EQ(dirty.conversations[0].conversation, talk());
}

TEST_P(FanOutTest, WhatIsTooLargeForOnePieceGoesInSeveral) {
  limits_.train_bytes_max = 20;
  auto phone = welcomed("ann-phone");
  std::vector<ports::DownFrame> batch;
  Words all;
  for (uint64_t seq = 1; seq <= 5; ++seq) {
    batch.push_back(event(seq));
    all.push_back("event " + std::to_string(seq));
  }
  const std::string large(50, 'x');
  batch.push_back(of(with_strangers({ann, bob}), large, 6));
  all.push_back(large);
  down_all(std::move(batch));
  EXPECT_EQ(heard(*phone), all);
  const bool is_large = GetParam() > 0;
  EXPECT_EQ(phone->shared, is_large ? 6u : 0u);
  EXPECT_EQ(metrics_.counter("tidings_gateway_told_whole_total").value(), is_large ? 4u : 0u);
}

TEST_P(FanOutTest, OnlyTheNewestAudiencesAreRemembered) {
  limits_.audience_people_min = 10;
  limits_.audiences_max = 2;
  auto phone = welcomed("ann-phone");
  for (uint64_t round = 0; round < 2; ++round) {
    for (uint64_t group = 0; group < 3; ++group) {
      auto people = with_strangers({ann, bob});
      people.push_back({5000 + group});
      down_all({of(std::move(people), "event " + std::to_string(3 * round + group), 1)});
    }
  }
  EXPECT_EQ(heard(*phone), (Words{"event 0", "event 1", "event 2", "event 3", "event 4", "event 5"}));
  executor_.advance(std::chrono::seconds(2));
  EXPECT_EQ(gauge("tidings_gateway_audiences"), GetParam() > 0 ? 2 : 0);
}

INSTANTIATE_TEST_SUITE_P(SmallAndLarge, FanOutTest, testing::Values(0, 20));

}  // namespace
}  // namespace tidings::gateway
