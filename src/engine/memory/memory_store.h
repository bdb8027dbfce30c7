// The store of the simulator: RocksStore's meaning, in memory, with the faults that a disk has.
#pragma once

#include <functional>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>

#include "base/mutex.h"
#include "ports/random.h"
#include "ports/store.h"

namespace tidings::memory {

// Keeps two copies of the tables: what readers see, and what a disk would surely have after the last sync,
// with the batches between them. Stands for the directory as well as for the open store: it outlives a
// simulated process. Thread: as ports::Store; the faults (crash, power_cut, restore) while nobody calls it.
//
// Steps stay for ever.
//
// Seeded bugs 6 and 14 (base/seed_bug.h) make commit() two commits with the hook called between them: 6
// writes the dedupe entries after all the rest, 14 the decision states before all the rest.
class MemoryStore : public ports::Store {
 public:
  // Called at the beginning of every call, with its name, and before each part of a commit that a seeded bug
  // has split. It may throw (the simulator's crash): the call, or that part of the commit, has then changed
  // nothing.
  using Hook = std::function<void(std::string_view call)>;

 private:
  struct Tables {
    struct Versioned {
      model::Position version;
      base::Bytes value;
      std::map<base::Bytes, base::Bytes> parts;
    };
    std::map<model::ConversationId, Versioned> states;
    std::map<model::ConversationId, std::map<model::Seq, std::pair<model::Seq, base::Bytes>>>
        chunks;  // by first
    std::map<std::tuple<model::ConversationId, model::UserId, model::ClientId>, base::Bytes> entries;
    // By first; with the last.
    std::map<std::tuple<model::ConversationId, model::UserId, model::ClientId>,
             std::pair<model::ClientId, base::Bytes>>
        entry_blocks;
    std::map<std::tuple<model::ConversationId, model::UserId, model::Seq>, base::Bytes> steps;
    std::map<model::Position, std::pair<base::WallTime, base::Bytes>> feed;
    uint64_t feed_bytes = 0;
    std::map<model::ConversationId, base::Bytes> damaged;
    std::map<std::pair<model::UserId, model::ConversationId>, std::monostate> list;
    std::map<model::PartitionId, ports::Checkpoint> checkpoints;
    model::Position low;
    std::optional<base::Bytes> lineage;

    void apply(const ports::StoreBatch& batch);
  };

 public:
  // The directory as somebody copied it aside.
  class Snapshot {
    friend class MemoryStore;
    Tables tables_;
  };

  explicit MemoryStore(Hook hook = {});

  base::Status commit(const ports::StoreBatch& batch) override;
  base::Status sync() override;
  base::Result<std::optional<ports::StoredState>> load_state(
      const model::ConversationId& conversation) override;
  base::Result<std::vector<std::optional<ports::StoredState>>> load_states(
      const std::vector<model::ConversationId>& conversations, base::BytesView part) override;
  base::Result<FoundEntries> find_entry(const model::ConversationId& conversation, model::UserId user,
                                        const model::ClientId& client_id) override;
  base::Result<std::vector<ports::StoreBatch::Chunk>> read_chunks(const model::ConversationId& conversation,
                                                                  model::Seq after,
                                                                  size_t bytes_max) override;
  base::Result<std::vector<ports::StoreBatch::Chunk>> read_chunks_before(
      const model::ConversationId& conversation, model::Seq before, size_t bytes_max) override;
  base::Result<std::optional<ports::StoreBatch::Step>> find_step(const model::ConversationId& conversation,
                                                                 model::UserId user, model::Seq seq) override;
  base::Result<std::vector<ports::StoreBatch::FeedEntry>> read_feed(model::Position from,
                                                                    size_t bytes_max) override;
  base::Result<uint64_t> feed_bytes() override;
  base::Result<std::vector<model::ConversationId>> list(model::UserId user, const model::ConversationId& from,
                                                        const model::ConversationId& to,
                                                        size_t limit) override;
  base::Result<std::vector<ports::Checkpoint>> checkpoints() override;
  base::Result<model::Position> low() override;
  base::Result<std::optional<base::Bytes>> lineage() override;

  // What is kept aside, for people; nullopt: nothing.
  std::optional<base::Bytes> damaged(const model::ConversationId& conversation) const;

  // kill -9: the page cache keeps all that was committed.
  void crash() {}
  // Falls back to an arbitrary batch at or after the last sync; what remains is on the disk.
  void power_cut(ports::Random& random);
  Snapshot snapshot() const;
  // The directory copied back; it is on the disk.
  void restore(const Snapshot& snapshot);

 private:
  void called(std::string_view call) const {
    if (hook_) hook_(call);
  }
  void commit_part(const ports::StoreBatch& batch);

  const Hook hook_;
  mutable base::Mutex mutex_;
  Tables current_ TIDINGS_GUARDED_BY(mutex_);
  Tables synced_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<ports::StoreBatch> unsynced_ TIDINGS_GUARDED_BY(mutex_);  // synced_ and these make current_
};

}  // namespace tidings::memory
