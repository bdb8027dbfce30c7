// One sync (protocol.md §11). Tier 3: tells the server all that this client has, in chunks of rows sorted by
// conversation, of which the first begins with all zeros and the last ends with all f. Tier 2: asks what has
// changed since an activity cursor, over the same range; its rows name what is behind in any case. One
// thread.
#pragma once

#include <optional>
#include <vector>

#include "wire/frames.h"

namespace tidings::client {

class VectorSync {
 public:
  // `rows` are sorted by conversation.
  void start(std::vector<wire::VectorEntry> rows, size_t chunk_rows_max,
             std::optional<model::Position> activity);
  // The frame whose answer is waited for.
  wire::SyncFrame frame(wire::Request request) const;

  enum class Step { again, done, broken };
  // Checks the answer of frame() and goes on: `again` if there is another frame to send.
  Step answer(const wire::SyncAnswer& answer);

 private:
  void next_chunk();

  std::vector<wire::VectorEntry> rows_;
  size_t chunk_rows_max_ = 500;
  std::optional<model::Position> activity_;
  size_t begin_ = 0, end_ = 0;  // of the chunk, in rows_
  model::ConversationId from_, to_;
};

}  // namespace tidings::client
