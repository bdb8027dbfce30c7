// In what order sessions hear the frames of one batch.
#include "gateway/fan_out.h"

#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

class FanOutTest : public GatewayTest {
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
    return live({ann, bob}, except, "event " + std::to_string(seq), seq);
  }
  void down_all(std::vector<ports::DownFrame> frames) { down(shard_of(talk()), std::move(frames)); }
  using Words = std::vector<std::string>;
};

TEST_F(FanOutTest, EventsComeInTheOrderOfTheBatch) {
  auto phone = welcomed("ann-phone"), laptop = welcomed("ann-laptop"), bobs = welcomed("bob-phone");
  auto eves = welcomed("eve-phone");
  std::vector<ports::DownFrame> batch;
  for (uint64_t seq = 1; seq <= 3; ++seq) batch.push_back(event(seq));
  batch.push_back(live({eve, ann}, 0, "other people", 4));
  batch.push_back(event(5));
  down_all(std::move(batch));
  const Words all = {"event 1", "event 2", "event 3", "other people", "event 5"};
  EXPECT_EQ(heard(*phone), all);
  EXPECT_EQ(heard(*laptop), all);
  EXPECT_EQ(heard(*bobs), (Words{"event 1", "event 2", "event 3", "event 5"}));
  EXPECT_EQ(heard(*eves), Words{"other people"});
}

TEST_F(FanOutTest, AnAnswerStandsWhereItStandsInTheBatch) {
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

TEST_F(FanOutTest, ReceiptsAndPagesStandThereToo) {
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

}  // namespace
}  // namespace tidings::gateway
