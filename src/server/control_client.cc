#include "server/control_client.h"

#include <algorithm>
#include <utility>

#include "base/log_line.h"

namespace tidings::server {

ControlClient::~ControlClient() {
  parts_.executor.cancel(timer_);
}

void ControlClient::again() {
  stream_.reset();
  welcomed_ = false;
  parts_.executor.cancel(timer_);
  timer_ = parts_.executor.after(pause_, [this] {
    timer_ = 0;
    connect();
  });
  pause_ = std::min(pause_ * 2, pause_max);
}

void ControlClient::connect() {
  auto socket = parts_.connect();
  if (!socket) {
    say(socket.error().sentence);
    return again();
  }
  stream_ = (*socket)(parts_.executor, *this, control_message_bytes_max);
  stream_->send(socket::encode(socket::ControlHello{}));
  silent_ = {};
  watch();
}

void ControlClient::watch() {
  timer_ = parts_.executor.after(control_interval, [this] {
    timer_ = 0;
    if (!stream_) return;
    silent_ += control_interval;
    if (silent_ > parts_.limits.core_silence_timeout) {
      say("the core at " + parts_.path + " says nothing");
      return on_closed();
    }
    if (welcomed_) send(parts_.alive);
    watch();
  });
}

void ControlClient::say(const std::string& why) {
  if (told_ == why) return;
  told_ = why;
  base::log_info("waiting for the core: {}", why);
}

void ControlClient::send(const ControlUp& frame) {
  if (stream_) stream_->send(encode_control(frame));
}

void ControlClient::on_closed() {
  stream_.reset();
  welcomed_ = false;
  parts_.executor.cancel(std::exchange(timer_, 0));
  parts_.on_closed();
}

void ControlClient::on_message(std::string_view message) {
  silent_ = {};
  if (!welcomed_) {
    const auto welcome = socket::decode_welcome(message);
    welcomed_ = welcome && welcome->version == socket::link_version;
    if (welcomed_) return told_.clear();
    say("the core at " + parts_.path + " is of another version than this gateway");
    return on_closed();
  }
  auto frame = decode_control_down(message);
  if (frame) return parts_.on_down(*frame);
  base::log_warning("the core at {} does not speak this gateway's language", parts_.path);
  on_closed();
}

}  // namespace tidings::server
