#include "delivery/queries.h"

#include <algorithm>

#include "base/log_line.h"
#include "base/seed_bug.h"
#include "wire/record.h"

namespace tidings::delivery {

using wire::Code;

bool Queries::take_slot() {
  if (under_way_ >= parts_.limits.queries_in_flight_max) return false;
  ++under_way_;
  return true;
}

bool Queries::with(const model::ConversationId& id, base::UniqueFunction<void(Conversation&)> then) {
  Conversation* c = parts_.conversations.try_get(id);
  if (!c) return false;
  if (c->phase != Conversation::Phase::loading) {
    then(*c);
    parts_.conversations.drop_if_empty(*c);
    return true;
  }
  if (!take_slot()) return false;
  c->waiting_queries.push_back([this, id, then = std::move(then)]() mutable {
    --under_way_;
    then(*parts_.conversations.find(id));
  });
  return true;
}

std::optional<Code> Queries::refusal(const Conversation& c, model::UserId user, bool now) {
  if (c.phase == Conversation::Phase::damaged || c.state.quarantined) return Code::internal;
  const fold::Member* m = c.state.exists() ? c.state.member(user) : nullptr;
  if (!m || m->intervals.empty()) return Code::not_found;
  if (now && !m->is_member()) return Code::not_member;
  return std::nullopt;
}

void Queries::refuse_page(uint64_t gateway, uint64_t query, Code code) {
  parts_.registry.send(gateway, ports::PageOut{query, wire::problem(code)});
}

// --- what the store has

base::Result<Queries::Range> Queries::read_after(const model::ConversationId& id, model::Seq after) const {
  auto chunks = parts_.store.read_chunks(id, after, parts_.limits.page_bytes_max);
  if (!chunks) return base::fail(chunks.error());
  Range range;
  if (chunks->empty()) return range;
  range.from = {after.value + 1};
  range.upto = chunks->back().last;
  decode_into(range, id, *chunks);
  return range;
}

base::Result<Queries::Range> Queries::read_before(const model::ConversationId& id, model::Seq before) const {
  auto chunks = parts_.store.read_chunks_before(id, before, parts_.limits.page_bytes_max);
  if (!chunks) return base::fail(chunks.error());
  Range range;
  if (chunks->empty()) return range;
  std::ranges::reverse(*chunks);
  range.from = chunks->front().first;
  range.upto = {before.value - 1};
  decode_into(range, id, *chunks);
  return range;
}

void Queries::decode_into(Range& range, const model::ConversationId& id,
                          const std::vector<ports::StoreBatch::Chunk>& chunks) const {
  for (const auto& chunk : chunks) {
    auto decoded = wire::decode_chunk(id, chunk.value);
    if (!decoded) {
      base::log_error("messages {}..{} of a conversation cannot be read: {}", chunk.first.value,
                      chunk.last.value, decoded.error().sentence);
      continue;
    }
    for (auto& e : *decoded) {
      if (range.has(e.seq) && (range.events.empty() || e.seq > range.events.back().seq))
        range.events.push_back(std::move(e));
    }
  }
}

void Queries::compare(const Conversation& c, const model::Cursor& event,
                      std::function<void(wire::Answer<bool>)> done) {
  const auto& s = c.state;
  if (event.seq.value == 0) return done(true);
  if (event.seq > s.seq) return done(false);
  if (event.seq == s.seq) return done(event.id == s.head_id);
  if (!c.tail.empty() && event.seq >= c.tail.front().seq) {
    const auto& there = c.tail[event.seq.value - c.tail.front().seq.value];
    return done(there.id == event.id);
  }
  if (!take_slot()) return done(wire::problem(Code::busy));
  parts_.readers.post([this, id = c.id, event, done = std::move(done)]() mutable {
    auto chunks = parts_.store.read_chunks(id, {event.seq.value - 1}, 1);
    parts_.executor.post([this, id, event, chunks = std::move(chunks), done = std::move(done)] {
      --under_way_;
      if (!chunks) {
        base::log_error("an event could not be read: {}", chunks.error().sentence);
        return done(wire::problem(Code::internal));
      }
      Range range{{}, event.seq, event.seq};
      decode_into(range, id, *chunks);
      done(range.events.empty() || range.events.front().id == event.id);
    });
  });
}

// --- small questions

void Queries::ask_member(uint64_t gateway, const ports::AskMember& query) {
  const bool taken = with(query.conversation, [this, gateway, query](Conversation& c) {
    const auto refused = refusal(c, query.user, true);
    if (refused == Code::internal)
      return parts_.registry.send(gateway, ports::MemberOut{query.query, wire::problem(*refused)});
    parts_.registry.send(gateway, ports::MemberOut{query.query, !refused});
  });
  if (!taken) parts_.registry.send(gateway, ports::MemberOut{query.query, wire::problem(Code::busy)});
}

void Queries::ask_members(uint64_t gateway, const ports::AskMembers& query) {
  const auto send = [this, gateway, number = query.query](wire::Answer<ports::Members> members) {
    parts_.registry.send(gateway, ports::MembersOut{number, std::move(members)});
  };
  const bool taken = with(query.conversation, [query, send](Conversation& c) {
    if (const auto refused = refusal(c, query.user, true)) return send(wire::problem(*refused));
    ports::Members members;
    members.count = c.state.member_count;
    for (const auto& m : c.state.members) {
      if (m.user <= query.after || !m.is_member()) continue;
      members.more = members.rows.size() >= query.limit;
      if (members.more) break;
      members.rows.push_back({m.user, m.role});
    }
    send(std::move(members));
  });
  if (!taken) send(wire::problem(Code::busy));
}

void Queries::ask_blocks(uint64_t gateway, const ports::AskBlocks& query) {
  const auto send = [this, gateway, number = query.query](wire::Answer<std::vector<model::UserId>> users) {
    parts_.registry.send(gateway, ports::BlocksOut{number, std::move(users)});
  };
  const bool taken = with(model::self_conversation(query.user), [query, send](Conversation& c) {
    const auto refused = refusal(c, query.user, true);
    if (refused == Code::internal) return send(wire::problem(*refused));
    send(refused ? std::vector<model::UserId>{} : c.state.blocked);
  });
  if (!taken) send(wire::problem(Code::busy));
}

void Queries::ask_event(uint64_t gateway, const ports::AskEvent& query) {
  const auto send = [this, gateway, number = query.query](wire::Answer<bool> there) {
    parts_.registry.send(gateway, ports::EventThereOut{number, std::move(there)});
  };
  const bool taken = with(query.conversation, [this, query, send](Conversation& c) {
    const auto refused = refusal(c, query.user, false);
    if (refused == Code::internal) return send(wire::problem(*refused));
    if (refused) return send(false);
    // What this person may not read any more is not told either: it counts as there.
    if (!c.state.member(query.user)->may_read(query.event.seq)) return send(true);
    compare(c, query.event, send);
  });
  if (!taken) send(wire::problem(Code::busy));
}

void Queries::ask_reads(uint64_t gateway, const ports::AskReads& query) {
  const auto send = [this, gateway, number = query.query](wire::Answer<std::vector<ports::ReadRow>> rows) {
    parts_.registry.send(gateway, ports::ReadsOut{number, std::move(rows)});
  };
  const bool taken = with(query.conversation, [this, query, send](Conversation& c) {
    if (const auto refused = refusal(c, query.user, true)) return send(wire::problem(*refused));
    const auto& s = c.state;
    if (query.seq.value == 0 || query.seq > s.seq || !s.member(query.user)->may_read(query.seq))
      return send(wire::problem(Code::not_found));
    std::vector<ports::ReadRow> rows;
    for (const auto& m : s.members) {
      if (m.user == query.user || !m.is_member() || m.delivered < query.seq) continue;
      rows.push_back({m.user, true, m.shown_read >= query.seq, {}, {}});
    }
    if (s.kind != model::ConversationKind::group || rows.empty()) return send(std::move(rows));
    if (!take_slot()) return send(wire::problem(Code::busy));
    parts_.readers.post([this, query, send, rows = std::move(rows)]() mutable {
      const auto status = add_times(query.conversation, query.seq, rows);
      parts_.executor.post([this, send, status, rows = std::move(rows)]() mutable {
        --under_way_;
        if (!status) {
          base::log_error("times of marks could not be read: {}", status.error().sentence);
          return send(wire::problem(Code::internal));
        }
        send(std::move(rows));
      });
    });
  });
  if (!taken) send(wire::problem(Code::busy));
}

base::Status Queries::add_times(const model::ConversationId& id, model::Seq seq,
                                std::vector<ports::ReadRow>& rows) const {
  const auto time_of = [&](model::UserId user, model::Seq from,
                           std::optional<base::WallTime>& time) -> base::Status {
    auto step = parts_.store.find_step(id, user, from);
    if (!step) return base::fail(step.error());
    const bool of_read = from.value < wire::delivered_step;
    if (!*step || ((*step)->seq.value < wire::delivered_step) != of_read) return {};
    const auto decoded = wire::decode_step((*step)->value);
    if (decoded) time = decoded->time;
    return {};
  };
  for (auto& row : rows) {
    if (auto status = time_of(row.user, {seq.value | wire::delivered_step}, row.delivered_at); !status)
      return status;
    if (!row.read) continue;
    if (auto status = time_of(row.user, seq, row.read_at); !status) return status;
  }
  return {};
}

}  // namespace tidings::delivery
