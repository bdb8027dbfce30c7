// Link frames as bytes (docs/formats/link.md). Both ends are the same program in the same version: the first
// message says it, and nobody guesses what another one means. Every decode takes any bytes.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "ports/link.h"

namespace tidings::socket {

// Changes with every change of a frame or message.
inline constexpr uint32_t link_version = 2;

// The first byte of a message.
enum class MessageKind : uint8_t {
  link_hello = 1,     // gateway: version, gateway id, core shard
  control_hello = 2,  // gateway: version, gateway process
  welcome = 3,        // core: version; the frames begin
  up = 4,             // frames of one turn of the gateway
  down = 5,           // a batch
  taken = 6,          // the other end has worked so many bytes of frames off
  control = 7,        // on a control connection: one ControlUp or ControlDown
};

struct LinkHello {
  uint32_t version = link_version;
  uint64_t gateway = 0;
  uint64_t core_shard = 0;
  friend bool operator==(const LinkHello&, const LinkHello&) = default;
};
struct ControlHello {
  uint32_t version = link_version;
  uint64_t process = 0;  // random
  friend bool operator==(const ControlHello&, const ControlHello&) = default;
};
struct Welcome {
  uint32_t version = link_version;
  friend bool operator==(const Welcome&, const Welcome&) = default;
};
struct Taken {
  uint64_t bytes = 0;
  bool notice = false;  // an empty batch was among it
  friend bool operator==(const Taken&, const Taken&) = default;
};

// Nothing for an empty message or an unknown kind.
std::optional<MessageKind> kind_of(base::BytesView message);

base::Bytes encode(const LinkHello& hello);
base::Bytes encode(const ControlHello& hello);
base::Bytes encode(const Welcome& welcome);
base::Bytes encode(const Taken& taken);
std::optional<LinkHello> decode_link_hello(base::BytesView message);
std::optional<ControlHello> decode_control_hello(base::BytesView message);
std::optional<Welcome> decode_welcome(base::BytesView message);
std::optional<Taken> decode_taken(base::BytesView message);

// Frames one behind the other; how many bytes were added.
size_t append(base::Bytes& frames, const ports::UpFrame& frame);
size_t append(base::Bytes& frames, const ports::DownFrame& frame);

// The message of one turn up; down, the batch (whose own `frames` is not looked at).
base::Bytes encode_up(base::BytesView frames);
base::Bytes encode_down(const ports::DownBatch& batch, base::BytesView frames);
std::optional<std::vector<ports::UpFrame>> decode_up(base::BytesView message);
// `frame_bytes`: of the frames in it, as append() counted them.
std::optional<ports::DownBatch> decode_down(base::BytesView message, size_t& frame_bytes);
inline constexpr size_t up_head_bytes = 1;

// The largest message: all that may wait for one end, and more than a message has besides its frames.
size_t message_bytes_max(const base::Limits& limits);
// Whether what was worked off is to be told: an eighth of what may wait, or the notice of a gap.
bool is_due(const Taken& taken, const base::Limits& limits);

}  // namespace tidings::socket
