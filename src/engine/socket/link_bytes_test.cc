#include "engine/socket/link_bytes.h"

#include <random>

#include <gtest/gtest.h>

#include "engine/socket/link_fields.h"

namespace tidings::socket {
namespace {

// Fills a value of any type with random fields, so that a new alternative or field is tested without being
// named here.
struct Fill {
  std::mt19937_64& random;

  uint64_t number() {
    // Small ones, large ones, and all bits.
    return random() >> (random() % 64);
  }
  template <class T>
  void fill(T& value) {
    using K = Kind<T>;
    if constexpr (std::is_same_v<T, bool>) {
      value = random() % 2;
    } else if constexpr (std::is_enum_v<T>) {
      constexpr auto range = enum_range<T>;
      value = static_cast<T>(range.first + random() % (range.second - range.first + 1u));
    } else if constexpr (std::is_unsigned_v<T>) {
      value = static_cast<T>(number());
    } else if constexpr (std::is_same_v<T, std::string>) {
      value.assign(random() % 300, static_cast<char>(random()));
    } else if constexpr (K::is_time) {
      value = T(typename T::duration(static_cast<int64_t>(random())));
    } else if constexpr (K::is_number) {
      value.value = number();
    } else if constexpr (K::is_uuid) {
      for (auto& byte : value.bytes) byte = static_cast<uint8_t>(random());
    } else if constexpr (K::is_vector) {
      value.resize(random() % 4);
      for (auto& one : value) fill(one);
    } else if constexpr (K::is_optional) {
      if (random() % 2) fill(value.emplace());
    } else if constexpr (K::is_variant) {
      alternative(value, random() % std::variant_size_v<T>);
    } else {
      std::apply([this](auto&... one) { (this->fill(one), ...); }, fields(value));
    }
  }
  template <class T>
  void fill(base::Result<T, wire::Problem>& value) {
    if (random() % 2) {
      T inner{};
      fill(inner);
      value = std::move(inner);
    } else {
      wire::Problem problem;
      fill(problem);
      value = base::fail(std::move(problem));
    }
  }
  template <class V>
  void alternative(V& value, size_t which) {
    [&]<size_t... index>(std::index_sequence<index...>) {
      ((which == index ? fill(value.template emplace<index>(blank<std::variant_alternative_t<index, V>>()))
                       : void()),
       ...);
    }(std::make_index_sequence<std::variant_size_v<V>>());
  }
};

// A value is the same if all its fields are.
template <class T>
bool same(const T& a, const T& b) {
  using K = Kind<T>;
  if constexpr (K::is_vector) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) { return same(x, y); });
  } else if constexpr (K::is_optional) {
    return a.has_value() == b.has_value() && (!a || same(*a, *b));
  } else if constexpr (K::is_variant) {
    return a.index() == b.index() &&
           std::visit([&]<class One>(const One& one) { return same(one, std::get<One>(b)); }, a);
  } else if constexpr (K::is_result) {
    if (a.ok() != b.ok()) return false;
    return a.ok() ? same(*a, *b) : same(a.error(), b.error());
  } else if constexpr (field_count<T> != SIZE_MAX) {
    return std::apply(
        [&](const auto&... x) {
          return std::apply([&](const auto&... y) { return (same(x, y) && ...); }, fields(b));
        },
        fields(a));
  } else {
    return a == b;
  }
}

std::vector<ports::UpFrame> decode(base::BytesView message, const ports::UpFrame&) {
  return decode_up(message).value_or(std::vector<ports::UpFrame>());
}
std::vector<ports::DownFrame> decode(base::BytesView message, const ports::DownFrame&) {
  size_t bytes = 0;
  auto batch = decode_down(message, bytes);
  return batch ? std::move(batch->frames) : std::vector<ports::DownFrame>();
}
base::Bytes message_of(const std::vector<ports::UpFrame>& frames) {
  base::Bytes bytes;
  for (const auto& frame : frames) append(bytes, frame);
  return encode_up(bytes);
}
base::Bytes message_of(const std::vector<ports::DownFrame>& frames) {
  base::Bytes bytes;
  for (const auto& frame : frames) append(bytes, frame);
  ports::DownBatch batch;
  batch.stamp = {~0ull, base::wall_from_ms(-1), {1ull << 63}};
  batch.number = 12;
  batch.previous = 10;
  return encode_down(batch, bytes);
}

