// A disk in memory that forgets what a real one may forget: for simulation and contract suites.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "ports/disk.h"
#include "ports/random.h"

namespace tidings::memory {

struct Inode;

// One call of Disk or File, as MemoryDisk tells it to its hook.
struct DiskCall {
  enum class Kind {
    open,
    list,
    make_directory,
    sync_directory,
    rename,
    remove,
    free_bytes,
    lock,  // Disk
    write,
    read,
    sync,
    size,
    truncate,
    allocate,  // File
  };
  // before: nothing has happened yet · halfway (write only): the first half of the bytes is written · after:
  // all of it has, only the caller does not know yet.
  enum class Moment { before, halfway, after };
  Kind kind;
  Moment moment;
  std::string_view path;
};

// Written bytes, sizes and directory entries have two lives: what a process sees, and what survives power
// loss. A file's content and size become durable by File::sync(), names by sync_directory(); the two are
// independent. After a sync that failed what it should have saved is never saved by a later one, as on Linux.
//
// on_call may throw, move virtual time, or call crash() and power_cut(): the disk is consistent at every
// moment at which it runs. Handles from before crash(), power_cut() or restore() answer every call with a
// failure and change nothing. Thread: any, each File on one; on_call is set while nothing else runs.
class MemoryDisk : public ports::Disk {
 public:
  MemoryDisk();
  ~MemoryDisk() override;

  base::Result<std::unique_ptr<ports::File>> open(const std::string& path, Open how) override;
  base::Result<std::vector<std::string>> list(const std::string& directory) override;
  base::Status make_directory(const std::string& directory) override;
  base::Status sync_directory(const std::string& directory) override;
  base::Status rename(const std::string& from, const std::string& to) override;
  base::Status remove(const std::string& path) override;
  base::Result<uint64_t> free_bytes(const std::string& directory) override;
  base::Result<std::unique_ptr<ports::DirectoryLock>> lock(const std::string& directory) override;

  std::function<void(const DiskCall&)> on_call;

  // --- What happens to the process and to the machine
  // kill -9: all that was written stays, open handles die, locks are given back.
  void crash();
  // Power loss: as crash(), and of everything not synced an arbitrary part stays: each write wholly, not at
  // all or in some of its 512-byte sectors, sizes up to some moment, some of the directory entries.
  void power_cut(ports::Random& random);

  // --- Faults
  // The next call of this kind fails and (a sync apart) changes nothing.
  void fail_next(DiskCall::Kind kind);
  // Forgets the failures that have not happened yet.
  void mend();
  // Files may hold this many bytes together; a write beyond writes what fits and fails. None: no bound, and
  // free_bytes() is the largest number there is.
  void set_capacity(std::optional<uint64_t> bytes);
  // Damage of the medium, seen by every later read. False if the file or the bit does not exist.
  bool flip_bit(const std::string& path, uint64_t bit);

  // --- Copies
  // What a process would see now: a copy of the whole disk, and the disk as it was then, durable.
  struct Snapshot {
    std::map<std::string, base::Bytes> files;
    std::set<std::string> directories;
  };
  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);

 private:
  struct NameChange;
  class MemoryFile;
  class MemoryLock;
  using Kind = DiskCall::Kind;
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  void tell(Kind kind, DiskCall::Moment moment, std::string_view path);
  base::Status refuse(Kind kind, const std::string& path) TIDINGS_REQUIRES(mutex_);
  void kill_handles() TIDINGS_REQUIRES(mutex_);
  uint64_t room() const TIDINGS_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  uint64_t life_ TIDINGS_GUARDED_BY(mutex_) = 1;  // handles of an earlier life are dead
  Names names_ TIDINGS_GUARDED_BY(mutex_);
  Names durable_names_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<NameChange> name_changes_ TIDINGS_GUARDED_BY(mutex_);  // since they were last made durable
  std::set<std::string> directories_ TIDINGS_GUARDED_BY(mutex_);
  std::set<std::string> locked_ TIDINGS_GUARDED_BY(mutex_);
  std::multiset<Kind> failing_ TIDINGS_GUARDED_BY(mutex_);
  std::optional<uint64_t> capacity_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::memory
