#include "delivery/shard.h"

#include <algorithm>

#include "base/check.h"
#include "base/log_line.h"
#include "base/seed_bug.h"
#include "wire/record.h"

namespace tidings::delivery {

using wire::Code;

namespace {

constexpr auto quarantine_retry_interval = std::chrono::seconds(1);
constexpr size_t rates_settled_max = 1000;

model::ConversationId conversation_of(const model::Entering& record) {
  return std::visit([](const auto& r) { return r.conversation; }, record);
}

// Who acts, as far as dedupe entries are concerned.
model::UserId user_of(const model::Entering& record) {
  const auto* command = std::get_if<model::Command>(&record);
  return command ? command->user : model::UserId{};
}

}  // namespace

Shard::Shard(Parts parts)
    : parts_(std::move(parts)),
      registry_(parts_.limits, parts_.metrics),
      conversations_({parts_.executor, parts_.readers, parts_.store, parts_.limits, parts_.metrics,
                      [this](Conversation& c) {
                        go_on(c);
                        conversations_.drop_if_empty(c);
                        dispatch_arrived();
                      },
                      [this](Conversation& c) { quarantine(c); }}),
      flush_(conversations_, parts_.limits.chunk_bytes_max),
      queries_({parts_.index, parts_.shard_count, parts_.executor, parts_.readers, parts_.store,
                conversations_, flush_, registry_, parts_.limits, parts_.metrics,
                [this] { return folded_below(); }}),
      effects_({parts_.index, parts_.shard_count, parts_.executor, parts_.log, parts_.store, parts_.limits,
                parts_.metrics,
                [this](model::PartitionId partition) {
                  dispatcher_.note_changed(partition);
                  arm_flush();
                }}),
      receipts_(parts_.executor, parts_.limits, conversations_, registry_),
      latency_(parts_.clock, parts_.metrics),
      rates_(parts_.limits.conversation_commands, parts_.limits.rate_buckets_max,
             parts_.metrics.gauge("tidings_delivery_rate_buckets",
                                  "Conversations whose bucket of commands is not full.")),
      folded_(parts_.metrics.counter("tidings_delivery_records_folded_total", "Records folded.")),
      overtaken_(parts_.metrics.counter("tidings_delivery_records_suspended_total",
                                        "Records that had to wait for the state of their conversation.")),
      rate_limited_(parts_.metrics.counter("tidings_delivery_rate_limited_total",
                                           "Commands refused because of the rate of their conversation.")),
      undispatched_records_(parts_.metrics.gauge("tidings_delivery_undispatched_records",
                                                 "Durable records that wait for dispatch.")),
      undispatched_bytes_(
          parts_.metrics.gauge("tidings_delivery_undispatched_bytes", "Bytes of those records.")),
      suspended_records_(parts_.metrics.gauge("tidings_delivery_overtaking_records",
                                              "Records from the oldest one that waits for a state on.")),
      unflushed_records_(parts_.metrics.gauge("tidings_delivery_unflushed_records",
                                              "Records folded since the last flush began.")) {}

Shard::~Shard() {
  parts_.executor.cancel(flush_timer_);
}

base::Status Shard::start(const std::vector<ports::Checkpoint>& checkpoints, model::Position low) {
  dispatcher_.start(checkpoints);
  return effects_.start(checkpoints, low);
}

// --- records

void Shard::on_records(std::vector<ports::LogRecord> records, model::Position end) {
  arrived_at_ = parts_.clock.monotonic();
  effects_.go_on();
  for (auto& record : records) arrive(std::move(record));
  handed_out_ = std::max(handed_out_, end);
  dispatch_arrived();
  arm_flush();
  note_sizes();
}

void Shard::note_sizes() {
  undispatched_records_.set(arrived_.size());
  undispatched_bytes_.set(arrived_bytes_);
  suspended_records_.set(dispatcher_.under_way());
  unflushed_records_.set(folded_since_flush_);
}

void Shard::arrive(ports::LogRecord record) {
  const size_t bytes = record.payload.size();
  const bool of_stream = record.partition == model::stream_partition;
  const bool folded_before = !of_stream && is_mine(record.partition) && dispatcher_.before_checkpoint(record);
  if (folded_before && !wire::is_effect(record.payload)) return taken(bytes);
  auto decoded = wire::decode_record(record.payload);
  if (!decoded) {
    return parts_.fatal("record " + std::to_string(record.position.value) +
                        " of the log is of a newer version than this program: " + decoded.error().sentence);
  }
  if (const auto* effect = std::get_if<model::Effect>(&*decoded)) {
    if (is_mine(model::partition_of(effect->source))) effects_.durable(*effect);
    if (folded_before || !is_mine(record.partition)) return taken(bytes);
  }
  record.payload = {};
  arrive(std::move(record), bytes, std::move(*decoded));
}

void Shard::arrive(ports::LogRecord record, size_t bytes, model::Record&& decoded) {
  Arrived arrived{std::move(record), model::FoldVersion{}, bytes};
  const bool wanted = std::visit(
      [&]<class Content>(Content& content) {
        if constexpr (std::is_same_v<Content, model::Lineage>)
          return false;
        else if constexpr (std::is_same_v<Content, model::FoldVersion>)
          arrived.content = content;
        else
          arrived.content = model::Entering(std::move(content));
        return true;
      },
      decoded);
  if (!wanted) return taken(bytes);
  if (const auto* entering = std::get_if<model::Entering>(&arrived.content)) {
    if (const auto* command = std::get_if<model::Command>(entering))
      arrived.durable = latency_.durable(command->reply_to, arrived_at_);
  }
  arrived_bytes_ += bytes;
  if (!arrived_.empty() || !dispatch(arrived)) arrived_.push_back(std::move(arrived));
}

void Shard::taken(size_t bytes) {
  if (parts_.taken) parts_.taken(bytes);
}

void Shard::dispatch_arrived() {
  while (!arrived_.empty() && dispatch(arrived_.front())) arrived_.pop_front();
}

bool Shard::dispatch(Arrived& arrived) {
  auto* entering = std::get_if<model::Entering>(&arrived.content);
  if (entering) {
    if (dispatcher_.under_way() >= parts_.limits.overtaking_records_max) return false;
    if (conversations_.load_would_wait(conversation_of(*entering))) return false;
    // The store is slower than the log: what is folded and not written must not grow without end.
    if (flush_.under_way() && folded_since_flush_ >= parts_.limits.unflushed_records_max) return false;
  }
  arrived_bytes_ -= arrived.bytes;
  taken(arrived.bytes);
  if (!entering) {
    const uint32_t version = std::get<model::FoldVersion>(arrived.content).version;
    if (version > fold::newest_version) {
      parts_.fatal("the log asks for version " + std::to_string(version) +
                   " of the fold, which this program does not have");
    } else {
      dispatcher_.set_version(version);
    }
    return true;
  }
  Conversation& c = conversations_.must_get(conversation_of(*entering));
  if (c.expected > 0) --c.expected;
  Dispatched record{dispatcher_.place(arrived.record), std::move(*entering), 0, arrived.durable};
  const bool now = c.phase == Conversation::Phase::ready && c.queue.empty() &&
                   !dispatcher_.anything_suspended() && fold::lookups(c.state, record.record).none();
  if (now) {
    fold_now(c, std::move(record), {});
  } else {
    suspend(c, std::move(record));
  }
  conversations_.drop_if_empty(c);
  return true;
}

void Shard::suspend(Conversation& c, Dispatched record) {
  record.ticket = dispatcher_.suspend(record.place);
  overtaken_.add();
  const auto* command = std::get_if<model::Command>(&record.record);
  if (TIDINGS_SEED_BUG(2) && command && !command->reply_to.errors_only) {
    // Ticked on the strength of its place in the queue alone.
    ports::Reply reply;
    reply.to = command->reply_to;
    reply.conversation = c.id;
    reply.client_id = command->client_id;
    reply.seq = {c.state.seq.value + c.queue.size() + 1};
    reply.ord = {c.state.ord.value + c.queue.size() + 1};
    reply.id = model::message_id(record.place.time, record.place.partition, record.place.position);
    reply.time = record.place.time;
    registry_.send(reply.to.gateway, reply);
  }
  c.queue.push_back(std::move(record));
  if (c.queue.size() == 1) go_on(c);
}

fold::Found Shard::found_in_memory(const Conversation& c, model::UserId user, fold::Lookups& needed) const {
  fold::Found found;
  const auto find = [&](std::optional<model::ClientId>& wanted, std::optional<fold::Entry>& into) {
    if (!wanted) return;
    if (const auto it = c.entries.find({user, *wanted}); it != c.entries.end()) {
      into = it->second.entry;
    } else if (const auto read = c.read_entries.find({user, *wanted}); read != c.read_entries.end()) {
      into = read->second;
    } else {
      return;
    }
    wanted.reset();
  };
  find(needed.own, found.own);
  find(needed.previous, found.previous);
  return found;
}

void Shard::go_on(Conversation& c) {
  while (!c.queue.empty()) {
    if (c.phase == Conversation::Phase::damaged) {
      Dispatched record = std::move(c.queue.front());
      c.queue.pop_front();
      refuse_damaged(c, std::move(record));
      continue;
    }
    if (c.phase != Conversation::Phase::ready) return;
    const auto& front = c.queue.front().record;
    const auto user = user_of(front);
    fold::Lookups needed = fold::lookups(c.state, front);
    fold::Found found = found_in_memory(c, user, needed);
    if (!needed.none()) {
      conversations_.look_up(c, user, needed, [this, found](Conversation& later, fold::Found stored) {
        Dispatched record = std::move(later.queue.front());
        later.queue.pop_front();
        if (found.own) stored.own = found.own;
        if (found.previous) stored.previous = found.previous;
        fold_now(later, std::move(record), stored);
      });
      return;
    }
    Dispatched record = std::move(c.queue.front());
    c.queue.pop_front();
    fold_now(c, std::move(record), found);
  }
  c.read_entries.clear();
}

void Shard::fold_now(Conversation& c, Dispatched record, const fold::Found& found) {
  const uint64_t chain = c.state.chain;
  const model::UserId user = user_of(record.record);
  fold::Output out = fold::fold(c.state, record.place, std::move(record.record), found);
  folded_.add();
  ++folded_since_flush_;
  if (out.changed) {
    dispatcher_.add_hash(c.partition, c.state.chain - chain);
    flush_.note(c);
  }
  if (TIDINGS_SEED_BUG(2) && record.ticket != 0) out.reply.reset();
  if (out.reply && !out.reply->error) out.reply->durable = record.durable;
  settle(c, record.place, out, user);
  dispatcher_.folded(record.place, record.ticket);
  if (folded_since_flush_ >= parts_.limits.flush_records_max) {
    flush_now();
  } else {
    arm_flush();
  }
}

// What came out of the fold goes its ways.
void Shard::settle(Conversation& c, const fold::Place& place, fold::Output& out, model::UserId user) {
  if (out.reply && !(out.reply->to.errors_only && !out.reply->error))
    registry_.send(out.reply->to.gateway, *out.reply);
  if (out.entries.single)
    c.entries.insert_or_assign({user, out.entries.single->client_id},
                               Conversation::Left{out.entries.single->entry, false});
  if (!out.entries.block.empty()) {
    for (const auto& e : out.entries.block)
      c.entries.insert_or_assign({user, e.client_id}, Conversation::Left{e.entry, true});
    c.blocks.emplace_back(user, std::move(out.entries.block));
  }
  if (out.moved) {
    if (c.state.kind == model::ConversationKind::group && !out.moved->hidden) {
      auto& times = c.marks_moved[out.moved->user];
      if (out.moved->shown_read) times.read = place.time;
      if (out.moved->delivered) times.delivered = place.time;
    }
    receipts_.moved(c, *out.moved);
  }
  if (!out.event) return;
  static const model::ReplyTo nobody;
  registry_.send_event(*out.event, c.state, out.reply ? out.reply->to : nobody, parts_.clock.monotonic());
  if (out.repeated) return;
  const auto& event = *out.event;
  if (const auto* created = std::get_if<model::ConversationCreated>(&event.body)) {
    flush_.note_members(c, created->members);
  } else if (const auto* added = std::get_if<model::MembersAdded>(&event.body)) {
    flush_.note_members(c, added->members);
    // Who joins has read the joining event: that, too, is a mark that moved.
    if (c.state.lists_marks()) {
      for (const auto member : added->members) receipts_.moved(c, {member, false});
    }
  } else if (event.seq.value == 1) {
    flush_.note_members(c, {c.state.members.front().user});  // a person's own log begins
  }
  flush_.note_event(event, place.position);
  effects_.note(event, place.position);
  c.tail.push_back(std::move(*out.event));
}

model::Position Shard::folded_below() const {
  return dispatcher_.folded_below(arrived_.empty() ? handed_out_ : arrived_.front().record.position);
}

uint64_t Shard::partition_hash(model::PartitionId partition) const {
  return dispatcher_.hash(partition);
}

// --- damage

void Shard::quarantine(Conversation& c) {
  go_on(c);
  append_quarantine(c.id);
}

void Shard::append_quarantine(const model::ConversationId& id) {
  if (!parts_.log.append({{model::partition_of(id), wire::encode_record(model::Quarantine{id})}})) return;
  parts_.executor.after(quarantine_retry_interval, [this, id, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) append_quarantine(id);
  });
}

