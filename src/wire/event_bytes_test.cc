#include <algorithm>

#include "wire/record_test.h"

namespace tidings::wire {
namespace {

TEST(Chunk, EventsComeBackInOrder) {
  const auto decoded = decode_chunk(conversation(), chunk_of(events()));
  ASSERT_TRUE(decoded.ok()) << decoded.error().sentence;
  EXPECT_EQ(*decoded, events());
}

TEST(Chunk, TheBytesOfEventsStayAsTheyAre) {
  const auto body_of = [](decltype(Event::body) body) {
    Event event{.seq = {1}, .time = message_time({}), .body = std::move(body)};
    base::Bytes bytes;
    append_event(bytes, event);
    // schema, seq, ord, id, time, from, client id
    return base::to_hex(bytes).substr(2 * (1 + 1 + 1 + 8 + 1 + 8 + 16));
  };
  const std::string user = "0700000000000000";
  EXPECT_EQ(body_of(ConversationCreated{ConversationKind::direct, {{7}}}),
            "0101"
            "01" +
                user);
  EXPECT_EQ(body_of(ConversationCreated{ConversationKind::group, {{7}}, "hi", History::all}),
            "0102"
            "01" +
                user +
                "026869"
                "02");
  EXPECT_EQ(body_of(MessageCreated{{MessageKind::text, "hi"}}),
            "0201"
            "026869");
  EXPECT_EQ(body_of(ConversationUpdated{"hi", History::joining}),
            "0303"
            "026869"
            "01");
  EXPECT_EQ(body_of(MembersAdded{{{7}}}), "0401" + user);
  EXPECT_EQ(body_of(MemberRemoved{{7}}), "05" + user);
  EXPECT_EQ(body_of(MemberLeft{{7}, std::nullopt}), "06" + user + "00");
  EXPECT_EQ(body_of(MemberLeft{{7}, UserId{7}}), "06" + user + "01" + user);
  EXPECT_EQ(body_of(RoleChanged{{7}, Role::admin}), "07" + user + "02");
  EXPECT_EQ(body_of(ConversationListed{{}, ConversationKind::direct, true}),
            "08" + std::string(32, '0') + "0101");
  EXPECT_EQ(body_of(BlockSet{{7}, false}), "09" + user + "00");
}

TEST(Chunk, TheFeedNamesEventsAsChunksDo) {
  for (auto event : events()) {
    event.client_id.bytes.fill(0xee);
    base::Bytes bytes;
    append_event(bytes, event);
    // The kind stands behind the client id.
    const size_t head = bytes.find(event.client_id.view()) + 16;
    EXPECT_EQ(feed_kind(event), static_cast<uint8_t>(bytes[head])) << event.body.index();
  }
}

TEST(Chunk, SeqsThatDoNotGrowAreRefused) {
  for (const auto& [first, second] : {std::pair(2, 2), std::pair(2, 1), std::pair(0, 1)}) {
    base::Bytes bytes;
    Event event = events()[0];
    event.seq = {static_cast<uint64_t>(first)};
    append_event(bytes, event);
    event.seq = {static_cast<uint64_t>(second)};
    append_event(bytes, event);
    EXPECT_FALSE(decode_chunk(conversation(), bytes).ok()) << first << ' ' << second;
  }
}

TEST(Chunk, ACutInsideAnEventIsRefused) {
  base::Bytes whole;
  std::vector<size_t> ends;
  for (const auto& event : events()) {
    append_event(whole, event);
    ends.push_back(whole.size());
  }
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(decode_chunk(conversation(), base::BytesView(whole).substr(0, size)).ok(),
              std::find(ends.begin(), ends.end(), size) != ends.end())
        << size;
  }
}

TEST(Feed, ComesBackAndDamagedOnesAreRefused) {
  const base::Bytes whole = encode_feed(feed());
  ASSERT_TRUE(decode_feed(whole).ok());
  EXPECT_EQ(*decode_feed(whole), feed());
  EXPECT_TRUE(decode_feed(encode_feed({}))->empty());
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(decode_feed(whole.substr(0, size)).ok());
  EXPECT_FALSE(decode_feed(whole + 'x').ok());
  for (const int kind : {0, 10, 255})
    EXPECT_FALSE(decode_feed(encode_feed({{{1}, {}, {1}, static_cast<uint8_t>(kind)}})).ok());
  // A count without rows reserves nothing.
  EXPECT_FALSE(decode_feed(base::Bytes("\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10)).ok());
  EXPECT_EQ(base::to_hex(encode_feed({{{300}, {}, {2}, 3}})), "0101ac02" + std::string(32, '0') + "0203");
}

TEST(Step, ComesBackAndDamagedOnesAreRefused) {
  const base::Bytes whole = encode_step(step);
  ASSERT_TRUE(decode_step(whole).ok());
  EXPECT_EQ(*decode_step(whole), step);
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(decode_step(whole.substr(0, size)).ok());
  EXPECT_FALSE(decode_step(whole + 'x').ok());
  EXPECT_EQ(base::to_hex(encode_step({base::wall_from_ms(5), {6}, {7}})),
            "0500000000000000"
            "010607");
}

}  // namespace
}  // namespace tidings::wire
