#include "test/sim/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace tidings::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr uint32_t executors_per_process = 64;
constexpr uint32_t workers_max = 16;

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

MonotonicTime Scheduler::clock() {
  clock_ = std::max(clock_, local_);
  return clock_;
}

void Scheduler::after(nanoseconds delay, base::Task task) {
  world_executor_->post_at(local_ + delay, std::move(task));
}

Process& Scheduler::make_process(std::string name) {
  const auto first = static_cast<uint32_t>(processes_.size()) * executors_per_process;
  return *processes_.emplace_back(std::make_unique<Process>(*this, std::move(name), first));
}

Process* Scheduler::running() const {
  return running_ && running_ != world_executor_ ? &running_->process_ : nullptr;
}

uint64_t Scheduler::enqueue(SimExecutor& executor, MonotonicTime time) {
  events_.push({std::max(time, global_), ++last_tie_, &executor});
  return last_tie_;
}

bool Scheduler::run_one() {
  while (!events_.empty()) {
    const Event event = events_.top();
    events_.pop();
    auto& executor = *event.executor;
    if (!executor.waiting_.contains(event.tie)) continue;  // cancelled, or its process is dead
    global_ = std::max(global_, event.time);
    auto& busy = executor.busy_until_;
    const auto free = std::min_element(busy.begin(), busy.end());
    if (free != busy.end() && *free > event.time) {
      events_.push({*free, event.tie, &executor});
      continue;
    }
    running_worker_ = static_cast<uint32_t>(free - busy.begin());
    run(event);
    if (free != busy.end()) *free = local_;
    local_ = global_;
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
  local_ = event.time;
  ++tasks_run_;
  bool crashed = false;
  running_ = &executor;
  try {
    process.step();
    task();
  } catch (const Crashed&) {
    crashed = true;
  }
  running_ = nullptr;
  if (!crashed) return;
  process.kill();
  task = nullptr;
  if (process.crashed_) after(nanoseconds(0), [&process] { process.crashed_(); });
}

void Scheduler::run_for(nanoseconds duration) {
  const auto end = global_ + duration;
  while (!events_.empty() && events_.top().time <= end) run_one();
  global_ = std::max(global_, end);
  local_ = global_;
}

bool Scheduler::run_until(const std::function<bool()>& done, nanoseconds at_most) {
  const auto end = global_ + at_most;
  while (!done()) {
    for (int i = 0; i < 64; ++i) {
      if (events_.empty() || events_.top().time > end) {
        global_ = std::max(global_, end);
        local_ = global_;
        return done();
      }
      run_one();
    }
  }
  return true;
}

SimExecutor::SimExecutor(Process& process, uint32_t number, size_t workers)
    : process_(process), number_(number), busy_until_(workers) {}

uint64_t SimExecutor::add(MonotonicTime time, base::Task task) {
  if (!process_.alive()) return 0;
  const auto tie = process_.scheduler().enqueue(*this, time);
  waiting_.emplace(tie, std::move(task));
  return tie;
}

void SimExecutor::post(base::Task task) {
  auto& scheduler = process_.scheduler();
  const auto poster =
      scheduler.running_ ? scheduler.running_->number_ * workers_max + scheduler.running_worker_ : 0;
  auto& last = last_arrival_[poster];
  last = std::max(last, scheduler.now() + hand_over(scheduler.random()));
  add(last, std::move(task));
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
  TIDINGS_CHECK(executors_.size() < executors_per_process);
  const auto number = first_executor_ + static_cast<uint32_t>(executors_.size());
  return *executors_.emplace_back(std::make_unique<SimExecutor>(*this, number, workers));
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

void Process::crash() {
  alive_ = false;  // what the unwinding task still does reaches nobody
  throw Crashed{};
}

}  // namespace tidings::sim
