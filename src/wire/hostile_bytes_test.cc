// Records, chunks and what else is read from disk, damaged in every way.
#include <algorithm>
#include <random>

#include "wire/record_test.h"

namespace tidings::wire {
namespace {

// Whatever the bytes: an error, or a value that is written and read again as the same. True: a record.
bool feed_all_readers(base::BytesView bytes) {
  if (const auto chunk = decode_chunk(conversation(), bytes); chunk.ok()) {
    EXPECT_EQ(*decode_chunk(conversation(), chunk_of(*chunk)), *chunk);
  }
  if (const auto list = decode_lineages(bytes); list.ok())
    EXPECT_EQ(*decode_lineages(encode_lineages(*list)), *list);
  if (const auto rows = decode_feed(bytes); rows.ok()) EXPECT_EQ(*decode_feed(encode_feed(*rows)), *rows);
  if (const auto one = decode_step(bytes); one.ok()) EXPECT_EQ(*decode_step(encode_step(*one)), *one);
  effect_source(bytes);
  const auto record = decode_record(bytes);
  if (record.ok()) {
    EXPECT_EQ(*decode_record(encode_record(*record)), *record);
    if (const auto* effect = std::get_if<Effect>(&*record)) EXPECT_EQ(effect_source(bytes), effect->source);
  } else {
    EXPECT_FALSE(record.error().sentence.empty());
  }
  return record.ok();
}
std::vector<base::Bytes> seeds() {
  std::vector<base::Bytes> out{encode_lineages(lineages()), encode_feed(feed()), encode_step(step)};
  for (const auto& record : records()) out.push_back(encode_record(record));
  for (const auto& event : events()) append_event(out.emplace_back(), event);
  return out;
}

TEST(HostileBytes, AnyOneByteChangedDoesNoHarm) {
  size_t refused = 0, taken = 0;
  for (const auto& seed : seeds()) {
    for (size_t at = 0; at < std::min<size_t>(seed.size(), 120); ++at) {
      for (const int change : {0x01, 0x02, 0x04, 0x10, 0x80, 0xff}) {
        base::Bytes bytes = seed;
        bytes[at] = static_cast<char>(bytes[at] ^ change);
        ++(feed_all_readers(bytes) ? taken : refused);
      }
    }
  }
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(taken, 1000u);
}

TEST(HostileBytes, MutatedBytesNeverDoHarm) {
  std::mt19937_64 random(20250101);
  const auto all = seeds();
  size_t refused = 0, taken = 0;
  for (int round = 0; round < 20000; ++round) {
    base::Bytes bytes = all[random() % all.size()];
    for (auto changes = random() % 4 + 1; changes > 0; --changes) {
      const size_t at = random() % std::min<size_t>(bytes.size(), 200);
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
          break;
        case 1:
          bytes[at] = static_cast<char>(random() % 2 ? 0xff : random());
          break;
        case 2:
          bytes.insert(at, 1, static_cast<char>(random()));
          break;
        default:
          if (bytes.size() > 1) bytes.resize(random() % (bytes.size() - 1) + 1);
      }
    }
    ++(feed_all_readers(bytes) ? taken : refused);
  }
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(taken, 500u);
}

}  // namespace
}  // namespace tidings::wire
