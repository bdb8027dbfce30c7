// The examples of docs/protocol/frames.md are frames that this code reads and writes.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "wire/frames_test.h"

namespace tidings::wire {
namespace {

std::string page_text() {
  std::ifstream file(TIDINGS_SOURCE_DIR "/docs/protocol/frames.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> examples(std::string_view text) {
  constexpr std::string_view opening = "```json\n", closing = "\n```";
  std::vector<std::string> out;
  for (size_t at = text.find(opening); at != text.npos; at = text.find(opening, at)) {
    at += opening.size();
    out.emplace_back(text.substr(at, text.find(closing, at) - at));
  }
  return out;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

TEST(FramesDocument, ExamplesOfTheClientAreTaken) {
  const std::string page = page_text();
  const size_t begin = page.find("\n# From the client"), end = page.find("\n# From the server");
  ASSERT_LT(begin, end);
  size_t kinds = 0;
  std::vector<bool> seen(std::variant_size_v<ClientFrame>);
  for (auto example : examples(std::string_view(page).substr(begin, end - begin))) {
    for (int n = 10; n > 1; --n)
      replace_all(example, "$CLIENT_ID_" + std::to_string(n), to_text(other_client_id));
    replace_all(example, "$CLIENT_ID", to_text(client_id));
    replace_all(example, "$CONVERSATION", to_text(conversation));
    replace_all(example, "$GROUP", to_text(conversation));
    for (const char* number : {"$OTHER_USER", "$THIRD_USER", "$EVENT_ID", "$ACTIVITY"})
      replace_all(example, number, "17");
    const auto parsed = parse_client_frames(example);
    ASSERT_EQ(parsed.frames.size(), 1u);
    ASSERT_TRUE(parsed.frames[0].ok()) << example << parsed.frames[0].error().detail;
    if (!seen[parsed.frames[0]->index()]) ++kinds;
    seen[parsed.frames[0]->index()] = true;
  }
  EXPECT_FALSE(seen.back()) << "an unknown frame";
  EXPECT_EQ(kinds, seen.size() - 1) << "a frame has no example";
}

TEST(FramesDocument, ExamplesOfTheServerAreWhatIsWritten) {
  const auto write = [](const ServerFrame& frame) -> std::string {
    if (const auto* event = std::get_if<EventFrame>(&frame)) return encode_event(event->event);
    if (const auto* page = std::get_if<PageFrame>(&frame)) {
      std::vector<std::string> events;
      for (const auto& event : page->events) events.push_back(encode_event(event));
      return encode_page(*page, events);
    }
    return std::visit(
        [](const auto& f) -> std::string {
          if constexpr (requires { encode(f); }) return encode(f);
          return "";
        },
        frame);
  };
  const std::string page = page_text();
  std::vector<bool> frames(std::variant_size_v<ServerFrame>),
      events(std::variant_size_v<decltype(model::Event::body)>);
  for (const auto& example : examples(std::string_view(page).substr(page.find("\n# From the server")))) {
    const auto parsed = parse_server_frames(example);
    ASSERT_EQ(parsed.frames.size(), 1u);
    ASSERT_TRUE(parsed.frames[0].ok()) << example << parsed.frames[0].error().detail;
    const auto& frame = *parsed.frames[0];
    EXPECT_EQ(write(frame), example);
    frames[frame.index()] = true;
    if (const auto* event = std::get_if<EventFrame>(&frame)) events[event->event.body.index()] = true;
  }
  EXPECT_FALSE(frames.back()) << "an unknown frame";
  frames.back() = true;
  EXPECT_EQ(std::count(frames.begin(), frames.end(), false), 0) << "a frame has no example";
  EXPECT_EQ(std::count(events.begin(), events.end(), false), 0) << "an event has no example";
}

}  // namespace
}  // namespace tidings::wire
