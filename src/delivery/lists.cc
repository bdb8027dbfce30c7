// Syncs: which of a person's conversations differ from what a device has.
#include <algorithm>
#include <map>

#include "base/log_line.h"
#include "delivery/queries.h"

namespace tidings::delivery {

using wire::Code;

struct Queries::Listed {
  std::map<model::ConversationId, std::optional<fold::ConversationState>>
      found;                                 // nullopt: take it from memory
  std::optional<model::ConversationId> cut;  // last of the range that was listed, if the limit cut it
};

namespace {

std::optional<model::ConversationId> successor(model::ConversationId id) {
  for (size_t i = id.bytes.size(); i-- > 0;) {
    if (++id.bytes[i] != 0) return id;
  }
  return std::nullopt;
}

// What the person sees of the conversation from outside.
ports::SyncRow row_of(const model::ConversationId& id, const fold::ConversationState& s,
                      const fold::Member& m) {
  ports::SyncRow row;
  row.conversation = id;
  row.kind = s.kind;
  row.left = !m.is_member();
  row.title = row.left ? m.left.title : s.title;
  row.head = m.last_readable(s.seq);
  row.head_id = row.left ? m.left.id : s.head_id;
  row.ord = row.left ? m.left.ord : s.ord;
  row.role = m.role;
  row.read_ord = m.read_ord;
  row.unread = fold::unread(s, m);
  // Who left learns nothing of what goes on.
  if (row.left) return row;
  row.title = s.title;
  row.members = s.member_count;
  row.marks = fold::marks_for(s, m.user);
  row.mark_count = s.marks + m.hidden_marks;
  return row;
}

bool is_news(const ports::Sync& query, const ports::SyncRow& row, const fold::ConversationState& s,
             const fold::Member& m) {
  const auto have =
      std::ranges::lower_bound(query.vector, row.conversation, {}, &ports::VectorRow::conversation);
  const bool known = have != query.vector.end() && have->conversation == row.conversation;
  // The cursor is above all that it covers. What the device knows to be behind it still has to fetch.
  if (query.activity)
    return known || (row.left ? m.left.position : std::max(s.activity, m.own_activity)) >= *query.activity;
  return !known || have->seq != row.head || have->id != row.head_id ||
         (have->mark_count && *have->mark_count != row.mark_count);
}

}  // namespace

void Queries::sync(uint64_t gateway, ports::Sync query) {
  if (!take_slot()) {
    parts_.registry.send(gateway, ports::SyncOut{query.query, wire::problem(Code::busy)});
    return;
  }
  // What is not flushed is taken before the store is read, and so is the cursor that is handed out.
  const model::Position activity = parts_.folded_below();
  auto unlisted = parts_.flush.unlisted(query.user);
  const uint64_t list = parts_.conversations.begin_list();
  parts_.readers.post(
      [this, gateway, query = std::move(query), unlisted = std::move(unlisted), activity, list]() mutable {
        auto listed = read_list(query, unlisted);
        parts_.executor.post(
            [this, gateway, query = std::move(query), listed = std::move(listed), activity, list] {
              --under_way_;
              parts_.conversations.end_list(list);
              if (listed) return sync_listed(gateway, query, *listed, activity);
              base::log_error("a person's conversations could not be read: {}", listed.error().sentence);
              parts_.registry.send(gateway, ports::SyncOut{query.query, wire::problem(Code::internal)});
            });
      });
}

// On the read pool.
base::Result<Queries::Listed> Queries::read_list(const ports::Sync& query,
                                                 const std::vector<model::ConversationId>& unlisted) const {
  Listed listed;
  const size_t limit = std::min(query.limit, parts_.limits.sync_rows_max);
  auto ids = parts_.store.list(query.user, query.from, query.to, limit);
  if (!ids) return base::fail(ids.error());
  if (ids->size() == limit && limit > 0) listed.cut = ids->back();
  std::vector<model::ConversationId> mine;
  for (const auto& id : *ids) {
    if (model::partition_of(id).value % parts_.shard_count == parts_.index) mine.push_back(id);
  }
  auto states = parts_.store.load_states(mine, fold::member_part(query.user));
  if (!states) return base::fail(states.error());
  for (size_t i = 0; i < mine.size(); ++i) {
    std::optional<fold::ConversationState> state;
    if ((*states)[i]) {
      auto decoded = fold::glance(*(*states)[i]);
      // One that cannot be read must not hide all the others.
      if (!decoded) continue;
      state = std::move(*decoded);
    }
    listed.found.emplace(mine[i], std::move(state));
  }
  for (const auto& id : unlisted) {
    if (id >= query.from && id <= query.to && (!listed.cut || id <= *listed.cut))
      listed.found.try_emplace(id, std::nullopt);
  }
  return listed;
}

void Queries::sync_listed(uint64_t gateway, const ports::Sync& query, const Listed& listed,
                          model::Position activity) {
  ports::SyncRows rows;
  rows.activity = activity;
  // At the end of the range there is nothing more in it.
  if (listed.cut && *listed.cut < query.to) rows.next = successor(*listed.cut);
  for (const auto& [id, loaded] : listed.found) {
    // Memory is newer than what was read.
    const Conversation* in_memory = parts_.conversations.find(id);
    const bool use_memory = in_memory && in_memory->phase != Conversation::Phase::loading;
    if (!use_memory && !loaded) continue;
    const auto& s = use_memory ? in_memory->state : *loaded;
    const fold::Member* m = s.exists() && !s.quarantined ? s.member(query.user) : nullptr;
    if (!m || m->intervals.empty()) continue;
    auto row = row_of(id, s, *m);
    if (is_news(query, row, s, *m)) rows.rows.push_back(std::move(row));
  }
  parts_.registry.send(gateway, ports::SyncOut{query.query, std::move(rows)});
}

}  // namespace tidings::delivery
