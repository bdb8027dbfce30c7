#include "test/sim/scheduler.h"

#include <algorithm>

namespace tidings::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Mostly a wake-up, sometimes a busy core, rarely a thread that was put aside.
nanoseconds hand_over(Prng& random) {
  const auto kind = random.below(256);
  if (kind < 230) return random.duration(microseconds(20));
  if (kind < 255) return random.duration(microseconds(400));
  return random.duration(milliseconds(15));
}

}  // namespace

Scheduler::Scheduler(uint64_t seed) : random_(seed) {
  world_ = &make_process("world");
  world_executor_ = &world_->make_executor(0);
}

Scheduler::~Scheduler() {
  for (auto& process : processes_) process->kill();
}

void Scheduler::consume(nanoseconds duration) {
  const auto until = now_ + duration;
  auto* const executor = running_;
  while ((!executor || executor->process_.alive()) && !events_.empty() && events_.top().time <= until)
    run_one(until);
  now_ = std::max(now_, until);
  running_ = executor;
  if (executor && !executor->process_.alive()) throw Crashed{};
}

void Scheduler::after(nanoseconds delay, base::Task task) {
  world_executor_->post_at(now_ + delay, std::move(task));
}

Process& Scheduler::make_process(std::string name) {
  return *processes_.emplace_back(std::make_unique<Process>(*this, std::move(name)));
}

Process* Scheduler::running() const {
  return running_ && running_ != world_executor_ ? &running_->process_ : nullptr;
}

uint64_t Scheduler::enqueue(SimExecutor& executor, MonotonicTime time) {
  events_.push({std::max(time, now_), ++last_tie_, &executor});
  return last_tie_;
}

bool Scheduler::run_one(MonotonicTime until) {
  while (!events_.empty() && events_.top().time <= until) {
    const Event event = events_.top();
    events_.pop();
    auto& executor = *event.executor;
    if (!executor.waiting_.contains(event.tie)) continue;  // cancelled, or its process is dead
    now_ = std::max(now_, event.time);
    auto& busy = executor.busy_;
    const auto free = std::find(busy.begin(), busy.end(), false);
    if (free == busy.end() && !busy.empty()) {
      executor.blocked_.push_back(event.tie);
      continue;
    }
    const auto worker = static_cast<size_t>(free - busy.begin());
    if (!busy.empty()) busy[worker] = true;
    run(event);
    if (!busy.empty()) busy[worker] = false;
    for (const auto tie : std::exchange(executor.blocked_, {})) events_.push({now_, tie, &executor});
    return true;
  }
  return false;
}

void Scheduler::run(Event event) {
  auto& executor = *event.executor;
  auto& process = executor.process_;
  const auto found = executor.waiting_.find(event.tie);
  base::Task task = std::move(found->second);
  executor.waiting_.erase(found);
  ++tasks_run_;
  running_ = &executor;
  ++process.tasks_under_way_;
  try {
    process.step();
    task();
  } catch (const Crashed&) {
    process.kill();
  }
  running_ = nullptr;
  task = nullptr;
  if (std::exchange(process.crashed_itself_, false) && process.crashed_) {
    after(nanoseconds(0), [&process] { process.crashed_(); });
  }
  if (--process.tasks_under_way_ > 0) return;
  for (auto& unwound : std::exchange(process.unwound_, {})) unwound();
}

void Scheduler::run_for(nanoseconds duration) {
  const auto end = now_ + duration;
  while (!events_.empty() && events_.top().time <= end) run_one(end);
  now_ = std::max(now_, end);
}

bool Scheduler::run_until(const std::function<bool()>& done, nanoseconds at_most) {
  const auto end = now_ + at_most;
  while (!done()) {
    if (events_.empty() || events_.top().time > end) {
      now_ = std::max(now_, end);
      return done();
    }
    run_one(end);
  }
  return true;
}

SimExecutor::SimExecutor(Process& process, size_t workers) : process_(process), busy_(workers, false) {}

uint64_t SimExecutor::add(MonotonicTime time, base::Task task) {
  if (!process_.alive()) return 0;
  const auto tie = process_.scheduler().enqueue(*this, time);
  waiting_.emplace(tie, std::move(task));
  return tie;
}

void SimExecutor::post(base::Task task) {
  auto& scheduler = process_.scheduler();
  last_arrival_ = std::max(last_arrival_, scheduler.now() + hand_over(scheduler.random()));
  add(last_arrival_, std::move(task));
}

void SimExecutor::post_at(MonotonicTime time, base::Task task) {
  add(time, std::move(task));
}

base::TimerId SimExecutor::after(nanoseconds delay, base::Task task) {
  auto& scheduler = process_.scheduler();
  return add(scheduler.now() + delay + scheduler.random().duration(milliseconds(10)), std::move(task));
}

void SimExecutor::cancel(base::TimerId timer) {
  const auto found = waiting_.find(timer);
  if (found == waiting_.end()) return;
  base::Task task = std::move(found->second);
  waiting_.erase(found);
}

SimExecutor& Process::make_executor(size_t workers) {
  return *executors_.emplace_back(std::make_unique<SimExecutor>(*this, workers));
}

void Process::kill() {
  alive_ = false;
  for (auto& executor : executors_) {
    auto tasks = std::move(executor->waiting_);
    executor->waiting_.clear();
  }
}

void Process::step() {
  ++steps_;
  if (crash_at_ && steps_ >= crash_at_) crash();
}

void Process::when_unwound(base::Task unwound) {
  if (tasks_under_way_ == 0) return unwound();
  unwound_.push_back(std::move(unwound));
}

void Process::crash() {
  crashed_itself_ = true;
  alive_ = false;  // what the unwinding task still does reaches nobody
  throw Crashed{};
}

}  // namespace tidings::sim
