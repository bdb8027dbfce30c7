// One running `tidings serve`: threads, engines, listeners. core_server.cc builds a process with a core,
// gateway_server.cc one of gateways alone.
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
  // Opens what the process needs and listens; returns once connections are accepted. A core opens the data
  // directory and replays the log; a gateway waits for its core. Fails with a plain sentence. `fatal` is
  // called, from any thread, when the process must end at once without answering anybody.
  // `interrupted` is asked now and then while it waits: true ends the start with a failure; nothing is
  // promised yet.
  static base::Result<std::unique_ptr<Server>> start(const Config& config,
                                                     std::function<void(std::string)> fatal,
                                                     const std::function<bool()>& interrupted);
  virtual ~Server() = default;

  // "127.0.0.1:65100", with the port that the system chose if it was 0; "" for a core without gateways.
  virtual std::string address() const = 0;
  virtual base::Registry& metrics() = 0;

  // Tells sessions to go elsewhere, closes log and store cleanly, ends all threads. Call once, from the
  // thread that started.
  // `interrupted` is asked now and then: true ends the time in which sessions may move by themselves.
  // True if all that was folded is written and synced; false: some of it is left to the next start, which
  // repeats it from the log.
  virtual bool stop(const std::function<bool()>& interrupted) = 0;
};

}  // namespace tidings::server
