// strace on one thread of a running server: the call that is chosen fails, or kills the process, at its n-th
// time. strace counts for each thread apart, so the thread must be chosen, too.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "base/time.h"

namespace tidings::faults {

// The thread of this name; 0 if there is none.
pid_t find_thread(pid_t process, const std::string& name);

// Calls by (thread, call), as `strace -f --decode-pids=comm` wrote them down.
using Calls = std::map<std::pair<std::string, std::string>, uint64_t>;
Calls count_calls(const std::string& output);

// Every call that changes a disk, and those that answer clients.
inline constexpr const char* disk_calls =
    "write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,sync_file_range,ftruncate,fallocate,rename,"
    "renameat,renameat2,unlink,unlinkat,mkdir";
inline constexpr const char* answer_calls = "sendmsg,sendto,write,writev";

class Strace {
 public:
  // Returns when it is attached. `arguments` chooses the calls and what happens to them; all threads of the
  // process if `with_others`. `output` is written anew.
  static base::Result<std::unique_ptr<Strace>> attach(pid_t thread, bool with_others,
                                                      const std::vector<std::string>& arguments,
                                                      std::string output);
  // Detaches; what was traced goes on.
  ~Strace();
  Strace(const Strace&) = delete;

  // When the injected error was returned, as CLOCK_REALTIME; 0 if it was not.
  int64_t injected_at_ns();

 private:
  Strace(pid_t child, std::string output) : child_(child), output_(std::move(output)) {}
  void end();

  pid_t child_;
  std::string output_;
};

}  // namespace tidings::faults
