#include <cstring>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/faults/disk.h"
#include "test/faults/probe.h"
#include "test/faults/world.h"

namespace tidings::faults {
namespace {

using base::milliseconds;
using base::seconds;

// RocksDB reserves some 35 MiB for its write-ahead log.
constexpr const char* disk_size = "size=128m";
constexpr uint64_t kept_free_bytes = 8u << 20;
const std::string kept_free = "storage.free_bytes_min=8MiB";
const std::string not_watched = "storage.free_bytes_min=0";
constexpr auto resumes_within = seconds(5);

// A file system of its own.
class SmallDisk {
 public:
  explicit SmallDisk(std::string path) : path_(std::move(path)) {
    std::filesystem::create_directories(path_);
    if (mount("tidings-faults", path_.c_str(), "tmpfs", 0, disk_size) != 0) {
      trouble = std::string("mounting a tmpfs is not permitted: ") + std::strerror(errno);
    }
  }
  ~SmallDisk() {
    if (trouble.empty()) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;

  // Only so much is free from now on.
  void leave(uint64_t bytes) {
    const int fd = open(ballast().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (uint64_t size = 0; free_bytes() > bytes;) {
      const uint64_t more = std::min<uint64_t>(free_bytes() - bytes, 4u << 20);
      size = std::filesystem::file_size(ballast());
      if (posix_fallocate(fd, static_cast<off_t>(size), static_cast<off_t>(more)) != 0) break;
    }
    close(fd);
  }
  void free_all() { std::filesystem::remove(ballast()); }

  std::string trouble;

 private:
  std::string ballast() const { return path_ + "/ballast"; }
  uint64_t free_bytes() const {
    struct statvfs about{};
    statvfs(path_.c_str(), &about);
    return static_cast<uint64_t>(about.f_bavail) * about.f_bsize;
  }

  const std::string path_;
};

std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

// Whether this server watches the free space.
bool knows_the_key(const Options& options) {
  Scratch scratch;
  ServerProcess server(options.binary, scratch.data());
  server.give({kept_free});
  return server.start().ok() && server.wait_until_ready(seconds(20)).ok();
}

// Nobody was ticked for a while.
bool is_silent(World& world) {
  return now_ns() - world.last_tick_ns() > base::nanoseconds(milliseconds(1500)).count();
}

// The server hits the end of the disk: it ends in a sentence, or refuses; nothing is ticked that does not
// stay.
void run_into_the_end(World& world, SmallDisk& disk, uint64_t left, Tally& tally) {
  const std::string which = fmt::format("a full disk ({} bytes left)", left);
  disk.leave(left);
  std::optional<int> status;
  for (int i = 0; i < 100 && !status && !is_silent(world); ++i)
    status = world.server().wait_for_end(milliseconds(100));
  if (status) {
    tally.judged();
    Tally::progress("  {}: ended: {}", which, last_line(world.server().said()));
    if (!WIFEXITED(*status) || WEXITSTATUS(*status) == 0)
      tally.violation(fmt::format("{}: the server ended with wait status {}", which, *status));
    if (world.server().said().find("tidings: ") == std::string::npos)
      tally.violation(which + ": the server ended without a sentence");
    // A start finds no room either, and says so, or gets on with what there is.
    if (auto started = world.server().start(); !started.ok())
      return tally.violation(started.error().sentence);
    if (!world.server().wait_until_ready(seconds(10)).ok()) {
      const auto refused = world.server().wait_for_end(milliseconds(1));
      if (!refused || !WIFEXITED(*refused) || WEXITSTATUS(*refused) != 1 ||
          world.server().said().find("tidings: ") == std::string::npos) {
        tally.violation(which + ": a start does not end in a sentence: " + world.server().said());
      }
    }
    world.server().kill();
    disk.free_all();
    if (auto again = world.start_again(resumes_within); !again.ok())
      tally.violation(which + ", and room again: " + again.error().sentence);
    return;
  }
  Tally::progress("  {}: goes on", which);
  // It lives: then it goes on as soon as there is room.
  disk.free_all();
  const int64_t freed = now_ns();
  if (!world.wait_for_tick(freed, resumes_within))
    tally.violation(which + ": nobody is ticked within 5 s of room");
  tally.judged();
}

// Below what is to be kept free, sends are refused, reading goes on, and all is well once there is room.
void refuses_and_resumes(World& world, SmallDisk& disk, Tally& tally) {
  const std::string which = "below free_bytes_min";
  disk.leave(kept_free_bytes / 2);
  for (int i = 0; i < 50 && !is_silent(world); ++i) std::this_thread::sleep_for(milliseconds(100));
  if (!is_silent(world)) tally.violation(which + ": sends are still ticked after 5 s");
  // Asked anew: it reads all of a conversation, and its send is refused at once and by name.
  auto log_in = world.crowd().log_in("person0", "probe");
  if (!log_in.ok()) tally.violation(which + ": " + log_in.error().sentence);
  if (log_in.ok()) {
    Probe probe({"127.0.0.1", world.server().port()}, *log_in);
    if (!probe.welcome(seconds(5))) tally.violation(which + ": no welcome");
    const int64_t asked = now_ns();
    const auto answer = probe.send(world.devices()[1]->user(), "is there room?", seconds(5));
    if (answer != "storage_full") tally.violation(fmt::format("{}: a send is answered {}", which, answer));
    if (now_ns() - asked > base::nanoseconds(seconds(1)).count())
      tally.violation(which + ": the answer took more than 1 s");
  }
  auto reader = world.crowd().add("person0", "reader");
  if (!reader.ok()) tally.violation(which + ": " + reader.error().sentence);
  if (reader.ok() && !world.crowd().wait_for([&] { return (*reader)->settled(); }, seconds(10)))
    tally.violation(which + ": a new device cannot read");
  if (world.server().wait_for_end(milliseconds(1))) {
    tally.violation(which + ": the server ended: " + world.server().said());
    disk.free_all();
    if (auto again = world.start_again(); !again.ok()) tally.violation(again.error().sentence);
    return;
  }
  disk.free_all();
  if (!world.wait_for_tick(now_ns(), resumes_within))
    tally.violation(which + ": nobody is ticked within 5 s of room");
  tally.judged();
}

}  // namespace

void disk_full(const DiskOptions& options, Tally& tally) {
  const bool watches = knows_the_key(options);
  if (!watches)
    Tally::progress("  this server has no storage.free_bytes_min: only what ENOSPC does is looked at");
  for (const bool watched : {true, false}) {
    if (watched && !watches) continue;
    World::Setting setting{.settings = {"storage.segment_bytes=128KiB"}};
    if (watches) setting.settings.push_back(watched ? kept_free : not_watched);
    World world(options, setting);
    SmallDisk disk(world.server().data());
    if (!disk.trouble.empty()) return tally.skip("disk full", disk.trouble);
    if (auto begun = world.begin(); !begun.ok()) {
      tally.violation(begun.error().sentence);
    } else {
      const bool quick = options.amount == Amount::quick;
      if (watched) {
        for (int i = 0; i < (quick ? 1 : 3); ++i) refuses_and_resumes(world, disk, tally);
      }
      const std::vector<uint64_t> left =
          quick ? std::vector<uint64_t>{0, 100'000} : std::vector<uint64_t>{0, 4096, 100'000, 1'000'000};
      for (const uint64_t bytes : left) run_into_the_end(world, disk, bytes, tally);
      tally.add("disk full", world.end());
    }
    world.server().kill();
  }
}

}  // namespace tidings::faults
