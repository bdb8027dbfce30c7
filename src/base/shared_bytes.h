// Bytes that do not change any more, held once by all who need them. Their holders are counted without
// atomics: whoever copies them stays on one thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace tidings::base {

class SharedBytes {
 public:
  SharedBytes() = default;  // none
  explicit SharedBytes(std::string_view bytes)
      : block_(static_cast<Block*>(::operator new(sizeof(Block) + bytes.size()))) {
    new (block_) Block{1, static_cast<uint32_t>(bytes.size())};
    std::memcpy(block_ + 1, bytes.data(), bytes.size());
  }
  SharedBytes(const SharedBytes& other) : block_(other.block_) {
    if (block_) ++block_->holders;
  }
  SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedBytes() {
    if (block_ && --block_->holders == 0) ::operator delete(block_);
  }

  explicit operator bool() const { return block_ != nullptr; }
  // As long as somebody holds them.
  std::string_view view() const {
    return block_ ? std::string_view(reinterpret_cast<const char*>(block_ + 1), block_->bytes)
                  : std::string_view();
  }

 private:
  struct Block {  // the bytes follow
    uint32_t holders, bytes;
  };
  Block* block_ = nullptr;
};

}  // namespace tidings::base
