#include "engine/memory/memory_disk.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/memory/inode.h"

namespace tidings::memory {
namespace {

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

base::Fail<base::Failure> no_such(const std::string& path) {
  return base::failure(fmt::format("cannot open {}: No such file or directory", path));
}

}  // namespace

// A change of the names of one directory: `from` goes (unless empty), `to` is `inode` (unless empty). Both or
// neither.
struct MemoryDisk::NameChange {
  std::string directory, from, to;
  std::shared_ptr<Inode> inode;

  void apply(Names& names) const {
    if (!from.empty()) names.erase(from);
    if (!to.empty()) names[to] = inode;
  }
};

class MemoryDisk::MemoryFile : public ports::File {
 public:
  MemoryFile(MemoryDisk& disk, std::shared_ptr<Inode> inode, std::string path, uint64_t life)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)), life_(life) {}

  base::Status write(uint64_t offset, base::BytesView bytes) override {
    disk_.tell(Kind::write, DiskCall::Moment::before, path_);
    const size_t half = disk_.on_call ? bytes.size() / 2 : 0;
    if (half > 0) {
      if (auto done = put_part(offset, bytes.substr(0, half), true); !done) return done;
      disk_.tell(Kind::write, DiskCall::Moment::halfway, path_);
    }
    auto done = put_part(offset + half, bytes.substr(half), half == 0);
    disk_.tell(Kind::write, DiskCall::Moment::after, path_);
    return done;
  }

  base::Result<base::Bytes> read(uint64_t offset, size_t size) override {
    disk_.tell(Kind::read, DiskCall::Moment::before, path_);
    base::Bytes out;
    {
      base::MutexLock lock(disk_.mutex_);
      if (auto alive = check(Kind::read); !alive) return base::fail(alive.error());
      if (offset < inode_->data.size()) out = inode_->data.substr(offset, size);
    }
    disk_.tell(Kind::read, DiskCall::Moment::after, path_);
    return out;
  }

  base::Status sync() override {
    disk_.tell(Kind::sync, DiskCall::Moment::before, path_);
    {
      base::MutexLock lock(disk_.mutex_);
      if (auto alive = check(Kind::sync); !alive) {
        if (life_ == disk_.life_) inode_->lose_changes();
        return alive;
      }
      inode_->make_durable();
    }
    disk_.tell(Kind::sync, DiskCall::Moment::after, path_);
    return {};
  }

  base::Result<uint64_t> size() override {
    disk_.tell(Kind::size, DiskCall::Moment::before, path_);
    uint64_t size = 0;
    {
      base::MutexLock lock(disk_.mutex_);
      if (auto alive = check(Kind::size); !alive) return base::fail(alive.error());
      size = inode_->data.size();
    }
    disk_.tell(Kind::size, DiskCall::Moment::after, path_);
    return size;
  }

  base::Status truncate(uint64_t size) override {
    auto cut = resize(Kind::truncate, size);
    if (!cut) return base::fail(cut.error());
    if (!*cut) return base::failure(fmt::format("cannot cut {}: No space left on device", path_));
    return {};
  }
  base::Result<bool> allocate(uint64_t size) override { return resize(Kind::allocate, size); }

 private:
  base::Status check(Kind kind) TIDINGS_REQUIRES(disk_.mutex_) {
    if (life_ != disk_.life_) {
      return base::failure(fmt::format("cannot use {}: the process that had it open has ended", path_));
    }
    return disk_.refuse(kind, path_);
  }

  base::Status put_part(uint64_t offset, base::BytesView bytes, bool first) {
    base::MutexLock lock(disk_.mutex_);
    if (first || life_ != disk_.life_) {
      if (auto alive = check(Kind::write); !alive) return alive;
    }
    const uint64_t size = inode_->data.size();
    const uint64_t growth = offset + bytes.size() > size ? offset + bytes.size() - size : 0;
    const uint64_t room = disk_.room();
    const uint64_t missing = growth > room ? growth - room : 0;
    const base::BytesView fits = bytes.substr(0, bytes.size() - std::min<uint64_t>(bytes.size(), missing));
    if (!fits.empty())
      inode_->apply({std::max(size, offset + fits.size()), false, offset, base::Bytes(fits)});
    if (missing > 0) return base::failure(fmt::format("cannot write {}: No space left on device", path_));
    return {};
  }

  // False: there is no room, and nothing has changed.
  base::Result<bool> resize(Kind kind, uint64_t size) {
    disk_.tell(kind, DiskCall::Moment::before, path_);
    {
      base::MutexLock lock(disk_.mutex_);
      if (auto alive = check(kind); !alive) return base::fail(alive.error());
      const uint64_t old = inode_->data.size();
      if (size > old && size - old > disk_.room()) return false;
      if (kind == Kind::truncate || size > old) inode_->apply({size, size < old});
    }
    disk_.tell(kind, DiskCall::Moment::after, path_);
    return true;
  }

  MemoryDisk& disk_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
  uint64_t life_;
};

