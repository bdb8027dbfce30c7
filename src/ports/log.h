#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "model/ids.h"
#include "wire/codes.h"

namespace tidings::ports {

// A durable record with its place and stamp.
struct LogRecord {
  model::Position position;
  model::PartitionId partition;
  base::WallTime time;
  base::Bytes payload;
};

// Records that became durable together, in position order.
struct LogBatch {
  std::vector<LogRecord> records;
  model::Position end;  // above every record handed out so far; nothing below it will be handed out later
};

// One stream of the partition log (protocol.md §1): decides the order and makes it durable.
class Log {
 public:
  struct Append {
    model::PartitionId partition;
    base::Bytes payload;
  };
  using Sink = std::function<void(LogBatch)>;

  virtual ~Log() = default;

  // Takes the records, which will get growing positions in this order, next to each other in one group; or
  // refuses all of them *before* any is written (busy: too much waits; storage_full). What was taken and then
  // heard of nowhere has an unknown outcome; what was taken is never refused later. Does not wait, moves the
  // payloads. Thread: any.
  virtual std::optional<wire::Code> append(std::vector<Append> records) = 0;
  // The same, but what is taken may wait for release(), which the caller calls in the same turn: all that one
  // turn appends then goes into one group, not its first record alone into a first one. Thread: any.
  virtual std::optional<wire::Code> append_held(std::vector<Append> records) {
    return append(std::move(records));
  }
  virtual void release() {}

  // Starts the one endless sequence of durable batches, from the first record at or above `from`: what is
  // stored, then what is appended, without a seam. `sink` runs on the log's executor, never before the
  // records are synced. Call once.
  virtual void read(model::Position from, Sink sink) = 0;

  // While paused, what was stored before is not handed out; what is appended now still is. For who cannot
  // fold as fast as a disk reads. An engine whose backlog is small may ignore it. Thread: any.
  virtual void pause_reading() {}
  virtual void resume_reading() {}

  // Records below may be forgotten, at a moment and in portions of the log's choice; what a reader has not
  // been handed yet stays. Thread: any.
  virtual void trim(model::Position below) = 0;

  // What append() answers now to everybody for a reason that lasts (storage_full); nothing if it takes
  // records. Thread: any.
  virtual std::optional<wire::Code> refuses() const { return std::nullopt; }

  // Above every record that is durable now; at a start, where recovery will end. Thread: any.
  virtual model::Position end() const = 0;

  // The stamp that a record appended now would get (protocol.md §1 "Stamps"): never goes back. Thread: any.
  virtual base::WallTime time() const = 0;
};

}  // namespace tidings::ports
