#include "wire/json_writer.h"

#include <gtest/gtest.h>

#include "wire/json_reader.h"

namespace tidings::wire {
namespace {

std::string written(std::string_view text) {
  std::string out;
  JsonWriter(out).string(text);
  return out;
}

// Eight bytes are looked at together: each character must be seen at each place of them, and behind others.
TEST(JsonWriter, EscapesWhatJsonNeedsEscapedAnywhere) {
  for (size_t at = 0; at < 20; ++at) {
    for (int c = 0; c < 128; ++c) {
      std::string text(20, 'x');
      text[at] = static_cast<char>(c);
      text += "\xC3\xA9 end";
      const auto parsed = parse_json(written(text), 4);
      ASSERT_TRUE(parsed) << c << " at " << at;
      EXPECT_EQ(text_of(parsed->root), text) << c << " at " << at;
    }
  }
}

TEST(JsonWriter, EscapesEveryOneOfMany) {
  const std::string text = "\"a\\\n\"\"long enough for eight\x01 and \x1F then \"nothing";
  const auto parsed = parse_json(written(text), 4);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(text_of(parsed->root), text);
}

TEST(JsonWriter, LeavesAloneWhatNeedsNoEscape) {
  EXPECT_EQ(written("/ \x7F \xF0\x9F\x98\x80 !#[]^`"), "\"/ \x7F \xF0\x9F\x98\x80 !#[]^`\"");
}

TEST(JsonWriter, WritesIdsAsTheirTexts) {
  model::ConversationId conversation;
  for (size_t i = 0; i < 16; ++i) conversation.bytes[i] = static_cast<uint8_t>(i * 17 + 3);
  for (const uint64_t n : {uint64_t{0}, uint64_t{7}, UINT64_MAX}) {
    std::string out;
    JsonWriter(out).begin_array().id(conversation).id(model::UserId{n}).end_array();
    EXPECT_EQ(out, "[\"" + model::to_text(conversation) + "\",\"" + std::to_string(n) + "\"]");
  }
}

}  // namespace
}  // namespace tidings::wire
