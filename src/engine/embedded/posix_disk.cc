#include "engine/embedded/posix_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace tidings::embedded {
namespace {

base::Fail<base::Failure> system_failure(const char* what, const std::string& path, int error) {
  return base::failure(fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(error)));
}

template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

// Closes a descriptor with its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ != -1) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class PosixFile : public ports::File {
 public:
  PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  base::Status write(uint64_t offset, base::BytesView bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = uninterrupted(
          [&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (n < 0) return system_failure("write", path_, errno);
      if (n == 0) return system_failure("write", path_, EIO);
      bytes.remove_prefix(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return {};
  }

  base::Result<base::Bytes> read(uint64_t offset, size_t size) override {
    base::Bytes out(size, '\0');
    size_t have = 0;
    while (have < size) {
      const ssize_t n = uninterrupted([&] {
        return ::pread(fd_.get(), out.data() + have, size - have, static_cast<off_t>(offset + have));
      });
      if (n < 0) return system_failure("read", path_, errno);
      if (n == 0) break;
      have += static_cast<size_t>(n);
    }
    out.resize(have);
    return out;
  }

  base::Status sync() override {
    if (uninterrupted([&] { return ::fdatasync(fd_.get()); }) != 0)
      return system_failure("sync", path_, errno);
    return {};
  }

  base::Result<uint64_t> size() override {
    struct stat about;
    if (::fstat(fd_.get(), &about) != 0) return system_failure("ask for the size of", path_, errno);
    return static_cast<uint64_t>(about.st_size);
  }

  base::Status truncate(uint64_t size) override {
    if (uninterrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0) {
      return system_failure("cut", path_, errno);
    }
    return {};
  }

  base::Result<bool> allocate(uint64_t size) override {
    if (size == 0) return true;
    int error;
    do {
      error = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(size));
    } while (error == EINTR);
    if (error == ENOSPC || error == EDQUOT) return false;
    if (error != 0) return system_failure("reserve room for", path_, error);
    return true;
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class FlockedDirectory : public ports::DirectoryLock {
 public:
  explicit FlockedDirectory(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;
};

int open_flags(ports::Disk::Open how) {
  switch (how) {
    case ports::Disk::Open::existing:
      return O_RDWR | O_CLOEXEC;
    case ports::Disk::Open::create_new:
      return O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL;
    case ports::Disk::Open::existing_or_new:
      return O_RDWR | O_CLOEXEC | O_CREAT;
  }
  return O_RDWR | O_CLOEXEC;
}

}  // namespace

base::Result<std::unique_ptr<ports::File>> PosixDisk::open(const std::string& path, Open how) {
  Descriptor fd(uninterrupted([&] { return ::open(path.c_str(), open_flags(how), 0600); }));
  if (fd.get() == -1) return system_failure("open", path, errno);
  return std::unique_ptr<ports::File>(std::make_unique<PosixFile>(std::move(fd), path));
}

base::Result<std::vector<std::string>> PosixDisk::list(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> open_directory(::opendir(directory.c_str()), ::closedir);
  if (!open_directory) {
    if (errno == ENOENT) return names;
    return system_failure("list", directory, errno);
  }
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(open_directory.get());
    if (!entry) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (errno != 0) return system_failure("list", directory, errno);
  std::sort(names.begin(), names.end());
  return names;
}

base::Status PosixDisk::make_directory(const std::string& directory) {
  for (size_t end = 1; end <= directory.size(); ++end) {
    if (end != directory.size() && directory[end] != '/') continue;
    const std::string path = directory.substr(0, end);
    const size_t slash = path.find_last_of('/');
    const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    if (::mkdir(path.c_str(), 0700) == 0) {
      if (auto synced = sync_directory(parent); !synced) return synced;
      continue;
    }
    const int error = errno;
    struct stat about;
    if (::stat(path.c_str(), &about) != 0) return system_failure("make the directory", path, error);
    if (!S_ISDIR(about.st_mode)) return system_failure("make the directory", path, ENOTDIR);
    // An earlier start may have died between the two calls above. A parent that is not ours to open was not
    // made by us.
    if (end == directory.size()) (void)sync_directory(parent);
  }
  return {};
}

base::Status PosixDisk::sync_directory(const std::string& directory) {
  const Descriptor fd(
      uninterrupted([&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (fd.get() == -1) return system_failure("open", directory, errno);
  if (uninterrupted([&] { return ::fsync(fd.get()); }) != 0) return system_failure("sync", directory, errno);
  return {};
}

base::Status PosixDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return system_failure("rename", from, errno);
  return {};
}

base::Status PosixDisk::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return system_failure("remove", path, errno);
  return {};
}

base::Result<uint64_t> PosixDisk::free_bytes(const std::string& directory) {
  struct statvfs about;
  if (uninterrupted([&] { return ::statvfs(directory.c_str(), &about); }) != 0) {
    return system_failure("ask for the free space of", directory, errno);
  }
  return static_cast<uint64_t>(about.f_bavail) * about.f_frsize;
}

base::Result<std::unique_ptr<ports::DirectoryLock>> PosixDisk::lock(const std::string& directory) {
  const std::string path = directory + "/lock";
  Descriptor fd(uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); }));
  if (fd.get() == -1) return system_failure("open", path, errno);
  if (uninterrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return system_failure("lock", path, errno);
    return base::failure(fmt::format(
        "the directory {} is in use by another server; stop that one first, or choose another directory",
        directory));
  }
  return std::unique_ptr<ports::DirectoryLock>(std::make_unique<FlockedDirectory>(std::move(fd)));
}

}  // namespace tidings::embedded
