#include "engine/memory/inode.h"

#include <algorithm>

namespace tidings::memory {
namespace {

constexpr uint64_t sector_bytes = 512;

void put(base::Bytes& image, uint64_t offset, base::BytesView bytes) {
  if (image.size() < offset + bytes.size()) image.resize(offset + bytes.size());
  image.replace(offset, bytes.size(), bytes);
}

}  // namespace

void Inode::apply(Change change) {
  if (change.cuts) data.resize(std::min<uint64_t>(data.size(), change.size_after));
  put(data, change.offset, change.bytes);
  data.resize(change.size_after);
  changes.push_back(std::move(change));
}

void Inode::make_durable() {
  for (const Change& change : changes) {
    if (change.cuts) durable.resize(std::min<uint64_t>(durable.size(), change.size_after));
    put(durable, change.offset, change.bytes);
    durable.resize(change.size_after);
  }
  changes.clear();
}

void Inode::lose_changes() {
  lost_a_sync = lost_a_sync || !changes.empty();
  changes.clear();
}

void Inode::power_cut(ports::Random& random) {
  if (changes.empty() && !lost_a_sync) return;
  switch (random.below(4)) {
    case 0:
      break;
    case 1:
      make_durable();
      break;
    default:
      keep_some(random);
  }
  changes.clear();
  lost_a_sync = false;
  data = durable;
}

// Sizes are journalled in order, so a prefix of them stays; data pages are written in any order.
void Inode::keep_some(ports::Random& random) {
  const uint64_t sizes_kept = random.below(changes.size() + 1);
  uint64_t size = durable.size();
  for (size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    if (i < sizes_kept) {
      size = change.size_after;
      if (change.cuts) durable.resize(std::min<uint64_t>(durable.size(), size));
    }
    keep_some_of(change, random);
  }
  durable.resize(size);
}

void Inode::keep_some_of(const Change& change, ports::Random& random) {
  const uint64_t how = random.below(4);
  const uint64_t end = change.offset + change.bytes.size();
  for (uint64_t at = change.offset; at < end;) {
    const uint64_t next = std::min(end, (at / sector_bytes + 1) * sector_bytes);
    if (how == 1 || (how >= 2 && random.below(2) == 0)) {
      put(durable, at, base::BytesView(change.bytes).substr(at - change.offset, next - at));
    }
    at = next;
  }
}

}  // namespace tidings::memory
