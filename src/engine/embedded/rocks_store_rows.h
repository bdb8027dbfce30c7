// Keys and values of the rows (docs/formats/store.md).
#pragma once

#include <optional>
#include <string>

#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include "base/bytes.h"
#include "base/result.h"
#include "ports/store.h"

namespace tidings::embedded::rows {

inline constexpr uint64_t format_number = 2;
inline constexpr const char *key_format = "format", *key_low = "low", *key_lineage = "lineage",
                            *key_bounds = "bounds";
// What stands before the bytes of the fold in a value.
inline constexpr size_t version_bytes = 8, last_seq_bytes = 8, last_client_bytes = 16, feed_time_bytes = 8;

inline rocksdb::Slice slice(base::BytesView bytes) {
  return {bytes.data(), bytes.size()};
}
inline base::BytesView view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

base::Fail<base::Failure> failed(const char* what, const rocksdb::Status& status);
base::Fail<base::Failure> unreadable(const char* what);

base::Bytes fixed(uint64_t n);
// nullopt: not the bytes of one number.
std::optional<uint64_t> number_in(base::BytesView value);

base::Bytes part_key(const model::ConversationId& conversation, base::BytesView part);
base::Bytes chunk_key(const model::ConversationId& conversation, model::Seq first);
// Of single entries, and of blocks by their first.
base::Bytes entry_key(const model::ConversationId& conversation, model::UserId user,
                      const model::ClientId& client_id);
base::Bytes step_key(const model::ConversationId& conversation, model::UserId user, model::Seq seq);
base::Bytes list_key(model::UserId user, const model::ConversationId& conversation);
base::Bytes feed_key(model::Position position);
base::Bytes checkpoint_key(model::PartitionId partition);

base::Bytes checkpoint_value(const ports::Checkpoint& checkpoint);
std::optional<ports::Checkpoint> checkpoint_in(base::BytesView key, base::BytesView value);
// When a step was made; nullopt: its value does not say.
std::optional<int64_t> step_time_ms(base::BytesView value);

// What the store knows about all rows of a kind without reading them.
struct Bounds {
  uint64_t highest_version = 0;  // no version in `state` is above it
  uint64_t feed_bytes = 0;       // of the values in `out`, without their times
  friend bool operator==(const Bounds&, const Bounds&) = default;
};
base::Bytes bounds_value(const Bounds& bounds);
std::optional<Bounds> bounds_in(base::BytesView value);

}  // namespace tidings::embedded::rows
