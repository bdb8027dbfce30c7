#include "bench/crowd.h"

namespace tidings::bench {

void Crowd::Line::on_message(std::string_view text) {
  crowd->take(*this, text);
}
void Crowd::Line::on_closed(uint16_t code, std::string_view reason) {
  give_up("a connection was closed: " + std::to_string(code) + " " + std::string(reason));
}

Crowd::Crowd(std::vector<Person> people, uint16_t port, OnFrame on_frame)
    : people_(std::move(people)), port_(port), on_frame_(std::move(on_frame)), reactor_("load") {
  lines_.resize(people_.size());
  reactor_.start();
}

Crowd::~Crowd() {
  run([this] { lines_.clear(); });
  reactor_.stop();
}

void Crowd::connect() {
  pin(0, 1);
  for (size_t i = 0; i < lines_.size(); ++i) connect(i);
}

void Crowd::connect(size_t index) {
  net::WebSocketOptions options;
  options.message_bytes_max = 1 << 20;
  net::connect_websocket(reactor_, "127.0.0.1", port_, "/v1/ws", std::string(wire::subprotocol_json), options,
                         [this, index](base::Result<std::unique_ptr<net::WebSocket>> socket) {
                           if (!socket) give_up(socket.error().sentence);
                           auto line = std::make_unique<Line>();
                           line->crowd = this;
                           line->index = index;
                           line->socket = std::move(*socket);
                           line->socket->set_handler(line.get());
                           wire::Hello hello;
                           hello.token = people_[index].token;
                           hello.app = "bench";
                           line->send(wire::encode(hello));
                           lines_[index] = std::move(line);
                         });
}

void Crowd::take(Line& line, std::string_view text) {
  bytes_ += text.size();
  const auto parsed = wire::parse_server_frames(text);
  const auto now = clock_.monotonic();
  line.acks.taken(parsed.counted, text.size(), now);
  line.acks.heard(true);
  if (acknowledges_at_frames) {
    if (const auto ack = line.acks.due(now)) line.send(wire::encode(*ack));
  }
  for (const auto& frame : parsed.frames) {
    if (!frame) give_up("a frame of the server cannot be read: " + frame.error().detail);
    on_frame_(line, *frame);
  }
}

}  // namespace tidings::bench
