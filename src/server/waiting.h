// The thread that starts and stops a server waits for what others do.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "base/task.h"
#include "base/time.h"

namespace tidings::server {

inline constexpr auto interrupt_poll_interval = std::chrono::milliseconds(100);

// Runs `start(done)`; the future is ready once done was called, on whatever thread.
inline std::future<void> begin(const std::function<void(base::Task)>& start) {
  auto done = std::make_shared<std::promise<void>>();
  auto future = done->get_future();
  start([done] { done->set_value(); });
  return future;
}
// False: not within the time.
inline bool wait_for(const std::function<void(base::Task)>& start, base::nanoseconds timeout) {
  return begin(start).wait_for(timeout) == std::future_status::ready;
}
// The same; `hurry` is run once if `interrupted` says so meanwhile, and the time goes on.
inline bool wait_for(const std::function<void(base::Task)>& start, base::nanoseconds timeout,
                     const std::function<bool()>& interrupted, base::Task hurry) {
  const auto future = begin(start);
  for (const auto until = std::chrono::steady_clock::now() + timeout;
       std::chrono::steady_clock::now() < until;) {
    if (future.wait_for(interrupt_poll_interval) == std::future_status::ready) return true;
    if (hurry && interrupted()) std::exchange(hurry, base::Task())();
  }
  return false;
}
// False: interrupted.
inline bool wait_until_interrupted(const std::future<void>& future,
                                   const std::function<bool()>& interrupted) {
  while (future.wait_for(interrupt_poll_interval) != std::future_status::ready) {
    if (interrupted()) return false;
  }
  return true;
}

}  // namespace tidings::server
