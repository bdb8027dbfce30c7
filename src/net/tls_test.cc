#include "net/tls.h"

#include <openssl/ssl.h>

#include "net/test_certificate.h"
#include "net/test_server.h"

namespace tidings::net {
namespace {

std::shared_ptr<TlsIdentity> identity(const TestCertificate& certificate) {
  return TlsIdentity::load(certificate.certificate_path(), certificate.key_path()).value();
}
HttpServerOptions secure(const TestCertificate& certificate) {
  HttpServerOptions options;
  options.tls = identity(certificate);
  return options;
}
std::shared_ptr<TlsTrust> trust(const TestCertificate& certificate) {
  return TlsTrust::load(certificate.certificate_path()).value();
}

base::Result<HttpResponse> get(TestServer& server, std::shared_ptr<TlsTrust> tls,
                               const std::string& path = "/x", const std::string& host = "127.0.0.1") {
  std::promise<base::Result<HttpResponse>> promise;
  http_request(
      server.reactor, host, server.port, {"GET", path, "", {}, "", ""},
      [&](auto result) { promise.set_value(std::move(result)); }, std::move(tls));
  return promise.get_future().get();
}
std::string why(TestServer& server, std::shared_ptr<TlsTrust> tls, const std::string& host = "127.0.0.1") {
  const auto answer = get(server, std::move(tls), "/x", host);
  return answer ? "" : answer.error().sentence;
}

// A client that looks at the session itself.
struct Peeking {
  explicit Peeking(uint16_t port, int version_max = TLS1_3_VERSION, SSL_SESSION* ticket = nullptr)
      : peer(port) {
    SSL_CTX_set_max_proto_version(context.get(), version_max);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_security_level(context.get(), 0);
    session.reset(SSL_new(context.get()));
    if (ticket) SSL_set_session(session.get(), ticket);
    SSL_set_fd(session.get(), peer.fd());
    connected = SSL_connect(session.get()) == 1;
  }
  std::string ask(const std::string& request) {
    SSL_write(session.get(), request.data(), static_cast<int>(request.size()));
    char buffer[4096];
    const int n = SSL_read(session.get(), buffer, sizeof buffer);
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : "";
  }
  long serial() const {
    const std::unique_ptr<X509, void (*)(X509*)> shown(SSL_get1_peer_certificate(session.get()), X509_free);
    return shown ? ASN1_INTEGER_get(X509_get0_serialNumber(shown.get())) : -1;
  }
  RawPeer peer;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
  std::unique_ptr<SSL, void (*)(SSL*)> session{nullptr, SSL_free};
  bool connected = false;
};
constexpr const char* a_request = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(Tls, a_request_is_answered_and_a_large_answer_comes_whole) {
  const TestCertificate certificate;
  TestServer server({}, secure(certificate));
  const auto small = get(server, trust(certificate));
  ASSERT_TRUE(small) << small.error().sentence;
  EXPECT_EQ(small->body, "GET /x ");
  const auto large = get(server, trust(certificate), "/large");
  ASSERT_TRUE(large) << large.error().sentence;
  EXPECT_EQ(large->body, std::string(8u << 20, 'L'));
  EXPECT_TRUE(get(server, trust(certificate), "/x", "localhost"));
}

TEST(Tls, only_a_certificate_that_is_vouched_for_and_bears_the_name_is_accepted) {
  const TestCertificate certificate;
  const TestCertificate stranger;
  const TestCertificate elsewhere("DNS:elsewhere.example,IP:127.0.0.2");
  TestServer server({}, secure(certificate));
  EXPECT_NE(why(server, trust(stranger)).find("certificate"), std::string::npos)
      << why(server, trust(stranger));
  EXPECT_NE(why(server, TlsTrust::load("").value()).find("certificate"), std::string::npos);
  TestServer other({}, secure(elsewhere));
  EXPECT_NE(why(other, trust(elsewhere)).find("IP address mismatch"), std::string::npos);
  EXPECT_NE(why(other, trust(elsewhere), "localhost").find("ostname mismatch"), std::string::npos);
  EXPECT_EQ(server.requests + other.requests, 0);
  EXPECT_FALSE(TlsTrust::load("/nowhere/roots.pem"));
}

TEST(Tls, who_does_not_speak_it_is_cut_and_told) {
  const TestCertificate certificate;
  TestServer server({}, secure(certificate));
  RawPeer plain(server.port);
  plain.send(a_request);
  plain.read_to_end();
  TestServer clear;
  EXPECT_NE(why(clear, trust(certificate)).find("TLS"), std::string::npos) << why(clear, trust(certificate));
  EXPECT_EQ(server.requests, 0);
}

TEST(Tls, versions_before_1_2_are_refused_and_1_2_works) {
  const TestCertificate certificate;
  TestServer server({}, secure(certificate));
  EXPECT_FALSE(Peeking(server.port, TLS1_1_VERSION).connected);
  Peeking older(server.port, TLS1_2_VERSION);
  ASSERT_TRUE(older.connected);
  EXPECT_TRUE(older.ask(a_request).starts_with("HTTP/1.1 200 "));
  Peeking newer(server.port);
  ASSERT_TRUE(newer.connected);
  EXPECT_EQ(SSL_version(newer.session.get()), TLS1_3_VERSION);
}

TEST(Tls, a_handshake_that_does_not_end_is_cut) {
  const TestCertificate certificate;
  base::Limits limits;
  limits.http_request_timeout = std::chrono::milliseconds(300);
  TestServer server(limits, secure(certificate));
  RawPeer silent(server.port);
  EXPECT_EQ(silent.read_to_end(), "");
  RawPeer slow(server.port);
  slow.send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  EXPECT_EQ(slow.read_to_end(), "");
  EXPECT_TRUE(wait_until(server.reactor, [&] { return server.connections->value() == 0; }));
}

TEST(Tls, new_files_are_taken_broken_ones_refused_and_who_is_connected_stays) {
  TestCertificate certificate;
  HttpServerOptions options = secure(certificate);
  const auto shown = options.tls;
  TestServer server({}, std::move(options));
  Peeking old(server.port);
  ASSERT_TRUE(old.connected);
  EXPECT_EQ(old.serial(), 1);
  EXPECT_FALSE(shown->reload().value());

  certificate.make("IP:127.0.0.1", false);  // the key is still the old one
  const auto refused = shown->reload();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().sentence.find(certificate.key_path()), std::string::npos)
      << refused.error().sentence;
  EXPECT_FALSE(shown->reload().value()) << "tried and told again";
  EXPECT_EQ(Peeking(server.port).serial(), 1);

