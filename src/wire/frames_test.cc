#include "wire/frames_test.h"

namespace tidings::wire {
namespace {

// Every byte of good messages changed, cut and doubled: the reader answers, whatever it is given.
TEST(Frames, MutatedMessagesAreAnsweredLikeAnyOther) {
  const std::string with_strings =
      "[" + send_head +
      R"("previous":null,"until":1795300000123,"message":{"kind":"text","text":"\ud83d\ude00 \n"}},)" +
      encode(SyncFrame{9, {}, conversation, {{conversation, {{3}, {33}}, 4}}, model::Position{5}}) + "]";
  const std::string of_groups =
      "[" +
      encode(
          ConversationCreate{7, client_id, model::ConversationKind::group, {{1}}, "x", model::History::all}) +
      "," + encode(ConversationUpdate{8, conversation, client_id, "x", model::History::all}) + "," +
      encode(MemberAdd{9, conversation, client_id, {{1}, {2}}}) + "," +
      encode(MemberRole{9, conversation, client_id, {1}, model::Role::owner}) + "," +
      encode(BlockFrame{9, client_id, {1}, true}) + "," +
      encode(MarkFrame{1, conversation, model::Cursor{{1}, {1}}, {1}, model::Seq{1}, true}) + "," +
      encode(HistoryFrame{1, conversation, HistoryPlace::around, {1}, model::Cursor{{1}, {1}}, 1}) + "," +
      encode(FocusFrame{conversation}) + "]";
  SyncAnswer sync;
  sync.conversations.resize(1);
  sync.conversations[0].marks = {{{1}, {1}, {1}}};
  std::string of_server = "[" + encode(Receipt{conversation, {{{1}, {1}, {1}}}, 3, {{{1}, 1, 1}}, 40}) + "," +
                          encode(sync) + "," + encode_page(big_page(), {encode_event(all_events()[0])});
  for (const auto& event : all_events()) of_server += "," + encode_event(event);
  of_server += "]";
  size_t taken = 0, refused = 0;
  const auto feed = [&](const std::string& text) {
    for (const auto& frame : parse_client_frames(text).frames) ++(frame.ok() ? taken : refused);
    for (const auto& frame : parse_server_frames(text).frames) ++(frame.ok() ? taken : refused);
  };
  for (const auto& seed : {with_strings, of_groups, of_server}) {
    const size_t step = seed.size() / 400 + 1;
    for (size_t i = 0; i < seed.size(); i += step) {
      for (const char byte : {'\0', '"', '\\', '{', ']', ',', '9', 'd', '\x80'}) {
        std::string changed = seed;
        changed[i] = byte;
        feed(changed);
      }
      feed(seed.substr(0, i));
      feed(seed.substr(i));
      feed(seed.substr(0, i) + seed.substr(i / 2));
    }
  }
  EXPECT_GT(taken, 1000u);
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace tidings::wire
