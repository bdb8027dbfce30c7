// The store on RocksDB (docs/formats/store.md). The write-ahead log is on and is synced by sync() only: after
// kill -9 the page cache has every commit, after a power cut RocksDB falls back to an earlier batch.
#pragma once

#include <memory>
#include <string>

#include "base/metrics.h"
#include "ports/store.h"

namespace tidings::embedded {

struct RocksState;

// One directory, one process. Thread: as ports::Store; sync() comes from the committing thread.
//
// State versions cost no read on the way of a message: the store remembers, per bucket of conversations, a
// bound that no stored version exceeds (512 KiB; kept over restarts as one number). Only a state below its
// bucket's bound, which the one writer makes after a restart or by a collision, is compared with the stored
// one. A value and its parts are read from one snapshot.
//
// Background errors (a failed flush or compaction) are returned by the next commit or sync, and by all after
// it.
class RocksStore : public ports::Store {
 public:
  // Makes the directory if it is not there. Fails with a plain sentence if another process has it open, if
  // its format is older or newer than this server's (nothing is touched then), or if RocksDB cannot open it.
  // Counts in `registry` tidings_store_keys_written_total and tidings_store_bytes_written_total (the write
  // batches, as they go into the write-ahead log), and keeps there tidings_store_feed_bytes.
  static base::Result<std::unique_ptr<RocksStore>> open(const std::string& directory,
                                                        base::Registry& registry);
  // Closes without syncing.
  ~RocksStore() override;

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

  // Brings all rows to where they end up in the long run; steps that are too old go. Takes its time.
  base::Status compact();

 private:
  explicit RocksStore(std::unique_ptr<RocksState> state);

  std::unique_ptr<RocksState> state_;
};

}  // namespace tidings::embedded
