// A fuzz target is one reader of bytes that strangers, peers or disks give, and what must be true whatever
// they are. Each is a file of this folder that defines feed() and seeds(), and is linked twice: with
// libFuzzer (libfuzzer.cc,
// `./dev fuzz`), and with a program that runs its seeds, what was found once, and a few thousand changed
// seeds (replay.cc, an ordinary test).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::fuzz {

// Ends the process if something is not as it must be.
void feed(std::string_view bytes);
// Inputs to begin with: small, and together every kind of thing that the reader knows.
std::vector<std::string> seeds();

inline void must(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", sentence);
  std::abort();
}

// Takes numbers from the front of an input; zeros when it is used up.
class Dice {
 public:
  explicit Dice(std::string_view bytes) : bytes_(bytes) {}
  uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }
  uint16_t word() {
    const uint16_t low = byte();
    return static_cast<uint16_t>(low | byte() << 8);
  }
  std::string_view take(size_t size) {
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

// Gives `bytes` in pieces: one by one (way 0), or of sizes that follow from `way`, from a few bytes to a few
// hundred.
template <class Give>
void in_pieces(std::string_view bytes, uint8_t way, Give give) {
  uint64_t state = way;
  while (!bytes.empty()) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const size_t most = way % 2 ? 7 : 300;
    const size_t size = way == 0 ? 1 : static_cast<size_t>(state >> 33) % most + 1;
    give(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
}

}  // namespace tidings::fuzz
