#include "engine/embedded/log_format.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.h"

namespace tidings::embedded {
namespace {

using base::Bytes;
using base::BytesView;

constexpr BytesView segment_magic = "TIDINGSL";
constexpr uint32_t trailer_magic = 0x52544454;  // "TDTR"

template <class N>
char* put(char* at, N n) {
  std::memcpy(at, &n, sizeof n);
  return at + sizeof n;
}
template <class N>
N get(BytesView bytes, size_t at) {
  N n;
  std::memcpy(&n, bytes.data() + at, sizeof n);
  return n;
}

}  // namespace

Bytes encode(const SegmentHeader& header) {
  Bytes block;
  base::Writer out(block);
  out.raw(segment_magic);
  out.fixed(log_format_version);
  out.fixed(uint32_t{0});
  out.fixed(header.number);
  out.fixed(header.id);
  out.fixed(header.bytes);
  out.fixed(header.base);
  out.fixed(header.first_group);
  out.fixed(header.first_position.value);
  out.fixed(base::to_ms(header.newest_time));
  block.resize(segment_header_bytes - 4);
  out.fixed(base::crc32c(block));
  return block;
}

base::Result<SegmentHeader> decode_segment_header(BytesView block) {
  if (block.size() < segment_header_bytes) return base::failure("it is cut off within its first 4096 bytes");
  block = block.substr(0, segment_header_bytes);
  if (!block.starts_with(segment_magic)) return base::failure("it does not begin like a segment of the log");
  if (get<uint32_t>(block, segment_header_bytes - 4) !=
      base::crc32c(block.substr(0, segment_header_bytes - 4))) {
    return base::failure("the checksum of its first 4096 bytes does not fit");
  }
  base::Reader in(block.substr(segment_magic.size()));
  if (const auto version = in.fixed<uint32_t>(); version != log_format_version) {
    return base::failure(fmt::format("it has log format {}, this version of tidings reads only {}", version,
                                     log_format_version));
  }
  in.fixed<uint32_t>();
  SegmentHeader header;
  header.number = in.fixed<uint64_t>();
  header.id = in.fixed<uint64_t>();
  header.bytes = in.fixed<uint64_t>();
  header.base = in.fixed<uint64_t>();
  header.first_group = in.fixed<uint64_t>();
  header.first_position = {in.fixed<uint64_t>()};
  header.newest_time = base::wall_from_ms(in.fixed<int64_t>());
  return header;
}

std::string segment_name(uint64_t number) {
  return fmt::format("{:010}.log", number);
}

std::optional<uint64_t> segment_number(const std::string& name) {
  constexpr BytesView suffix = ".log";
  if (!name.ends_with(suffix)) return std::nullopt;
  const std::string digits = name.substr(0, name.size() - suffix.size());
  const size_t first = digits.find_first_not_of('0');
  const auto number =
      model::parse_decimal(first == std::string::npos ? "0" : BytesView(digits).substr(first));
  if (!number || segment_name(*number) != name) return std::nullopt;
  return number;
}

size_t encode_group(Bytes& out, uint32_t seed, uint64_t number, std::span<const ports::LogRecord> records) {
  size_t body_bytes = 0;
  for (const auto& record : records) body_bytes += encoded_bytes(record.payload.size());
  if (out.size() < group_header_bytes + body_bytes) out.resize(group_header_bytes + body_bytes);
  char* const body = out.data() + group_header_bytes;

  char* at = body;
  for (const auto& record : records) {
    char* const begin = at;
    at = put(at, record.position.value);
    at = put(at, base::to_ms(record.time));
    at = put(at, static_cast<uint32_t>(record.payload.size()));
    at = put(at, record.partition.value);
    at = put(at, uint16_t{0});
    at = put(at, base::crc32c(record.payload, base::crc32c({begin, record_header_bytes - 4}, seed)));
    at = std::copy(record.payload.begin(), record.payload.end(), at);
  }

  char* head = put(out.data(), number);
  head = put(head, static_cast<uint32_t>(body_bytes));
  head = put(head, static_cast<uint32_t>(records.size()));
  head = put(head, base::crc32c({body, body_bytes}, seed));
  put(head, base::crc32c({out.data(), group_header_bytes - 4}, seed));
  return group_header_bytes + body_bytes;
}

std::optional<GroupHeader> decode_group_header(BytesView bytes, uint32_t seed) {
  if (bytes.size() < group_header_bytes) return std::nullopt;
  if (get<uint32_t>(bytes, 20) != base::crc32c(bytes.substr(0, group_header_bytes - 4), seed))
    return std::nullopt;
  return GroupHeader{get<uint64_t>(bytes, 0), get<uint32_t>(bytes, 8), get<uint32_t>(bytes, 12),
                     get<uint32_t>(bytes, 16)};
}

bool body_is_whole(const GroupHeader& header, BytesView body, uint32_t seed) {
  return body.size() == header.body_bytes && base::crc32c(body, seed) == header.body_crc;
}

std::optional<std::vector<RecordView>> decode_records(const GroupHeader& header, BytesView body,
                                                      uint32_t seed) {
  std::vector<RecordView> records;
  records.reserve(std::min<size_t>(header.records, body.size() / record_header_bytes));
  while (body.size() >= record_header_bytes) {
    const auto payload_bytes = get<uint32_t>(body, 16);
    if (payload_bytes > body.size() - record_header_bytes) return std::nullopt;
    const BytesView payload = body.substr(record_header_bytes, payload_bytes);
    const uint32_t crc = base::crc32c(payload, base::crc32c(body.substr(0, record_header_bytes - 4), seed));
    if (get<uint32_t>(body, 24) != crc) return std::nullopt;
    records.push_back({{get<uint64_t>(body, 0)},
                       base::wall_from_ms(get<int64_t>(body, 8)),
                       {get<uint16_t>(body, 20)},
                       payload});
    body.remove_prefix(record_header_bytes + payload_bytes);
  }
  if (!body.empty() || records.size() != header.records) return std::nullopt;
  return records;
}

Bytes encode_trailer(uint32_t seed, uint64_t group_number) {
  Bytes trailer;
  base::Writer out(trailer);
  out.fixed(trailer_magic);
  out.fixed(group_number);
  out.fixed(base::crc32c(trailer, seed));
  return trailer;
}

std::optional<uint64_t> decode_trailer(BytesView bytes, uint32_t seed) {
  if (bytes.size() < trailer_bytes || get<uint32_t>(bytes, 0) != trailer_magic) return std::nullopt;
  if (get<uint32_t>(bytes, 12) != base::crc32c(bytes.substr(0, 12), seed)) return std::nullopt;
  return get<uint64_t>(bytes, 4);
}

bool all_zero(BytesView bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

size_t bytes_until_zeros(BytesView bytes) {
  constexpr size_t step = 4096;
  while (bytes.size() >= step && all_zero(bytes.substr(bytes.size() - step))) bytes.remove_suffix(step);
  return bytes.find_last_not_of('\0') + 1;
}

std::optional<GroupHeader> whole_group_at(BytesView bytes, uint32_t seed, uint64_t min, uint64_t max) {
  if (bytes.size() < group_header_bytes) return std::nullopt;
  // The number is looked at first: it rules out almost everything without a checksum.
  const auto number = get<uint64_t>(bytes, 0);
  if (number < min || number > max) return std::nullopt;
  const auto group = decode_group_header(bytes, seed);
  if (!group || group->body_bytes > bytes.size() - group_header_bytes) return std::nullopt;
  if (!body_is_whole(*group, bytes.substr(group_header_bytes, group->body_bytes), seed)) return std::nullopt;
  return group;
}

size_t find_whole_group(BytesView bytes, uint32_t seed, uint64_t min) {
  const uint64_t max = min + bytes.size() / group_header_bytes;
  const size_t end = bytes_until_zeros(bytes);
  for (size_t at = 0; at < end; ++at) {
    if (whole_group_at(bytes.substr(at), seed, min, max)) return at;
  }
  return BytesView::npos;
}

Tail judge_tail(BytesView rest, uint32_t seed, uint64_t next_group) {
  const auto trailer = decode_trailer(rest, seed);
  if (all_zero(trailer ? rest.substr(trailer_bytes) : rest)) {
    return trailer && *trailer >= next_group ? Tail::damaged : Tail::clean;
  }
  // Groups have no alignment and the length of the bad one cannot be trusted, so every byte may begin
  // something whole.
  const uint64_t number_max = next_group + rest.size() / group_header_bytes;
  const size_t end = bytes_until_zeros(rest);
  for (size_t at = 0; at < end; ++at) {
    const BytesView here = rest.substr(at);
    if (here.size() < trailer_bytes) break;
    if (get<uint32_t>(here, 0) == trailer_magic) {
      const auto found = decode_trailer(here, seed);
      if (found && *found >= next_group) return Tail::damaged;
    }
    if (whole_group_at(here, seed, next_group, number_max)) return Tail::damaged;
  }
  return Tail::torn;
}

}  // namespace tidings::embedded