class MemoryDisk::MemoryLock : public ports::DirectoryLock {
 public:
  MemoryLock(MemoryDisk& disk, std::string directory, uint64_t life)
      : disk_(disk), directory_(std::move(directory)), life_(life) {}
  ~MemoryLock() override {
    base::MutexLock lock(disk_.mutex_);
    if (life_ == disk_.life_) disk_.locked_.erase(directory_);
  }

 private:
  MemoryDisk& disk_;
  std::string directory_;
  uint64_t life_;
};

MemoryDisk::MemoryDisk() : directories_{".", "/"} {}
MemoryDisk::~MemoryDisk() = default;

base::Result<std::unique_ptr<ports::File>> MemoryDisk::open(const std::string& path, Open how) {
  tell(Kind::open, DiskCall::Moment::before, path);
  std::unique_ptr<ports::File> file;
  {
    base::MutexLock lock(mutex_);
    if (auto allowed = refuse(Kind::open, path); !allowed) return base::fail(allowed.error());
    auto found = names_.find(path);
    if (found == names_.end()) {
      if (how == Open::existing || !directories_.contains(parent_of(path)) || directories_.contains(path)) {
        return no_such(path);
      }
      found = names_.emplace(path, std::make_shared<Inode>()).first;
      name_changes_.push_back({parent_of(path), "", path, found->second});
    } else if (how == Open::create_new) {
      return base::failure(fmt::format("cannot open {}: File exists", path));
    }
    file = std::make_unique<MemoryFile>(*this, found->second, path, life_);
  }
  tell(Kind::open, DiskCall::Moment::after, path);
  return file;
}

base::Result<std::vector<std::string>> MemoryDisk::list(const std::string& directory) {
  tell(Kind::list, DiskCall::Moment::before, directory);
  std::vector<std::string> names;
  {
    base::MutexLock lock(mutex_);
    if (auto allowed = refuse(Kind::list, directory); !allowed) return base::fail(allowed.error());
    for (const auto& [path, inode] : names_) {
      if (parent_of(path) == directory) names.push_back(path.substr(path.find_last_of('/') + 1));
    }
    for (const auto& path : directories_) {
      if (path != "." && path != "/" && parent_of(path) == directory) {
        names.push_back(path.substr(path.find_last_of('/') + 1));
      }
    }
  }
  std::sort(names.begin(), names.end());
  tell(Kind::list, DiskCall::Moment::after, directory);
  return names;
}

base::Status MemoryDisk::make_directory(const std::string& directory) {
  tell(Kind::make_directory, DiskCall::Moment::before, directory);
  {
    base::MutexLock lock(mutex_);
    if (auto allowed = refuse(Kind::make_directory, directory); !allowed) return allowed;
    for (std::string path = directory; !directories_.contains(path); path = parent_of(path)) {
      if (names_.contains(path)) {
        return base::failure(fmt::format("cannot make the directory {}: Not a directory", path));
      }
      directories_.insert(path);
    }
  }
  tell(Kind::make_directory, DiskCall::Moment::after, directory);
  return {};
}

base::Status MemoryDisk::sync_directory(const std::string& directory) {
  tell(Kind::sync_directory, DiskCall::Moment::before, directory);
  {
    base::MutexLock lock(mutex_);
    if (auto allowed = refuse(Kind::sync_directory, directory); !allowed) return allowed;
    if (!directories_.contains(directory)) return no_such(directory);
    std::erase_if(name_changes_, [&](const NameChange& change) TIDINGS_NO_THREAD_SAFETY_ANALYSIS {
      if (change.directory != directory) return false;
      change.apply(durable_names_);
      return true;
    });
  }
  tell(Kind::sync_directory, DiskCall::Moment::after, directory);
  return {};
}

base::Status MemoryDisk::rename(const std::string& from, const std::string& to) {
  tell(Kind::rename, DiskCall::Moment::before, from);
  {
    base::MutexLock lock(mutex_);
    if (auto allowed = refuse(Kind::rename, from); !allowed) return allowed;
    const auto found = names_.find(from);
    if (found == names_.end() || !directories_.contains(parent_of(to)) || directories_.contains(to)) {
      return base::failure(fmt::format("cannot rename {}: No such file or directory", from));
    }
    name_changes_.push_back({parent_of(to), from, to, found->second});
    NameChange(name_changes_.back()).apply(names_);
  }
  tell(Kind::rename, DiskCall::Moment::after, from);
  return {};
}

base::Status MemoryDisk::remove(const std::string& path) {
  tell(Kind::remove, DiskCall::Moment::before, path);
  {
    base::MutexLock lock(mutex_);
    if (auto allowed = refuse(Kind::remove, path); !allowed) return allowed;
    if (names_.erase(path) == 0) {
      return base::failure(fmt::format("cannot remove {}: No such file or directory", path));
    }
    name_changes_.push_back({parent_of(path), path, "", nullptr});
  }
  tell(Kind::remove, DiskCall::Moment::after, path);
  return {};
}

