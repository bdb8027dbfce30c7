#include "bench/real_server.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include <rocksdb/db.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "engine/embedded/sqlite_accounts.h"
#include "engine/embedded/system_clock.h"
#include "engine/embedded/system_random.h"
#include "server/config.h"

namespace tidings::bench {

void give_up(const std::string& sentence) {
  std::fprintf(stderr, "bench: %s\n", sentence.c_str());
  std::exit(1);
}

void pin(pid_t pid, int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  sched_setaffinity(pid, sizeof set, &set);
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto s = [](timeval t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return s(usage.ru_utime) + s(usage.ru_stime);
}

Directory::Directory() {
  std::string name = (std::filesystem::temp_directory_path() / "tidings-bench-XXXXXX").string();
  if (!mkdtemp(name.data())) give_up("no directory for the data");
  path_ = name;
}
Directory::~Directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<Person> make_people(const std::string& data, int count) {
  std::filesystem::create_directories(data);
  auto accounts = embedded::SqliteAccounts::open(data + "/accounts.sqlite");
  if (!accounts) give_up(accounts.error().sentence);
  embedded::SystemRandom random;
  const embedded::SystemClock clock;
  std::vector<Person> people;
  for (int i = 0; i < count; ++i) {
    Person p{{random.u64() >> 1}, {random.u64() >> 1}, "bench-" + std::to_string(random.u64())};
    const std::string name = "p" + std::to_string(1000 + i);
    const auto added = (*accounts)->add_account({p.user, name, name, "!"});
    const auto device = (*accounts)->add_device({p.device, p.user, "bench", base::sha256(p.token),
                                                 clock.wall(), clock.wall() + std::chrono::hours(24)});
    if (!added || !device) give_up("the people could not be made");
    people.push_back(std::move(p));
  }
  return people;
}

ServerProcess::ServerProcess(const std::string& binary, const std::string& data,
                             const ServerOptions& options) {
  std::vector<std::string> words{binary,   "serve", "--listen", "127.0.0.1:0",
                                 "--data", data,    "--shards", std::to_string(options.shards)};
  // Loads are faster than people: their rates are lifted, and nothing else.
  words.insert(words.end(), {"--limits-profile", "bench"});
  words.insert(words.end(), options.more.begin(), options.more.end());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int out[2];
  if (pipe(out) != 0) give_up("pipe");
  cpu_set_t all_cores;
  CPU_ZERO(&all_cores);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a load that gives up leaves no server behind
    if (options.core >= 0) {
      pin(0, options.core);
    } else {
      for (int core = 0; core < CPU_SETSIZE; ++core) CPU_SET(static_cast<size_t>(core), &all_cores);
      sched_setaffinity(0, sizeof all_cores, &all_cores);
    }
    if (options.one_arena) setenv("MALLOC_ARENA_MAX", "1", 1);
    dup2(out[1], 1);
    close(out[0]);
    close(out[1]);
    execv(binary.c_str(), arguments.data());
    _exit(127);
  }
  close(out[1]);
  output_ = out[0];
  std::string text;
  char buffer[512];
  while (text.find('\n') == std::string::npos) {
    const ssize_t got = read(output_, buffer, sizeof buffer);
    if (got <= 0) give_up("the server did not start: " + binary);
    text.append(buffer, static_cast<size_t>(got));
  }
  const auto colon = text.find(':');
  port_ = static_cast<uint16_t>(std::stoi(text.substr(colon + 1)));
}
ServerProcess::~ServerProcess() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  close(output_);
}

double ServerProcess::cpu_seconds() const {
  clockid_t clock;
  timespec time{};
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0)
    give_up("no clock of the server");
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double ServerProcess::resident_mebibytes() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
  double all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1024 * 1024);
}

namespace {

// A secondary instance of RocksDB follows the running one's log.
class Follower {
 public:
  explicit Follower(const std::string& store) {
    rocksdb::DBOptions options;
    options.max_open_files = -1;
    if (!rocksdb::DB::ListColumnFamilies(options, store, &names_).ok()) give_up("the store has no families");
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const auto& name : names_) families.push_back({name, {}});
    rocksdb::DB* opened = nullptr;
    const auto status =
        rocksdb::DB::OpenAsSecondary(options, store, own_.path(), families, &handles_, &opened);
    if (!status.ok()) give_up("the store cannot be followed: " + status.ToString());
    db_.reset(opened);
  }
  ~Follower() {
    for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  rocksdb::DB& db() { return *db_; }
  rocksdb::ColumnFamilyHandle* family(const std::string& name) {
    for (size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] == name) return handles_[i];
    }
    give_up("the store has no family " + name);
  }

 private:
  const Directory own_;
  std::vector<std::string> names_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

// Each key of RocksDB has a number.
uint64_t store_keys_written(const std::string& data) {
  return Follower(data + "/store").db().GetLatestSequenceNumber();
}

double store_states_read_per_second(const std::string& data, size_t count) {
  Follower follower(data + "/store");
  auto* family = follower.family("state");
  std::vector<std::string> keys;
  {
    const std::unique_ptr<rocksdb::Iterator> at(follower.db().NewIterator({}, family));
    for (at->SeekToFirst(); at->Valid() && keys.size() < count; at->Next())
      keys.push_back(at->key().ToString());
  }
  const auto begun = std::chrono::steady_clock::now();
  std::string value;
  for (const auto& key : keys) {
    if (!follower.db().Get({}, family, key, &value).ok()) give_up("a state cannot be read");
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  return static_cast<double>(keys.size()) / took.count();
}

}  // namespace tidings::bench
