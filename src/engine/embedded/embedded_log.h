// The log of a single machine: our own segment files (docs/formats/log.md), one write and one fdatasync per
// group.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/limits.h"
#include "base/mutex.h"
#include "engine/embedded/group_reader.h"
#include "engine/embedded/log_metrics.h"
#include "engine/embedded/segment_files.h"
#include "engine/embedded/space_watch.h"
#include "engine/embedded/stamper.h"
#include "ports/clock.h"
#include "ports/disk.h"
#include "ports/log.h"
#include "ports/random.h"

namespace tidings::embedded {

// append() queues under a mutex; one task at a time on the log's executor takes the oldest group, writes it,
// syncs it and hands it to the sink, while the next group is collected. Starts no threads and reads no clock
// but the one it is given.
//
// A write or sync that fails ends the log: `fatal` is called once with a sentence, nothing more is written,
// synced or handed out, and append() refuses. What was in doubt is found out by the next start.
//
// From read() on it watches the disk, once a second and after each 16 MiB: while less than free_bytes_min is
// free besides room for the next segment, append() answers storage_full. What comes before read() is the
// start's own (its lineage) and is written, so that a server with a full disk starts and can be read. A
// segment that finds no room is tried again each second; what was taken waits for it unwritten.
//
// Destroy it when its executor runs nothing of it any more: after `done` of close(), or after the executor
// was stopped. The destructor neither writes nor syncs, so a simulator may drop it at any moment.
class EmbeddedLog : public ports::Log {
 public:
  struct Parts {
    ports::Disk& disk;
    std::string directory;  // made if it is missing; locked while the log is open
    ports::Clock& clock;
    ports::Random& random;
    base::Executor& executor;  // the log's own; its tasks run one after another and may block
    const base::Limits& limits;
    base::Registry& metrics;
    std::function<void(std::string)>
        fatal;  // on the log's executor: the process must end without answering anybody
    model::Position
        known_below{};  // the highest position with a checkpoint in the store: the log must reach it
    model::Position verify_from{};  // the store's low: older segments are not read through at the start
    uint64_t segment_bytes = 64u << 20;
    uint64_t free_bytes_min = 0;            // 0: only a segment that finds no room makes the log refuse
    bool wall_is_trusted = false;           // see Stamper
    std::string doctor = "tidings doctor";  // the command that a refusal to start names
  };
  // Locks the directory, recovers, and syncs what it found. Blocks. Refuses in a sentence: another server has
  // it, damage, another format, a disk that fails.
  static base::Result<std::unique_ptr<EmbeddedLog>> open(Parts parts);
  ~EmbeddedLog() override;

  // Answers: busy (Limits::log_queue_bytes_max), storage_full, too_large (more than fits into one group),
  // draining (closed), internal (the log has failed).
  std::optional<wire::Code> append(std::vector<Append> records) override;
  std::optional<wire::Code> append_held(std::vector<Append> records) override;
  void release() override;
  void read(model::Position from, Sink sink) override;
  void pause_reading() override;
  void resume_reading() override;
  // Removes whole segments, oldest first, never the one that is written nor the newest group.
  void trim(model::Position below) override;
  std::optional<wire::Code> refuses() const override;
  model::Position end() const override;
  base::WallTime time() const override;

  // Refuses what is appended from now on, writes and hands out what was taken, syncs, closes the files, gives
  // the lock back and runs `done` on the log's executor. Thread: any. Call once.
  void close(base::Task done);

 private:
  // Records that will be one group. The queue is a row of them, so that taking the oldest copies nothing.
  struct Group {
    std::vector<ports::LogRecord> records;
    size_t bytes = 0;  // of the encoded body
  };
  enum class Taking { all, closed, failed };
  // What read() still has to fetch from the files; nothing once it is live.
  struct Replay {
    size_t segment = 0;
    std::unique_ptr<ports::File> file;
    uint64_t file_bytes = 0;
    std::optional<GroupReader> reader;
  };

  EmbeddedLog(Parts parts, std::unique_ptr<ports::DirectoryLock> lock, Recovered found,
              size_t group_bytes_max);

  // On the log's executor.
  void post(void (EmbeddedLog::*step)());
  void write_next_group();
  // False: there is no room for the segment that it needs, and nothing has changed.
  base::Result<bool> write(Group& group);
  base::Result<bool> begin_segment();
  void wait_for_room(Group group);
  void drop_queue();
  void trim_step();
  void measure();
  void watch();
  void watch_later();
  void hand_out(std::vector<ports::LogRecord> records);
  void read_step();
  void go_on_reading();
  // The next bounded part of what is stored; true if there is no more.
  base::Result<bool> fetch(std::vector<ports::LogRecord>& records);
  base::Status open_replay(const LogPlace* from = nullptr);
  void finish();
  void fail(const std::string& sentence);

  Parts parts_;
  const size_t group_bytes_max_;
  LogMetrics metrics_;
  std::shared_ptr<const bool> alive_ =
      std::make_shared<const bool>(true);  // posted tasks look whether we still are

  mutable base::Mutex mutex_;
  Taking taking_ TIDINGS_GUARDED_BY(mutex_) = Taking::all;
  std::deque<Group> queue_ TIDINGS_GUARDED_BY(mutex_);
  size_t queued_bytes_ TIDINGS_GUARDED_BY(mutex_) = 0;      // with the group that is being written
  bool writing_ TIDINGS_GUARDED_BY(mutex_) = false;         // a task is posted or runs
  bool waits_for_room_ TIDINGS_GUARDED_BY(mutex_) = false;  // `writing_`, and nothing is posted
  base::Task closed_ TIDINGS_GUARDED_BY(mutex_);

  mutable base::Mutex stamp_mutex_;
  mutable Stamper stamper_ TIDINGS_GUARDED_BY(stamp_mutex_);
  std::atomic<uint64_t> end_;
  std::atomic<uint64_t> trim_below_{0};
  SpaceWatch space_;

  // From here on: the log's executor only.
  std::unique_ptr<ports::DirectoryLock> lock_;
  std::vector<Segment> segments_;
  const std::optional<LogPlace>
      low_;  // found at the start: reading from verify_from or above may begin there
  std::unique_ptr<ports::File> file_;  // of the last segment
  uint64_t write_offset_;
  uint64_t next_group_;
  uint64_t next_position_;
  base::WallTime newest_time_{};
  base::Bytes buffer_;
  bool failed_ = false;
  Sink sink_;
  model::Position from_;
  bool live_ = false;
  bool reading_waits_ = false;  // a step of the replay was due while paused
  std::atomic<bool> reading_paused_{false};
  std::unique_ptr<Replay> replay_;
  base::TimerId watch_timer_ = 0;
};

}  // namespace tidings::embedded
