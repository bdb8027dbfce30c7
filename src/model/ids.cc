#include "model/ids.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/hash.h"

namespace tidings::model {

std::string uuid_text(const std::array<uint8_t, 16>& bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
    out.push_back(digits[bytes[i] >> 4]);
    out.push_back(digits[bytes[i] & 15]);
  }
  return out;
}

namespace {
// 16: not a hex digit.
constexpr auto nibbles = [] {
  std::array<uint8_t, 256> table{};
  table.fill(16);
  for (size_t i = 0; i < 10; ++i) table['0' + i] = static_cast<uint8_t>(i);
  for (size_t i = 10; i < 16; ++i) table['a' + i - 10] = table['A' + i - 10] = static_cast<uint8_t>(i);
  return table;
}();
}  // namespace

std::optional<std::array<uint8_t, 16>> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return std::nullopt;
  std::array<uint8_t, 16> bytes{};
  size_t at = 0;
  uint8_t seen = 0;
  for (size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) ++at;
    const uint8_t high = nibbles[static_cast<uint8_t>(text[at])];
    const uint8_t low = nibbles[static_cast<uint8_t>(text[at + 1])];
    seen = static_cast<uint8_t>(seen | high | low);
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
    at += 2;
  }
  if (seen & 16) return std::nullopt;
  return bytes;
}

static void set_version(std::array<uint8_t, 16>& bytes, int version) {
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | version << 4);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
}

std::array<uint8_t, 16> uuid_v8(std::string_view bytes) {
  const auto digest = base::sha256(bytes);
  std::array<uint8_t, 16> out;
  std::copy_n(digest.begin(), 16, out.begin());
  set_version(out, 8);
  return out;
}

std::array<uint8_t, 16> uuid_v7(base::WallTime time, uint64_t random_high, uint64_t random_low) {
  std::array<uint8_t, 16> out;
  const auto ms = static_cast<uint64_t>(base::to_ms(time));
  for (size_t i = 0; i < 6; ++i) out[i] = static_cast<uint8_t>(ms >> (40 - 8 * i));
  out[6] = static_cast<uint8_t>(random_high >> 8);
  out[7] = static_cast<uint8_t>(random_high);
  for (size_t i = 0; i < 8; ++i) out[8 + i] = static_cast<uint8_t>(random_low >> (56 - 8 * i));
  set_version(out, 7);
  return out;
}

base::WallTime uuid_v7_time(const std::array<uint8_t, 16>& bytes) {
  int64_t ms = 0;
  for (size_t i = 0; i < 6; ++i) ms = ms << 8 | bytes[i];
  return base::wall_from_ms(ms);
}

std::optional<uint64_t> parse_decimal(std::string_view text) {
  if (text.empty() || (text[0] == '0' && text.size() > 1) || text[0] < '0' || text[0] > '9')
    return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

ConversationId direct_conversation(UserId a, UserId b) {
  std::string name = "dm";
  base::append_key(name, std::min(a, b).value);
  base::append_key(name, std::max(a, b).value);
  return {uuid_v8(name)};
}

ConversationId group_conversation(UserId creator, const ClientId& create) {
  std::string name = "grp";
  base::append_key(name, creator.value);
  name += create.view();
  return {uuid_v8(name)};
}

ConversationId self_conversation(UserId user) {
  std::string name = "self";
  base::append_key(name, user.value);
  return {uuid_v8(name)};
}

ClientId create_client_id(const ClientId& send) {
  return {uuid_v8("create" + std::string(send.view()))};
}

PartitionId partition_of(const ConversationId& conversation) {
  return {static_cast<uint16_t>(base::xxh64(conversation.view()) % partition_count)};
}

MessageId message_id(base::WallTime time, PartitionId partition, Position position) {
  const auto ms = static_cast<uint64_t>((time - base::epoch).count());
  return {ms << 22 | static_cast<uint64_t>(partition.value) << 12 | (position.value & 4095)};
}

base::WallTime message_time(MessageId id) {
  return base::epoch + base::milliseconds(id.value >> 22);
}

}  // namespace tidings::model
