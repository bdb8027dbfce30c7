#include "bench/talker.h"

#include <chrono>
#include <future>
#include <thread>

#include "bench/real_server.h"

namespace tidings::bench {
namespace {
constexpr size_t window = 24;  // below limits.sends_in_flight
constexpr uint64_t frames_per_ack =
    64;  // a session that acknowledges nothing is answered no reads in the end
constexpr uint64_t bytes_per_ack = 64 * 1024;
constexpr auto patience = std::chrono::seconds(30);
}  // namespace

Talker::Talker(net::Reactor& reactor, uint16_t port, const wire::Hello& hello) : reactor_(reactor) {
  std::promise<void> connected;
  reactor_.post([&] {
    net::WebSocketOptions options;
    options.message_bytes_max = 1 << 20;
    net::connect_websocket(reactor_, "127.0.0.1", port, "/v1/ws", std::string(wire::subprotocol_json),
                           options, [&](base::Result<std::unique_ptr<net::WebSocket>> socket) {
                             if (!socket) give_up(socket.error().sentence);
                             socket_ = std::move(*socket);
                             socket_->set_handler(this);
                             socket_->send(wire::encode(hello));
                             connected.set_value();
                           });
  });
  connected.get_future().wait();
  welcome_ = next<wire::Welcome>();
}

Talker::~Talker() {
  std::promise<void> closed;
  reactor_.post([&] {
    socket_.reset();
    closed.set_value();
  });
  closed.get_future().wait();
}

void Talker::send(std::string frame) {
  reactor_.post([this, frame = std::move(frame)] { socket_->send(frame); });
}

std::vector<model::ConversationId> Talker::run(const std::vector<std::string>& commands) {
  std::vector<model::ConversationId> conversations(commands.size());
  size_t sent = 0, answered = 0;
  while (answered < commands.size()) {
    for (; sent < commands.size() && sent - answered < window; ++sent) send(commands[sent]);
    auto frame = take();
    if (auto* ok = std::get_if<wire::Ok>(&frame)) {
      conversations.at(ok->request - 1) = ok->conversation;
      ++answered;
    } else if (auto* error = std::get_if<wire::ErrorFrame>(&frame);
               error && error->code == wire::Code::busy && error->request) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      send(commands.at(*error->request - 1));
    } else {
      refuse(frame);
    }
  }
  return conversations;
}

void Talker::on_message(std::string_view text) {
  bytes_ += text.size();
  auto parsed = wire::parse_server_frames(text);
  counted_ += parsed.counted;
  unacked_bytes_ += text.size();
  if (counted_ - told_ >= frames_per_ack || unacked_bytes_ >= bytes_per_ack) {
    told_ = counted_;
    unacked_bytes_ = 0;
    socket_->send(wire::encode(wire::Ack{told_}));
  }
  {
    const std::lock_guard lock(mutex_);
    for (auto& frame : parsed.frames) {
      if (!frame) give_up("a frame of the server cannot be read: " + frame.error().detail);
      frames_.push_back(std::move(*frame));
    }
  }
  arrived_.notify_one();
}

void Talker::on_closed(uint16_t code, std::string_view reason) {
  give_up("a connection was closed: " + std::to_string(code) + " " + std::string(reason));
}

wire::ServerFrame Talker::take() {
  std::unique_lock lock(mutex_);
  if (!arrived_.wait_for(lock, patience, [this] { return !frames_.empty(); })) give_up("no answer came");
  auto frame = std::move(frames_.front());
  frames_.pop_front();
  return frame;
}

void Talker::refuse(const wire::ServerFrame& frame) {
  if (const auto* error = std::get_if<wire::ErrorFrame>(&frame))
    give_up("the server refuses: " + std::string(wire::name(error->code)) + " " + error->message);
}

}  // namespace tidings::bench
