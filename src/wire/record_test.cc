#include "wire/record.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "base/hash.h"

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
Command with_body(decltype(Command::body) body) {
  Command command = create_command();
  command.body = std::move(body);
  return command;
}
std::vector<UserId> people(size_t count) {
  std::vector<UserId> users;
  for (size_t i = 0; i < count; ++i) users.push_back({~uint64_t{0} - i});
  return users;
}
const CreateConversation group_create{
    ConversationKind::group, {{7}, {9}, {11}}, "Gr\xc3\xbc\xc3\x9f", History::all};
std::vector<Command> commands() {
  Command bare = send_command();
  std::get<SendMessage>(bare.body) = {{MessageKind::text, ""}, std::nullopt};
  return {create_command(),
          send_command(),
          bare,
          with_body(group_create),
          with_body(CreateConversation{ConversationKind::group, {}, "", History::joining}),
          with_body(UpdateConversation{"new", History::all}),
          with_body(UpdateConversation{"", std::nullopt}),
          with_body(UpdateConversation{std::nullopt, History::joining}),
          with_body(AddMembers{people(users_in_record_max)}),
          with_body(AddMembers{}),
          with_body(RemoveMember{{~uint64_t{0}}}),
          with_body(LeaveConversation{}),
          with_body(SetRole{{9}, Role::owner}),
          with_body(SetBlock{{9}, false})};
}
std::vector<Record> records() {
  const Marking marking{.user = {7},
                        .reply_to = {.gateway = 1, .session = 300, .request = 5, .errors_only = true},
                        .conversation = conversation(),
                        .read = {1u << 20},
                        .read_ord = {300},
                        .delivered = {~uint64_t{0}},
                        .hidden = true};
  const Effect listing{.conversation = self_conversation({9}),
                       .source = conversation(),
                       .source_position = {1u << 30},
                       .from = {7},
                       .body = Effect::Listing{{9}, ConversationKind::group, false}};
  Effect blocking = listing;
  blocking.body = Effect::Blocking{{9}, {7}, true};
  std::vector<Record> out{
      Lineage{~uint64_t{0}, {1u << 20}, base::wall_from_ms(-5), Lineage::Reason::promotion},
      FoldVersion{3},
      marking,
      Marking{.user = {7}, .conversation = conversation(), .delivered = {1}},
      listing,
      blocking,
      Quarantine{conversation()}};
  for (auto& command : commands()) out.emplace_back(std::move(command));
  return out;
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
  std::vector<Event> out{created, said};
  for (decltype(Event::body) body : std::initializer_list<decltype(Event::body)>{
           ConversationCreated{ConversationKind::group, people(1024), "Gr\xc3\xbc\xc3\x9f", History::all},
           ConversationUpdated{"new", History::joining}, ConversationUpdated{std::nullopt, History::all},
           ConversationUpdated{"", std::nullopt}, MembersAdded{{{1}, {2}}}, MemberRemoved{{1}},
           MemberLeft{{1}, UserId{2}}, MemberLeft{{1}, std::nullopt}, RoleChanged{{1}, Role::admin},
           ConversationListed{conversation(), ConversationKind::group, true}, BlockSet{{1}, true}}) {
    Event event = created;
    event.seq = {out.back().seq.value + 1};
    event.client_id = {};
    event.body = std::move(body);
    out.push_back(std::move(event));
  }
  return out;
}
base::Bytes chunk_of(const std::vector<Event>& list) {
  base::Bytes bytes;
  for (const auto& event : list) append_event(bytes, event);
  return bytes;
}
std::vector<FeedRow> feed() {
  return {{{1u << 30}, conversation(), {300}, 1}, {{~uint64_t{0}}, self_conversation({9}), {1}, 9}};
}
constexpr Step step{base::wall_from_ms(1795300000123), {300}, {301}};
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

