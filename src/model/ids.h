// The ids of Tidings, each a type of its own so that they cannot be mixed up (protocol.md §5).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace tidings::model {

template <class Tag>
struct Number {
  uint64_t value = 0;
  friend auto operator<=>(const Number&, const Number&) = default;
};

// A person. Random 63 bits, unique in Accounts; a decimal string in JSON. 0 is nobody.
using UserId = Number<struct UserTag>;
// A log-in of a person on one device. Random 63 bits; a decimal string in JSON.
using DeviceId = Number<struct DeviceTag>;
// A message (any event): ms since 2025-01-01 (41) | partition (10) | position & 4095 (12). Decimal string in
// JSON.
using MessageId = Number<struct MessageTag>;
// The place of an event in its conversation: 1..head, dense. Below 2^53, a JSON number.
using Seq = Number<struct SeqTag>;
// The number of countable events up to here (protocol.md §5).
using Ord = Number<struct OrdTag>;
// Identifies a record of a stream for the life of the deployment; grows, with gaps (protocol.md §1).
using Position = Number<struct PositionTag>;

inline constexpr uint16_t partition_count = 1024;
struct PartitionId {
  uint16_t value = 0;
  friend auto operator<=>(const PartitionId&, const PartitionId&) = default;
};
// Records of the stream itself (lineage, fold version): every shard gets them.
inline constexpr PartitionId stream_partition{0xFFFF};

// 16 bytes with the text form of RFC 9562, lower case.
template <class Tag>
struct Uuid {
  std::array<uint8_t, 16> bytes{};
  friend auto operator<=>(const Uuid&, const Uuid&) = default;

  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  int version() const { return bytes[6] >> 4; }
};
using ConversationId = Uuid<struct ConversationTag>;
// The sender's own id of a command. Version 7 ids of one device grow.
using ClientId = Uuid<struct ClientTag>;

std::string uuid_text(const std::array<uint8_t, 16>& bytes);
// Accepts the 36-character form in either case; nothing else.
std::optional<std::array<uint8_t, 16>> parse_uuid(std::string_view text);
// UUIDv8 from the first 16 bytes of SHA-256(bytes) (RFC 9562 §5.8).
std::array<uint8_t, 16> uuid_v8(std::string_view bytes);
// UUIDv7 (RFC 9562 §5.7): 48 bits of ms since 1970, then 74 bits of `random` (two words; the surplus is
// ignored).
std::array<uint8_t, 16> uuid_v7(base::WallTime time, uint64_t random_high, uint64_t random_low);
// The time in a version 7 id.
base::WallTime uuid_v7_time(const std::array<uint8_t, 16>& bytes);

template <class Tag>
std::string to_text(const Uuid<Tag>& id) {
  return uuid_text(id.bytes);
}
template <class Tag>
std::string to_text(Number<Tag> id) {
  return std::to_string(id.value);
}
// A decimal string without sign or leading zeros, at most 2^64-1; nothing else.
std::optional<uint64_t> parse_decimal(std::string_view text);

// The one direct conversation of two people, from either side: UUIDv8(SHA-256("dm" | min | max)), big-endian
// numbers.
ConversationId direct_conversation(UserId a, UserId b);
// A group: UUIDv8(SHA-256("grp" | creator | client id of its create)), so that a repeated create gives the
// same.
ConversationId group_conversation(UserId creator, const ClientId& create);
// A person's own log: UUIDv8(SHA-256("self" | person)).
ConversationId self_conversation(UserId user);
// The client id of the create that goes before a first send: UUIDv8(SHA-256("create" | client id)).
ClientId create_client_id(const ClientId& send);

// xxh64(conversation) mod 1024: the same in every deployment for ever.
PartitionId partition_of(const ConversationId& conversation);

// The id of an event (protocol.md, appendix "the fold").
MessageId message_id(base::WallTime time, PartitionId partition, Position position);
base::WallTime message_time(MessageId id);

}  // namespace tidings::model

template <class Tag>
struct std::hash<tidings::model::Number<Tag>> {
  size_t operator()(tidings::model::Number<Tag> id) const noexcept {
    // Ids are random or dense; a multiply spreads dense ones over the buckets.
    return static_cast<size_t>(id.value * 0x9E3779B97F4A7C15ull);
  }
};
template <class Tag>
struct std::hash<tidings::model::Uuid<Tag>> {
  size_t operator()(const tidings::model::Uuid<Tag>& id) const noexcept {
    uint64_t high, low;
    std::memcpy(&high, id.bytes.data(), 8);
    std::memcpy(&low, id.bytes.data() + 8, 8);
    return static_cast<size_t>((high ^ (low * 0x9E3779B97F4A7C15ull)) * 0x9E3779B97F4A7C15ull);
  }
};
