// How much of the feed is kept (protocol.md §3 "Feed").
#pragma once

#include <algorithm>
#include <optional>

#include "ports/store.h"

namespace tidings::ports {

struct FeedKept {
  base::WallTime since{};       // what is older goes
  uint64_t bytes_max = 0;       // so does the oldest, while there is more than this
  model::Position needed_from;  // but nothing at or above: somebody has yet to read it
};

// What to write as StoreBatch::feed_kept_from; nullopt: nothing is to be forgotten. Looks at about 1 MiB of
// the oldest entries, so ask again after a commit with it. Two reads, only one of a single entry if nothing
// is due. Not while another thread commits.
inline base::Result<std::optional<model::Position>> feed_cut(Store& store, const FeedKept& kept) {
  constexpr size_t looked_at_bytes = 1u << 20;
  const auto total = store.feed_bytes();
  if (!total) return base::fail(total.error());
  uint64_t left = *total;
  const auto goes = [&](const StoreBatch::FeedEntry& entry) {
    return entry.position < kept.needed_from && (entry.time < kept.since || left > kept.bytes_max);
  };
  auto entries = store.read_feed({}, 0);
  if (!entries) return base::fail(entries.error());
  std::optional<model::Position> cut;
  if (entries->empty() || !goes(entries->front())) return cut;
  entries = store.read_feed({}, looked_at_bytes);
  if (!entries) return base::fail(entries.error());
  for (const auto& entry : *entries) {
    if (!goes(entry)) break;
    left -= std::min<uint64_t>(left, entry.value.size());
    cut = model::Position{entry.position.value + 1};
  }
  return cut;
}

}  // namespace tidings::ports
