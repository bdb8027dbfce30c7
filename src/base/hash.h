// The hashes of Tidings. Each is named after what it is, because each is part of a format for ever.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace tidings::base {

// XXH64, for partitions, body hashes and the fold's chain.
uint64_t xxh64(BytesView bytes, uint64_t seed = 0);

// CRC-32C (Castagnoli, RFC 3720), for the log. `seed` continues an earlier value or, in a segment, is its
// random id.
uint32_t crc32c(BytesView bytes, uint32_t seed = 0);

// SHA-256 (FIPS 180-4).
std::array<uint8_t, 32> sha256(BytesView bytes);

}  // namespace tidings::base
