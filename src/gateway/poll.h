// A session's transport made of HTTP calls: each one waits until there is something to tell, and takes it
// all. What an answer held may be lost with it; the session hands it over again with the next call.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/executor.h"
#include "base/limits.h"
#include "ports/transport.h"

namespace tidings::gateway {

class Poll final : public ports::Transport {
 public:
  // The frames as a JSON array.
  using Answer = base::UniqueFunction<void(std::string frames)>;

  // `peer`: the address of the first call.
  Poll(base::Executor& executor, const base::Limits& limits, std::string peer)
      : executor_(executor), limits_(limits), peer_(std::move(peer)) {}
  ~Poll() override;

  // A call waits, at most Limits::poll_wait. None does.
  void wait(Answer answer);
  bool waits() const { return static_cast<bool>(waiting_); }
  // What was sent since the last answer is dropped; a call that waits is answered with nothing.
  void forget_unanswered();

  void set_handler(Handler* handler) override { handler_ = handler; }
  void send(std::string_view frame) override;
  size_t outbox_bytes() const override { return frames_.size(); }
  void close(uint16_t code, std::string_view reason) override;
  std::string peer() const override { return peer_; }

 private:
  // After this turn of the loop, so that an answer holds all that came in it.
  void answer_soon();
  void answer();

  base::Executor& executor_;
  const base::Limits& limits_;
  const std::string peer_;
  Handler* handler_ = nullptr;
  std::string frames_;  // with commas between
  Answer waiting_;
  base::TimerId timer_ = 0;
  bool answers_soon_ = false;
  bool closed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidings::gateway
