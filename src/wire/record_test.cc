#include "wire/record_test.h"

#include "base/hash.h"

namespace tidings::wire {
namespace {

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

TEST(Lineages, ComeBackAndCutOnesAreRefused) {
  const base::Bytes whole = encode_lineages(lineages());
  ASSERT_TRUE(decode_lineages(whole).ok());
  EXPECT_EQ(*decode_lineages(whole), lineages());
  EXPECT_TRUE(decode_lineages(encode_lineages({}))->empty());
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_lineages(whole.substr(0, size)).ok());
  EXPECT_FALSE(decode_lineages(whole + 'x').ok());
}

}  // namespace
}  // namespace tidings::wire
