// Records and events as bytes in log and store. docs/formats/records.md tells the layout; it begins with a
// schema number, and a reader that meets a higher one refuses.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/record.h"

namespace tidings::wire {

// People in one record or event. A command with more must not be appended: nobody could read it.
inline constexpr size_t users_in_record_max = 1100;

base::Bytes encode_record(const model::Record& record);
// The same without a copy of it.
base::Bytes encode_record(const model::Command& command);
base::Result<model::Record> decode_record(base::BytesView bytes);

// A look at the first bytes only, for whoever hands records out: the rest may be damaged.
bool is_effect(base::BytesView record);
// nullopt: no effect.
std::optional<model::ConversationId> effect_source(base::BytesView record);

// The 64-bit hash of the canonical command: kind and body, without client id, previous, until and reply_to.
uint64_t body_hash(const model::Command& command);

// One event in a chunk. `conversation` is the chunk's key and not written.
void append_event(base::Bytes& out, const model::Event& event);
// A chunk is events one after another. Fails on anything but whole events with growing seq.
base::Result<std::vector<model::Event>> decode_chunk(const model::ConversationId& conversation,
                                                     base::BytesView bytes);

// What became of one flush, for the consumers of the feed.
struct FeedRow {
  model::Position position;
  model::ConversationId conversation;
  model::Seq seq;
  uint8_t kind = 0;  // feed_kind() of the event
  friend bool operator==(const FeedRow&, const FeedRow&) = default;
};
// The kind of an event as a chunk writes it: the index of its body in Event::body, plus 1.
uint8_t feed_kind(const model::Event& event);
base::Bytes encode_feed(const std::vector<FeedRow>& rows);
base::Result<std::vector<FeedRow>> decode_feed(base::BytesView bytes);

// When a member's marks came to `read` and `delivered`; the step's key says who and up to where.
struct Step {
  base::WallTime time{};
  model::Seq read, delivered;
  friend bool operator==(const Step&, const Step&) = default;
};
// Steps of `delivered` are kept under seq | delivered_step, beside those of `read`.
inline constexpr uint64_t delivered_step = 1ull << 62;
base::Bytes encode_step(const Step& step);
base::Result<Step> decode_step(base::BytesView bytes);

base::Bytes encode_lineages(const std::vector<model::Lineage>& lineages);
base::Result<std::vector<model::Lineage>> decode_lineages(base::BytesView bytes);

}  // namespace tidings::wire
