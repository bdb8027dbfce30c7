#include "bench/real_server.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include <fcntl.h>
#include <rocksdb/db.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
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

// All at once behind the back of SqliteAccounts, which makes each of them durable.
std::vector<Person> make_people(const std::string& data, int count) {
  std::filesystem::create_directories(data);
  const std::string path = data + "/accounts.sqlite";
  if (auto schema = embedded::SqliteAccounts::open(path); !schema) give_up(schema.error().sentence);
  sqlite3* db = nullptr;
  sqlite3_stmt *account = nullptr, *device = nullptr;
  const auto well = [&](int returned, int wanted) {
    if (returned != wanted) give_up(std::string("the people could not be made: ") + sqlite3_errmsg(db));
  };
  const auto run = [&](const char* sql) {
    well(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  };
  well(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  run("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; BEGIN");
  well(sqlite3_prepare_v2(
           db, "INSERT INTO account (user, handle, display_name, password_hash) VALUES (?, ?, ?, '!')", -1,
           &account, nullptr),
       SQLITE_OK);
  well(sqlite3_prepare_v2(db,
                          "INSERT INTO device (device, user, name, token, created_ms, expires_ms, seen_ms) "
                          "VALUES (?, ?, 'bench', ?, ?, ?, ?)",
                          -1, &device, nullptr),
       SQLITE_OK);
  embedded::SystemRandom random;
  const int64_t now_ms = base::to_ms(embedded::SystemClock().wall());
  constexpr int64_t day_ms = 24 * 3600 * 1000;
  std::vector<Person> people;
  people.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    // Numbers that grow are inserted fast.
    const uint64_t number = (static_cast<uint64_t>(i) + 1) << 32 | (random.u64() & 0xffffffff);
    Person p{{number}, {number ^ 1}, "bench-" + std::to_string(random.u64())};
    const std::string name = "p" + std::to_string(1000 + i);
    const auto hash = base::sha256(p.token);
    sqlite3_bind_int64(account, 1, static_cast<int64_t>(p.user.value));
    sqlite3_bind_text(account, 2, name.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(account, 3, name.c_str(), -1, SQLITE_TRANSIENT);
    well(sqlite3_step(account), SQLITE_DONE);
    sqlite3_reset(account);
    sqlite3_bind_int64(device, 1, static_cast<int64_t>(p.device.value));
    sqlite3_bind_int64(device, 2, static_cast<int64_t>(p.user.value));
    sqlite3_bind_blob(device, 3, hash.data(), static_cast<int>(hash.size()), SQLITE_TRANSIENT);
    sqlite3_bind_int64(device, 4, now_ms);
    sqlite3_bind_int64(device, 5, now_ms + day_ms);
    sqlite3_bind_int64(device, 6, now_ms);
    well(sqlite3_step(device), SQLITE_DONE);
    sqlite3_reset(device);
    people.push_back(std::move(p));
  }
  run("COMMIT");
  sqlite3_finalize(account);
  sqlite3_finalize(device);
  sqlite3_close(db);
  return people;
}

ServerProcess::ServerProcess(const std::string& binary, const std::string& data,
                             const ServerOptions& options) {
  std::vector<std::string> words{binary,       "serve",    "--role",
                                 options.role, "--shards", std::to_string(options.shards)};
  if (!options.socket.empty()) words.insert(words.end(), {"--core", options.socket});
  if (options.role != "gateway") words.insert(words.end(), {"--data", data});
  if (options.role != "core")
    words.insert(words.end(), {"--listen", "127.0.0.1:" + std::to_string(options.port)});
  // Loads are faster than people: their rates are lifted, and nothing else.
  words.insert(words.end(), {"--limits-profile", "bench"});
  words.insert(words.end(), options.more.begin(), options.more.end());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int out[2];
  if (pipe(out) != 0) give_up("pipe");
  fcntl(out[1], F_SETPIPE_SZ, 1 << 20);  // nobody reads what it says later
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
    prctl(PR_SET_PDEATHSIG, SIGKILL);
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
  // Lines of the log may come first.
  const std::string ready = options.role == "core" ? "ready for gateways" : "listening on ";
  const auto told = [&] {
    const auto at = text.find(ready);
    return at != std::string::npos && text.find('\n', at) != std::string::npos;
  };
  while (!told()) {
    const ssize_t got = read(output_, buffer, sizeof buffer);
    if (got <= 0) give_up("the server did not start: " + binary);
    text.append(buffer, static_cast<size_t>(got));
  }
  const auto colon = text.find(':', text.find(ready));
  if (options.role != "core") port_ = static_cast<uint16_t>(std::stoi(text.substr(colon + 1)));
}
ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  close(output_);
}

void ServerProcess::kill_now() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

double cpu_seconds_of(pid_t pid) {
  clockid_t clock;
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
    give_up("no clock of a process");
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

Memory& Memory::operator+=(const Memory& other) {
  own += other.own;
  resident += other.resident;
  proportional += other.proportional;
  return *this;
}

Memory memory_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  Memory memory;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    double kibibytes = 0;
    if (!(words >> name >> kibibytes)) continue;
    if (name == "Private_Clean:" || name == "Private_Dirty:") memory.own += kibibytes * 1024;
    if (name == "Rss:") memory.resident = kibibytes * 1024;
    if (name == "Pss:") memory.proportional = kibibytes * 1024;
  }
  return memory;
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
