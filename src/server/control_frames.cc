#include "server/control_frames.h"

namespace tidings::server {

namespace {

template <class Frame>
base::Bytes encode(const Frame& frame) {
  base::Bytes out(1, static_cast<char>(socket::MessageKind::control));
  base::Writer writer(out);
  socket::put(writer, frame);
  return out;
}
template <class Frame>
std::optional<Frame> decode(base::BytesView message) {
  if (socket::kind_of(message) != socket::MessageKind::control) return std::nullopt;
  socket::Taker taker(message.substr(1));
  Frame frame;
  taker.take(frame);
  if (!taker.finished()) return std::nullopt;
  return frame;
}

}  // namespace

base::Bytes encode_control(const ControlUp& frame) {
  return encode(frame);
}
base::Bytes encode_control(const ControlDown& frame) {
  return encode(frame);
}
std::optional<ControlUp> decode_control_up(base::BytesView message) {
  return decode<ControlUp>(message);
}
std::optional<ControlDown> decode_control_down(base::BytesView message) {
  return decode<ControlDown>(message);
}

}  // namespace tidings::server
