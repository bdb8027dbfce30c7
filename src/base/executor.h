// Where code runs. Whatever needs another thread, or later, goes through an Executor, so that the same code
// runs on threads in the server and on virtual time in test/sim; each hand-over is a place where the
// simulator may crash.
#pragma once

#include <cstdint>

#include "base/task.h"
#include "base/time.h"

namespace tidings::base {

// Names a timer until it fires or is cancelled; 0 names none.
using TimerId = uint64_t;

class Executor {
 public:
  virtual ~Executor() = default;

  // Runs `task` soon on this executor, never inside the call. Tasks posted by one thread run in the order in
  // which they were posted. Thread: any. A task posted after the executor stopped is destroyed unrun.
  virtual void post(Task task) = 0;

  // Runs `task` on this executor once `delay` has passed (never early; late by up to the executor's tick,
  // which is at most 10 ms). Thread: this executor's own, or before it runs.
  virtual TimerId after(nanoseconds delay, Task task) = 0;

  // The timer's task is destroyed and never runs. A timer that fired or is unknown is ignored. Thread: its
  // own.
  virtual void cancel(TimerId timer) = 0;
};

}  // namespace tidings::base