TEST(Record, TheBytesOfMarkingsEffectsAndQuarantinesStayAsTheyAre) {
  const std::string uuid(32, '0');
  Marking marking{.user = {1}, .reply_to = {2, 3, 4}, .read = {5}, .read_ord = {6}, .delivered = {300}};
  EXPECT_EQ(base::to_hex(encode_record(marking)),
            "0104"
            "00"
            "0100000000000000"
            "0200000000000000"
            "0304" +
                uuid + "0506ac02");
  marking.hidden = true;
  marking.reply_to.errors_only = true;
  EXPECT_EQ(base::to_hex(encode_record(marking)).substr(0, 6), "010403");
  Effect effect{
      .source_position = {1}, .from = {2}, .body = Effect::Listing{{3}, ConversationKind::group, true}};
  effect.source.bytes[0] = 0xab;
  EXPECT_EQ(base::to_hex(encode_record(effect)), "0105ab" + uuid.substr(2) + "0100000000000000" + uuid +
                                                     "0200000000000000" + "01" + "0300000000000000" + "02" +
                                                     "01");
  effect.body = Effect::Blocking{{3}, {4}, false};
  EXPECT_EQ(base::to_hex(encode_record(effect)).substr(2 * 50),
            "02"
            "0300000000000000"
            "0400000000000000"
            "00");
  EXPECT_EQ(base::to_hex(encode_record(Quarantine{})), "0106" + uuid);
}

// The bytes under the body hash: a repeat must be known as one for as long as its entry is kept.
TEST(Record, TheBytesOfBodiesStayAsTheyAre) {
  const auto hash = [](const char* hex) {
    base::Bytes bytes;
    for (; *hex; hex += 2) bytes.push_back(static_cast<char>(std::stoi(std::string(hex, 2), nullptr, 16)));
    return base::xxh64(bytes);
  };
  EXPECT_EQ(body_hash(create_command()), hash("0101"
                                              "02"
                                              "0700000000000000"
                                              "0900000000000000"));
  EXPECT_EQ(body_hash(with_body(SendMessage{{MessageKind::text, "hi"}, std::nullopt})), hash("0201026869"));
  EXPECT_EQ(body_hash(with_body(CreateConversation{ConversationKind::group, {{7}}, "hi", History::all})),
            hash("0102"
                 "01"
                 "0700000000000000"
                 "026869"
                 "02"));
  EXPECT_EQ(body_hash(with_body(UpdateConversation{"hi", History::joining})), hash("0303"
                                                                                   "026869"
                                                                                   "01"));
  EXPECT_EQ(body_hash(with_body(UpdateConversation{std::nullopt, History::all})), hash("0302"
                                                                                       "02"));
  EXPECT_EQ(body_hash(with_body(AddMembers{{{7}}})), hash("0401"
                                                          "0700000000000000"));
  EXPECT_EQ(body_hash(with_body(RemoveMember{{7}})), hash("05"
                                                          "0700000000000000"));
  EXPECT_EQ(body_hash(with_body(LeaveConversation{})), hash("06"));
  EXPECT_EQ(body_hash(with_body(SetRole{{7}, Role::owner})), hash("07"
                                                                  "0700000000000000"
                                                                  "03"));
  EXPECT_EQ(body_hash(with_body(SetBlock{{7}, true})), hash("08"
                                                            "0700000000000000"
                                                            "01"));
}

TEST(Record, MorePeopleThanOneRecordMayHoldAreRefused) {
  const auto taken = [](size_t count) {
    return decode_record(encode_record(with_body(AddMembers{people(count)}))).ok();
  };
  EXPECT_TRUE(taken(users_in_record_max));
  EXPECT_FALSE(taken(users_in_record_max + 1));
}

