// RFC 6455 framing without sockets: bytes of the peer in, messages and control frames out, and back. Of
// extensions permessage-deflate (net/websocket_deflate.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tidings::net {

class WebSocketDeflate;

enum class WebSocketRole : uint8_t {
  server,
  client
};  // ours: a server's peer must mask, a client's must not

// What the decoder found. The payload lives until the next call of next().
struct WebSocketEvent {
  enum class Kind : uint8_t {
    more,       // nothing complete yet; all bytes were taken
    message,    // one whole message; a text is valid UTF-8
    ping,       // to be answered by a pong with the same payload
    pong,       //
    close,      // the peer's close frame: `code` (1005 if it named none) and its reason
    violation,  // the peer broke the rules: close with `code` (1002, 1003, 1007, 1009) and the reason in the
                // payload
  };
  Kind kind = Kind::more;
  uint16_t code = 0;
  std::string_view payload;
  bool binary = false;  // the message is no text
};

// Reads what one peer sends. Holds bytes only of an incomplete frame or message, never more than one
// message's limit; of a compressed message what travels. That and what it says are limited alike.
class WebSocketDecoder {
 public:
  // Without `takes_binary` a binary message is a violation (1003).
  WebSocketDecoder(WebSocketRole role, size_t message_bytes_max, bool takes_binary = false)
      : message_bytes_max_(static_cast<uint32_t>(message_bytes_max)),
        role_(role),
        takes_binary_(takes_binary) {}

  // Takes bytes from the front of `in` until there is one event, unmasking them in place. Call it until it
  // says `more`. After a close or a violation it takes everything and says `more` for ever. `deflate`: of
  // this thread, if compression was agreed on; without it no message may be compressed.
  WebSocketEvent next(std::span<char>& in, WebSocketDeflate* deflate = nullptr);

 private:
  struct Header {
    uint8_t opcode = 0;
    bool fin = false;
    bool masked = false;
    bool compressed = false;
    size_t header_bytes = 0;
    uint64_t payload_bytes = 0;
  };

  std::optional<WebSocketEvent> frame(std::span<char>& in, WebSocketDeflate* deflate);
  // How long the header is whose first bytes these are (0: not known yet), or what is wrong with it.
  std::optional<WebSocketEvent> read_header(std::string_view bytes, Header& header, bool deflate);
  std::optional<WebSocketEvent> take_frame(const Header& header, std::span<char> bytes,
                                           WebSocketDeflate* deflate);
  std::optional<WebSocketEvent> take_fragment(const Header& header, std::string_view payload,
                                              WebSocketDeflate* deflate);
  WebSocketEvent take_compressed(std::string_view payload, WebSocketDeflate& deflate);
  WebSocketEvent take_close(std::string_view payload);
  WebSocketEvent fail(uint16_t code, std::string_view reason);

  // What most peers never leave between two reads.
  struct Pieces {
    std::string partial;  // the beginning of a frame
    std::string message;  // the fragments so far
  };
  Pieces& pieces() {
    if (!pieces_) pieces_ = std::make_unique<Pieces>();
    return *pieces_;
  }

  std::unique_ptr<Pieces> pieces_;
  uint32_t message_bytes_max_;
  uint32_t valid_bytes_ = 0;  // of the message, known to be whole UTF-8 characters
  WebSocketRole role_;
  bool takes_binary_;
  bool binary_ = false;      // the message that is being read
  bool compressed_ = false;  // likewise
  bool in_message_ = false;
  bool message_given_ = false;  // it was handed out and is to be freed
  bool partial_given_ = false;  // likewise
  bool ended_ = false;
};

enum class WebSocketOpcode : uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

// Appends one final frame; a client gives a mask. `compressed`: the payload is (RSV1).
void append_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload,
                  std::optional<uint32_t> mask, bool compressed = false);
// The payload of a close frame; 1005 gives an empty one. The reason is cut to 123 bytes at a character.
std::string close_payload(uint16_t code, std::string_view reason);
// XORs with the mask (its first byte in memory first), beginning at its first byte.
void apply_mask(std::span<char> bytes, uint32_t mask);

}  // namespace tidings::net
