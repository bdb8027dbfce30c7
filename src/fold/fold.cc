#include "fold/fold.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/check.h"
#include "base/hash.h"
#include "wire/record.h"

namespace tidings::fold {

using model::ClientId;
using model::Command;
using model::CreateConversation;
using model::SendMessage;
using wire::Code;

namespace {

constexpr auto client_id_ahead_max = std::chrono::hours(24);
// One day less than an entry counts for, so that no entry is missed that should have been found.
constexpr auto client_id_age_max = std::chrono::hours(24 * 29);

bool is_v7(const ClientId& id) {
  return id.version() == 7;
}

bool above_highest(const Member& m, const ClientId& id) {
  return is_v7(id) && (!m.highest || id > *m.highest);
}

const Entry* in_newest(const Member& m, const ClientId& id) {
  const auto it =
      std::lower_bound(m.newest.begin(), m.newest.end(), id,
                       [](const KeyedEntry& e, const ClientId& wanted) { return e.client_id < wanted; });
  return it != m.newest.end() && it->client_id == id ? &it->entry : nullptr;
}

// The entry of a client id, wherever it was found; none if the id is above all that came before.
const Entry* find(const Member& m, const ClientId& id, const std::optional<Entry>& looked_up) {
  if (above_highest(m, id)) return nullptr;
  if (const Entry* e = in_newest(m, id)) return e;
  return looked_up ? &*looked_up : nullptr;
}

bool valid_create(const Command& command, const CreateConversation& create) {
  return create.kind == model::ConversationKind::direct && create.members.size() == 2 &&
         create.members[0] == command.user && create.members[1] != command.user &&
         model::direct_conversation(create.members[0], create.members[1]) == command.conversation;
}

ports::Reply reply_to(const Command& command) {
  ports::Reply reply;
  reply.to = command.reply_to;
  reply.conversation = command.conversation;
  reply.client_id = command.client_id;
  return reply;
}
void answer(ports::Reply& reply, model::Seq seq, model::Ord ord, model::MessageId id) {
  reply.seq = seq;
  reply.ord = ord;
  reply.id = id;
  reply.time = model::message_time(id);
}

// Files the entry of an accepted command; what belongs into a row of its own is returned.
std::optional<KeyedEntry> file_entry(Member& m, const ClientId& id, const Entry& entry) {
  if (!above_highest(m, id)) return KeyedEntry{id, entry};
  m.highest = id;
  std::optional<KeyedEntry> left;
  if (m.newest.size() == newest_entries_max) {
    left = m.newest.front();
    m.newest.erase(m.newest.begin());
  } else {
    m.newest.reserve(newest_entries_max);
  }
  m.newest.push_back({id, entry});
  return left;
}

// Sending moves the own marks only if nothing was unread (protocol.md §8).
void mark_own(ConversationState& c, Member& m, bool countable, bool nothing_unread) {
  if (nothing_unread && !m.evicted) {
    m.read = c.seq;
    m.read_ord = c.ord;
    m.delivered = std::max(m.delivered, c.seq);
    m.own_after_read.clear();
  } else if (countable) {
    if (m.own_after_read.size() == own_after_read_max) {
      m.read_ord = std::max(m.read_ord, m.own_after_read.front().ord);
      m.own_after_read.erase(m.own_after_read.begin());
      m.evicted = true;
    }
    m.own_after_read.push_back({c.seq, c.ord});
  }
}

// The state's chain covers where the record stood and all that came out of it.
uint64_t chained(uint64_t chain, const Place& place, const Output& out, uint64_t body_hash) {
  const auto& r = *out.reply;
  const std::array<uint64_t, 8> link{
      chain,
      place.position.value,
      r.error ? 1 + static_cast<uint64_t>(*r.error) : 0,
      static_cast<uint64_t>(r.duplicate) | static_cast<uint64_t>(out.event.has_value()) << 1,
      r.seq.value,
      r.ord.value,
      r.id.value,
      body_hash};
  return base::xxh64({reinterpret_cast<const char*>(link.data()), sizeof link});
}

struct Fold {
  ConversationState& c;
  const Place& place;
  Command& command;  // its message moves into the event
  const Found& found;
  Output out;

  void refuse(Code code) { out.reply->error = code; }

