#include "net/reactor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mutex.h"
#include "net/names.h"
#include "net/outbox.h"
#include "net/poller.h"
#include "net/timer_wheel.h"
#include "net/websocket_deflate.h"

namespace tidings::net {

using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr base::nanoseconds tick = std::chrono::milliseconds(10);
constexpr base::nanoseconds sleep_max = std::chrono::hours(1);
constexpr size_t receive_bytes = 64 * 1024 + 14;

// Ends the wait for sockets from another thread.
class Waker final : public Pollable {
 public:
  Waker() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { TIDINGS_CHECK(event_); }
  int fd() const { return event_.get(); }
  void wake() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
  }
  void on_ready(uint32_t) override {
    uint64_t all = 0;
    [[maybe_unused]] const ssize_t read = ::read(event_.get(), &all, sizeof all);
  }

 private:
  FileDescriptor event_;
};

}  // namespace

// A turn: what is ready at the sockets, then what is posted, then the due timers, and at its end whoever has
// something to write writes once.
struct Reactor::State {
  explicit State(std::string thread_name) : name(std::move(thread_name)) {
    TIDINGS_CHECK(poller.add(waker.fd(), waker, EPOLLIN));
  }
  ~State() { poller.remove(waker.fd(), waker); }

  // Whether anything was to be done.
  bool turn(int sleep_ms) {
    bool any = poller.dispatch(sleep_ms);
    waits = false;
    any = run_posted() || any;
    any = run_timers() || any;
    poller.end_turn();
    return any;
  }

  void run() {
    while (!ended) turn(sleep_ms());
  }

  // How long nothing will be to be done, unless a socket is ready or somebody posts: from here on whoever
  // posts wakes.
  int sleep_ms() {
    waits = true;
    {
      base::MutexLock lock(mutex);
      if (!posted.empty()) return 0;
    }
    const auto next = wheel.next();
    if (!next) return -1;
    const base::nanoseconds rest = start + tick * static_cast<int64_t>(*next) - SteadyClock::now();
    const auto sleep = std::clamp(rest, base::nanoseconds(0), sleep_max);
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(sleep).count());
  }

  bool run_posted() {
    {
      base::MutexLock lock(mutex);
      if (posted.empty()) return false;
      running.swap(posted);
    }
    for (auto& task : running) {
      task();
      task = nullptr;
    }
    running.clear();
    return true;
  }

  TimerWheel::Tick now_tick() const {
    return static_cast<TimerWheel::Tick>((SteadyClock::now() - start) / tick);
  }

  bool run_timers() {
    if (wheel.empty()) return false;
    wheel.advance(now_tick());
    bool any = false;
    base::Task task;
    for (; wheel.pop_due(task); any = true) {
      task();
      task = nullptr;
    }
    return any;
  }

  void post(base::Task task) {
    {
      base::MutexLock lock(mutex);
      if (stopping) return;
      posted.push_back(std::move(task));
    }
    if (waits.exchange(false)) waker.wake();
  }

  std::string name;
  Poller poller;
  Waker waker;
  BufferPool buffers;
  WebSocketDeflate deflate;
  std::unique_ptr<Names> names;
  TimerWheel wheel;
  const SteadyClock::time_point start = SteadyClock::now();
  std::vector<char> receive = std::vector<char>(receive_bytes);
  std::vector<base::Task> running;  // what was posted; its memory serves the next batch
  std::thread thread;
  bool ended = false;

  // It sleeps, or is about to: a post must wake it. Set before it looks for the last time whether anything is
  // posted.
  std::atomic<bool> waits = false;
  base::Mutex mutex;
  std::vector<base::Task> posted TIDINGS_GUARDED_BY(mutex);
  bool stopping TIDINGS_GUARDED_BY(mutex) = false;
};

Reactor::Reactor(std::string name) : state_(std::make_unique<State>(std::move(name))) {}

Reactor::~Reactor() {
  stop();
}

void Reactor::post(base::Task task) {
  state_->post(std::move(task));
}

base::TimerId Reactor::after(base::nanoseconds delay, base::Task task) {
  constexpr base::nanoseconds delay_max = std::chrono::hours(24 * 365 * 100);
  const auto until = SteadyClock::now() - state_->start + std::clamp(delay, base::nanoseconds(0), delay_max);
  const auto due = static_cast<TimerWheel::Tick>((until + tick - base::nanoseconds(1)) / tick);
  return state_->wheel.set(due, std::move(task));
}

void Reactor::cancel(base::TimerId timer) {
  const base::Task dropped = state_->wheel.cancel(timer);
}

void Reactor::start() {
  TIDINGS_CHECK(!state_->thread.joinable());
  state_->thread = std::thread([state = state_.get()] {
    pthread_setname_np(pthread_self(), state->name.substr(0, 15).c_str());
    state->run();
  });
}

void Reactor::stop() {
  if (state_->thread.joinable()) {
    post([state = state_.get()] { state->ended = true; });
    {
      base::MutexLock lock(state_->mutex);
      state_->stopping = true;
    }
    state_->thread.join();
  }
  std::vector<base::Task> dropped;
  {
    base::MutexLock lock(state_->mutex);
    state_->stopping = true;
    dropped.swap(state_->posted);
  }
  dropped.clear();
  state_->wheel.clear();
  state_->poller.clear();
}

bool Reactor::turn() {
  return state_->turn(0);
}

Poller& Reactor::poller() {
  return state_->poller;
}
Names& Reactor::names() {
  if (!state_->names) state_->names = std::make_unique<Names>(*this);
  return *state_->names;
}
BufferPool& Reactor::buffers() {
  return state_->buffers;
}
WebSocketDeflate& Reactor::deflate() {
  return state_->deflate;
}
char* Reactor::receive_buffer() {
  return state_->receive.data();
}
size_t Reactor::receive_buffer_bytes() const {
  return state_->receive.size();
}

}  // namespace tidings::net
