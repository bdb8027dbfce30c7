// The machine's own files (POSIX). Nothing in it knows what the files hold.
#pragma once

#include "ports/disk.h"

namespace tidings::embedded {

// Calls the system directly: pread, pwrite, fdatasync, posix_fallocate, statvfs, flock. Interrupted calls are
// repeated, short writes are continued. Thread: any; each File on one.
class PosixDisk : public ports::Disk {
 public:
  base::Result<std::unique_ptr<ports::File>> open(const std::string& path, Open how) override;
  base::Result<std::vector<std::string>> list(const std::string& directory) override;
  base::Status make_directory(const std::string& directory) override;
  base::Status sync_directory(const std::string& directory) override;
  base::Status rename(const std::string& from, const std::string& to) override;
  base::Status remove(const std::string& path) override;
  base::Result<uint64_t> free_bytes(const std::string& directory) override;
  base::Result<std::unique_ptr<ports::DirectoryLock>> lock(const std::string& directory) override;
};

}  // namespace tidings::embedded