void Shard::refuse_damaged(Conversation& c, Dispatched record) {
  if (std::holds_alternative<model::Quarantine>(record.record)) {
    c.phase = Conversation::Phase::ready;
    return fold_now(c, std::move(record), {});
  }
  if (const auto* command = std::get_if<model::Command>(&record.record)) {
    ports::Reply reply;
    reply.to = command->reply_to;
    reply.conversation = c.id;
    reply.client_id = command->client_id;
    reply.error = Code::internal;
    registry_.send(reply.to.gateway, reply);
  } else if (const auto* marking = std::get_if<model::Marking>(&record.record)) {
    answer_mark(*marking, Code::internal, nullptr);
  }
  dispatcher_.folded(record.place, record.ticket);
}

// --- flush

void Shard::arm_flush() {
  if (flush_timer_ != 0 || flush_.under_way()) return;
  if (!flush_.anything() && flush_waiters_.empty() && written_ >= folded_below() &&
      !dispatcher_.any_checkpoint_changed())
    return;
  flush_timer_ = parts_.executor.after(parts_.limits.flush_interval, [this] {
    flush_timer_ = 0;
    flush_now();
  });
}

void Shard::flush_now() {
  if (flush_.under_way()) return;
  parts_.executor.cancel(std::exchange(flush_timer_, 0));
  folded_since_flush_ = 0;
  note_sizes();
  rates_.settle(parts_.clock.monotonic(), rates_settled_max);
  const model::Position low = folded_below();
  auto waiters = std::exchange(flush_waiters_, {});
  auto batch = flush_.take();
  batch.checkpoints = dispatcher_.take_changed_checkpoints();
  for (auto& checkpoint : batch.checkpoints)
    checkpoint.effects = effects_.durable_upto(checkpoint.partition, checkpoint.position);
  parts_.writer.submit(
      parts_.index, std::move(batch), low, parts_.executor,
      [this, low, waiters = std::move(waiters)]() mutable {
        flush_.committed();
        written_ = low;
        for (auto& waiter : waiters) waiter();
        if (!flush_waiters_.empty() || folded_since_flush_ >= parts_.limits.flush_records_max) {
          flush_now();
        } else {
          arm_flush();
        }
        dispatch_arrived();
      });
}

void Shard::flush(base::Task done) {
  flush_waiters_.push_back(std::move(done));
  flush_now();
}

}  // namespace tidings::delivery
