// Values as bytes between two processes of one program version: a struct is its fields in order, as
// field_count says how many there are. A struct that gets a field does not compile until it says so, so
// nothing is left out. docs/formats/link.md tells the rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "model/ids.h"
#include "wire/codes.h"

namespace tidings::socket {

// How many fields a struct has; said where its frames are listed (link_fields.h).
template <class T>
inline constexpr size_t field_count = SIZE_MAX;
// The least and greatest value of an enumeration.
template <class T>
inline constexpr std::pair<uint8_t, uint8_t> enum_range{1, 0};

// The fields of a struct, by reference.
template <class T>
auto fields(T& value) {
  constexpr size_t count = field_count<std::remove_const_t<T>>;
  static_assert(count <= 14, "say field_count of this struct");
  if constexpr (count == 0) {
    return std::tie();
  } else if constexpr (count == 1) {
    auto& [a] = value;
    return std::tie(a);
  } else if constexpr (count == 2) {
    auto& [a, b] = value;
    return std::tie(a, b);
  } else if constexpr (count == 3) {
    auto& [a, b, c] = value;
    return std::tie(a, b, c);
  } else if constexpr (count == 4) {
    auto& [a, b, c, d] = value;
    return std::tie(a, b, c, d);
  } else if constexpr (count == 5) {
    auto& [a, b, c, d, e] = value;
    return std::tie(a, b, c, d, e);
  } else if constexpr (count == 6) {
    auto& [a, b, c, d, e, f] = value;
    return std::tie(a, b, c, d, e, f);
  } else if constexpr (count == 7) {
    auto& [a, b, c, d, e, f, g] = value;
    return std::tie(a, b, c, d, e, f, g);
  } else if constexpr (count == 8) {
    auto& [a, b, c, d, e, f, g, h] = value;
    return std::tie(a, b, c, d, e, f, g, h);
  } else if constexpr (count == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = value;
    return std::tie(a, b, c, d, e, f, g, h, i);
  } else if constexpr (count == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (count == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (count == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (count == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
  }
}

// What a type is, for whoever goes through values: put(), take(), and the test that fills them.
template <class T>
struct Kind {
  static constexpr bool is_vector = false, is_optional = false, is_variant = false, is_number = false,
                        is_uuid = false, is_result = false, is_time = false;
};
template <class T>
struct Kind<std::vector<T>> : Kind<void> {
  static constexpr bool is_vector = true;
};
template <class T>
struct Kind<std::optional<T>> : Kind<void> {
  static constexpr bool is_optional = true;
};
template <class... T>
struct Kind<std::variant<T...>> : Kind<void> {
  static constexpr bool is_variant = true;
};
template <class Tag>
struct Kind<model::Number<Tag>> : Kind<void> {
  static constexpr bool is_number = true;
};
template <class Tag>
struct Kind<model::Uuid<Tag>> : Kind<void> {
  static constexpr bool is_uuid = true;
};
template <class T>
struct Kind<base::Result<T, wire::Problem>> : Kind<void> {
  static constexpr bool is_result = true;
  using Value = T;
};
template <class Clock, class Duration>
struct Kind<std::chrono::time_point<Clock, Duration>> : Kind<void> {
  static constexpr bool is_time = true;
};

// A value to be filled. A struct that cannot be made without an answer has a number and it.
template <class T>
T blank() {
  if constexpr (std::is_default_constructible_v<T>) {
    return T{};
  } else {
    return T{0, wire::problem(wire::Code::internal)};
  }
}

template <class T>
void put(base::Writer& out, const T& value) {
  using K = Kind<T>;
  if constexpr (std::is_same_v<T, bool>) {
    out.fixed(static_cast<uint8_t>(value));
  } else if constexpr (std::is_enum_v<T>) {
    out.fixed(static_cast<uint8_t>(value));
  } else if constexpr (std::is_unsigned_v<T>) {
    out.varint(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    out.string(value);
  } else if constexpr (K::is_time) {
    out.fixed(static_cast<int64_t>(value.time_since_epoch().count()));
  } else if constexpr (K::is_number) {
    out.varint(value.value);
  } else if constexpr (K::is_uuid) {
    out.raw(value.bytes);
  } else if constexpr (K::is_vector) {
    out.varint(value.size());
    for (const auto& one : value) put(out, one);
  } else if constexpr (K::is_optional) {
    out.fixed(static_cast<uint8_t>(value.has_value()));
    if (value) put(out, *value);
  } else if constexpr (K::is_variant) {
    out.fixed(static_cast<uint8_t>(value.index()));
    std::visit([&out](const auto& one) { put(out, one); }, value);
  } else if constexpr (K::is_result) {
    out.fixed(static_cast<uint8_t>(value.ok()));
    if (!value.ok()) return put(out, value.error());
    if constexpr (!std::is_void_v<typename K::Value>) put(out, *value);
  } else {
    std::apply([&out](const auto&... one) { (put(out, one), ...); }, fields(value));
  }
}

// Reads what put() wrote, from any bytes: `in` is bad afterwards if it was not that. What is built is never
// more than a constant times the bytes that were read.
class Taker {
 public:
  explicit Taker(base::BytesView in) : in_(in) {}

  template <class T>
  void take(T& value) {
    using K = Kind<T>;
    if constexpr (std::is_same_v<T, bool>) {
      value = byte(0, 1) == 1;
    } else if constexpr (std::is_enum_v<T>) {
      constexpr auto range = enum_range<T>;
      static_assert(range.first <= range.second, "say enum_range of this enumeration");
      value = static_cast<T>(byte(range.first, range.second));
    } else if constexpr (std::is_unsigned_v<T>) {
      const uint64_t n = in_.varint();
      if (n > std::numeric_limits<T>::max()) bad_ = true;
      value = static_cast<T>(n);
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = in_.string();
    } else if constexpr (K::is_time) {
      value = T(typename T::duration(in_.fixed<int64_t>()));
    } else if constexpr (K::is_number) {
      value.value = in_.varint();
    } else if constexpr (K::is_uuid) {
      value.bytes = in_.array<16>();
    } else if constexpr (K::is_vector) {
      // Every element has a byte at least.
      const uint64_t count = in_.varint();
      if (count > in_.left()) bad_ = true;
      for (uint64_t i = 0; i < count && ok(); ++i) take(value.emplace_back());
    } else if constexpr (K::is_optional) {
      if (byte(0, 1) == 1) take(value.emplace());
    } else if constexpr (K::is_variant) {
      take_alternative(value, in_.fixed<uint8_t>(), std::make_index_sequence<std::variant_size_v<T>>());
    } else {
      std::apply([this](auto&... one) { (this->take(one), ...); }, fields(value));
    }
  }
  template <class T>
  void take(base::Result<T, wire::Problem>& value) {
    if (byte(0, 1) == 0) {
      wire::Problem problem;
      take(problem);
      value = base::fail(std::move(problem));
    } else if constexpr (std::is_void_v<T>) {
      value = {};
    } else {
      T inner{};
      take(inner);
      value = std::move(inner);
    }
  }

  bool ok() const { return in_.ok() && !bad_; }
  size_t left() const { return in_.left(); }
  bool at_end() const { return in_.at_end(); }
  // All was read, and nothing was missing.
  bool finished() const { return ok() && in_.at_end(); }

 private:
  uint8_t byte(uint8_t least, uint8_t most) {
    const auto n = in_.fixed<uint8_t>();
    if (n >= least && n <= most) return n;
    bad_ = true;
    return least;
  }
  template <class V, size_t... index>
  void take_alternative(V& value, uint8_t which, std::index_sequence<index...>) {
    if (which >= sizeof...(index)) bad_ = true;
    ((which == index ? take(value.template emplace<index>(blank<std::variant_alternative_t<index, V>>()))
                     : void()),
     ...);
  }

  base::Reader in_;
  bool bad_ = false;
};

}  // namespace tidings::socket