base::Result<uint64_t> MemoryDisk::free_bytes(const std::string& directory) {
  tell(Kind::free_bytes, DiskCall::Moment::before, directory);
  uint64_t free = 0;
  {
    base::MutexLock lock(mutex_);
    if (auto allowed = refuse(Kind::free_bytes, directory); !allowed) return base::fail(allowed.error());
    if (!directories_.contains(directory)) return no_such(directory);
    free = room();
  }
  tell(Kind::free_bytes, DiskCall::Moment::after, directory);
  return free;
}

base::Result<std::unique_ptr<ports::DirectoryLock>> MemoryDisk::lock(const std::string& directory) {
  tell(Kind::lock, DiskCall::Moment::before, directory);
  std::unique_ptr<ports::DirectoryLock> held;
  {
    base::MutexLock lock(mutex_);
    if (auto allowed = refuse(Kind::lock, directory); !allowed) return base::fail(allowed.error());
    if (!directories_.contains(directory)) return no_such(directory + "/lock");
    if (!locked_.insert(directory).second) {
      return base::failure(fmt::format(
          "the directory {} is in use by another server; stop that one first, or choose another directory",
          directory));
    }
    held = std::make_unique<MemoryLock>(*this, directory, life_);
    const std::string path = directory + "/lock";
    if (const auto [entry, is_new] = names_.try_emplace(path, nullptr); is_new) {
      entry->second = std::make_shared<Inode>();
      name_changes_.push_back({directory, "", path, entry->second});
    }
  }
  tell(Kind::lock, DiskCall::Moment::after, directory);
  return held;
}

void MemoryDisk::crash() {
  base::MutexLock lock(mutex_);
  kill_handles();
}

void MemoryDisk::power_cut(ports::Random& random) {
  base::MutexLock lock(mutex_);
  kill_handles();
  const uint64_t how = random.below(4);
  for (const NameChange& change : name_changes_) {
    if (how == 1 || (how >= 2 && random.below(2) == 0)) change.apply(durable_names_);
  }
  name_changes_.clear();
  names_ = durable_names_;
  for (auto& [path, inode] : names_) inode->power_cut(random);
}

void MemoryDisk::fail_next(Kind kind) {
  base::MutexLock lock(mutex_);
  failing_.insert(kind);
}

void MemoryDisk::mend() {
  base::MutexLock lock(mutex_);
  failing_.clear();
}

void MemoryDisk::set_capacity(std::optional<uint64_t> bytes) {
  base::MutexLock lock(mutex_);
  capacity_ = bytes;
}

bool MemoryDisk::flip_bit(const std::string& path, uint64_t bit) {
  base::MutexLock lock(mutex_);
  const auto found = names_.find(path);
  if (found == names_.end() || bit / 8 >= found->second->data.size()) return false;
  const auto flip = [bit](base::Bytes& image) {
    if (bit / 8 < image.size()) image[bit / 8] = static_cast<char>(image[bit / 8] ^ (1 << (bit % 8)));
  };
  flip(found->second->data);
  flip(found->second->durable);
  return true;
}

MemoryDisk::Snapshot MemoryDisk::snapshot() const {
  base::MutexLock lock(mutex_);
  Snapshot out;
  for (const auto& [path, inode] : names_) out.files[path] = inode->data;
  out.directories = directories_;
  return out;
}

void MemoryDisk::restore(const Snapshot& snapshot) {
  base::MutexLock lock(mutex_);
  kill_handles();
  names_.clear();
  name_changes_.clear();
  for (const auto& [path, bytes] : snapshot.files) {
    auto inode = std::make_shared<Inode>();
    inode->data = bytes;
    inode->durable = bytes;
    names_[path] = std::move(inode);
  }
  durable_names_ = names_;
  directories_ = snapshot.directories;
}

void MemoryDisk::tell(Kind kind, DiskCall::Moment moment, std::string_view path) {
  if (on_call) on_call({kind, moment, path});
}

base::Status MemoryDisk::refuse(Kind kind, const std::string& path) {
  const auto failing = failing_.find(kind);
  if (failing == failing_.end()) return {};
  failing_.erase(failing);
  return base::failure(fmt::format("cannot use {}: Input/output error", path));
}

void MemoryDisk::kill_handles() {
  ++life_;
  locked_.clear();
}

uint64_t MemoryDisk::room() const {
  if (!capacity_) return UINT64_MAX;
  uint64_t used = 0;
  for (const auto& [path, inode] : names_) used += inode->data.size();
  return used > *capacity_ ? 0 : *capacity_ - used;
}

}  // namespace tidings::memory
