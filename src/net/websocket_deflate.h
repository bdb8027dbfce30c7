// permessage-deflate (RFC 7692), always without context takeover: each message is compressed for itself, so a
// connection needs no memory for it. What zlib needs is shared by all connections of a thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct z_stream_s;  // zlib's

namespace tidings::net {

// What both sides may do from then on.
struct DeflateAgreement {
  uint8_t window_bits = 0;  // of what we compress: 8 to 15
  std::string answer;       // for the header Sec-WebSocket-Extensions
};
// The first offer in a value of this header that we can accept. One with an unknown, doubled or wrong
// parameter is none.
std::optional<DeflateAgreement> agree_on_deflate(std::string_view offers);

// The states of one thread, made when they are first needed: 256 KiB to compress, 48 KiB to inflate, and two
// buffers of which 128 KiB each are kept between messages.
class WebSocketDeflate {
 public:
  struct Inflated {
    enum class Kind : uint8_t { whole, too_large, broken };
    Kind kind;
    std::string_view message;
  };

  WebSocketDeflate();
  ~WebSocketDeflate();

  // A message that came with RSV1, all of its fragments together. Ends as soon as there is more than
  // `message_bytes_max`, and holds at most that and a constant. What is returned lives until the next call.
  Inflated inflate(std::string_view payload, size_t message_bytes_max);
  // The payload that says the same to a peer with this window, if it has at most so many bytes. Lives until
  // the next call.
  std::optional<std::string_view> deflate(std::string_view message, uint8_t window_bits,
                                          size_t payload_bytes_max);

 private:
  struct EndInflater {
    void operator()(z_stream_s* stream) const;
  };
  struct EndDeflater {
    void operator()(z_stream_s* stream) const;
  };

  std::unique_ptr<z_stream_s, EndInflater> inflater_;
  std::unique_ptr<z_stream_s, EndDeflater> deflater_;
  std::vector<char> inflated_;
  std::vector<char> deflated_;
};

}  // namespace tidings::net
