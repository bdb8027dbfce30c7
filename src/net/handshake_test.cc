#include "net/handshake.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "net/sha1.h"

namespace tidings::net {
namespace {

std::string hex(std::string_view bytes) {
  const auto hash = sha1(bytes);
  return base::to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

TEST(Sha1, the_vectors_of_rfc_3174_and_every_padding_length) {
  EXPECT_EQ(hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(hex(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(hex(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST(Handshake, the_example_of_rfc_6455) {
  EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(Handshake, a_key_is_16_bytes_of_base64) {
  EXPECT_TRUE(valid_key("dGhlIHNhbXBsZSBub25jZQ=="));
  EXPECT_TRUE(valid_key(make_key()));
  EXPECT_NE(make_key(), make_key());
  EXPECT_FALSE(valid_key(""));
  EXPECT_FALSE(valid_key("dGhlIHNhbXBsZSBub25jZQ="));
  EXPECT_FALSE(valid_key("dGhlIHNhbXBsZSBub25jZSE="));
  EXPECT_FALSE(valid_key("dGhlIHNhbXBsZSBub25j!Q=="));
}

TEST(Handshake, a_token_is_found_in_a_list_in_any_case) {
  EXPECT_TRUE(names_token("keep-alive, Upgrade", "upgrade"));
  EXPECT_TRUE(names_token("a ,\tb", "b"));
  EXPECT_FALSE(names_token("upgrades", "upgrade"));
  EXPECT_FALSE(names_token("", "upgrade"));
}

}  // namespace
}  // namespace tidings::net
