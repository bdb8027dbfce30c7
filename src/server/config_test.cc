#include "server/config.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace tidings::server {
namespace {

struct TempFile {
  std::string path;
  explicit TempFile(const std::string& text) {
    char name[] = "/tmp/tidings-config-XXXXXX";
    close(mkstemp(name));
    path = name;
    std::ofstream(path) << text;
  }
  ~TempFile() { std::filesystem::remove(path); }
};

TEST(Config, NothingIsNeeded) {
  const auto config = read_config({});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->port, 65100);
  EXPECT_EQ(config->data, "./tidings-data");
}

TEST(Config, FileGivesWayToEnvironmentAndEnvironmentToFlags) {
  const TempFile file(
      "[server]\nlisten = \"127.0.0.1:1\"\n[storage]\npath = \"/a\"\n[limits]\ntext = \"1KiB\"\n");
  ConfigSources sources{
      file.path, {{"TIDINGS_SERVER__LISTEN", "127.0.0.1:2"}, {"TIDINGS_STORAGE__PATH", "/b"}}, {}};
  sources.flags = {{"server.listen", "127.0.0.1:3"}};
  const auto config = read_config(sources);
  ASSERT_TRUE(config) << config.error().sentence;
  EXPECT_EQ(config->port, 3);
  EXPECT_EQ(config->data, "/b");
  EXPECT_EQ(config->limits.text_bytes_max, 1024u);
}

TEST(Config, AnUnknownKeyIsAnErrorWithTheKeyThatWasPerhapsMeant) {
  const TempFile file("[server]\nlistn = \":1\"\n");
  const auto config = read_config({file.path, {}, {}});
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().sentence.find("did you mean \"server.listen\"?"), std::string::npos)
      << config.error().sentence;
  const auto from_environment = read_config({"", {{"TIDINGS_STORAGE__PAHT", "/x"}}, {}});
  ASSERT_FALSE(from_environment);
  EXPECT_NE(from_environment.error().sentence.find("did you mean \"storage.path\"?"), std::string::npos);
}

TEST(Config, OtherVariablesOfTheEnvironmentAreNoSettings) {
  EXPECT_TRUE(read_config({"", {{"TIDINGS_PASSWORD", "x"}, {"PATH", "/bin"}}, {}}));
}

TEST(Config, AccountsHaveTheirSettings) {
  const TempFile file("[accounts]\nsign_up = \"invite\"\ntoken_lifetime = \"90m\"\n");
  const auto config = read_config({file.path, {{"TIDINGS_ACCOUNTS__REFRESH_LIFETIME", "7d"}}, {}});
  ASSERT_TRUE(config) << config.error().sentence;
  EXPECT_EQ(config->sign_up, account::SignUp::invite);
  EXPECT_EQ(config->limits.token_lifetime, std::chrono::minutes(90));
  EXPECT_EQ(config->limits.refresh_lifetime, std::chrono::hours(24 * 7));
  const auto closed = read_config({"", {}, {{"accounts.sign_up", "closed"}}});
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->sign_up, account::SignUp::closed);
  EXPECT_EQ(read_config({})->sign_up, account::SignUp::open);
}

TEST(Config, OriginsAreAList) {
  const auto config =
      read_config({"", {}, {{"server.origins", "https://chat.example,http://localhost:8080"}}});
  ASSERT_TRUE(config) << config.error().sentence;
  EXPECT_EQ(config->origins, (std::vector<std::string>{"https://chat.example", "http://localhost:8080"}));
  EXPECT_TRUE(read_config({})->origins.empty());
}

TEST(Config, CompressionIsOffUnlessItIsSwitchedOn) {
  using net::WebSocketCompression;
  EXPECT_EQ(read_config({})->compression, WebSocketCompression::off);
  const auto config = read_config({"", {{"TIDINGS_SERVER__COMPRESSION", "on"}}, {}});
  ASSERT_TRUE(config) << config.error().sentence;
  EXPECT_EQ(config->compression, WebSocketCompression::on);
}

TEST(Config, BadValuesAreRefusedWithTheReason) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"server.listen", "nowhere"},
                                                        {"server.listen", "a:70000"},
                                                        {"server.listen", "::1:65100"},
                                                        {"server.proxies", "10.0.0.0/33"},
                                                        {"server.proxies", "haproxy.example"},
                                                        {"server.forwarded_by", "both"},
                                                        {"server.tls_key", "/only/the/key.pem"},
                                                        {"server.shards", "-1"},
                                                        {"server.compression", "always"},
                                                        {"limits.text", "16"},
                                                        {"server.origins", "chat.example"},
                                                        {"server.origins", "https://chat.example/"},
                                                        {"server.origins", "https://chat.example, http://x"},
                                                        {"server.origins", "*"},
                                                        {"limits.text", "99999999999GiB"},
                                                        {"limits.hello_timeout", "10"},
                                                        {"accounts.sign_up", "Open"},
                                                        {"accounts.token_lifetime", "0s"},
                                                        {"accounts.token_lifetime", "12000d"},
                                                        {"accounts.token_lifetime", "99999999999999999999d"},
                                                        {"limits.states", "0"}}) {
    const auto config = read_config({"", {}, {{key, value}}});
    ASSERT_FALSE(config) << key << " = " << value;
    EXPECT_NE(config.error().sentence.find(key), std::string::npos);
  }
  const TempFile broken("[server\n");
  const auto config = read_config({broken.path, {}, {}});
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().sentence.find("line 1"), std::string::npos) << config.error().sentence;
}

