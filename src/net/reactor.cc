#include "net/reactor.h"

#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <pthread.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mutex.h"
#include "net/outbox.h"
#include "net/poller.h"
#include "net/timer_wheel.h"
#include "net/websocket_deflate.h"

namespace tidings::net {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;

namespace {
constexpr base::nanoseconds tick = std::chrono::milliseconds(10);
constexpr size_t receive_bytes = 64 * 1024 + 14;
}  // namespace

// A turn is one handler of Asio: the ready sockets, the posted tasks, or the due timers; each ends with
// end_turn().
struct Reactor::State {
  explicit State(std::string thread_name) : name(std::move(thread_name)), sockets(context), alarm(context) {
    boost::system::error_code error;
    // A duplicate, because Asio closes what it was given.
    sockets.assign(::dup(poller.fd()), error);
    TIDINGS_CHECK(!error);
    wait_for_sockets();
  }

  void wait_for_sockets() {
    sockets.async_wait(asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
      if (error) return;
      poller.dispatch();
      poller.end_turn();
      wait_for_sockets();
    });
  }

  void run_posted() {
    std::vector<base::Task> batch;
    {
      base::MutexLock lock(mutex);
      batch.swap(posted);
      woken = false;
    }
    for (auto& task : batch) {
      task();
      task = nullptr;
    }
    batch.clear();
    {
      // The emptied vector's memory serves the next batch.
      base::MutexLock lock(mutex);
      if (posted.capacity() == 0) posted.swap(batch);
    }
    poller.end_turn();
  }

  TimerWheel::Tick now_tick() const {
    return static_cast<TimerWheel::Tick>((SteadyClock::now() - start) / tick);
  }

  void set_alarm() {
    const auto next = wheel.next();
    if (next == alarm_at) return;
    alarm_at = next;
    if (!next) {
      alarm.cancel();
      return;
    }
    alarm.expires_at(start + tick * static_cast<int64_t>(*next));
    alarm.async_wait([this](boost::system::error_code error) {
      if (error) return;
      alarm_at = std::nullopt;
      wheel.advance(now_tick());
      running_timers = true;
      base::Task task;
      while (wheel.pop_due(task)) {
        task();
        task = nullptr;
      }
      running_timers = false;
      set_alarm();
      poller.end_turn();
    });
  }

  std::string name;
  asio::io_context context{1};
  Poller poller;
  BufferPool buffers;
  WebSocketDeflate deflate;
  asio::posix::stream_descriptor sockets;
  asio::steady_timer alarm;
  std::optional<TimerWheel::Tick> alarm_at;
  bool running_timers = false;
  TimerWheel wheel;
  const SteadyClock::time_point start = SteadyClock::now();
  std::vector<char> receive = std::vector<char>(receive_bytes);
  std::thread thread;

  base::Mutex mutex;
  std::vector<base::Task> posted TIDINGS_GUARDED_BY(mutex);
  bool woken TIDINGS_GUARDED_BY(mutex) = false;
  bool stopping TIDINGS_GUARDED_BY(mutex) = false;
};

Reactor::Reactor(std::string name) : state_(std::make_unique<State>(std::move(name))) {}

Reactor::~Reactor() {
  stop();
}

void Reactor::post(base::Task task) {
  {
    base::MutexLock lock(state_->mutex);
    if (state_->stopping) return;
    state_->posted.push_back(std::move(task));
    if (std::exchange(state_->woken, true)) return;
  }
  asio::post(state_->context, [state = state_.get()] { state->run_posted(); });
}

base::TimerId Reactor::after(base::nanoseconds delay, base::Task task) {
  constexpr base::nanoseconds delay_max = std::chrono::hours(24 * 365 * 100);
  const auto until = SteadyClock::now() - state_->start + std::clamp(delay, base::nanoseconds(0), delay_max);
  const auto due = static_cast<TimerWheel::Tick>((until + tick - base::nanoseconds(1)) / tick);
  const base::TimerId id = state_->wheel.set(due, std::move(task));
  if (!state_->running_timers) state_->set_alarm();
  return id;
}

void Reactor::cancel(base::TimerId timer) {
  const base::Task dropped = state_->wheel.cancel(timer);
  if (state_->wheel.empty() && !state_->running_timers) state_->set_alarm();
}

void Reactor::start() {
  TIDINGS_CHECK(!state_->thread.joinable());
  state_->thread = std::thread([state = state_.get()] {
    pthread_setname_np(pthread_self(), state->name.substr(0, 15).c_str());
    const auto work = asio::make_work_guard(state->context);
    state->context.run();
  });
}

void Reactor::stop() {
  {
    base::MutexLock lock(state_->mutex);
    state_->stopping = true;
  }
  if (state_->thread.joinable()) {
    asio::post(state_->context, [state = state_.get()] {
      state->run_posted();
      state->context.stop();
    });
    state_->thread.join();
  }
  std::vector<base::Task> dropped;
  {
    base::MutexLock lock(state_->mutex);
    dropped.swap(state_->posted);
  }
  dropped.clear();
  state_->wheel.clear();
  state_->poller.clear();
}

asio::io_context& Reactor::context() {
  return state_->context;
}
Poller& Reactor::poller() {
  return state_->poller;
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
