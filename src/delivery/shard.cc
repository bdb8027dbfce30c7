#include "delivery/shard.h"

#include <algorithm>

#include "base/check.h"
#include "base/seed_bug.h"
#include "wire/record.h"

namespace tidings::delivery {

using wire::Code;

Shard::Shard(Parts parts)
    : parts_(std::move(parts)),
      conversations_({parts_.executor, parts_.readers, parts_.store, parts_.limits, parts_.metrics,
                      parts_.fatal,
                      [this](Conversation& c) {
                        go_on(c);
                        conversations_.drop_if_empty(c);
                        dispatch_arrived();
                      }}),
      flush_(conversations_, dispatcher_, parts_.limits.chunk_bytes_max),
      queries_({parts_.index, parts_.shard_count, parts_.executor, parts_.readers, parts_.store,
                conversations_, flush_, registry_, parts_.limits, [this] { return folded_below(); }}),
      folded_(parts_.metrics.counter("tidings_delivery_records_folded_total")),
      overtaken_(parts_.metrics.counter("tidings_delivery_records_suspended_total")) {}

Shard::~Shard() {
  parts_.executor.cancel(flush_timer_);
}

void Shard::start(const std::vector<ports::Checkpoint>& checkpoints) {
  dispatcher_.start(checkpoints);
}

// --- records

void Shard::on_records(std::vector<ports::LogRecord> records, model::Position end) {
  for (auto& record : records) arrive(std::move(record));
  handed_out_ = std::max(handed_out_, end);
  arm_flush();
}

void Shard::arrive(ports::LogRecord record) {
  const size_t bytes = record.payload.size();
  if (record.partition != model::stream_partition && dispatcher_.before_checkpoint(record))
    return taken(bytes);
  auto decoded = wire::decode_record(record.payload);
  if (!decoded) {
    return parts_.fatal("record " + std::to_string(record.position.value) +
                        " of the log is of a newer version than this program: " + decoded.error().sentence);
  }
  if (const auto* version = std::get_if<model::FoldVersion>(&*decoded);
      version && version->version != fold::newest_version) {
    return parts_.fatal("the log asks for another version of the fold than this program has");
  }
  auto* command = std::get_if<model::Command>(&*decoded);
  if (!command) return taken(bytes);
  record.payload = {};
  Arrived arrived{std::move(record), std::move(*command), bytes};
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
  if (dispatcher_.under_way() >= parts_.limits.overtaking_records_max) return false;
  if (conversations_.load_would_wait(arrived.command.conversation)) return false;
  // The store is slower than the log: what is folded and not written must not grow without end.
  if (flush_.under_way() && folded_since_flush_ >= parts_.limits.unflushed_records_max) return false;
  arrived_bytes_ -= arrived.bytes;
  taken(arrived.bytes);
  Conversation& c = conversations_.must_get(arrived.command.conversation);
  if (c.expected > 0) --c.expected;
  Dispatched record{dispatcher_.place(arrived.record), std::move(arrived.command), 0};
  const bool now = c.phase == Conversation::Phase::ready && c.queue.empty() &&
                   !dispatcher_.anything_suspended() && fold::lookups(c.state, record.command).none();
  if (now) {
    fold_now(c, std::move(record), {});
    conversations_.drop_if_empty(c);
    return true;
  }
  record.ticket = dispatcher_.suspend(record.place);
  overtaken_.add();
  if (TIDINGS_SEED_BUG(2) && !record.command.reply_to.errors_only) {
    // Ticked on the strength of its place in the queue alone.
    ports::Reply reply;
    reply.to = record.command.reply_to;
    reply.conversation = c.id;
    reply.client_id = record.command.client_id;
    reply.seq = {c.state.seq.value + c.queue.size() + 1};
    reply.ord = {c.state.ord.value + c.queue.size() + 1};
    reply.id = model::message_id(record.place.time, record.place.partition, record.place.position);
    reply.time = record.place.time;
    registry_.send(reply.to.gateway, reply);
  }
  c.queue.push_back(std::move(record));
  if (c.phase == Conversation::Phase::ready && c.queue.size() == 1) {
    go_on(c);
    conversations_.drop_if_empty(c);
  }
  return true;
}

fold::Found Shard::found_in_memory(const Conversation& c, model::UserId user, fold::Lookups& needed) const {
  fold::Found found;
  const auto find = [&](std::optional<model::ClientId>& wanted, std::optional<fold::Entry>& into) {
    if (!wanted) return;
    const auto it = c.entries.find({user, *wanted});
    if (it == c.entries.end()) return;
    into = it->second;
    wanted.reset();
  };
  find(needed.own, found.own);
  find(needed.previous, found.previous);
  return found;
}

void Shard::go_on(Conversation& c) {
  while (c.phase == Conversation::Phase::ready && !c.queue.empty()) {
    const auto& command = c.queue.front().command;
    fold::Lookups needed = fold::lookups(c.state, command);
    fold::Found found = found_in_memory(c, command.user, needed);
    if (!needed.none()) {
      conversations_.look_up(c, command.user, needed, [this, found](Conversation& later, fold::Found stored) {
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
}

void Shard::fold_now(Conversation& c, Dispatched record, const fold::Found& found) {
  const uint64_t chain = c.state.chain;
  const model::UserId user = record.command.user;
  fold::Output out = fold::fold(c.state, record.place, std::move(record.command), found);
  folded_.add();
  ++folded_since_flush_;
  if (out.changed) {
    dispatcher_.add_hash(c.partition, c.state.chain - chain);
    flush_.note(c);
  }
  if (out.entry) c.entries.emplace(std::pair(user, out.entry->client_id), out.entry->entry);
  if (out.reply && !(out.reply->to.errors_only && !out.reply->error) &&
      !(TIDINGS_SEED_BUG(2) && record.ticket != 0)) {
    registry_.send(out.reply->to.gateway, *out.reply);
  }
  if (out.event) {
    if (const auto* created = std::get_if<model::ConversationCreated>(&out.event->body)) {
      flush_.note_members(c, created->members);
    }
    registry_.send_event(*out.event, c.state.members, out.reply->to);
    c.tail.push_back(std::move(*out.event));
  }
  dispatcher_.folded(record.place, record.ticket);
  if (folded_since_flush_ >= parts_.limits.flush_records_max) {
    flush_now();
  } else {
    arm_flush();
  }
}

model::Position Shard::folded_below() const {
  return dispatcher_.folded_below(arrived_.empty() ? handed_out_ : arrived_.front().record.position);
}

uint64_t Shard::partition_hash(model::PartitionId partition) const {
  return dispatcher_.hash(partition);
}

// --- flush

void Shard::arm_flush() {
  if (flush_timer_ != 0 || flush_.under_way()) return;
  if (!flush_.anything() && flush_waiters_.empty() && written_ >= folded_below()) return;
  flush_timer_ = parts_.executor.after(parts_.limits.flush_interval, [this] {
    flush_timer_ = 0;
    flush_now();
  });
}

void Shard::flush_now() {
  if (flush_.under_way()) return;
  parts_.executor.cancel(std::exchange(flush_timer_, 0));
  folded_since_flush_ = 0;
  const model::Position low = folded_below();
  auto waiters = std::exchange(flush_waiters_, {});
  parts_.writer.submit(
      parts_.index, flush_.take(), low, parts_.executor, [this, low, waiters = std::move(waiters)]() mutable {
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

// --- up frames

void Shard::on_link(uint64_t gateway, ports::LinkToGateway& link) {
  registry_.add_link(gateway, link);
}

ports::LinkStamp Shard::stamp() const {
  return {parts_.source, parts_.log.time(), folded_below()};
}

void Shard::on_up(uint64_t gateway, std::vector<ports::UpFrame> frames) {
  for (auto& frame : frames) {
    std::visit([this, gateway](auto& f) { take(gateway, std::move(f)); }, frame);
  }
}

void Shard::take(uint64_t gateway, ports::Attach frame) {
  registry_.attach(gateway, frame.user);
}
void Shard::take(uint64_t gateway, ports::Detach frame) {
  registry_.detach(gateway, frame.user);
}
void Shard::take(uint64_t gateway, ports::Pull frame) {
  queries_.pull(gateway, std::move(frame));
}
void Shard::take(uint64_t gateway, ports::Sync frame) {
  queries_.sync(gateway, std::move(frame));
}
void Shard::take(uint64_t gateway, ports::AskMember frame) {
  queries_.ask_member(gateway, frame);
}

void Shard::take(uint64_t, ports::Commands frame) {
  if (frame.commands.empty()) return;
  // Room for the state is made before the append: what stands in the log must be folded, whatever there is
  // room for. The load and the sync of the log then run side by side.
  Conversation* c = arrived_bytes_ > parts_.limits.undispatched_bytes_max
                        ? nullptr
                        : conversations_.try_get(frame.commands.front().conversation);
  if (!c) return refuse(frame.commands, Code::busy);
  std::vector<ports::Log::Append> records;
  records.reserve(frame.commands.size());
  for (const auto& command : frame.commands) {
    records.push_back({model::partition_of(command.conversation), wire::encode_record(command)});
  }
  if (const auto refused = parts_.log.append(std::move(records))) return refuse(frame.commands, *refused);
  c->expected += static_cast<uint32_t>(frame.commands.size());
}

void Shard::refuse(const std::vector<model::Command>& commands, Code code) {
  for (const auto& command : commands) {
    ports::Reply reply;
    reply.to = command.reply_to;
    reply.conversation = command.conversation;
    reply.client_id = command.client_id;
    reply.error = code;
    reply.appended = false;
    registry_.send(reply.to.gateway, reply);
  }
}

}  // namespace tidings::delivery
