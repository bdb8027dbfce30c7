// The bytes of a frame that goes out, held once for all sessions of a gateway that are told the same: an
// event of a group of a thousand lies in memory once, not a thousand times. Its holders are counted without
// atomics: a frame never leaves the thread of its gateway.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace tidings::gateway {

class Frame {
 public:
  explicit Frame(std::string_view text)
      : block_(static_cast<Block*>(::operator new(sizeof(Block) + text.size()))) {
    new (block_) Block{1, static_cast<uint32_t>(text.size())};
    std::memcpy(block_ + 1, text.data(), text.size());
  }
  Frame(const Frame& other) : block_(other.block_) { ++block_->holders; }
  Frame(Frame&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Frame& operator=(Frame other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Frame() {
    if (block_ && --block_->holders == 0) ::operator delete(block_);
  }

  // As long as somebody holds it.
  std::string_view text() const { return {reinterpret_cast<const char*>(block_ + 1), block_->bytes}; }

 private:
  struct Block {  // the text follows
    uint32_t holders, bytes;
  };
  Block* block_;
};

}  // namespace tidings::gateway
