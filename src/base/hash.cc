#include "base/hash.h"

#include <algorithm>

#include <isa-l/crc.h>
#include <sodium.h>
#include <xxhash.h>

namespace tidings::base {

uint64_t xxh64(BytesView bytes, uint64_t seed) {
  return XXH64(bytes.data(), bytes.size(), seed);
}

uint32_t crc32c(BytesView bytes, uint32_t seed) {
  // isa-l takes an int length and leaves both conditionings to the caller.
  uint32_t crc = ~seed;
  auto* at = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  for (size_t left = bytes.size(); left > 0;) {
    const size_t step = std::min<size_t>(left, 1u << 30);
    crc = crc32_iscsi(at, static_cast<int>(step), crc);
    at += step;
    left -= step;
  }
  return ~crc;
}

std::array<uint8_t, 32> sha256(BytesView bytes) {
  std::array<uint8_t, 32> out;
  crypto_hash_sha256(out.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return out;
}

}  // namespace tidings::base
