#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace tidings::ports {

// One open file. One thread at a time. Every call may block. After sync() fails nothing is known of what is
// on disk, and the caller must not try again (protocol.md §1 "Failure").
class File {
 public:
  virtual ~File() = default;
  // Writes all of `bytes` at `offset`, extending the file. A crash may keep any part of it until sync()
  // returned.
  virtual base::Status write(uint64_t offset, base::BytesView bytes) = 0;
  // Up to `size` bytes at `offset`; fewer only at the end of the file.
  virtual base::Result<base::Bytes> read(uint64_t offset, size_t size) = 0;
  // What was written, and the file's size, survive power loss once it returned ok (fdatasync).
  virtual base::Status sync() = 0;
  virtual base::Result<uint64_t> size() = 0;
  virtual base::Status truncate(uint64_t size) = 0;
  // Reserves room so that later writes need no metadata (posix_fallocate); the new bytes read as zeros.
  // False: the disk has no room for it; what was written stays, the file may have grown.
  virtual base::Result<bool> allocate(uint64_t size) = 0;
};

// A directory's exclusive lock; given back by the destructor or the end of the process.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

// Files of one machine, as much as the log needs of them. Paths are absolute or relative to the process;
// directories are separated by '/'. Errors are sentences with the path and the system's reason. Thread: any,
// each File on one.
class Disk {
 public:
  enum class Open { existing, create_new, existing_or_new };

  virtual ~Disk() = default;
  virtual base::Result<std::unique_ptr<File>> open(const std::string& path, Open how) = 0;
  // Names in the directory, sorted, without "." and ".."; empty if it does not exist.
  virtual base::Result<std::vector<std::string>> list(const std::string& directory) = 0;
  // Creates it and its parents; ok if it exists. What it created survives power loss.
  virtual base::Status make_directory(const std::string& directory) = 0;
  // Creations, renames and removals in it survive power loss once it returned ok.
  virtual base::Status sync_directory(const std::string& directory) = 0;
  virtual base::Status rename(const std::string& from, const std::string& to) = 0;
  virtual base::Status remove(const std::string& path) = 0;
  // What this process may still write into the file system that holds the directory.
  virtual base::Result<uint64_t> free_bytes(const std::string& directory) = 0;
  // flock on the file DIRECTORY/lock. Fails with a plain sentence if another process, or this one, holds it.
  virtual base::Result<std::unique_ptr<DirectoryLock>> lock(const std::string& directory) = 0;
};

}  // namespace tidings::ports
