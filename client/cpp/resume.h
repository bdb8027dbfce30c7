// How a session outlives its connection (protocol.md §11): what the next hello says of it, and how much of
// what was missed is still on its way after a welcome that goes on with it. One thread; the caller passes the
// time in.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "wire/frames.h"

namespace tidings::client {

class Resume {
 public:
  // `stored`: so many counted frames of the session are stored here. The same is said until a welcome comes.
  void say(wire::Hello& hello, uint64_t stored) {
    said_.reset();
    if (key_.empty()) return;
    said_ = stored;
    hello.session = session_;
    hello.resume = key_;
    hello.received = stored;
  }

  enum class Verdict {
    fresh,    // a new session
    resumed,  // the one of before; what was missed comes first
    broken,   // no honest server says this
  };
  Verdict welcomed(const wire::Welcome& welcome, model::UserId user, base::MonotonicTime now) {
    const auto said = std::exchange(said_, std::nullopt);
    if (welcome.resumed && (!said || welcome.received != *said || welcome.session != session_ ||
                            welcome.user != user || welcome.replayed > replayed_max))
      return Verdict::broken;
    session_ = welcome.session;
    key_ = welcome.resume;
    replaying_ = welcome.resumed;
    left_ = welcome.resumed ? welcome.replayed : 0;
    deadline_ = now + silence_max;
    return welcome.resumed ? Verdict::resumed : Verdict::fresh;
  }
  void counted(uint64_t frames, base::MonotonicTime now) {
    if (frames == 0) return;
    left_ -= std::min(left_, frames);
    deadline_ = now + silence_max;
  }
  // What was missed still comes: answers to what was asked may be among it.
  bool replaying() const { return replaying_; }
  // True once: all of it has come, or the server has broken its word.
  bool ends(base::MonotonicTime now) {
    if (!replaying_ || (left_ > 0 && deadline_ > now)) return false;
    replaying_ = false;
    return true;
  }
  std::optional<base::MonotonicTime> next() const {
    return replaying_ ? std::optional(deadline_) : std::nullopt;
  }
  // The connection is no more.
  void down() { replaying_ = false; }
  // The session is over, or must not be gone on with.
  void forget() { *this = {}; }

 private:
  // Far above what a server keeps of a session.
  static constexpr uint64_t replayed_max = 100'000;
  static constexpr base::nanoseconds silence_max = std::chrono::seconds(40);
  std::string session_, key_;
  std::optional<uint64_t> said_;
  bool replaying_ = false;
  uint64_t left_ = 0;
  base::MonotonicTime deadline_{};
};

}  // namespace tidings::client
