// Records and events as bytes in log and store. docs/formats/records.md tells the layout; it begins with a
// schema number, and a reader that meets a higher one refuses.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "model/record.h"

namespace tidings::wire {

base::Bytes encode_record(const model::Record& record);
base::Result<model::Record> decode_record(base::BytesView bytes);

// The 64-bit hash of the canonical command: kind and body, without client id, previous, until and reply_to.
uint64_t body_hash(const model::Command& command);

// One event in a chunk. `conversation` is the chunk's key and not written.
void append_event(base::Bytes& out, const model::Event& event);
// A chunk is events one after another. Fails on anything but whole events with growing seq.
base::Result<std::vector<model::Event>> decode_chunk(const model::ConversationId& conversation,
                                                     base::BytesView bytes);

base::Bytes encode_lineages(const std::vector<model::Lineage>& lineages);
base::Result<std::vector<model::Lineage>> decode_lineages(base::BytesView bytes);

}  // namespace tidings::wire
