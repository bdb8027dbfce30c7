// Virtual time: one queue of events, one thread, one seed. Processes own executors; an executor is a serial
// resource, or a pool of a few. While a task waits for a simulated device the others go on: what is due
// meanwhile runs inside of that call, and may kill the very process that waits; its tasks are then unwound.
// Hand-over delays are random, so executors interleave differently by seed.
//
// Every task start and every call of a simulated device is a numbered step of its process. A process can be
// told to crash at step k: an exception of a private type goes through the task and is caught in the
// scheduler's loop alone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/time.h"
#include "test/sim/prng.h"

namespace tidings::sim {

using base::MonotonicTime;
using base::nanoseconds;

class Process;
class SimExecutor;

// What goes through a task whose process crashes. No std::exception, so nobody takes it for an error of a
// library.
struct Crashed {};

class Scheduler {
 public:
  explicit Scheduler(uint64_t seed);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;

  MonotonicTime now() const { return now_; }
  Prng& random() { return random_; }

  // The running task waits so long; everybody else goes on. Throws Crashed if its process died meanwhile.
  void consume(nanoseconds duration);
  // Runs outside of every process: faults, people, the end of a run.
  void after(nanoseconds delay, base::Task task);
  Process& make_process(std::string name);
  // The process whose task runs, nullptr outside of tasks and for what after() runs.
  Process* running() const;

  // The next event; false if there is none until then.
  bool run_one(MonotonicTime until = MonotonicTime::max());
  void run_for(nanoseconds duration);
  // Until `done` is true; false if `at_most` has passed before. `done` is asked every few events.
  bool run_until(const std::function<bool()>& done, nanoseconds at_most);
  uint64_t tasks_run() const { return tasks_run_; }

 private:
  friend class SimExecutor;
  struct Event {
    MonotonicTime time;
    uint64_t tie;  // in the order of posting; names the task in its executor
    SimExecutor* executor;
    bool operator>(const Event& other) const {
      return time != other.time ? time > other.time : tie > other.tie;
    }
  };
  uint64_t enqueue(SimExecutor& executor, MonotonicTime time);
  void run(Event event);

  Prng random_;
  MonotonicTime now_{};
  uint64_t last_tie_ = 0;
  uint64_t tasks_run_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<std::unique_ptr<Process>> processes_;
  Process* world_ = nullptr;
  SimExecutor* world_executor_ = nullptr;
  SimExecutor* running_ = nullptr;
};

class SimExecutor final : public base::Executor {
 public:
  SimExecutor(Process& process, size_t workers);

  void post(base::Task task) override;
  base::TimerId after(nanoseconds delay, base::Task task) override;
  void cancel(base::TimerId timer) override;
  // Exactly then, or when the executor is free; for what comes over a wire.
  void post_at(MonotonicTime time, base::Task task);
  Process& process() { return process_; }

 private:
  friend class Scheduler;
  friend class Process;
  uint64_t add(MonotonicTime time, base::Task task);

  Process& process_;
  std::vector<bool> busy_;         // one per worker; none: never busy
  std::vector<uint64_t> blocked_;  // due, but no worker is free
  std::map<uint64_t, base::Task> waiting_;
  // What is posted later arrives later: a thread that wakes late finds all in order.
  MonotonicTime last_arrival_{};
};

// What starts and dies together.
class Process {
 public:
  Process(Scheduler& scheduler, std::string name) : scheduler_(scheduler), name_(std::move(name)) {}

  // Lives as long as the scheduler; what is posted to it after the death is destroyed unrun.
  SimExecutor& make_executor(size_t workers = 1);
  // Destroys what waits; nothing of it runs any more. The owner destroys the process's objects afterwards.
  void kill();
  bool alive() const { return alive_; }
  const std::string& name() const { return name_; }
  Scheduler& scheduler() { return scheduler_; }

  // One more step; crashes the process here if this is the chosen one.
  void step();
  uint64_t steps() const { return steps_; }
  // At the so-many-th step from now; 0: never. `crashed` runs outside of every process, after the queues were
  // dropped.
  void crash_in(uint64_t steps) { crash_at_ = steps ? steps_ + steps : 0; }
  void on_crash(std::function<void()> crashed) { crashed_ = std::move(crashed); }
  // Runs `unwound` once no task of this process is under way; at once if none is.
  void when_unwound(base::Task unwound);
  // Ends the running task at once. Never returns.
  [[noreturn]] void crash();

 private:
  friend class Scheduler;
  Scheduler& scheduler_;
  const std::string name_;
  bool alive_ = true;
  bool crashed_itself_ = false;
  int tasks_under_way_ = 0;
  std::vector<base::Task> unwound_;
  uint64_t steps_ = 0;
  uint64_t crash_at_ = 0;
  std::function<void()> crashed_;
  std::vector<std::unique_ptr<SimExecutor>> executors_;
};

}  // namespace tidings::sim
