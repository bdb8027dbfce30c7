// Where the outbox survives.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "model/conversation.h"

namespace tidings::client {

// A message of ours that has no final answer yet.
struct OutboxMessage {
  model::ClientId client_id;
  model::ConversationId conversation;
  model::Message message;
  uint64_t order = 0;  // grows; sends to one conversation keep it
  friend bool operator==(const OutboxMessage&, const OutboxMessage&) = default;
};

// put() is durable against a crash of the client when it returns; a second put() under a client id replaces
// the first. remove() may be lost in a crash: the message is then sent once more, and the server knows it.
class OutboxStore {
 public:
  virtual ~OutboxStore() = default;
  virtual base::Result<std::vector<OutboxMessage>> load() = 0;  // sorted by order
  virtual base::Status put(const OutboxMessage& message) = 0;
  // As remove(old) and put(message), but after a crash either none or both of it was done.
  virtual base::Status replace(const model::ClientId& old, const OutboxMessage& message) = 0;
  virtual base::Status remove(const model::ClientId& client_id) = 0;
};

}  // namespace tidings::client
