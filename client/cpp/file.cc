#include "client/cpp/file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tidings::client {

base::Failure system_failure(const std::string& what, const std::string& path) {
  return {"Cannot " + what + " " + path + ": " + std::strerror(errno) + "."};
}

base::Status write_all(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::fail(system_failure("write", path));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

base::Result<std::optional<std::string>> read_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return base::fail(system_failure("open", path));
  }
  std::string content;
  char buffer[1 << 14];
  for (;;) {
    const ssize_t got = ::read(file, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const base::Failure failure = system_failure("read", path);
      ::close(file);
      return base::fail(failure);
    }
    if (got == 0) break;
    content.append(buffer, static_cast<size_t>(got));
  }
  ::close(file);
  return std::optional<std::string>(std::move(content));
}

base::Status replace_file(const std::string& path, std::string_view content) {
  const std::string fresh = path + ".new";
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return base::fail(system_failure("create", fresh));
  base::Status status = write_all(file, content, fresh);
  if (status && ::fsync(file) != 0) status = base::fail(system_failure("sync", fresh));
  ::close(file);
  if (status && ::rename(fresh.c_str(), path.c_str()) != 0)
    status = base::fail(system_failure("rename", fresh));
  if (!status) {
    ::unlink(fresh.c_str());
    return status;
  }
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const int directory = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return base::fail(system_failure("open", parent));
  if (::fsync(directory) != 0) status = base::fail(system_failure("sync", parent));
  ::close(directory);
  return status;
}

base::Status make_private_directory(const std::string& path) {
  std::string made;
  for (const auto& part : std::filesystem::path(path)) {
    made = made.empty() ? part.string() : (std::filesystem::path(made) / part).string();
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST && errno != EISDIR && errno != EROFS) {
      return base::fail(system_failure("create the directory", made));
    }
  }
  struct stat found;
  if (::stat(path.c_str(), &found) != 0) return base::fail(system_failure("create the directory", path));
  return {};
}

}  // namespace tidings::client