template <class Frame>
class LinkBytes : public testing::Test {};
using FrameTypes = testing::Types<ports::UpFrame, ports::DownFrame>;
TYPED_TEST_SUITE(LinkBytes, FrameTypes);

TYPED_TEST(LinkBytes, EveryKindOfFrameComesBackAsItWas) {
  std::mt19937_64 random(1);
  Fill fill{random};
  for (size_t which = 0; which < std::variant_size_v<TypeParam>; ++which) {
    for (int round = 0; round < 200; ++round) {
      std::vector<TypeParam> frames(1 + random() % 3);
      for (auto& frame : frames) fill.alternative(frame, which);
      const auto again = decode(message_of(frames), TypeParam());
      ASSERT_EQ(again.size(), frames.size()) << which;
      for (size_t i = 0; i < frames.size(); ++i) ASSERT_TRUE(same(frames[i], again[i])) << which;
    }
  }
}

TYPED_TEST(LinkBytes, AnyBytesAreTakenOrRefused) {
  std::mt19937_64 random(2);
  Fill fill{random};
  size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<TypeParam> frames(1 + random() % 3);
    for (auto& frame : frames) fill.fill(frame);
    base::Bytes message = message_of(frames);
    for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
      const size_t at = 1 + random() % (message.size() - 1);
      switch (random() % 4) {
        case 0:
          message[at] = static_cast<char>(random());
          break;
        case 1:
          message.resize(at);
          break;
        case 2:
          message.insert(at, 1 + random() % 9, static_cast<char>(0xff));
          break;
        default:
          message.erase(at, 1 + random() % 9);
          break;
      }
      if (message.size() < 2) break;
    }
    refused += decode(message, TypeParam()).empty();
  }
  EXPECT_GT(refused, 1000u);
}

TEST(LinkMessages, HeadsComeBackAsTheyWere) {
  const LinkHello link{link_version, ~0ull, 255};
  EXPECT_EQ(decode_link_hello(encode(link)), link);
  const ControlHello control{7, 9};
  EXPECT_EQ(decode_control_hello(encode(control)), control);
  EXPECT_EQ(decode_welcome(encode(Welcome{})), Welcome{});
  const Taken taken{1ull << 40, true};
  EXPECT_EQ(decode_taken(encode(taken)), taken);
  size_t bytes = 1;
  const auto batch = decode_down(message_of(std::vector<ports::DownFrame>()), bytes);
  ASSERT_TRUE(batch);
  EXPECT_EQ(bytes, 0u);
  EXPECT_EQ(batch->number, 12u);
  EXPECT_EQ(batch->previous, 10u);
  EXPECT_EQ(batch->stamp.source, ~0ull);
  EXPECT_EQ(batch->stamp.log_time, base::wall_from_ms(-1));
  EXPECT_EQ(batch->stamp.folded_below, model::Position{1ull << 63});
}

TEST(LinkMessages, OneKindIsNotTakenForAnother) {
  const auto hello = encode(LinkHello{link_version, 1, 1});
  EXPECT_FALSE(decode_control_hello(hello));
  EXPECT_FALSE(decode_welcome(hello));
  EXPECT_FALSE(decode_taken(hello));
  EXPECT_FALSE(decode_up(hello));
  size_t bytes = 0;
  EXPECT_FALSE(decode_down(hello, bytes));
  EXPECT_FALSE(decode_link_hello(hello + "x"));
  EXPECT_FALSE(decode_link_hello(""));
  EXPECT_FALSE(kind_of("\x7f"));
}

TEST(LinkMessages, ACountThatNobodyCanHaveSentBuildsNothing) {
  base::Bytes message = encode_up({});
  base::Writer writer(message);
  writer.fixed(uint8_t{2});  // Commands
  writer.varint(1ull << 60);
  EXPECT_FALSE(decode_up(message));
}

}  // namespace
}  // namespace tidings::socket
