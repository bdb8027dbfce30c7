// Bytes in memory, and the two ways in which they are written to disk and between processes: fixed
// little-endian numbers and LEB128 varints for values; big-endian numbers for keys, so that they sort as
// their values do.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace tidings::base {

static_assert(std::endian::native == std::endian::little, "the formats below are written by memcpy");

using Bytes = std::string;  // any bytes, not text
using BytesView = std::string_view;

// Appends to a string that the caller owns.
class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}

  template <class N>
    requires std::is_integral_v<N>
  void fixed(N n) {
    out_.append(reinterpret_cast<const char*>(&n), sizeof n);
  }
  void varint(uint64_t n) {
    while (n >= 0x80) {
      out_.push_back(static_cast<char>(n | 0x80));
      n >>= 7;
    }
    out_.push_back(static_cast<char>(n));
  }
  void raw(BytesView bytes) { out_.append(bytes); }
  template <size_t size>
  void raw(const std::array<uint8_t, size>& bytes) {
    out_.append(reinterpret_cast<const char*>(bytes.data()), size);
  }
  // A length as a varint, then the bytes.
  void string(BytesView bytes) {
    varint(bytes.size());
    raw(bytes);
  }

 private:
  Bytes& out_;
};

// Reads what Writer wrote. A read beyond the end or an overlong varint makes the reader bad: every later read
// returns zeros, and the caller asks ok() once at the end. Never throws, never reads outside the view.
class Reader {
 public:
  explicit Reader(BytesView in) : in_(in) {}

  template <class N>
    requires std::is_integral_v<N>
  N fixed() {
    N n{};
    if (in_.size() < sizeof n) return fail<N>();
    std::memcpy(&n, in_.data(), sizeof n);
    in_.remove_prefix(sizeof n);
    return n;
  }
  uint64_t varint() {
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) return fail<uint64_t>();
      const auto byte = static_cast<uint8_t>(in_.front());
      in_.remove_prefix(1);
      if (shift == 63 && byte > 1) return fail<uint64_t>();
      n |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return n;
    }
    return fail<uint64_t>();
  }
  BytesView raw(size_t size) {
    if (in_.size() < size) return fail<BytesView>();
    const BytesView out = in_.substr(0, size);
    in_.remove_prefix(size);
    return out;
  }
  template <size_t size>
  std::array<uint8_t, size> array() {
    std::array<uint8_t, size> out{};
    const BytesView bytes = raw(size);
    if (bytes.size() == size) std::memcpy(out.data(), bytes.data(), size);
    return out;
  }
  BytesView string() {
    const uint64_t size = varint();
    return size > in_.size() ? fail<BytesView>() : raw(size);
  }

  bool ok() const { return ok_; }
  bool at_end() const { return in_.empty(); }
  size_t left() const { return in_.size(); }
  // All was read, and nothing was missing.
  bool finished() const { return ok_ && in_.empty(); }

 private:
  template <class T>
  T fail() {
    ok_ = false;
    in_ = {};
    return T{};
  }

  BytesView in_;
  bool ok_ = true;
};

// Big-endian, for keys.
inline void append_key(Bytes& key, uint64_t n) {
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(n >> shift));
}
inline uint64_t key_u64(BytesView key) {
  uint64_t n = 0;
  for (size_t i = 0; i < 8 && i < key.size(); ++i) n = n << 8 | static_cast<uint8_t>(key[i]);
  return n;
}

std::string to_hex(BytesView bytes);

}  // namespace tidings::base
