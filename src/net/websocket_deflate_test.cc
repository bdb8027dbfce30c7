#include "net/websocket_deflate.h"

#include <array>

#include <gtest/gtest.h>
#include <zlib.h>

namespace tidings::net {
namespace {

using Kind = WebSocketDeflate::Inflated::Kind;
using std::string_literals::operator""s;

constexpr size_t bytes_max = 64 * 1024;
const std::string plain_answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

std::string answer_to(std::string_view offers) {
  const auto agreement = agree_on_deflate(offers);
  return agreement ? agreement->answer : "";
}
int window_bits_for(std::string_view offers) {
  const auto agreement = agree_on_deflate(offers);
  return agreement ? agreement->window_bits : 0;
}

// Text that is neither trivial nor random.
std::string text_of(size_t size) {
  std::string text;
  uint32_t state = 7;
  while (text.size() < size) {
    state = state * 1664525 + 1013904223;
    text += "{\"type\":\"event\",\"seq\":" + std::to_string(state >> (state >> 30) * 8) + "},";
  }
  text.resize(size);
  return text;
}
std::string noise_of(size_t size) {
  std::string noise(size, '\0');
  uint32_t state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return noise;
}

// What zlib itself makes of it with these settings, without the tail.
std::string deflated(const std::string& message, int level = 6, int flush = Z_SYNC_FLUSH) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(message.size() + message.size() / 100 + 100, '\0');
  std::string in = message;
  z.next_in = reinterpret_cast<Bytef*>(in.data());
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, flush);
  out.resize(z.total_out);
  deflateEnd(&z);
  if (flush == Z_SYNC_FLUSH) out.resize(out.size() - 4);
  return out;
}

