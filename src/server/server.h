// One running `tidings serve`: threads, engines, listeners around a Node. The one place where every object of
// the process is built and taken down.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/result.h"
#include "server/config.h"

namespace tidings::server {

class Server {
 public:
  // Opens the data directory, replays the log and listens; returns once connections are accepted. Fails with
  // a plain sentence. `fatal` is called, from any thread, when the process must end at once without answering
  // anybody.
  // `interrupted` is asked now and then while the log is replayed: true ends the start with a failure;
  // nothing is promised yet.
  static base::Result<std::unique_ptr<Server>> start(const Config& config,
                                                     std::function<void(std::string)> fatal,
                                                     const std::function<bool()>& interrupted);
  ~Server();

  // "127.0.0.1:65100", with the port that the system chose if it was 0.
  std::string address() const;
  base::Registry& metrics();

  // Tells sessions to go elsewhere, closes log and store cleanly, ends all threads. Call once, from the
  // thread that started.
  // True if all that was folded is written and synced; false: some of it is left to the next start, which
  // repeats it from the log.
  bool stop();

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tidings::server
