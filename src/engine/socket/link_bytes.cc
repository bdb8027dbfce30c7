#include "engine/socket/link_bytes.h"

#include <algorithm>

#include "engine/socket/link_fields.h"

namespace tidings::socket {

TIDINGS_FIELDS(LinkHello, 3);
TIDINGS_FIELDS(ControlHello, 2);
TIDINGS_FIELDS(Welcome, 1);
TIDINGS_FIELDS(Taken, 2);

namespace {

// So that somebody else's program on the same socket is found out by its first bytes.
constexpr base::BytesView magic = "tdlk";
constexpr size_t message_head_bytes_max = 256;

base::Bytes message_of(MessageKind kind) {
  return base::Bytes(1, static_cast<char>(kind));
}
template <class T>
base::Bytes encode_message(MessageKind kind, const T& value, base::BytesView first = {}) {
  base::Bytes out = message_of(kind);
  base::Writer writer(out);
  writer.raw(first);
  put(writer, value);
  return out;
}
template <class T>
std::optional<T> decode_message(MessageKind kind, base::BytesView message, base::BytesView first = {}) {
  if (kind_of(message) != kind) return std::nullopt;
  message.remove_prefix(1);
  if (!message.starts_with(first)) return std::nullopt;
  message.remove_prefix(first.size());
  Taker taker(message);
  T value;
  taker.take(value);
  if (!taker.finished()) return std::nullopt;
  return value;
}

template <class Frame>
bool take_frames(Taker& taker, std::vector<Frame>& frames) {
  while (taker.ok() && !taker.at_end()) taker.take(frames.emplace_back());
  return taker.ok();
}
template <class Frame>
size_t append_frame(base::Bytes& frames, const Frame& frame) {
  const size_t before = frames.size();
  base::Writer writer(frames);
  put(writer, frame);
  return frames.size() - before;
}

}  // namespace

size_t message_bytes_max(const base::Limits& limits) {
  return limits.link_queue_bytes_max + message_head_bytes_max;
}

bool is_due(const Taken& taken, const base::Limits& limits) {
  return taken.notice || taken.bytes >= std::max<size_t>(limits.link_queue_bytes_max / 8, 1);
}

std::optional<MessageKind> kind_of(base::BytesView message) {
  if (message.empty()) return std::nullopt;
  const auto kind = static_cast<uint8_t>(message.front());
  if (kind < static_cast<uint8_t>(MessageKind::link_hello) ||
      kind > static_cast<uint8_t>(MessageKind::control))
    return std::nullopt;
  return static_cast<MessageKind>(kind);
}

base::Bytes encode(const LinkHello& hello) {
  return encode_message(MessageKind::link_hello, hello, magic);
}
base::Bytes encode(const ControlHello& hello) {
  return encode_message(MessageKind::control_hello, hello, magic);
}
base::Bytes encode(const Welcome& welcome) {
  return encode_message(MessageKind::welcome, welcome, magic);
}
base::Bytes encode(const Taken& taken) {
  return encode_message(MessageKind::taken, taken);
}
std::optional<LinkHello> decode_link_hello(base::BytesView message) {
  return decode_message<LinkHello>(MessageKind::link_hello, message, magic);
}
std::optional<ControlHello> decode_control_hello(base::BytesView message) {
  return decode_message<ControlHello>(MessageKind::control_hello, message, magic);
}
std::optional<Welcome> decode_welcome(base::BytesView message) {
  return decode_message<Welcome>(MessageKind::welcome, message, magic);
}
std::optional<Taken> decode_taken(base::BytesView message) {
  return decode_message<Taken>(MessageKind::taken, message);
}

size_t append(base::Bytes& frames, const ports::UpFrame& frame) {
  return append_frame(frames, frame);
}
size_t append(base::Bytes& frames, const ports::DownFrame& frame) {
  return append_frame(frames, frame);
}

base::Bytes encode_up(base::BytesView frames) {
  base::Bytes out = message_of(MessageKind::up);
  out.append(frames);
  return out;
}

base::Bytes encode_down(const ports::DownBatch& batch, base::BytesView frames) {
  base::Bytes out = message_of(MessageKind::down);
  base::Writer writer(out);
  put(writer, batch.stamp);
  put(writer, batch.number);
  put(writer, batch.previous);
  writer.raw(frames);
  return out;
}

std::optional<std::vector<ports::UpFrame>> decode_up(base::BytesView message) {
  if (kind_of(message) != MessageKind::up) return std::nullopt;
  Taker taker(message.substr(1));
  std::vector<ports::UpFrame> frames;
  if (!take_frames(taker, frames)) return std::nullopt;
  return frames;
}

std::optional<ports::DownBatch> decode_down(base::BytesView message, size_t& frame_bytes) {
  if (kind_of(message) != MessageKind::down) return std::nullopt;
  Taker taker(message.substr(1));
  ports::DownBatch batch;
  taker.take(batch.stamp);
  taker.take(batch.number);
  taker.take(batch.previous);
  frame_bytes = taker.left();
  if (!take_frames(taker, batch.frames)) return std::nullopt;
  return batch;
}

}  // namespace tidings::socket
