// What proxies say of their clients (net/proxy_protocol.h): the header of PROXY protocol 2, Forwarded,
// X-Forwarded-For.
#include "net/proxy_protocol.h"
#include "test/fuzz/target.h"

namespace tidings::fuzz {

using namespace net;
using Progress = ProxyHeader::Progress;

void feed(std::string_view bytes) {
  Dice dice(bytes);
  if (dice.byte() % 2) {
    const auto believed = *AddressList::parse("127.0.0.1, 10.0.0.0/8, fd00::/8");
    const auto peer = *Address::parse("10.1.2.3");
    const size_t cut = dice.rest().find('\n');
    HttpHeaders headers{{"X-Forwarded-For", std::string(dice.rest().substr(0, cut))}};
    if (cut != std::string_view::npos)
      headers.emplace_back("Forwarded", std::string(dice.rest().substr(cut + 1)));
    const auto by = dice.byte() % 2 ? ForwardedBy::forwarded : ForwardedBy::x_forwarded_for;
    const auto client = forwarded_client(headers, peer, believed, by);
    must(client.bytes().size() == 4 || client.bytes().size() == 16, "the client has an address");
    const auto again = Address::parse(client.text());
    must(again && again->text() == client.text(), "an address that is written is read as the same");
    (void)AddressList::parse(dice.rest());
    return;
  }
  const auto text = dice.rest();
  const auto whole = parse_proxy_header(text);
  if (whole.progress == Progress::refused) return;
  must(whole.bytes > 0 && whole.bytes <= proxy_header_bytes_max, "a header has a limit");
  must((whole.progress == Progress::complete) == (whole.bytes <= text.size()),
       "more means that more is needed");
  // As a reader does that takes no more than it was told to.
  size_t have = 0;
  for (;;) {
    const auto part = parse_proxy_header(text.substr(0, have));
    must(part.progress != Progress::refused, "the beginning of a header is no reason to refuse");
    if (part.progress == Progress::complete) {
      must(whole.progress == Progress::complete && part.bytes == whole.bytes,
           "a header is the same in pieces");
      must(part.client.text() == whole.client.text(), "a client is the same in pieces");
      return;
    }
    must(part.bytes > have, "who is told to read on gets on");
    have = part.bytes;
    if (have > text.size()) {
      must(whole.progress == Progress::more, "a header is the same in pieces");
      return;
    }
  }
}

std::vector<std::string> seeds() {
  const std::string signature("\0\r\n\r\n\0\r\nQUIT\n", 13);
  const auto header = [&](char command, char family, const std::string& rest) {
    return signature + command + family +
           std::string{static_cast<char>(rest.size() >> 8), static_cast<char>(rest.size())} + rest;
  };
  const std::string four("\x7f\0\0\1\x0a\0\0\1\x12\x34\x56\x78", 12), six(36, '\x11');
  return {header('\x21', '\x11', four),
          header('\x21', '\x21', six),
          header('\x21', '\x11', four + std::string("\3\0\4abcd", 7)) + "GET / HTTP/1.1\r\n",
          header('\x20', '\0', ""),
          header('\x21', '\x31', std::string(216, 'x')),
          header('\x21', '\x11', four.substr(0, 5)),
          header('\x31', '\x11', four),
          "\1"
          "192.0.2.1, 10.0.0.1\nfor=192.0.2.60;proto=http, for=\"[2001:db8::1]:4711\"",
          "\1"
          "2001:db8::1\nfor=unknown, for=_hidden",
          "\1"
          "10.0.0.1, 10.0.0.2",
          "\1"
          "\nFor=\"192.0.2.43:47011\""};
}

}  // namespace tidings::fuzz