TEST(Record, ValuesThatTheVersionDoesNotKnowAreRefused) {
  // The last byte of each is an enum or a flag; 0x7f is none of its values.
  Effect listing{.body = Effect::Listing{}};
  Effect blocking{.body = Effect::Blocking{}};
  for (const Record& record : std::vector<Record>{
           with_body(group_create), with_body(UpdateConversation{std::nullopt, History::all}),
           with_body(SetRole{{9}, Role::owner}), with_body(SetBlock{{9}, true}), listing, blocking}) {
    base::Bytes bytes = encode_record(record);
    ASSERT_TRUE(decode_record(bytes).ok());
    bytes.back() = 0x7f;
    EXPECT_FALSE(decode_record(bytes).ok()) << record.index();
  }
  base::Bytes bytes = encode_record(listing);
  bytes[bytes.size() - 2] = 0;  // the kind of conversation
  EXPECT_FALSE(decode_record(bytes).ok());
  bytes = encode_record(Marking{});
  bytes[2] = 4;  // flags
  EXPECT_FALSE(decode_record(bytes).ok());
  for (const int kind : {0, 7, 255}) {
    bytes = encode_record(Quarantine{});
    bytes[1] = static_cast<char>(kind);
    EXPECT_FALSE(decode_record(bytes).ok());
  }
}

TEST(Record, AnEffectIsKnownByItsFirstBytes) {
  for (const auto& record : records()) {
    const base::Bytes bytes = encode_record(record);
    const auto* effect = std::get_if<Effect>(&record);
    EXPECT_EQ(is_effect(bytes), effect != nullptr);
    EXPECT_EQ(effect_source(bytes), effect ? std::optional(effect->source) : std::nullopt);
    for (size_t size = 0; size < 18; ++size)
      EXPECT_FALSE(effect_source(base::BytesView(bytes).substr(0, size)));
    if (effect) EXPECT_TRUE(effect_source(base::BytesView(bytes).substr(0, 18)));
  }
  base::Bytes newer = encode_record(Effect{});
  newer[0] = 2;
  EXPECT_FALSE(is_effect(newer));
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
            "010500000000000000"
            "0607");
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

// Whatever the bytes: an error, or a value that is written and read again as the same. True: a record.
bool feed_all_readers(base::BytesView bytes) {
  if (const auto chunk = decode_chunk(conversation(), bytes); chunk.ok()) {
    EXPECT_EQ(*decode_chunk(conversation(), chunk_of(*chunk)), *chunk);
  }
  if (const auto list = decode_lineages(bytes); list.ok())
    EXPECT_EQ(*decode_lineages(encode_lineages(*list)), *list);
  if (const auto rows = decode_feed(bytes); rows.ok()) EXPECT_EQ(*decode_feed(encode_feed(*rows)), *rows);
  if (const auto one = decode_step(bytes); one.ok()) EXPECT_EQ(*decode_step(encode_step(*one)), *one);
  effect_source(bytes);
  const auto record = decode_record(bytes);
  if (record.ok()) {
    EXPECT_EQ(*decode_record(encode_record(*record)), *record);
    if (const auto* effect = std::get_if<Effect>(&*record)) EXPECT_EQ(effect_source(bytes), effect->source);
  } else {
    EXPECT_FALSE(record.error().sentence.empty());
  }
  return record.ok();
}
std::vector<base::Bytes> seeds() {
  std::vector<base::Bytes> out{encode_lineages(lineages()), encode_feed(feed()), encode_step(step)};
  for (const auto& record : records()) out.push_back(encode_record(record));
  for (const auto& event : events()) append_event(out.emplace_back(), event);
  return out;
}

TEST(Record, AnyOneByteChangedDoesNoHarm) {
  size_t refused = 0, taken = 0;
  for (const auto& seed : seeds()) {
    for (size_t at = 0; at < std::min<size_t>(seed.size(), 120); ++at) {
      for (const int change : {0x01, 0x02, 0x04, 0x10, 0x80, 0xff}) {
        base::Bytes bytes = seed;
        bytes[at] = static_cast<char>(bytes[at] ^ change);
        ++(feed_all_readers(bytes) ? taken : refused);
      }
    }
  }
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(taken, 1000u);
}

TEST(Record, MutatedBytesNeverDoHarm) {
  std::mt19937_64 random(20250101);
  const auto all = seeds();
  size_t refused = 0, taken = 0;
  for (int round = 0; round < 20000; ++round) {
    base::Bytes bytes = all[random() % all.size()];
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
    ++(feed_all_readers(bytes) ? taken : refused);
  }
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(taken, 500u);
}

}  // namespace
}  // namespace tidings::wire
