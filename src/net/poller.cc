#include "net/poller.h"

#include <algorithm>

#include "base/check.h"

namespace tidings::net {

Poller::Poller() : set_(::epoll_create1(EPOLL_CLOEXEC)) {
  TIDINGS_CHECK(set_);
}

bool Poller::add(int fd, Pollable& who, uint32_t events) {
  epoll_event event{.events = events, .data = {.ptr = &who}};
  return ::epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::change(int fd, Pollable& who, uint32_t events) {
  epoll_event event{.events = events, .data = {.ptr = &who}};
  ::epoll_ctl(set_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::remove(int fd, Pollable& who) {
  epoll_event unused{};
  ::epoll_ctl(set_.get(), EPOLL_CTL_DEL, fd, &unused);
  for (int i = ready_next_; i < ready_count_; ++i) {
    // The kernel's struct is packed: nothing may refer to a member of it.
    epoll_event& event = ready_[static_cast<size_t>(i)];
    if (event.data.ptr == &who) event.data.ptr = nullptr;
  }
}

void Poller::at_turn_end(Pollable& who) {
  if (who.turn_end_place_ != 0) return;
  turn_end_.push_back(&who);
  who.turn_end_place_ = static_cast<uint32_t>(turn_end_.size());
}

void Poller::forget(Pollable& who) {
  if (who.turn_end_place_ == 0) return;
  turn_end_[who.turn_end_place_ - 1] = nullptr;
  who.turn_end_place_ = 0;
}

Pollable& Poller::adopt(std::unique_ptr<Pollable> who) {
  return *adopted_.emplace_back(std::move(who));
}

void Poller::drop(Pollable& who) {
  dropped_.push_back(&who);
}

bool Poller::dispatch(int wait_ms) {
  // Interrupted is as good as nothing.
  ready_count_ = ::epoll_wait(set_.get(), ready_.data(), static_cast<int>(ready_.size()), wait_ms);
  const bool any = ready_count_ > 0;
  for (ready_next_ = 0; ready_next_ < ready_count_;) {
    const epoll_event event = ready_[static_cast<size_t>(ready_next_++)];
    if (event.data.ptr) static_cast<Pollable*>(event.data.ptr)->on_ready(event.events);
  }
  return any;
}

void Poller::end_turn() {
  // By index: a flush may end a session, whose end makes others send.
  for (size_t i = 0; i < turn_end_.size(); ++i) {
    if (i + 1 < turn_end_.size()) __builtin_prefetch(turn_end_[i + 1]);
    Pollable* who = turn_end_[i];
    if (!who) continue;
    who->turn_end_place_ = 0;
    who->on_turn_end();
  }
  turn_end_.clear();
  while (!dropped_.empty()) {
    const auto it = std::ranges::find(adopted_, dropped_.back(), &std::unique_ptr<Pollable>::get);
    dropped_.pop_back();
    if (it == adopted_.end()) continue;
    const auto doomed = std::move(*it);
    adopted_.erase(it);
  }
}

void Poller::clear() {
  while (!adopted_.empty()) {
    const auto doomed = std::move(adopted_.back());
    adopted_.pop_back();
  }
  dropped_.clear();
}

}  // namespace tidings::net
