#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/chat_profile.h"
#include "cli/chat_text.h"
#include "cli/chat_view.h"

namespace tidings::cli {
namespace {

using What = ChatCommand::What;

TEST(ChatText, TakesWhatATerminalWouldObeyOutOfForeignText) {
  EXPECT_EQ(printable("plain ünï 😀"), "plain ünï 😀");
  EXPECT_EQ(printable("\x1b[2J\x1b[31mred\x1b[0m"), "red");
  EXPECT_EQ(printable("a\x1b]0;title\ab\x1b]8;;http://x\x1b\\c"), "abc");
  EXPECT_EQ(printable("a\rb\bc\x7f"
                      "d\ae"),
            "abcde");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31mx"),
            "31mx")
      << "the one-byte CSI of C1";
  EXPECT_EQ(printable("\xe2\x80\xaetxt.exe"), "txt.exe") << "reordering";
  EXPECT_EQ(printable("one\ntwo\tthree", "\n  "), "one\n  two three");
  EXPECT_EQ(printable("a\xff\xc3z"), "a??z");
  EXPECT_EQ(printable("\x1b"), "");
  EXPECT_EQ(printable("\x1b[12"), "");
}

TEST(ChatText, ShortensByCharacters) {
  EXPECT_EQ(shortened("ünï", 3), "ünï");
  EXPECT_EQ(shortened("ünïx", 3), "ünï…");
  EXPECT_EQ(shortened("", 3), "");
}

TEST(ChatCommands, OfPeople) {
  const auto is = [](const std::string& line, What what, const std::string& text) {
    const ChatCommand command = parse_line(line);
    EXPECT_EQ(command.what, what) << line;
    EXPECT_EQ(command.text, text) << line;
  };
  is("hello there ", What::send, "hello there");
  is("/open bob", What::open, "bob");
  is("/open   @bob", What::open, "bob");
  is("//not a command", What::send, "/not a command");
  is("/list", What::list, "");
  is("/quit", What::quit, "");
  is("   ", What::nothing, "");
  EXPECT_EQ(parse_line("/open").what, What::open);
  EXPECT_EQ(parse_line("/dance").what, What::bad);
}

TEST(ChatCommands, OfScripts) {
  EXPECT_EQ(parse_json_line(R"({"open":"bob"})").what, What::open);
  EXPECT_EQ(parse_json_line(R"({"send":"a\nb"})").text, "a\nb");
  EXPECT_EQ(parse_json_line(R"({"list":true})").what, What::list);
  EXPECT_EQ(parse_json_line(R"({"quit":true})").what, What::quit);
  EXPECT_EQ(parse_json_line("").what, What::nothing);
  for (const char* bad :
       {"hi", "[]", "{}", R"({"send":5})", R"({"quit":false})", R"({"send":"\ud800"})", "\xff"}) {
    EXPECT_EQ(parse_json_line(bad).what, What::bad) << bad;
  }
}

TEST(ChatCommands, OfGroups) {
  const ChatCommand group = parse_line("/group Sunday walk @bob  @eve");
  EXPECT_EQ(group.what, What::group);
  EXPECT_EQ(group.text, "Sunday walk");
  EXPECT_THAT(group.people, testing::ElementsAre("bob", "eve"));
  EXPECT_EQ(parse_line("/group @bob").what, What::bad);
  EXPECT_THAT(parse_line("/open @bob").people, testing::ElementsAre("bob"));
  EXPECT_THAT(parse_line("/open bob").people, testing::IsEmpty());
  for (const char* line : {"/role @bob admin", "/role admin @bob", "/role bob admin"}) {
    const ChatCommand role = parse_line(line);
    EXPECT_EQ(role.what, What::role) << line;
    EXPECT_EQ(role.text, "admin") << line;
    EXPECT_THAT(role.people, testing::ElementsAre("bob")) << line;
  }
  for (const char* bad :
       {"/role bob", "/role bob king", "/add", "/remove", "/remove a b", "/rename", "/block"})
    EXPECT_EQ(parse_line(bad).what, What::bad) << bad;
  EXPECT_EQ(parse_line("/more 30").count, 30u);
}

TEST(ChatCommands, ThatAreNoneNameTheNearest) {
  EXPECT_THAT(parse_line("/lsit").text, testing::HasSubstr("did you mean /list?"));
  EXPECT_THAT(parse_line("/mem").text, testing::HasSubstr("did you mean /members?"));
  EXPECT_THAT(parse_line("/exit").text, testing::HasSubstr("did you mean /quit?"));
  EXPECT_THAT(parse_line("/zzzzzzzz").text, testing::Not(testing::HasSubstr("did you mean")));
  EXPECT_THAT(parse_line("/\x1b[2Jlist").text, testing::Not(testing::HasSubstr("\x1b")));
}

TEST(ChatCommands, OfScriptsAboutGroups) {
  const ChatCommand group = parse_json_line(R"({"group":"tea","people":["bob","eve"]})");
  EXPECT_EQ(group.what, What::group);
  EXPECT_THAT(group.people, testing::ElementsAre("bob", "eve"));
  EXPECT_EQ(parse_json_line(R"({"add":["bob"]})").what, What::add);
  EXPECT_EQ(parse_json_line(R"({"leave":true})").what, What::leave);
  EXPECT_EQ(parse_json_line(R"({"role":"admin","person":"bob"})").text, "admin");
  for (const char* bad : {R"({"add":"bob"})", R"({"add":[5]})", R"({"group":5})", R"({"leave":false})",
                          R"({"role":"admin"})", R"({"role":"king","person":"bob"})"})
    EXPECT_EQ(parse_json_line(bad).what, What::bad) << bad;
}

TEST(ChatProfiles, OfTwoDevicesAreApart) {
  std::string pattern = (std::filesystem::temp_directory_path() / "profiles-XXXXXX").string();
  const std::filesystem::path directory = ::mkdtemp(pattern.data());
  auto desk = load_profile(directory, "ann", {}).value();
  desk.token = "secret";
  ASSERT_TRUE(desk.save().ok());
  const auto phone = load_profile(directory, "ann", {}, "phone").value();
  EXPECT_EQ(phone.token, "");
  EXPECT_NE(phone.outbox_path, desk.outbox_path);
  EXPECT_TRUE(is_device_name("My-phone_2"));
  for (const char* bad : {"", "a/b", "..", "a b"}) EXPECT_FALSE(is_device_name(bad)) << bad;
  std::filesystem::remove_all(directory);
}

TEST(ChatViews, SayHowFarAMessageHasCome) {
  const auto view = make_lines_view("ann", "server", false);
  const auto said = [&view](client::Ticks ticks, bool group) {
    testing::internal::CaptureStdout();
    view->pending({}, "hello");
    ShownConversation conversation{.conversation = {}, .with = "tea", .group = group, .new_from = {}};
    view->status(conversation, {.seq = {1}, .text = "hello", .ticks = ticks});
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_EQ(said({0, 0, 1}, false), "  ✓ sent\n");
  EXPECT_EQ(said({0, 1, 1}, false), "  ✓✓ delivered\n");
  EXPECT_EQ(said({1, 1, 1}, false), "  ✓✓ read\n");
  EXPECT_EQ(said({2, 3, 5}, true), "  ✓ read by 2 of 5\n");
  EXPECT_EQ(said({2, 5, 5}, true), "  ✓✓ read by 2 of 5\n");
  EXPECT_EQ(said({5, 5, 5}, true), "  ✓✓ read by all 5\n");
  EXPECT_EQ(said({0, 0, 0}, true), "  ✓ sent\n") << "alone in a group";
}

TEST(ChatProfiles, KeepTheTokenToTheirOwnerAndServersApart) {
  std::string pattern = (std::filesystem::temp_directory_path() / "profiles-XXXXXX").string();
  const std::filesystem::path directory = ::mkdtemp(pattern.data());
  const std::string inner = (directory / "a" / "b").string();
  auto profile = load_profile(inner, "ann", {}).value();
  EXPECT_EQ(profile.token, "");
  profile.token = "secret";
  ASSERT_TRUE(profile.save().ok());
  EXPECT_EQ(std::filesystem::status(profile.path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(load_profile(inner, "ann", {}).value().token, "secret");
  const auto elsewhere = load_profile(inner, "ann", {"chat.example.org", 443}).value();
  EXPECT_EQ(elsewhere.token, "") << "a token is never shown to another server";
  EXPECT_NE(elsewhere.outbox_path, profile.outbox_path);
  std::filesystem::remove_all(directory);
}

TEST(ChatProfiles, KnowWhoCanBeWrittenToWithoutTheServer) {
  std::string pattern = (std::filesystem::temp_directory_path() / "profiles-XXXXXX").string();
  const std::filesystem::path directory = ::mkdtemp(pattern.data());
  auto profile = load_profile(directory, "ann", {}).value();
  EXPECT_EQ(profile.known("bob"), std::nullopt);
  EXPECT_TRUE(profile.remember({1}, "bob", {2}));
  EXPECT_FALSE(profile.remember({1}, "bob", {2}));
  profile.made_password = "abc-def";
  ASSERT_TRUE(profile.save().ok());
  auto again = load_profile(directory, "ann", {}).value();
  EXPECT_EQ(again.user, model::UserId{1});
  EXPECT_EQ(again.known("bob"), model::UserId{2});
  EXPECT_EQ(again.known("cid"), std::nullopt);
  EXPECT_EQ(again.made_password, "abc-def");
  EXPECT_TRUE(again.remember({7}, "cid", {3}));
  EXPECT_EQ(again.known("bob"), std::nullopt) << "of another account of this name";
  std::filesystem::remove_all(directory);
}

TEST(ChatViews, ShowTheWholeTextOfAMessageThatIsFinallyRefused) {
  const std::string text = "begin " + std::string(300, 'x') + " end";
  const auto lines = make_lines_view("ann", "server", false);
  const auto json = make_json_view("ann", "server");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  for (ChatView* view : {lines.get(), json.get()}) view->failed({}, text, {wire::Code::forbidden, ""});
  const std::string out = testing::internal::GetCapturedStdout();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr(text));
  EXPECT_THAT(out, testing::HasSubstr("\"text\":\"" + text + "\""));
}

TEST(ChatViews, SayInPlainWordsHowTheConnectionIs) {
  using client::Connection;
  const auto view = make_lines_view("ann", "server", false);
  const auto said = [&](Connection state, std::optional<wire::Code> why, int retry_s) {
    testing::internal::CaptureStdout();
    view->connection(state, why, std::chrono::seconds(retry_s));
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_EQ(said(Connection::connecting, {}, 0), "connecting to server\n");
  EXPECT_EQ(said(Connection::offline, {}, 3), "offline – trying again in 3 s\n");
  EXPECT_EQ(said(Connection::connecting, {}, 0), "") << "each once";
  EXPECT_EQ(said(Connection::offline, {}, 9), "");
  EXPECT_EQ(said(Connection::syncing, {}, 0), "catching up\n");
  EXPECT_EQ(said(Connection::online, {}, 0), "connected to server as ann\n");
  EXPECT_EQ(said(Connection::online, {}, 0), "");
  EXPECT_EQ(said(Connection::offline, wire::Code::draining, 1), "the server is going down – reconnecting\n");
  EXPECT_EQ(said(Connection::connecting, wire::Code::draining, 0), "");
  EXPECT_EQ(said(Connection::offline, wire::Code::busy, 2), "the server is busy – trying again in 2 s\n");
  EXPECT_EQ(said(Connection::online, {}, 0), "online again\n");
}

TEST(ChatViews, PromiseNothingWhileNoConversationIsOpen) {
  const auto view = make_lines_view("ann", "server", false);
  testing::internal::CaptureStdout();
  view->connection(client::Connection::offline, {}, std::chrono::seconds(1));
  EXPECT_THAT(testing::internal::GetCapturedStdout(), testing::Not(testing::HasSubstr("kept")));
}

TEST(ChatAddresses, AreHostAndPort) {
  using client::Address;
  EXPECT_EQ(client::parse_address("127.0.0.1:1234").value(), (Address{"127.0.0.1", 1234}));
  EXPECT_EQ(client::parse_address("host").value(), (Address{"host", 65100}));
  EXPECT_EQ(client::parse_address("[::1]:5").value(), (Address{"::1", 5}));
  for (const char* bad : {"", ":", "a:", "a:0", "a:65536", "a:x", "::1", "[::1", "[::1]x", ":80"}) {
    EXPECT_FALSE(client::parse_address(bad).ok()) << bad;
  }
}

TEST(ChatAddresses, MayBeUrls) {
  using client::Address;
  EXPECT_EQ(client::parse_address("ws://host").value(), (Address{"host", 80}));
  EXPECT_EQ(client::parse_address("http://host:8080/").value(), (Address{"host", 8080}));
  for (const char* text : {"wss://host", "https://host:443/", "wss://[::1]:5"}) {
    const auto address = client::parse_address(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_TRUE(address->tls) << text;
  }
  EXPECT_EQ(client::parse_address("wss://host")->port, 443);
  EXPECT_EQ(client::to_text(*client::parse_address("https://[::1]:5/")), "wss://[::1]:5");
  for (const char* bad : {"wss://", "wss://host/path", "ftp://host", "wss://:80"}) {
    EXPECT_FALSE(client::parse_address(bad).ok()) << bad;
  }
  EXPECT_FALSE(client::parse_address("wss://host", "/there/is/no/such/file").ok());
}

}  // namespace
}  // namespace tidings::cli