TEST(Config, AddressesOfBothFamiliesGoInAndOut) {
  for (const std::string text : {"127.0.0.1:65100", "[::1]:65100", "[::]:0", "chat.example:1"}) {
    const auto at = parse_listen(text);
    ASSERT_TRUE(at) << text;
    EXPECT_EQ(listen_text(at->first, at->second), text);
  }
  EXPECT_EQ(parse_listen(":7").value(), std::pair(std::string("0.0.0.0"), uint16_t{7}));
  EXPECT_EQ(parse_listen("[fe80::1]:7").value().first, "fe80::1");
}

TEST(Config, ProxiesAndTlsAreSettings) {
  const auto config = read_config({"",
                                   {{"TIDINGS_SERVER__TLS_CERTIFICATE", "/c"}},
                                   {{"server.tls_key", "/k"}, {"server.proxies", "10.1.2.0/23, ::1"}}});
  ASSERT_TRUE(config) << config.error().sentence;
  EXPECT_EQ(config->tls_certificate, "/c");
  EXPECT_EQ(config->tls_key, "/k");
  EXPECT_TRUE(config->proxies.contains(*net::Address::parse("10.1.3.255")));
  EXPECT_FALSE(config->proxies.contains(*net::Address::parse("10.1.4.0")));
  EXPECT_TRUE(config->proxies.contains(*net::Address::parse("::1")));
  EXPECT_EQ(config->forwarded_by, net::ForwardedBy::x_forwarded_for);
  EXPECT_EQ(read_config({"", {}, {{"server.forwarded_by", "forwarded"}}})->forwarded_by,
            net::ForwardedBy::forwarded);
}

TEST(Config, EveryKeyTakesItsDefault) {
  for (const auto& key : config_keys()) {
    EXPECT_TRUE(read_config({"", {}, {{key.name, key.value}}})) << key.name;
  }
}

TEST(Config, RatesHaveASizeAndABurst) {
  const auto set = [](std::string key, std::string value) {
    ConfigSources sources;
    sources.flags = {{std::move(key), std::move(value)}};
    return read_config(sources);
  };
  EXPECT_EQ(set("limits.person_sends", "5/m, 7")->limits.person_sends,
            (base::Rate{5, std::chrono::minutes(1), 7}));
  EXPECT_FALSE(set("limits.address_hellos", "off")->limits.address_hellos.limited());
  for (const char* bad : {"", "5", "5/s", "5/d, 7", "0/s, 7", "5/s, 0", "5/s,7", "-5/s, 7", "/s, 7", "5/s, ",
                          "5/ms, 7", "99999999999/s, 7", "on"}) {
    EXPECT_FALSE(set("limits.person_sends", bad)) << bad;
  }
}

TEST(Config, EveryDocumentedDefaultIsTheDefault) {
  const base::Limits limits;
  for (const auto& key : config_keys()) {
    ConfigSources sources;
    sources.flags = {{key.name, key.value}};
    const auto config = read_config(sources);
    ASSERT_TRUE(config) << key.name << ": " << config.error().sentence;
    EXPECT_EQ(config->limits.person_sends, limits.person_sends) << key.name;
    EXPECT_EQ(config->limits.person_groups, limits.person_groups) << key.name;
    EXPECT_EQ(config->limits.person_additions, limits.person_additions) << key.name;
    EXPECT_EQ(config->limits.device_requests, limits.device_requests) << key.name;
    EXPECT_EQ(config->limits.address_hellos, limits.address_hellos) << key.name;
    EXPECT_EQ(config->limits.address_log_ins, limits.address_log_ins) << key.name;
    EXPECT_EQ(config->limits.address_calls, limits.address_calls) << key.name;
    EXPECT_EQ(config->limits.conversation_commands, limits.conversation_commands) << key.name;
    EXPECT_EQ(config->limits.process_requests, limits.process_requests) << key.name;
  }
}

TEST(Config, TheBenchProfileLiftsRatesAndNothingElse) {
  const TempFile file("[limits]\nprofile = \"bench\"\nperson_sends = \"1/s, 1\"\ntext = \"1KiB\"\n");
  const auto config = read_config({file.path, {}, {}});
  ASSERT_TRUE(config) << config.error().sentence;
  EXPECT_FALSE(config->limits.person_sends.limited());
  EXPECT_FALSE(config->limits.conversation_commands.limited());
  EXPECT_EQ(config->limits.text_bytes_max, 1024u);
  EXPECT_FALSE(read_config({"", {{"TIDINGS_LIMITS__PROFILE", "fast"}}, {}}));
}

TEST(Config, TheLogAndTheTokenOfMetrics) {
  const TempFile file(
      "[server]\nlog_format = \"json\"\nlog_level = \"debug\"\n"
      "metrics_token = \"0123456789abcdef\"\n");
  const auto config = read_config({file.path, {}, {}});
  ASSERT_TRUE(config) << config.error().sentence;
  EXPECT_EQ(config->log_format, base::LogFormat::json);
  EXPECT_EQ(config->log_level, base::LogLevel::debug);
  EXPECT_EQ(config->metrics_token, "0123456789abcdef");
  EXPECT_FALSE(read_config({"", {{"TIDINGS_SERVER__LOG_LEVEL", "loud"}}, {}}));
  EXPECT_FALSE(read_config({"", {{"TIDINGS_SERVER__METRICS_TOKEN", "short"}}, {}}));
}

}  // namespace
}  // namespace tidings::server
