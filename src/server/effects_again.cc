#include "server/effects_again.h"

#include <algorithm>

namespace tidings::server {

namespace {
constexpr size_t feed_read_bytes_max = 1u << 20;
}

base::Status ask_effects_again(ports::Store& store, base::nanoseconds age) {
  auto checkpoints = store.checkpoints();
  if (!checkpoints) return base::fail(checkpoints.error());
  base::WallTime newest{};
  for (const auto& checkpoint : *checkpoints) newest = std::max(newest, checkpoint.time);

  // The feed is not in the order of time, but nearly: the first young entry ends what stays claimed.
  model::Position durable;
  for (model::Position from;;) {
    auto entries = store.read_feed(from, feed_read_bytes_max);
    if (!entries) return base::fail(entries.error());
    const auto young =
        std::ranges::find_if(*entries, [&](const auto& entry) { return entry.time + age >= newest; });
    if (young != entries->begin()) durable = std::prev(young)->position;
    if (young != entries->end() || entries->empty()) break;
    from = {entries->back().position.value + 1};
  }

  ports::StoreBatch batch;
  for (auto& checkpoint : *checkpoints) {
    if (checkpoint.effects <= durable) continue;
    checkpoint.effects = durable;
    batch.checkpoints.push_back(checkpoint);
  }
  if (batch.checkpoints.empty()) return {};
  if (auto committed = store.commit(batch); !committed) return committed;
  return store.sync();
}

}  // namespace tidings::server
