// A gateway process's end of the control connection: connects, and again with a growing pause when it broke.
// A core that says nothing for Limits::core_silence_timeout counts as gone, whatever the kernel thinks.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/limits.h"
#include "net/message_stream.h"
#include "server/control_frames.h"

namespace tidings::server {

// Thread: the executor's; made before it runs, destroyed after it stopped or on it.
class ControlClient : private net::MessageHandler {
 public:
  struct Parts {
    base::Executor& executor;
    std::string path;  // for log lines
    net::Connect connect;
    std::function<void(ControlDown&)> on_down;  // CoreFacts first
    // It broke; nothing more is tried until again() is called.
    std::function<void()> on_closed;
    Alive alive;  // what is said every second
    const base::Limits& limits;
  };
  explicit ControlClient(Parts parts) : parts_(std::move(parts)) {}
  ~ControlClient() override;
  ControlClient(const ControlClient&) = delete;

  void start() { connect(); }
  // Closes it, if it is open, and connects after a pause: the first is 50 ms, then it doubles up to 1 s.
  void again();
  // All went well: the next pause is the first one.
  void rest() { pause_ = pause_min; }
  void send(const ControlUp& frame);

 private:
  static constexpr base::milliseconds pause_min{50}, pause_max{1000};

  void connect();
  void say(const std::string& why);
  // Once a second while it is connected.
  void watch();
  void on_message(std::string_view message) override;
  void on_closed() override;

  const Parts parts_;
  std::unique_ptr<net::MessageStream> stream_;
  bool welcomed_ = false;
  base::milliseconds pause_ = pause_min;
  base::TimerId timer_ = 0;     // of the next try, or of watch()
  base::nanoseconds silent_{};  // counted by turns of watch(), so that a stop of this process is no silence
  std::string told_;            // why there is no core, as it was last said
};

}  // namespace tidings::server
