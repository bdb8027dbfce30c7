// The small devices of a simulated machine: its clock, its randomness, and its disk as one process sees it.
#pragma once

#include <optional>
#include <utility>

#include "ports/clock.h"
#include "ports/disk.h"
#include "ports/random.h"
#include "ports/store.h"
#include "test/sim/scheduler.h"

namespace tidings::sim {

// Monotonic time is virtual time; the wall is what the faults make of it.
class SimClock : public ports::Clock {
 public:
  SimClock(Scheduler& scheduler, base::WallTime start) : scheduler_(scheduler), start_(start) {}

  base::WallTime wall() const override {
    if (frozen_) return *frozen_;
    return start_ + offset_ + std::chrono::duration_cast<base::milliseconds>(monotonic().time_since_epoch());
  }
  base::MonotonicTime monotonic() const override { return scheduler_.clock(); }

  void jump(base::milliseconds by) {
    offset_ += by;
    frozen_.reset();
  }
  void freeze() { frozen_ = wall(); }
  // Right again.
  void repair() {
    offset_ = {};
    frozen_.reset();
  }

 private:
  Scheduler& scheduler_;
  const base::WallTime start_;
  base::milliseconds offset_{};
  std::optional<base::WallTime> frozen_;
};

class SimRandom : public ports::Random {
 public:
  explicit SimRandom(Prng prng) : prng_(prng) {}
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(prng_.next() >> 24);
  }

 private:
  Prng prng_;
};

// The machine's disk as one process sees it: every call is a step and takes time, and after the process's
// death nothing reaches the disk any more (destructors run in a simulation, in a kill they do not).
class ProcessDisk : public ports::Disk {
 public:
  struct Latency {
    nanoseconds call{}, sync{};  // upper bounds, drawn anew each time
  };
  ProcessDisk(Process& process, ports::Disk& disk, Latency latency)
      : process_(process), disk_(disk), latency_(latency), random_(process.scheduler().random().fork()) {}

  base::Result<std::unique_ptr<ports::File>> open(const std::string& path, Open how) override;
  base::Result<std::vector<std::string>> list(const std::string& directory) override;
  base::Status make_directory(const std::string& directory) override;
  base::Status sync_directory(const std::string& directory) override;
  base::Status rename(const std::string& from, const std::string& to) override;
  base::Status remove(const std::string& path) override;
  base::Result<std::unique_ptr<ports::DirectoryLock>> lock(const std::string& directory) override;

  // The so-many-th sync from now fails once.
  void fail_sync_in(uint64_t syncs) { fail_sync_at_ = syncs; }
  // Nothing if the process may go on with this call.
  std::optional<base::Failure> enter(bool is_sync = false);

 private:
  Process& process_;
  ports::Disk& disk_;
  const Latency latency_;
  Prng random_;
  uint64_t fail_sync_at_ = 0;
};

// The same for a store that outlives its processes; a call takes `latency` at most. Steps are counted by the
// store's hook.
class ProcessStore : public ports::Store {
 public:
  ProcessStore(Process& process, ports::Store& store, nanoseconds latency)
      : process_(process), store_(store), latency_(latency), random_(process.scheduler().random().fork()) {}

  base::Status commit(const ports::StoreBatch& batch) override;
  base::Status sync() override;
  base::Result<std::optional<base::Bytes>> load_state(const model::ConversationId& conversation) override;
  base::Result<std::vector<std::optional<base::Bytes>>> load_states(
      const std::vector<model::ConversationId>& conversations) override;
  base::Result<std::optional<base::Bytes>> find_entry(const model::ConversationId& conversation,
                                                      model::UserId user,
                                                      const model::ClientId& client_id) override;
  base::Result<std::vector<ports::StoreBatch::Chunk>> read_chunks(const model::ConversationId& conversation,
                                                                  model::Seq after,
                                                                  size_t bytes_max) override;
  base::Result<std::vector<model::ConversationId>> list(model::UserId user, const model::ConversationId& from,
                                                        const model::ConversationId& to,
                                                        size_t limit) override;
  base::Result<std::vector<ports::Checkpoint>> checkpoints() override;
  base::Result<model::Position> low() override;
  base::Result<std::optional<base::Bytes>> lineage() override;

  // Called after every commit that returned.
  void on_commit(std::function<void()> told) { told_ = std::move(told); }

 private:
  template <class Call>
  auto enter(Call call) -> decltype(call());

  Process& process_;
  ports::Store& store_;
  const nanoseconds latency_;
  Prng random_;
  std::function<void()> told_;
};

}  // namespace tidings::sim
