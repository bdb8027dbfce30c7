// What a client shows to go on with its session: 132 random bits, base64url.
#pragma once

#include <array>
#include <string_view>

#include "ports/random.h"

namespace tidings::gateway {

class ResumeToken {
 public:
  // None: nothing is equal to it.
  ResumeToken() = default;
  explicit ResumeToken(ports::Random& random) {
    static constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::array<uint8_t, 22> bytes;
    random.fill(bytes);
    for (size_t i = 0; i < bytes.size(); ++i) text_[i] = alphabet[bytes[i] % alphabet.size()];
  }

  std::string_view text() const { return {text_.data(), text_.size()}; }
  // Takes the same time wherever they differ.
  bool is(std::string_view shown) const {
    if (text_[0] == 0 || shown.size() != text_.size()) return false;
    int difference = 0;
    for (size_t i = 0; i < text_.size(); ++i) difference |= text_[i] ^ shown[i];
    return difference == 0;
  }

 private:
  std::array<char, 22> text_{};
};

}  // namespace tidings::gateway
