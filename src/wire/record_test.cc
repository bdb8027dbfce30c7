#include "wire/record.h"

#include <random>

#include <gtest/gtest.h>

namespace tidings::wire {
namespace {

using namespace model;

ConversationId conversation() {
  return direct_conversation({7}, {9});
}

Command create_command() {
  return {.user = {7},
          .device = {~uint64_t{0} >> 1},
          .reply_to = {.gateway = 0xABCDEF0123456789, .session = 300, .request = 70000, .errors_only = true},
          .conversation = conversation(),
          .client_id = {uuid_v7(base::wall_from_ms(1795300000123), 11, 12)},
          .until = base::wall_from_ms(1795300030123),
          .body = CreateConversation{ConversationKind::direct, {{7}, {9}}}};
}
Command send_command() {
  Command command = create_command();
  command.reply_to.errors_only = false;
  command.body = SendMessage{{MessageKind::text, std::string("h\0llo, gr\xc3\xbc\xc3\x9f", 13)},
                             ClientId{uuid_v7(base::wall_from_ms(1795300000000), 1, 2)}};
  return command;
}
std::vector<Record> records() {
  Command bare = send_command();
  std::get<SendMessage>(bare.body) = {{MessageKind::text, ""}, std::nullopt};
  return {create_command(), send_command(), bare,
          Lineage{~uint64_t{0}, {1u << 20}, base::wall_from_ms(-5), Lineage::Reason::promotion},
          FoldVersion{3}};
}
std::vector<Event> events() {
  Event created{.conversation = conversation(),
                .seq = {1},
                .ord = {0},
                .id = message_id(base::wall_from_ms(1795300000123), {17}, {4097}),
                .time = base::wall_from_ms(1795300000123),
                .from = {7},
                .client_id = create_command().client_id,
                .body = ConversationCreated{ConversationKind::direct, {{7}, {9}}}};
  Event said = created;
  said.seq = {300};
  said.ord = {200};
  said.id = {~uint64_t{0}};
  said.time = base::wall_from_ms(INT64_MIN);  // far from its id: still kept as it is
  said.body = MessageCreated{{MessageKind::text, std::string(5000, 'x')}};
  return {created, said};
}
std::vector<Lineage> lineages() {
  return {{1, {0}, base::epoch, Lineage::Reason::start}, {2, {8192}, base::epoch, Lineage::Reason::restore}};
}

TEST(Record, EveryKindOfRecordComesBackAsItWas) {
  for (const auto& record : records()) {
    const auto decoded = decode_record(encode_record(record));
    ASSERT_TRUE(decoded.ok()) << decoded.error().sentence;
    EXPECT_EQ(*decoded, record);
  }
}

TEST(Record, TheBytesOfTheFormatStayAsTheyAre) {
  // A change here is a change of format: raise the schema number and docs/formats/records.md with it.
  EXPECT_EQ(base::to_hex(encode_record(FoldVersion{3})), "010303000000");
  EXPECT_EQ(base::to_hex(encode_record(Lineage{5, {6}, base::wall_from_ms(7), Lineage::Reason::start})),
            "010205000000000000000600000000000000070000000000000001");
  Command send{.user = {1}, .device = {2}, .reply_to = {3, 4, 5}, .until = base::wall_from_ms(6)};
  send.body = SendMessage{{MessageKind::text, "hi"}, std::nullopt};
  EXPECT_EQ(base::to_hex(encode_record(send)),
            "010100"
            "0100000000000000"
            "0200000000000000"
            "0300000000000000"
            "0405"
            "00000000000000000000000000000000"
            "00000000000000000000000000000000"
            "0600000000000000"
            "0201026869");
  EXPECT_EQ(body_hash(send), 0xf15d43887ad66f1du);
}

TEST(Record, CutOrExtendedRecordsAreRefused) {
  for (const auto& record : records()) {
    const base::Bytes whole = encode_record(record);
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(decode_record(whole.substr(0, size)).ok()) << size;
    }
    EXPECT_FALSE(decode_record(whole + '\0').ok());
  }
}

TEST(Record, AHigherSchemaIsRefusedInASentence) {
  for (const auto& record : records()) {
    base::Bytes bytes = encode_record(record);
    bytes[0] = 2;
    const auto decoded = decode_record(bytes);
    ASSERT_FALSE(decoded.ok());
    EXPECT_NE(decoded.error().sentence.find("schema 2"), std::string::npos);
    bytes[0] = 0;
    EXPECT_FALSE(decode_record(bytes).ok());
  }
}

TEST(Record, BodyHashSeesKindAndBodyOnly) {
  Command same = send_command();
  same.client_id = {};
  same.until = {};
  same.reply_to = {};
  same.device = {1};
  std::get<SendMessage>(same.body).previous.reset();
  EXPECT_EQ(body_hash(same), body_hash(send_command()));
  std::get<SendMessage>(same.body).message.text += '!';
  EXPECT_NE(body_hash(same), body_hash(send_command()));
  EXPECT_NE(body_hash(create_command()), body_hash(send_command()));
}

TEST(Chunk, EventsComeBackInOrder) {
  base::Bytes bytes;
  for (const auto& event : events()) append_event(bytes, event);
  const auto decoded = decode_chunk(conversation(), bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.error().sentence;
  EXPECT_EQ(*decoded, events());
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
  base::Bytes first, both;
  append_event(first, events()[0]);
  both = first;
  append_event(both, events()[1]);
  for (size_t size = 1; size < both.size(); ++size) {
    EXPECT_EQ(decode_chunk(conversation(), both.substr(0, size)).ok(), size == first.size()) << size;
  }
}

TEST(Lineages, ComeBackAndCutOnesAreRefused) {
  const base::Bytes whole = encode_lineages(lineages());
  ASSERT_TRUE(decode_lineages(whole).ok());
  EXPECT_EQ(*decode_lineages(whole), lineages());
  EXPECT_TRUE(decode_lineages(encode_lineages({}))->empty());
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_lineages(whole.substr(0, size)).ok());
  EXPECT_FALSE(decode_lineages(whole + 'x').ok());
}

// Whatever the bytes: an error, or a value that is written and read again as the same.
TEST(Record, MutatedBytesNeverDoHarm) {
  std::mt19937_64 random(20250101);
  std::vector<base::Bytes> seeds;
  for (const auto& record : records()) seeds.push_back(encode_record(record));
  seeds.emplace_back();
  for (const auto& event : events()) append_event(seeds.back(), event);
  seeds.push_back(encode_lineages(lineages()));
  size_t refused = 0, taken = 0;
  for (int round = 0; round < 20000; ++round) {
    base::Bytes bytes = seeds[random() % seeds.size()];
    for (auto changes = random() % 4 + 1; changes > 0; --changes) {
      const size_t at = random() % std::min<size_t>(bytes.size(), 200);
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
          break;
        case 1:
          bytes[at] = static_cast<char>(random() % 2 ? 0xff : random());
          break;
        case 2:
          bytes.insert(at, 1, static_cast<char>(random()));
          break;
        default:
          if (bytes.size() > 1) bytes.resize(random() % (bytes.size() - 1) + 1);
      }
    }
    if (const auto record = decode_record(bytes); record.ok()) {
      EXPECT_EQ(*decode_record(encode_record(*record)), *record);
      ++taken;
    } else {
      EXPECT_FALSE(record.error().sentence.empty());
      ++refused;
    }
    if (const auto chunk = decode_chunk(conversation(), bytes); chunk.ok()) {
      base::Bytes again;
      for (const auto& event : *chunk) append_event(again, event);
      EXPECT_EQ(*decode_chunk(conversation(), again), *chunk);
    }
    if (const auto list = decode_lineages(bytes); list.ok())
      EXPECT_EQ(*decode_lineages(encode_lineages(*list)), *list);
  }
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(taken, 1000u);
}

}  // namespace
}  // namespace tidings::wire
