// Which sockets of a reactor are ready, and whose outbox wants to be written when the turn ends. One epoll
// set, level triggered; an idle socket costs nothing in it but the kernel's entry.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <sys/epoll.h>

#include "net/file_descriptor.h"

namespace tidings::net {

// Something with a socket. It must be out of the poller (remove(), forget()) before it is destroyed.
class Pollable {
 public:
  virtual ~Pollable() = default;
  virtual void on_ready(uint32_t events) = 0;
  virtual void on_turn_end() {}

 private:
  friend class Poller;
  uint32_t turn_end_place_ = 0;  // 1 + index in Poller::turn_end_, 0 if not there
};

// Thread: the reactor's; add() also from another one before what it adds is used there.
class Poller {
 public:
  Poller();

  bool add(int fd, Pollable& who, uint32_t events);
  void change(int fd, Pollable& who, uint32_t events);
  // `who` hears nothing more of this socket, not even what was already found ready. The socket stays open.
  void remove(int fd, Pollable& who);

  // Calls who.on_turn_end() once when this turn ends, however often it was asked for.
  void at_turn_end(Pollable& who);
  void forget(Pollable& who);

  // Keeps something that nobody else owns (an outgoing request). drop() destroys it when the turn ends.
  Pollable& adopt(std::unique_ptr<Pollable> who);
  void drop(Pollable& who);

  // One turn's readiness; waits for it so long (-1: for ever). Whether there was any.
  bool dispatch(int wait_ms);
  void end_turn();
  // Destroys what was adopted.
  void clear();

 private:
  FileDescriptor set_;
  std::array<epoll_event, 128> ready_;
  int ready_next_ = 0;
  int ready_count_ = 0;
  std::vector<Pollable*> turn_end_;
  std::vector<std::unique_ptr<Pollable>> adopted_;
  std::vector<Pollable*> dropped_;
};

}  // namespace tidings::net
