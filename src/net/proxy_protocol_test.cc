#include "net/proxy_protocol.h"

#include <openssl/ssl.h>

#include "net/test_certificate.h"
#include "net/test_server.h"

namespace tidings::net {
namespace {

using Progress = ProxyHeader::Progress;

// As a proxy writes it: the signature, version and command, family and protocol, length, addresses.
std::string header(uint8_t command, uint8_t family, const std::string& body) {
  std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
  out.push_back(static_cast<char>(command));
  out.push_back(static_cast<char>(family));
  out.push_back(static_cast<char>(body.size() >> 8));
  out.push_back(static_cast<char>(body.size()));
  return out + body;
}
const std::string v4_body("\xc0\x00\x02\x07\x7f\x00\x00\x01\x30\x39\xfe\x4c", 12);
std::string v6_body() {
  std::string body("\x20\x01\x0d\xb8", 4);
  return body + std::string(11, '\0') + "\x07" + std::string(20, '\x01');
}
std::string client_of(const std::string& bytes) {
  const auto parsed = parse_proxy_header(bytes);
  return parsed.progress == Progress::complete ? parsed.client.text() : "not complete";
}
Progress progress_of(const std::string& bytes) {
  return parse_proxy_header(bytes).progress;
}

TEST(ProxyHeader, names_the_client_of_both_families_and_passes_over_extensions) {
  EXPECT_EQ(client_of(header(0x21, 0x11, v4_body)), "192.0.2.7");
  EXPECT_EQ(client_of(header(0x21, 0x11, v4_body + std::string(50, 'x')) + "GET"), "192.0.2.7");
  EXPECT_EQ(parse_proxy_header(header(0x21, 0x11, v4_body + std::string(50, 'x')) + "GET").bytes, 78u);
  EXPECT_EQ(client_of(header(0x21, 0x21, v6_body())), "2001:db8::7");
  EXPECT_EQ(client_of(header(0x21, 0x31, std::string(216, 'u'))), "");
  EXPECT_EQ(client_of(header(0x21, 0x00, "")), "");
  EXPECT_EQ(client_of(header(0x20, 0x11, v4_body)), "") << "the proxy itself asks";
  EXPECT_EQ(client_of(header(0x20, 0x00, "")), "");
}

TEST(ProxyHeader, asks_for_no_more_than_the_header) {
  const std::string whole = header(0x21, 0x21, v6_body() + "extension");
  for (size_t n = 0; n < whole.size(); ++n) {
    const auto parsed = parse_proxy_header(whole.substr(0, n));
    ASSERT_EQ(parsed.progress, Progress::more) << n;
    EXPECT_EQ(parsed.bytes, n < 16 ? 16 : whole.size());
  }
}

TEST(ProxyHeader, what_is_none_is_refused) {
  EXPECT_EQ(progress_of("GET / HTTP/1.1\r\n"), Progress::refused);
  EXPECT_EQ(progress_of("\r\n\r\nGET"), Progress::refused);
  EXPECT_EQ(progress_of("PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n"), Progress::refused);
  EXPECT_EQ(progress_of(header(0x11, 0x11, v4_body)), Progress::refused);
  EXPECT_EQ(progress_of(header(0x22, 0x11, v4_body)), Progress::refused);
  EXPECT_EQ(progress_of(header(0x21, 0x41, v4_body)), Progress::refused);
  EXPECT_EQ(progress_of(header(0x21, 0x13, v4_body)), Progress::refused);
  EXPECT_EQ(progress_of(header(0x21, 0x11, v4_body.substr(1))), Progress::refused);
  EXPECT_EQ(progress_of(header(0x21, 0x21, v4_body)), Progress::refused);
  EXPECT_EQ(progress_of(header(0x21, 0x11, std::string(3000, 'x')).substr(0, 16)), Progress::refused);
}

std::string forwarded(const HttpHeaders& headers, const std::string& peer = "10.0.0.1",
                      ForwardedBy by = ForwardedBy::x_forwarded_for) {
  const auto believed = AddressList::parse("10.0.0.0/8, fd00::/8");
  return forwarded_client(headers, *Address::parse(peer), *believed, by).text();
}

TEST(Forwarded, the_last_who_is_not_believed_is_the_client) {
  EXPECT_EQ(forwarded({}), "10.0.0.1");
  EXPECT_EQ(forwarded({{"X-Forwarded-For", "192.0.2.7"}}), "192.0.2.7");
  EXPECT_EQ(forwarded({{"x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.2"}}), "192.0.2.7");
  EXPECT_EQ(forwarded({{"x-forwarded-for", "6.6.6.6"}, {"X-Forwarded-For", "192.0.2.7"}}), "192.0.2.7");
  EXPECT_EQ(forwarded({{"x-forwarded-for", "10.0.0.3,10.0.0.2"}}), "10.0.0.3");
  EXPECT_EQ(forwarded({{"x-forwarded-for", "192.0.2.7:4711, fd00::1"}}), "192.0.2.7");
  EXPECT_EQ(forwarded({{"x-forwarded-for", "2001:db8::7"}}), "2001:db8::7");
  EXPECT_EQ(forwarded({{"x-forwarded-for", "6.6.6.6, what, 10.0.0.2"}}), "10.0.0.2");
  EXPECT_EQ(forwarded({{"x-forwarded-for", ""}}), "10.0.0.1");
  EXPECT_EQ(forwarded({{"X-Forwarded-For", "6.6.6.6"}}, "192.0.2.1"), "192.0.2.1") << "not believed";
}

TEST(Forwarded, the_standard_header_is_read_where_the_proxy_sets_it_and_only_one_counts) {
  const auto standard = [](const HttpHeaders& headers) {
    return forwarded(headers, "10.0.0.1", ForwardedBy::forwarded);
  };
  EXPECT_EQ(standard({{"Forwarded", "for=192.0.2.7;proto=https"}, {"X-Forwarded-For", "6.6.6.6"}}),
            "192.0.2.7");
  EXPECT_EQ(forwarded({{"Forwarded", "for=6.6.6.6"}, {"X-Forwarded-For", "192.0.2.7"}}), "192.0.2.7");
  EXPECT_EQ(forwarded({{"Forwarded", "for=6.6.6.6"}}), "10.0.0.1");
  EXPECT_EQ(standard({{"forwarded", "for=6.6.6.6, proto=http; For=\"[2001:db8::7]:4711\" , for=10.0.0.2"}}),
            "2001:db8::7");
  EXPECT_EQ(standard({{"forwarded", "for=6.6.6.6, for=unknown"}}), "10.0.0.1");
  EXPECT_EQ(standard({{"forwarded", "for=6.6.6.6, by=10.0.0.1"}}), "10.0.0.1");
}

TEST(AddressList, takes_addresses_and_blocks_of_both_families) {
  const auto list = AddressList::parse(" 127.0.0.1,10.0.0.0/8 , 192.168.4.0/22, fd00::/9, ::1");
  ASSERT_TRUE(list);
  const auto has = [&](const char* text) { return list->contains(*Address::parse(text)); };
  for (const auto* in : {"127.0.0.1", "::ffff:127.0.0.1", "10.255.0.1", "192.168.7.255", "fd7f::1", "::1"})
    EXPECT_TRUE(has(in)) << in;
  for (const auto* out : {"127.0.0.2", "11.0.0.1", "192.168.8.0", "fd80::1", "::2"})
    EXPECT_FALSE(has(out)) << out;
  EXPECT_FALSE(list->contains(Address()));
  EXPECT_TRUE(AddressList::parse("0.0.0.0/0")->contains(*Address::parse("6.6.6.6")));
  EXPECT_FALSE(AddressList::parse("0.0.0.0/0")->contains(*Address::parse("::6")));
  EXPECT_TRUE(AddressList::parse(" ")->empty());
  for (const auto* bad :
       {",", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "::/129", "name", "1.2.3.4/8x"})
    EXPECT_FALSE(AddressList::parse(bad)) << bad;
}

HttpServerOptions believing(const std::string& proxies) {
  HttpServerOptions options;
  options.proxies = AddressList::parse(proxies).value();
  return options;
}
constexpr const char* ask_peer =
    "GET /peer HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n";
std::string body_of(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  return end == answer.npos ? "no answer" : answer.substr(end + 4);
}

TEST(Proxy, its_word_counts_only_if_it_is_believed) {
  TestServer strict;
  RawPeer stranger(strict.port);
  stranger.send(ask_peer);
  EXPECT_EQ(body_of(stranger.read_to_end()), "127.0.0.1");
  RawPeer forger(strict.port);
  forger.send(header(0x21, 0x11, v4_body) + ask_peer);
  EXPECT_TRUE(forger.read_to_end().starts_with("HTTP/1.1 400 "));

  TestServer server({}, believing("127.0.0.0/8"));
  RawPeer without(server.port);
  without.send(ask_peer);
  EXPECT_EQ(body_of(without.read_to_end()), "6.6.6.6");
  RawPeer with(server.port);
  with.send(header(0x21, 0x11, v4_body) + ask_peer);
  EXPECT_EQ(body_of(with.read_to_end()), "192.0.2.7") << "the client's own word does not count";
  RawPeer bytewise(server.port);
  for (const char c : header(0x21, 0x21, v6_body() + "more")) bytewise.send({&c, 1});
  bytewise.send(ask_peer);
  EXPECT_EQ(body_of(bytewise.read_to_end()), "2001:db8::7");
  RawPeer check(server.port);
  check.send(header(0x20, 0x00, "") + "GET /peer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(body_of(check.read_to_end()), "127.0.0.1");
}

TEST(Proxy, a_socket_is_its_clients_through_either_kind_of_proxy) {
  TestServer server({}, believing("127.0.0.1"));
  RawPeer forwarding(server.port);
  forwarding.send(header(0x21, 0x11, v4_body) + TestServer::handshake());
  EXPECT_TRUE(forwarding.read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
  EXPECT_EQ(server.ear(0).socket->peer(), "192.0.2.7");
  RawPeer talking(server.port);
  std::string request = TestServer::handshake();
  talking.send(request.insert(request.find("Host:"), "X-Forwarded-For: 192.0.2.8\r\n"));
  EXPECT_TRUE(talking.read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
  EXPECT_EQ(server.ear(1).socket->peer(), "192.0.2.8");
}

TEST(Proxy, a_broken_or_unfinished_header_ends_the_connection) {
  base::Limits limits;
  limits.http_request_timeout = std::chrono::milliseconds(300);
  TestServer server(limits, believing("127.0.0.1"));
  for (const auto& bytes : {header(0x31, 0x11, v4_body) + ask_peer, header(0x21, 0x11, v4_body).substr(0, 20),
                            std::string("\r\n"), std::string()}) {
    RawPeer peer(server.port);
    peer.send(bytes);
    EXPECT_EQ(peer.read_to_end(), "");
  }
  EXPECT_TRUE(wait_until(server.reactor, [&] { return server.connections->value() == 0; }));
}

TEST(Proxy, tls_begins_right_behind_the_header) {
  const TestCertificate certificate;
  HttpServerOptions options = believing("127.0.0.1");
  options.tls = TlsIdentity::load(certificate.certificate_path(), certificate.key_path()).value();
  TestServer server({}, std::move(options));
  RawPeer peer(server.port);
  peer.send(header(0x21, 0x11, v4_body));
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::unique_ptr<SSL, void (*)(SSL*)> session(SSL_new(context.get()), SSL_free);
  SSL_set_fd(session.get(), peer.fd());
  ASSERT_EQ(SSL_connect(session.get()), 1);
  SSL_write(session.get(), ask_peer, static_cast<int>(std::string_view(ask_peer).size()));
  char answer[4096];
  const int n = SSL_read(session.get(), answer, sizeof answer);
  ASSERT_GT(n, 0);
  EXPECT_EQ(body_of(std::string(answer, static_cast<size_t>(n))), "192.0.2.7");
}

}  // namespace
}  // namespace tidings::net
