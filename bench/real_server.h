// What workloads on the whole server share: people made beside it, the real binary on core 0, what it costs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "model/ids.h"

namespace tidings::bench {

[[noreturn]] void give_up(const std::string& sentence);
// pid 0: the calling thread.
void pin(pid_t pid, int core);
// User + system time of this process.
double own_cpu_seconds();

// An empty directory that goes away.
class Directory {
 public:
  Directory();
  ~Directory();
  Directory(const Directory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Person {
  model::UserId user;
  model::DeviceId device;
  std::string token;
};
// Logging in hashes a password for 60 ms; the accounts are written into the data directory before the server
// starts. Handles are p1000, p1001, …
std::vector<Person> make_people(const std::string& data, int count);

struct ServerOptions {
  int shards = 1;
  int core = 0;            // of the machine; -1: any
  bool one_arena = false;  // of malloc: for figures of memory
  std::vector<std::string> more;
  std::string role = "both";  // core and gateway need `socket`, a gateway no data
  std::string socket = "";
  uint16_t port = 0;  // 0: a free one
};

struct Memory {
  double own = 0;           // bytes in pages that no other process has: what grows with sessions
  double resident = 0;      // all
  double proportional = 0;  // pages of several processes in parts
  Memory& operator+=(const Memory& other);
};
Memory memory_of(pid_t pid);
// User + system time so far.
double cpu_seconds_of(pid_t pid);

// The real binary.
class ServerProcess {
 public:
  ServerProcess(const std::string& binary, const std::string& data, const ServerOptions& options = {});
  ~ServerProcess();  // a clean stop
  ServerProcess(const ServerProcess&) = delete;
  uint16_t port() const { return port_; }  // not of a core
  double cpu_seconds() const { return cpu_seconds_of(pid_); }
  Memory memory() const { return memory_of(pid_); }
  // kill -9.
  void kill_now();

 private:
  pid_t pid_ = 0;
  int output_ = -1;
  uint16_t port_ = 0;
};

// How many keys were ever written to the store in this data directory; a server may be running there.
uint64_t store_keys_written(const std::string& data);

// How fast one thread gets that many states by key from the store of a server that has ended: the least that
// a full sync must do.
double store_states_read_per_second(const std::string& data, size_t count);

}  // namespace tidings::bench