  // Answers a repeat; false if the command is new.
  bool repeat(const Member& m, uint64_t body_hash) {
    if (const Entry* e = find(m, command.client_id, found.own)) {
      if (e->body_hash != body_hash) {
        refuse(Code::client_id_conflict);
      } else {
        out.reply->duplicate = true;
        answer(*out.reply, e->seq, e->ord, e->id);
      }
      return true;
    }
    if (is_v7(command.client_id) && !above_highest(m, command.client_id) &&
        model::uuid_v7_time(command.client_id.bytes) + client_id_age_max < place.stamp) {
      refuse(Code::expired);
      return true;
    }
    return false;
  }

  void accept(Member* m, uint64_t body_hash) {
    auto* send = std::get_if<SendMessage>(&command.body);
    const bool nothing_unread = m && unread(c, *m) == 0;
    const bool countable = send != nullptr;
    ++c.seq.value;
    if (countable) ++c.ord.value;
    c.head_id = model::message_id(place.time, place.partition, place.position);

    model::Event event;
    event.conversation = command.conversation;
    event.seq = c.seq;
    event.ord = c.ord;
    event.id = c.head_id;
    event.time = place.time;
    event.from = command.user;
    event.client_id = command.client_id;
    if (send) {
      event.body = model::MessageCreated{std::move(send->message)};
      out.entry = file_entry(*m, command.client_id, {c.seq, c.ord, c.head_id, body_hash, place.position});
      mark_own(c, *m, countable, nothing_unread);
    } else {
      const auto& create = std::get<CreateConversation>(command.body);
      c.kind = create.kind;
      c.created_id = c.head_id;
      for (const auto user : create.members) {
        Member joined;
        joined.user = user;
        joined.joined = joined.read = joined.delivered = c.seq;
        joined.read_ord = c.ord;
        c.members.push_back(std::move(joined));
      }
      event.body = model::ConversationCreated{create.kind, create.members};
    }
    answer(*out.reply, c.seq, c.ord, c.head_id);
    out.event = std::move(event);
  }

  void run() {
    if (place.position <= c.applied) return;
    out.reply = reply_to(command);
    const auto* create = std::get_if<CreateConversation>(&command.body);
    const auto* send = std::get_if<SendMessage>(&command.body);
    Member* m = c.exists() ? c.member(command.user) : nullptr;

    // These change nothing at all, not even `applied`.
    if (create && !valid_create(command, *create)) return refuse(Code::bad_request);
    if (create && c.exists()) {
      out.reply->duplicate = true;
      return answer(*out.reply, {1}, {0}, c.created_id);
    }
    if (!create && !m) return refuse(Code::not_found);

    const uint64_t body_hash = wire::body_hash(command);
    if (m && repeat(*m, body_hash)) {
      // answered
    } else if (place.stamp > command.until) {
      refuse(Code::busy);
    } else if (is_v7(command.client_id) &&
               model::uuid_v7_time(command.client_id.bytes) > place.time + client_id_ahead_max) {
      refuse(Code::client_id_ahead);
    } else if (send && send->previous && !find(*m, *send->previous, found.previous)) {
      refuse(Code::order);
      out.reply->missing = send->previous;
    } else {
      accept(m, body_hash);
    }
    // A create that was refused leaves no conversation behind, hence no state to write.
    if (!c.exists()) return;
    c.applied = place.position;
    c.chain = chained(c.chain, place, out, body_hash);
    out.changed = true;
  }
};

}  // namespace

Lookups lookups(const ConversationState& state, const Command& command) {
  Lookups needed;
  const Member* m = state.exists() ? state.member(command.user) : nullptr;
  const auto* send = std::get_if<SendMessage>(&command.body);
  if (!m || !send) return needed;
  const auto missing = [m](const ClientId& id) { return !above_highest(*m, id) && !in_newest(*m, id); };
  if (missing(command.client_id)) needed.own = command.client_id;
  if (send->previous && missing(*send->previous)) needed.previous = send->previous;
  return needed;
}

Output fold(ConversationState& state, const Place& place, Command&& command, const Found& found) {
  Fold f{state, place, command, found, {}};
  f.run();
  return std::move(f.out);
}

}  // namespace tidings::fold
