#include "server/core_node.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/log_line.h"
#include "delivery/shard.h"
#include "delivery/store_writer.h"
#include "wire/record.h"

namespace tidings::server {

namespace {

// Handed to shards and not yet dispatched: beyond it a replay waits, and goes on at half of it.
constexpr int64_t undispatched_bytes_max = 64 << 20;
constexpr auto folded_poll_interval = std::chrono::milliseconds(2);

}  // namespace

struct CoreNode::State {
  explicit State(Parts p) : parts(std::move(p)) {}

  Parts parts;
  model::Lineage lineage;                       // of this start
  std::vector<model::Lineage> lineages_before;  // when this start began
  model::Position low;                          // where reading begins
  model::Position end_at_start;                 // what was in the log before this start
  std::vector<model::Lineage> lineages;         // the log executor's
  bool lineage_seen = false;                    // likewise
  base::Task ready;                             // likewise, until it is given to shard 0
  std::atomic<int64_t> undispatched_bytes{0};
  std::atomic<bool> reading_paused{false};
  std::function<void(const model::Lineage&)> on_lineage;
  std::unique_ptr<delivery::StoreWriter> writer;
  std::vector<std::unique_ptr<delivery::Shard>> shards;

  void on_batch(ports::LogBatch batch);
  void taken(size_t bytes);
  void note_lineage(const ports::LogRecord& record);
  void tell_ready_when_folded(size_t shard);
  void flush_shard(size_t index, base::Task done);
};

CoreNode::CoreNode(std::unique_ptr<State> state) : state_(std::move(state)) {}
CoreNode::~CoreNode() = default;

base::Result<std::unique_ptr<CoreNode>> CoreNode::make(Parts parts) {
  auto checkpoints = parts.store.checkpoints();
  if (!checkpoints) return base::fail(checkpoints.error());
  for (const auto& checkpoint : *checkpoints) {
    if (checkpoint.fold_version > fold::newest_version) {
      return base::failure("the data was written under fold version " +
                           std::to_string(checkpoint.fold_version) + ", and this program has version " +
                           std::to_string(fold::newest_version) + "; run the program that wrote it");
    }
  }
  auto low = parts.store.low();
  if (!low) return base::fail(low.error());
  auto stored_lineage = parts.store.lineage();
  if (!stored_lineage) return base::fail(stored_lineage.error());

  auto state = std::make_unique<State>(std::move(parts));
  State& s = *state;
  s.low = *low;
  if (*stored_lineage) {
    auto lineages = wire::decode_lineages(**stored_lineage);
    if (!lineages) return base::fail(lineages.error());
    s.lineages = std::move(*lineages);
  }
  s.lineages_before = s.lineages;
  s.lineage = {s.parts.random.u64(), s.parts.log.end(), s.parts.log.time(), model::Lineage::Reason::start};

  const size_t count = s.parts.shards.size();
  s.writer = std::make_unique<delivery::StoreWriter>(delivery::StoreWriter::Parts{
      s.parts.store_executor, s.parts.store, s.parts.clock, s.parts.limits, s.parts.metrics, count, s.low,
      s.parts.fatal, [&s](model::Position low) { s.parts.log.trim(low); }});
  for (size_t i = 0; i < count; ++i) {
    s.shards.push_back(std::make_unique<delivery::Shard>(
        delivery::Shard::Parts{i, count, *s.parts.shards[i], s.parts.readers, s.parts.log, s.parts.store,
                               *s.writer, s.parts.clock, s.parts.limits, s.parts.metrics, s.lineage.tag,
                               s.parts.fatal, [&s](size_t bytes) { s.taken(bytes); }}));
    std::vector<ports::Checkpoint> mine;
    std::copy_if(checkpoints->begin(), checkpoints->end(), std::back_inserter(mine),
                 [&](const auto& c) { return c.partition.value % count == i; });
    if (auto status = s.shards.back()->start(mine, s.low); !status) return base::fail(status.error());
  }
  return std::unique_ptr<CoreNode>(new CoreNode(std::move(state)));
}

void CoreNode::start(base::Task ready, std::function<void(const model::Lineage&)> on_lineage) {
  State& s = *state_;
  s.on_lineage = std::move(on_lineage);
  s.ready = std::move(ready);
  s.end_at_start = s.parts.log.end();
  if (const auto refused = s.parts.log.append({{model::stream_partition, wire::encode_record(s.lineage)}})) {
    return s.parts.fatal("the log refuses this start's lineage: " +
                         std::string(wire::row(*refused).sentence));
  }
  s.parts.log.read(s.low, [&s](ports::LogBatch batch) { s.on_batch(std::move(batch)); });
}

// On the log's executor: hands every shard its records, and the end to all of them.
void CoreNode::State::on_batch(ports::LogBatch batch) {
  const size_t count = shards.size();
  std::vector<std::vector<ports::LogRecord>> split(count);
  for (auto& record : batch.records) {
    if (record.partition == model::stream_partition) {
      note_lineage(record);
      for (auto& part : split) part.push_back(record);
    } else {
      const size_t owner = record.partition.value % count;
      // An effect comes back to the shard that caused it, too: now it is durable.
      const auto source = wire::effect_source(record.payload);
      if (source && model::partition_of(*source).value % count != owner)
        split[model::partition_of(*source).value % count].push_back(record);
      split[owner].push_back(std::move(record));
    }
  }
  int64_t bytes = 0;
  for (const auto& part : split) {
    for (const auto& record : part) bytes += static_cast<int64_t>(record.payload.size());
  }
  if (undispatched_bytes.fetch_add(bytes) + bytes > undispatched_bytes_max) {
    // First the pause, then the word of it: a shard that resumes in between must find something to resume.
    parts.log.pause_reading();
    reading_paused = true;
    // All may have been taken in between.
    taken(0);
  }
  for (size_t i = 0; i < count; ++i) {
    parts.shards[i]->post([shard = shards[i].get(), records = std::move(split[i]),
                           end = batch.end]() mutable { shard->on_records(std::move(records), end); });
  }
  if (ready && lineage_seen && batch.end >= end_at_start) {
    parts.shards[0]->post([this] { tell_ready_when_folded(0); });
    lineage_seen = false;
  }
}

// Any shard's thread, or the log's.
void CoreNode::State::taken(size_t bytes) {
  const auto taken_bytes = static_cast<int64_t>(bytes);
  const int64_t left = undispatched_bytes.fetch_sub(taken_bytes) - taken_bytes;
  if (left <= undispatched_bytes_max / 2 && reading_paused.exchange(false)) parts.log.resume_reading();
}

void CoreNode::State::note_lineage(const ports::LogRecord& record) {
  const auto decoded = wire::decode_record(record.payload);
  const auto* found = decoded ? std::get_if<model::Lineage>(&*decoded) : nullptr;
  if (!found) return;  // the shards refuse what they cannot read
  if (found->tag == lineage.tag) lineage_seen = true;
  const bool known =
      std::any_of(lineages.begin(), lineages.end(), [&](const auto& l) { return l.tag == found->tag; });
  if (known) return;
  lineages.push_back(*found);
  if (on_lineage) on_lineage(*found);
  // Before any shard can report a low above this record, so the list is never behind the low.
  ports::StoreBatch rows;
  rows.lineage = wire::encode_lineages(lineages);
  writer->submit(0, std::move(rows), {}, *parts.shards[0], [] {});
}

void CoreNode::State::tell_ready_when_folded(size_t index) {
  if (index == shards.size()) {
    parts.shards[0]->post(std::move(ready));
    return;
  }
  if (shards[index]->folded_below() < end_at_start) {
    parts.shards[index]->after(folded_poll_interval, [this, index] { tell_ready_when_folded(index); });
    return;
  }
  const size_t next = index + 1;
  parts.shards[next % shards.size()]->post([this, next] { tell_ready_when_folded(next); });
}

ports::CoreShard& CoreNode::shard(size_t index) {
  return *state_->shards[index];
}

size_t CoreNode::shard_count() const {
  return state_->shards.size();
}

const std::vector<model::Lineage>& CoreNode::known_lineages() const {
  return state_->lineages_before;
}

const model::Lineage& CoreNode::lineage() const {
  return state_->lineage;
}

void CoreNode::State::flush_shard(size_t index, base::Task done) {
  if (index == shards.size()) return writer->sync(*parts.shards[0], std::move(done));
  parts.shards[index]->post([this, index, done = std::move(done)]() mutable {
    shards[index]->flush(
        [this, index, done = std::move(done)]() mutable { flush_shard(index + 1, std::move(done)); });
  });
}

void CoreNode::flush(base::Task done) {
  state_->parts.shards[0]->post(
      [s = state_.get(), done = std::move(done)]() mutable { s->flush_shard(0, std::move(done)); });
}

uint64_t CoreNode::fold_hash() const {
  uint64_t sum = 0;
  for (uint16_t p = 0; p < model::partition_count; ++p) {
    sum += state_->shards[p % state_->shards.size()]->partition_hash({p});
  }
  return sum;
}

bool CoreNode::quiet() const {
  const model::Position end = state_->parts.log.end();
  return std::all_of(state_->shards.begin(), state_->shards.end(),
                     [end](const auto& shard) { return shard->folded_below() >= end; });
}

}  // namespace tidings::server
