#include "delivery/effects.h"

#include <algorithm>

#include "base/log_line.h"
#include "base/seed_bug.h"
#include "fold/fold.h"
#include "wire/record.h"

namespace tidings::delivery {

namespace {
constexpr auto append_retry_interval = std::chrono::milliseconds(200);
constexpr size_t append_records_max = 256;
constexpr size_t feed_read_bytes_max = 1 << 20;
}  // namespace

Effects::Effects(Parts parts)
    : parts_(std::move(parts)),
      gauge_(parts_.metrics.gauge("tidings_delivery_effects_waiting",
                                  "Effects that are appended and not back, or wait for the log.")),
      appended_(parts_.metrics.counter("tidings_delivery_effects_appended_total", "Effects appended.")) {}

Effects::~Effects() {
  parts_.executor.cancel(retry_timer_);
}

base::Status Effects::start(const std::vector<ports::Checkpoint>& checkpoints, model::Position low) {
  if (TIDINGS_SEED_BUG(33)) return {};
  // A state may be ahead of its partition's checkpoint, but nothing below the low is missing in any.
  std::vector<model::Position> upto(model::partition_count);
  model::Position from = low;
  for (const auto& c : checkpoints) {
    if (c.partition.value >= upto.size()) continue;
    upto[c.partition.value] = c.effects;
    if (c.effects < c.position) from = std::min(from, {c.effects.value + 1});
  }
  while (true) {
    auto entries = parts_.store.read_feed(from, feed_read_bytes_max);
    if (!entries) return base::fail(entries.error());
    if (entries->empty()) return {};
    for (const auto& entry : *entries) {
      if (auto status = add_from_feed(entry, upto); !status) return status;
    }
    from = {entries->back().position.value + 1};
  }
}

base::Status Effects::add_from_feed(const ports::StoreBatch::FeedEntry& entry,
                                    const std::vector<model::Position>& durable_upto) {
  auto rows = wire::decode_feed(entry.value);
  if (!rows) return base::fail(rows.error());
  std::ranges::sort(*rows, {}, &wire::FeedRow::position);
  for (const auto& row : *rows) {
    const auto partition = model::partition_of(row.conversation);
    if (partition.value % parts_.shard_count != parts_.index) continue;
    if (row.position <= durable_upto[partition.value] || !fold::has_effects(row.kind)) continue;
    auto chunks = parts_.store.read_chunks(row.conversation, {row.seq.value - 1}, 1);
    if (!chunks) return base::fail(chunks.error());
    for (const auto& chunk : *chunks) {
      const auto events = wire::decode_chunk(row.conversation, chunk.value);
      if (!events) {
        // What cannot be read has no effects any more; everything else goes on.
        base::log_error("the effects of an event are lost: {}", events.error().sentence);
        continue;
      }
      for (const auto& event : *events) {
        if (event.seq == row.seq) add(event, row.position);
      }
    }
  }
  return {};
}

void Effects::note(const model::Event& event, model::Position position) {
  if (!fold::has_effects(event)) return;
  add(event, position);
  if (retry_timer_ != 0) return;
  // In the next turn, with what else is folded in this one.
  const base::nanoseconds delay = TIDINGS_SEED_BUG(33) ? std::chrono::seconds(1) : std::chrono::seconds(0);
  retry_timer_ = parts_.executor.after(delay, [this] {
    retry_timer_ = 0;
    pump();
  });
}

void Effects::add(const model::Event& event, model::Position position) {
  auto effects = fold::effects_of(event, position);
  if (effects.empty()) return;
  const auto [source, added] = sources_.try_emplace(position);
  if (!added) return;
  source->second.partition = model::partition_of(event.conversation);
  ++busy_partitions_[source->second.partition.value];
  gauge_.add(static_cast<int64_t>(effects.size()));
  for (const auto& effect : effects) {
    source->second.targets.push_back(effect.conversation);
    waiting_.push_back(effect);
  }
}

void Effects::pump() {
  while (!waiting_.empty() && in_flight_ < static_cast<int64_t>(parts_.limits.effects_in_flight_max)) {
    // What is larger than a group of the log would never be taken.
    const size_t records_max = std::min(append_records_max, parts_.limits.log_group_records_max);
    std::vector<ports::Log::Append> records;
    size_t bytes = 0;
    for (const auto& effect : waiting_) {
      if (records.size() >= records_max || bytes > parts_.limits.log_group_bytes_max / 2) break;
      records.push_back({model::partition_of(effect.conversation), wire::encode_record(effect)});
      bytes += records.back().payload.size();
    }
    const size_t count = records.size();
    if (parts_.log.append(std::move(records))) return retry_later();
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(count));
    in_flight_ += static_cast<int64_t>(count);
    appended_.add(count);
  }
}

void Effects::retry_later() {
  if (retry_timer_ != 0) return;
  retry_timer_ = parts_.executor.after(append_retry_interval, [this] {
    retry_timer_ = 0;
    pump();
  });
}

void Effects::durable(const model::Effect& effect) {
  const auto it = sources_.find(effect.source_position);
  if (it == sources_.end()) return;  // of an earlier run
  auto& targets = it->second.targets;
  const auto target = std::ranges::find(targets, effect.conversation);
  if (target == targets.end()) return;
  targets.erase(target);
  gauge_.add(-1);
  --in_flight_;
  if (targets.empty()) {
    const auto partition = it->second.partition;
    sources_.erase(it);
    const auto busy = busy_partitions_.find(partition.value);
    if (--busy->second == 0) busy_partitions_.erase(busy);
    parts_.durable(partition);
  }
  if (!waiting_.empty()) pump();
}

model::Position Effects::durable_upto(model::PartitionId partition, model::Position folded) const {
  if (!busy_partitions_.contains(partition.value)) return folded;
  for (const auto& [position, source] : sources_) {
    if (source.partition == partition) return std::min(folded, {position.value - 1});
  }
  return folded;
}

}  // namespace tidings::delivery