// Inflates as a peer would that has only 2^window_bits bytes of what came before.
std::optional<std::string> inflated_by_peer(std::string payload, int window_bits) {
  payload += "\0\0\xff\xff"s;
  z_stream z{};
  EXPECT_EQ(inflateInit2(&z, -window_bits), Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(payload.data());
  z.avail_in = static_cast<uInt>(payload.size());
  std::string out;
  int status = Z_OK;
  do {
    // A byte at a time, or zlib would look behind its window, into what it wrote.
    Bytef byte;
    z.next_out = &byte;
    z.avail_out = 1;
    status = inflate(&z, Z_SYNC_FLUSH);
    if (z.avail_out == 0) out.push_back(static_cast<char>(byte));
  } while (status == Z_OK);
  inflateEnd(&z);
  return status == Z_BUF_ERROR ? std::optional(out) : std::nullopt;
}

TEST(DeflateAgreement, is_always_without_context_takeover) {
  EXPECT_EQ(answer_to("permessage-deflate"), plain_answer);
  EXPECT_EQ(window_bits_for("permessage-deflate"), 15);
  for (const char* offer :
       {"permessage-deflate; server_no_context_takeover", "permessage-deflate;client_no_context_takeover",
        "permessage-deflate; client_max_window_bits", "permessage-deflate ; client_max_window_bits = 8",
        "permessage-deflate; client_max_window_bits=\"15\"",
        "permessage-deflate; client_max_window_bits=10; server_no_context_takeover; "
        "client_no_context_takeover",
        "\t permessage-deflate \t"})
    EXPECT_EQ(answer_to(offer), plain_answer) << offer;
}

TEST(DeflateAgreement, keeps_to_the_window_that_the_client_asks_for) {
  for (int bits = 8; bits <= 15; ++bits) {
    const std::string parameter = "server_max_window_bits=" + std::to_string(bits);
    EXPECT_EQ(answer_to("permessage-deflate; " + parameter), plain_answer + "; " + parameter);
    EXPECT_EQ(window_bits_for("permessage-deflate; " + parameter), bits);
  }
  EXPECT_EQ(answer_to("permessage-deflate; server_max_window_bits=\"9\""),
            plain_answer + "; server_max_window_bits=9");
}

TEST(DeflateAgreement, declines_an_offer_with_an_unknown_doubled_or_wrong_parameter) {
  for (const char* parameters : {"x",
                                 "server_max_window_bits",
                                 "server_max_window_bits=7",
                                 "server_max_window_bits=16",
                                 "server_max_window_bits=08",
                                 "server_max_window_bits=",
                                 "server_max_window_bits=\"\"",
                                 "server_max_window_bits=9x",
                                 "server_max_window_bits=-9",
                                 "server_max_window_bits=265",
                                 "client_max_window_bits=7",
                                 "client_max_window_bits=",
                                 "client_max_window_bits=x",
                                 "server_no_context_takeover=1",
                                 "client_no_context_takeover=true",
                                 "server_no_context_takeover=",
                                 "server_no_context_takeover; server_no_context_takeover",
                                 "client_max_window_bits; client_max_window_bits",
                                 "client_max_window_bits=9; client_max_window_bits=9",
                                 "server_max_window_bits=9; server_max_window_bits=10",
                                 "",
                                 "server_no_context_takeover;",
                                 "; server_no_context_takeover",
                                 "Server_No_Context_Takeover",
                                 "server_max_window_bits=\"9",
                                 "server_max_window_bits=9\"",
                                 "server_max_window_bits=10; x=\", permessage-deflate"}) {
    const std::string offer = "permessage-deflate; " + std::string(parameters);
    EXPECT_EQ(answer_to(offer), "") << offer;
    // The next one may do.
    if (offer.find('"') == offer.npos) {
      EXPECT_EQ(answer_to(offer + ", permessage-deflate"), plain_answer) << offer;
    }
  }
}

TEST(DeflateAgreement, takes_the_first_offer_that_it_can) {
  EXPECT_EQ(answer_to(""), "");
  EXPECT_EQ(answer_to(", ,"), "");
  EXPECT_EQ(answer_to("x-webkit-deflate-frame, permessage-bzip2; level=9"), "");
  EXPECT_EQ(answer_to("permessage-deflates"), "");
  EXPECT_EQ(answer_to("x; permessage-deflate"), "");
  EXPECT_EQ(answer_to("x; y=\", permessage-deflate\""), "") << "it stands inside quotes";
  EXPECT_EQ(answer_to("x; y=\"\\\", permessage-deflate\""), "") << "and so does the quote";
  EXPECT_EQ(answer_to("x; y=\"a, b; c\", permessage-deflate; server_max_window_bits=10, permessage-deflate"),
            plain_answer + "; server_max_window_bits=10");
  EXPECT_EQ(answer_to("permessage-deflate; server_max_window_bits=16, permessage-deflate; "
                      "server_max_window_bits=9, permessage-deflate"),
            plain_answer + "; server_max_window_bits=9");
}

TEST(Deflate, the_examples_of_rfc_7692) {
  WebSocketDeflate deflate;
  for (const auto& payload : {
           "\xf2\x48\xcd\xc9\xc9\x07\x00"s,                         // one block
           "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s,         // without compression
           "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s,                     // a last block, and one behind it
           "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s  // two blocks
       }) {
    const auto [kind, message] = deflate.inflate(payload, 5);
    EXPECT_EQ(kind, Kind::whole);
    EXPECT_EQ(message, "Hello");
  }
  const auto [kind, message] = deflate.inflate("\0"s, 0);
  EXPECT_EQ(kind, Kind::whole);
  EXPECT_EQ(message, "");
}

TEST(Deflate, what_is_deflated_is_inflated_to_the_same_and_is_smaller) {
  WebSocketDeflate deflate;
  for (const size_t size : {100, 500, 1024, 16384, 32768, 65536, 320 * 1024, 3 << 20}) {
    const std::string message = text_of(size);
    for (int bits = 8; bits <= 15; ++bits) {
      const auto payload = deflate.deflate(message, static_cast<uint8_t>(bits), size - 1);
      if (!payload) {
        EXPECT_TRUE(size == 100 || bits < 10) << size << ' ' << bits;
        continue;
      }
      EXPECT_LT(payload->size(), size);
      const std::string copy(*payload);
      const auto [kind, again] = deflate.inflate(copy, size);
      EXPECT_EQ(kind, Kind::whole);
      EXPECT_TRUE(again == message) << size << ' ' << bits;
      if (size <= 65536) EXPECT_TRUE(inflated_by_peer(copy, bits) == message) << size << ' ' << bits;
    }
  }
}

TEST(Deflate, the_peers_window_is_never_looked_behind) {
  // Noise said twice compresses only if the second one may refer to the first.
  WebSocketDeflate deflate;
  const std::string noise = noise_of(600);
  for (int bits = 8; bits <= 15; ++bits) {
    const auto payload = deflate.deflate(noise + noise, static_cast<uint8_t>(bits), 2000);
    ASSERT_TRUE(payload);
    EXPECT_EQ(payload->size() < 800, bits >= 11) << bits;
    EXPECT_EQ(inflated_by_peer(std::string(*payload), bits), noise + noise);
  }
}

TEST(Deflate, gives_nothing_that_is_larger_than_allowed) {
  WebSocketDeflate deflate;
  for (const size_t size : {0, 1, 10, 1000, 100'000}) {
    const std::string noise = noise_of(size);
    EXPECT_FALSE(deflate.deflate(noise, 15, size)) << size;
    EXPECT_FALSE(deflate.deflate(noise, 8, size)) << size;
    const auto payload = deflate.deflate(noise, 15, size + size / 16 + 64);
    ASSERT_TRUE(payload) << size;
    EXPECT_EQ(deflate.inflate(std::string(*payload), size).message, noise);
  }
  const std::string text = text_of(5000);
  const size_t least = deflate.deflate(text, 15, 5000)->size();
  EXPECT_EQ(deflate.deflate(text, 15, least)->size(), least);
  EXPECT_FALSE(deflate.deflate(text, 15, least - 1));
  EXPECT_EQ(deflate.deflate(text, 15, least)->size(), least)
      << "a message that did not fit leaves nothing behind";
}

TEST(Deflate, inflates_up_to_the_limit_and_not_a_byte_more) {
  WebSocketDeflate deflate;
  for (const size_t size : {1, 4095, 4096, 4097, 8192, 65536, 1 << 20}) {
    const std::string message = text_of(size), payload = deflated(message);
    const auto fits = deflate.inflate(payload, size);
    EXPECT_EQ(fits.kind, Kind::whole) << size;
    EXPECT_TRUE(fits.message == message) << size;
    EXPECT_EQ(deflate.inflate(payload, size - 1).kind, Kind::too_large) << size;
  }
  EXPECT_EQ(deflate.inflate(deflated(""), 0).kind, Kind::whole);
}

TEST(Deflate, a_bomb_ends_at_the_limit) {
  // A thousandth of its size; its end is broken, and is not reached.
  const std::string bomb = deflated(std::string(60 << 20, ' ')) + "\xff\xff\xff";
  EXPECT_LT(bomb.size(), bytes_max);
  WebSocketDeflate deflate;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(deflate.inflate(bomb, bytes_max).kind, Kind::too_large);
  EXPECT_EQ(deflate.inflate(deflated("and goes on"), bytes_max).message, "and goes on");
}

TEST(Deflate, blocks_of_every_kind_may_follow_each_other_even_behind_a_last_one) {
  WebSocketDeflate deflate;
  const std::string a = text_of(3000), b = text_of(40'000);
  const std::string synced = "\0\0\xff\xff"s;
  const auto last_then = deflated(a, 9, Z_FINISH) + deflated(b, 1);
  EXPECT_TRUE(deflate.inflate(last_then, bytes_max).message == a + b);
  const auto stored_then = deflated(a, 0) + synced + deflated(b, 9) + synced + deflated(a, 6);
  EXPECT_TRUE(deflate.inflate(stored_then, bytes_max).message == a + b + a);
  // The tail itself ends a last block.
  EXPECT_EQ(deflate.inflate("\1"s, bytes_max).kind, Kind::whole);
  // Nothing but last blocks; each is 2 bytes for nothing.
  std::string nothing;
  for (int i = 0; i < 30'000; ++i) nothing += "\3\0"s;
  EXPECT_EQ(deflate.inflate(nothing + "\0"s, bytes_max).kind, Kind::whole);
  EXPECT_EQ(deflate.inflate(nothing + "\0"s, bytes_max).message, "");
}

TEST(Deflate, what_is_broken_or_cut_off_is_told_and_spoils_no_other) {
  WebSocketDeflate deflate;
  const std::string message = text_of(2000), payload = deflated(message);
  const std::vector<std::string> broken = {
      "",                                // RFC 7692 says a zero byte
      "\6",                              // a block of no known kind
      "\xff\xff\xff\xff",                //
      "\0\5\0\0\0"s,                     // a stored block whose length is wrong
      "\xf3\x48\xcd\xc9\xc9\x07\x00"s,   // a last block without one behind it
      deflated(message, 6, Z_FINISH),    //
      deflated(message, 0).substr(0, 8)  //
  };
  for (size_t i = 0; i < broken.size(); ++i) {
    EXPECT_EQ(deflate.inflate(broken[i], bytes_max).kind, Kind::broken) << i;
    EXPECT_TRUE(deflate.inflate(payload, bytes_max).message == message) << i;
  }
  for (size_t size = 0; size < payload.size(); ++size)
    EXPECT_EQ(deflate.inflate(payload.substr(0, size), bytes_max).kind, Kind::broken) << size;
}

TEST(Deflate, nothing_of_one_message_is_known_to_the_next) {
  WebSocketDeflate deflate;
  const std::string message = text_of(1000);
  const auto first = std::string(*deflate.deflate(message, 15, 1000));
  EXPECT_EQ(deflate.deflate(message, 15, 1000), first);
  EXPECT_EQ(deflate.inflate(first, bytes_max).message, message);
  // A context that is taken over would make the second one tiny, and ours must not understand it.
  z_stream z{};
  ASSERT_EQ(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::array<std::string, 2> with_context;
  for (auto& out : with_context) {
    out.resize(2000);
    std::string in = message;
    z.next_in = reinterpret_cast<Bytef*>(in.data());
    z.avail_in = static_cast<uInt>(in.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    ::deflate(&z, Z_SYNC_FLUSH);
    out.resize(out.size() - z.avail_out - 4);
  }
  deflateEnd(&z);
  EXPECT_EQ(deflate.inflate(with_context[0], bytes_max).kind, Kind::whole);
  EXPECT_EQ(deflate.inflate(with_context[1], bytes_max).kind, Kind::broken);
}

}  // namespace
}  // namespace tidings::net