  certificate.make("IP:127.0.0.1");
  EXPECT_TRUE(shown->reload().value());
  EXPECT_EQ(Peeking(server.port).serial(), 3);
  EXPECT_TRUE(old.ask(a_request).starts_with("HTTP/1.1 200 "));

  std::ofstream(certificate.certificate_path()) << "garbage";
  EXPECT_FALSE(shown->reload());
  std::filesystem::remove(certificate.key_path());
  EXPECT_FALSE(shown->reload());
  EXPECT_EQ(Peeking(server.port).serial(), 3);
  EXPECT_FALSE(TlsIdentity::load(certificate.certificate_path(), certificate.key_path()));
}

TEST(Tls, a_session_is_resumed_by_ticket) {
  const TestCertificate certificate;
  TestServer server({}, secure(certificate));
  Peeking first(server.port);
  first.ask(a_request);
  const std::unique_ptr<SSL_SESSION, void (*)(SSL_SESSION*)> ticket(SSL_get1_session(first.session.get()),
                                                                    SSL_SESSION_free);
  EXPECT_FALSE(SSL_session_reused(first.session.get()));
  Peeking second(server.port, TLS1_3_VERSION, ticket.get());
  second.ask(a_request);
  EXPECT_TRUE(SSL_session_reused(second.session.get()));
}

TEST(Tls, texts_encoded_once_come_whole_to_a_slow_reader_and_in_order) {
  const TestCertificate certificate;
  TestServer server({}, secure(certificate));
  std::promise<std::unique_ptr<WebSocket>> connected;
  connect_websocket(server.reactor, "127.0.0.1", server.port, "/v1/ws", "test.v1",
                    {1 << 20, trust(certificate)},
                    [&](auto result) { connected.set_value(std::move(result).value()); });
  auto socket = connected.get_future().get();
  auto client = run_on(server.reactor, [&] { return std::make_unique<Ear>(std::move(socket)); });
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.emplace_back(60'000, static_cast<char>('a' + i % 26));
  Ear& ear = server.ear(0);
  run_on(server.reactor, [&] {
    client->socket->pause_reading(true);
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    ASSERT_TRUE(ear.socket->send_encoded(encode_texts(views)));
  });
  EXPECT_GT(run_on(server.reactor, [&] { return ear.socket->outbox_bytes(); }), 0u);
  run_on(server.reactor, [&] {
    ear.socket->send("last");
    client->socket->pause_reading(false);
  });
  texts.emplace_back("last");
  EXPECT_TRUE(wait_until(server.reactor, [&] { return client->messages.size() == texts.size(); }));
  run_on(server.reactor, [&] {
    EXPECT_EQ(client->messages, texts);
    client.reset();
  });
}

}  // namespace
}  // namespace tidings::net
