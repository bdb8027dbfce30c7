#include "engine/embedded/rocks_store_rows.h"

namespace tidings::embedded::rows {

using base::Bytes;
using base::BytesView;
using model::ConversationId;

base::Fail<base::Failure> failed(const char* what, const rocksdb::Status& status) {
  return base::failure(std::string("The store cannot ") + what + ": " + status.ToString() + ".");
}
base::Fail<base::Failure> unreadable(const char* what) {
  return base::failure(std::string("The store holds ") + what + " that cannot be read.");
}

Bytes fixed(uint64_t n) {
  Bytes bytes;
  base::Writer(bytes).fixed(n);
  return bytes;
}
std::optional<uint64_t> number_in(BytesView value) {
  base::Reader in(value);
  const auto n = in.fixed<uint64_t>();
  return in.finished() ? std::optional(n) : std::nullopt;
}

Bytes part_key(const ConversationId& conversation, BytesView part) {
  Bytes key(conversation.view());
  key += part;
  return key;
}
Bytes chunk_key(const ConversationId& conversation, model::Seq first) {
  Bytes key(conversation.view());
  base::append_key(key, first.value);
  return key;
}
Bytes entry_key(const ConversationId& conversation, model::UserId user, const model::ClientId& client_id) {
  Bytes key(conversation.view());
  base::append_key(key, user.value);
  key += client_id.view();
  return key;
}
Bytes step_key(const ConversationId& conversation, model::UserId user, model::Seq seq) {
  Bytes key(conversation.view());
  base::append_key(key, user.value);
  base::append_key(key, seq.value);
  return key;
}
Bytes list_key(model::UserId user, const ConversationId& conversation) {
  Bytes key;
  base::append_key(key, user.value);
  key += conversation.view();
  return key;
}
Bytes feed_key(model::Position position) {
  Bytes key;
  base::append_key(key, position.value);
  return key;
}
Bytes checkpoint_key(model::PartitionId partition) {
  return {static_cast<char>(partition.value >> 8), static_cast<char>(partition.value)};
}

Bytes checkpoint_value(const ports::Checkpoint& checkpoint) {
  Bytes bytes;
  base::Writer out(bytes);
  out.fixed(checkpoint.position.value);
  out.fixed<int64_t>(base::to_ms(checkpoint.time));
  out.fixed(checkpoint.fold_version);
  out.fixed(checkpoint.hash);
  out.fixed(checkpoint.effects.value);
  return bytes;
}
std::optional<ports::Checkpoint> checkpoint_in(BytesView key, BytesView value) {
  if (key.size() != 2) return std::nullopt;
  base::Reader in(value);
  ports::Checkpoint checkpoint;
  checkpoint.partition.value =
      static_cast<uint16_t>(static_cast<uint8_t>(key[0]) << 8 | static_cast<uint8_t>(key[1]));
  checkpoint.position = {in.fixed<uint64_t>()};
  checkpoint.time = base::wall_from_ms(in.fixed<int64_t>());
  checkpoint.fold_version = in.fixed<uint32_t>();
  checkpoint.hash = in.fixed<uint64_t>();
  checkpoint.effects = {in.fixed<uint64_t>()};
  return in.finished() ? std::optional(checkpoint) : std::nullopt;
}

std::optional<int64_t> step_time_ms(BytesView value) {
  base::Reader in(value);
  const auto ms = in.fixed<int64_t>();
  return in.ok() ? std::optional(ms) : std::nullopt;
}

Bytes bounds_value(const Bounds& bounds) {
  Bytes bytes;
  base::Writer out(bytes);
  out.fixed(bounds.highest_version);
  out.fixed(bounds.feed_bytes);
  return bytes;
}
std::optional<Bounds> bounds_in(BytesView value) {
  base::Reader in(value);
  Bounds bounds;
  bounds.highest_version = in.fixed<uint64_t>();
  bounds.feed_bytes = in.fixed<uint64_t>();
  return in.finished() ? std::optional(bounds) : std::nullopt;
}

}  // namespace tidings::embedded::rows
