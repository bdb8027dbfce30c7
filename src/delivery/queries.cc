#include "delivery/queries.h"

#include <algorithm>
#include <map>

#include "base/log_line.h"
#include "wire/frames.h"
#include "wire/record.h"

namespace tidings::delivery {

using wire::Code;

struct Queries::Stored {
  std::vector<model::Event> events;
  std::vector<model::Hole> unreadable;  // rows that are there and cannot be decoded
};

bool Queries::take_slot() {
  if (under_way_ >= parts_.limits.queries_in_flight_max) return false;
  ++under_way_;
  return true;
}

bool Queries::with(const model::ConversationId& id, std::function<void(Conversation&)> then) {
  Conversation* c = parts_.conversations.try_get(id);
  if (!c) return false;
  if (c->phase != Conversation::Phase::loading) {
    then(*c);
    parts_.conversations.drop_if_empty(*c);
    return true;
  }
  if (!take_slot()) return false;
  c->waiting_queries.push_back([this, id, then = std::move(then)] {
    --under_way_;
    then(*parts_.conversations.find(id));
  });
  return true;
}

void Queries::refuse_page(uint64_t gateway, uint64_t query, Code code) {
  parts_.registry.send(gateway, ports::PageOut{query, wire::problem(code)});
}

void Queries::ask_member(uint64_t gateway, const ports::AskMember& query) {
  const bool taken = with(query.conversation, [this, gateway, query](Conversation& c) {
    const bool member = c.state.exists() && c.state.member(query.user);
    parts_.registry.send(gateway, ports::MemberOut{query.query, member});
  });
  if (!taken) parts_.registry.send(gateway, ports::MemberOut{query.query, wire::problem(Code::busy)});
}

// --- pull

void Queries::pull(uint64_t gateway, ports::Pull query) {
  const auto id = query.conversation;
  const uint64_t number = query.query;
  const bool taken = with(id, [this, gateway, query](Conversation& c) { pull_loaded(gateway, query, c); });
  if (!taken) refuse_page(gateway, number, Code::busy);
}

void Queries::pull_loaded(uint64_t gateway, const ports::Pull& query, Conversation& c) {
  const auto& s = c.state;
  if (!s.exists() || !s.member(query.user)) return refuse_page(gateway, query.query, Code::not_found);
  if (query.after > s.seq || (query.check && query.check->seq > query.after)) {
    return refuse_page(gateway, query.query, Code::diverged);
  }
  const bool check_at_head = query.check && query.check->seq == s.seq;
  if (check_at_head && query.check->id != s.head_id) return refuse_page(gateway, query.query, Code::diverged);

  // Everything below the tail is committed, everything in it is here.
  const model::Seq tail_first = c.tail.empty() ? model::Seq{s.seq.value + 1} : c.tail.front().seq;
  const bool check_in_memory =
      !query.check || query.check->seq.value == 0 || check_at_head || query.check->seq >= tail_first;
  if (query.after.value + 1 >= tail_first.value && check_in_memory) {
    parts_.registry.send(gateway, ports::PageOut{query.query, page(query, c, {})});
    return;
  }
  if (!take_slot()) return refuse_page(gateway, query.query, Code::busy);
  parts_.readers.post([this, gateway, query, id = c.id] {
    auto stored = read_stored(id, query);
    parts_.executor.post([this, gateway, query, id, stored = std::move(stored)]() mutable {
      --under_way_;
      Conversation* now = parts_.conversations.find(id);
      if (!now || !now->state.member(query.user)) return refuse_page(gateway, query.query, Code::not_found);
      if (!stored) {
        base::log_error("messages could not be read: {}", stored.error().sentence);
        return refuse_page(gateway, query.query, Code::internal);
      }
      parts_.registry.send(gateway, ports::PageOut{query.query, page(query, *now, *stored)});
    });
  });
}

// On the read pool: from the checked event on, and from the cursor on if that one was not enough.
base::Result<Queries::Stored> Queries::read_stored(const model::ConversationId& id,
                                                   const ports::Pull& query) const {
  Stored stored;
  const auto read = [&](model::Seq after) -> base::Status {
    auto chunks = parts_.store.read_chunks(id, after, parts_.limits.page_bytes_max);
    if (!chunks) return base::fail(chunks.error());
    for (const auto& chunk : *chunks) {
      auto decoded = wire::decode_chunk(id, chunk.value);
      if (!decoded) {
        base::log_error("messages {}..{} of a conversation cannot be read: {}", chunk.first.value,
                        chunk.last.value, decoded.error().sentence);
        stored.unreadable.push_back({chunk.first, chunk.last, model::HoleReason::unreadable});
        continue;
      }
      for (auto& e : *decoded) {
        if (e.seq > after && (stored.events.empty() || e.seq > stored.events.back().seq)) {
          stored.events.push_back(std::move(e));
        }
      }
    }
    return {};
  };
  const model::Seq first =
      query.check && query.check->seq.value > 0 ? model::Seq{query.check->seq.value - 1} : query.after;
  if (auto status = read(first); !status) return base::fail(status.error());
  if (first < query.after && (stored.events.empty() || stored.events.back().seq <= query.after)) {
    if (auto status = read(query.after); !status) return base::fail(status.error());
  }
  return stored;
}

// `stored` was read before now: the tail may have moved on since, so what lies between is left to the next
// pull.
wire::Answer<ports::Page> Queries::page(const ports::Pull& query, Conversation& c,
                                        const Stored& stored) const {
  const auto& s = c.state;
  ports::Page page;
  page.conversation = query.conversation;
  page.upto = query.after;
  page.head = s.seq;
  const size_t limit = std::min(query.limit, parts_.limits.page_events_max);
  size_t bytes = 0;
  bool full = false, diverged = false;
  const auto take = [&](const model::Event& e) {
    if (query.check && e.seq == query.check->seq && e.id != query.check->id) diverged = true;
    if (e.seq <= page.upto || full) return;
    std::string frame = wire::encode_event(e);
    full = page.events.size() >= limit ||
           (!page.events.empty() && bytes + frame.size() > parts_.limits.page_bytes_max);
    if (full) return;
    // What the store lost or cannot show is named, so that no cursor waits for it for ever.
    if (e.seq.value > page.upto.value + 1) {
      page.holes.push_back({{page.upto.value + 1}, {e.seq.value - 1}, model::HoleReason::unreadable});
    }
    bytes += frame.size();
    page.events.push_back(std::move(frame));
    page.upto = e.seq;
  };
  for (const auto& e : stored.events) take(e);
  for (const auto& hole : stored.unreadable) {
    if (full || hole.to <= page.upto) continue;
    page.holes.push_back({{page.upto.value + 1}, hole.to, hole.why});
    page.upto = hole.to;
  }
  const model::Seq tail_first = c.tail.empty() ? model::Seq{s.seq.value + 1} : c.tail.front().seq;
  if (page.upto.value + 1 >= tail_first.value) {
    for (const auto& e : c.tail) take(e);
  }
  if (diverged) return wire::problem(Code::diverged);
  page.more = page.upto < page.head;
  page.asof = page.upto;
  page.mark_count = s.marks;
  for (const auto& m : s.members) page.marks.push_back({m.user, m.read, m.delivered});
  return page;
}

// --- sync

struct Queries::Listed {
  std::map<model::ConversationId, std::optional<fold::ConversationState>>
      found;                                 // nullopt: take it from memory
  std::optional<model::ConversationId> cut;  // last of the range that was listed, if the limit cut it
};

static std::optional<model::ConversationId> successor(model::ConversationId id) {
  for (size_t i = id.bytes.size(); i-- > 0;) {
    if (++id.bytes[i] != 0) return id;
  }
  return std::nullopt;
}

void Queries::sync(uint64_t gateway, ports::Sync query) {
  if (!take_slot()) {
    parts_.registry.send(gateway, ports::SyncOut{query.query, wire::problem(Code::busy)});
    return;
  }
  // What is not flushed is taken before the store is read, and so is the cursor that is handed out.
  const model::Position activity = parts_.folded_below();
  auto unlisted = parts_.flush.unlisted(query.user);
  parts_.readers.post(
      [this, gateway, query = std::move(query), unlisted = std::move(unlisted), activity]() mutable {
        const auto mine = [this](const model::ConversationId& id) {
          return model::partition_of(id).value % parts_.shard_count == parts_.index;
        };
        base::Result<Listed> listed = Listed{};
        const size_t limit = std::min(query.limit, parts_.limits.sync_rows_max);
        auto ids = parts_.store.list(query.user, query.from, query.to, limit);
        std::vector<model::ConversationId> wanted;
        if (ids) {
          if (ids->size() == limit && limit > 0) listed->cut = ids->back();
          for (const auto& id : *ids) {
            if (mine(id)) wanted.push_back(id);
          }
          auto states = parts_.store.load_states(wanted);
          if (!states) listed = base::fail(states.error());
          for (size_t i = 0; listed && i < wanted.size(); ++i) {
            std::optional<fold::ConversationState> state;
            if ((*states)[i]) {
              auto decoded = fold::decode_state(*(*states)[i]);
              if (!decoded) {
                listed = base::fail(decoded.error());
                break;
              }
              state = std::move(*decoded);
            }
            listed->found.emplace(wanted[i], std::move(state));
          }
        } else {
          listed = base::fail(ids.error());
        }
        for (const auto& id : unlisted) {
          if (listed && id >= query.from && id <= query.to && (!listed->cut || id <= *listed->cut)) {
            listed->found.try_emplace(id, std::nullopt);
          }
        }
        parts_.executor.post([this, gateway, query = std::move(query), listed = std::move(listed), activity] {
          --under_way_;
          if (!listed) {
            base::log_error("a person's conversations could not be read: {}", listed.error().sentence);
            parts_.registry.send(gateway, ports::SyncOut{query.query, wire::problem(Code::internal)});
            return;
          }
          sync_listed(gateway, query, *listed, activity);
        });
      });
}

void Queries::sync_listed(uint64_t gateway, const ports::Sync& query, const Listed& listed,
                          model::Position activity) {
  ports::SyncRows rows;
  rows.activity = activity;
  if (listed.cut) rows.next = successor(*listed.cut);
  for (const auto& [id, loaded] : listed.found) {
    // Memory is newer than what was read.
    const Conversation* in_memory = parts_.conversations.find(id);
    const bool use_memory = in_memory && in_memory->phase != Conversation::Phase::loading;
    if (!use_memory && !loaded) continue;
    const auto& s = use_memory ? in_memory->state : *loaded;
    const fold::Member* m = s.exists() ? s.member(query.user) : nullptr;
    if (!m) continue;
    const auto have = std::lower_bound(
        query.vector.begin(), query.vector.end(), id,
        [](const ports::VectorRow& row, const auto& wanted) { return row.conversation < wanted; });
    if (have != query.vector.end() && have->conversation == id && have->seq == s.seq && have->id == s.head_id)
      continue;
    ports::SyncRow row;
    row.conversation = id;
    row.kind = s.kind;
    row.head = s.seq;
    row.head_id = s.head_id;
    row.ord = s.ord;
    row.mark_count = s.marks;
    row.unread = fold::unread(s, *m);
    for (const auto& member : s.members) row.marks.push_back({member.user, member.read, member.delivered});
    rows.rows.push_back(std::move(row));
  }
  parts_.registry.send(gateway, ports::SyncOut{query.query, std::move(rows)});
}

}  // namespace tidings::delivery
