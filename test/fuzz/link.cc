// Frames between gateway and core processes (engine/socket/link_bytes.h).
#include "engine/socket/link_bytes.h"
#include "engine/socket/link_fields.h"
#include "test/fuzz/target.h"

namespace tidings::fuzz {

using namespace socket;

namespace {

template <class Frame>
base::Bytes written(const std::vector<Frame>& frames) {
  base::Bytes bytes;
  for (const auto& frame : frames) append(bytes, frame);
  return bytes;
}

// What is decoded, encoded and decoded again is the same.
template <class Decode>
void check_small(std::string_view message, Decode decode) {
  const auto value = decode(message);
  if (!value) return;
  const auto again = decode(encode(*value));
  must(again && *again == *value, "a message that is written and read again is the same");
}

template <class Variant>
std::vector<Variant> one_of_each() {
  std::vector<Variant> out;
  [&]<size_t... index>(std::index_sequence<index...>) {
    (out.emplace_back(std::in_place_index<index>, blank<std::variant_alternative_t<index, Variant>>()), ...);
  }(std::make_index_sequence<std::variant_size_v<Variant>>());
  return out;
}

}  // namespace

void feed(std::string_view bytes) {
  (void)kind_of(bytes);
  check_small(bytes, decode_link_hello);
  check_small(bytes, decode_control_hello);
  check_small(bytes, decode_welcome);
  check_small(bytes, decode_taken);
  if (const auto frames = decode_up(bytes)) {
    const auto first = written(*frames);
    const auto again = decode_up(encode_up(first));
    must(again && written(*again) == first, "frames up that are written and read again are the same");
  }
  size_t size = 0;
  if (const auto batch = decode_down(bytes, size)) {
    const auto first = written(batch->frames);
    size_t size_again = 0;
    const auto again = decode_down(encode_down(*batch, first), size_again);
    must(again && written(again->frames) == first,
         "frames down that are written and read again are the same");
    must(again->number == batch->number && again->previous == batch->previous, "a batch keeps its numbers");
    must(size_again == first.size(), "a batch counts the bytes of its frames");
  }
}

std::vector<std::string> seeds() {
  std::vector<std::string> out{encode(LinkHello{link_version, 1ull << 60, 3}),
                               encode(ControlHello{link_version, 7}), encode(socket::Welcome{}),
                               encode(Taken{1u << 20, true})};
  for (const auto& frame : one_of_each<ports::UpFrame>())
    out.push_back(encode_up(written<ports::UpFrame>({frame})));
  ports::DownBatch batch;
  batch.number = 12;
  batch.previous = 10;
  for (const auto& frame : one_of_each<ports::DownFrame>())
    out.push_back(encode_down(batch, written<ports::DownFrame>({frame})));
  return out;
}

}  // namespace tidings::fuzz
