#include "fold/fold.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/hash.h"
#include "fold/commands.h"
#include "fold/marks.h"
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

// The entry of a client id, wherever it was found; none if the id is above all that came before.
const Entry* find(const Member& m, const ClientId& id, const std::optional<Entry>& looked_up) {
  if (m.entries.is_above(id)) return nullptr;
  if (const Entry* e = m.entries.find(id)) return e;
  return looked_up ? &*looked_up : nullptr;
}

ports::Reply reply_to(const model::ReplyTo& to, const model::ConversationId& conversation) {
  ports::Reply reply;
  reply.to = to;
  reply.conversation = conversation;
  return reply;
}
void answer(ports::Reply& reply, model::Seq seq, model::Ord ord, model::MessageId id) {
  reply.seq = seq;
  reply.ord = ord;
  reply.id = id;
  reply.time = model::message_time(id);
}

// The state's chain covers where the record stood and all that came out of it.
uint64_t chained(uint64_t chain, const Place& place, const Output& out, uint64_t input_hash) {
  static const ports::Reply no_reply;
  const auto& r = out.reply ? *out.reply : no_reply;
  const std::array<uint64_t, 8> link{chain,
                                     place.position.value,
                                     r.error ? 1 + static_cast<uint64_t>(*r.error) : 0,
                                     static_cast<uint64_t>(r.duplicate) |
                                         static_cast<uint64_t>(out.event.has_value()) << 1 |
                                         static_cast<uint64_t>(out.moved.has_value()) << 2,
                                     r.seq.value,
                                     r.ord.value,
                                     r.id.value,
                                     input_hash};
  return base::xxh64({reinterpret_cast<const char*>(link.data()), sizeof link});
}
uint64_t hash_of(const auto& numbers) {
  return base::xxh64({reinterpret_cast<const char*>(numbers.data()), sizeof numbers});
}

struct Fold {
  ConversationState& c;
  const Place& place;
  const Found& found;
  Output out;

  void refuse(Code code) { out.reply->error = code; }
  model::MessageId id_here() const { return model::message_id(place.time, place.partition, place.position); }

  void changed(uint64_t input_hash) {
    c.applied = place.position;
    c.chain = chained(c.chain, place, out, input_hash);
    out.changed = true;
  }

  // The next seq; the event without its body.
  model::Event begin_event(const model::ConversationId& conversation, model::UserId from,
                           const ClientId& client_id, bool countable) {
    ++c.seq.value;
    if (countable) ++c.ord.value;
    c.head_id = id_here();
    c.activity = place.position;
    model::Event event;
    event.conversation = conversation;
    event.seq = c.seq;
    event.ord = c.ord;
    event.id = c.head_id;
    event.time = place.time;
    event.from = from;
    event.client_id = client_id;
    return event;
  }

  // --- commands

  // Answers a repeat; false if the command is new.
  bool repeat(const Member& m, const Command& command, uint64_t body_hash) {
    if (const Entry* e = find(m, command.client_id, found.own)) {
      if (e->body_hash != body_hash) {
        refuse(Code::client_id_conflict);
      } else {
        out.reply->duplicate = true;
        answer(*out.reply, e->seq, e->ord, e->id);
      }
      return true;
    }
    if (is_v7(command.client_id) && !m.entries.is_above(command.client_id) &&
        model::uuid_v7_time(command.client_id.bytes) + client_id_age_max < place.stamp) {
      refuse(Code::expired);
      return true;
    }
    return false;
  }

  // What is wrong with a command that is no repeat, apart from what it wants.
  std::optional<Code> untimely(const Member* m, const Command& command) {
    if (place.stamp > command.until) return Code::busy;
    if (is_v7(command.client_id) &&
        model::uuid_v7_time(command.client_id.bytes) > place.time + client_id_ahead_max)
      return Code::client_id_ahead;
    const auto* send = std::get_if<SendMessage>(&command.body);
    if (send && send->previous && !find(*m, *send->previous, found.previous)) {
      out.reply->missing = send->previous;
      return Code::order;
    }
    return std::nullopt;
  }

  void file_entry(Member& m, const ClientId& id, const Entry& entry) {
    m.unsaved = true;
    out.entries = m.entries.add(id, entry);
  }

  void accept(Command& command, uint64_t body_hash) {
    const bool creates = std::holds_alternative<CreateConversation>(command.body);
    const bool countable = std::holds_alternative<SendMessage>(command.body);
    const Member* before = c.member(command.user);
    const bool nothing_unread = countable && unread(c, *before) == 0;
    model::Event event = begin_event(command.conversation, command.user, command.client_id, countable);
    // A person's own log begins with the first thing that happens there.
    if (!before && !creates) begin_self(command.user);
    event.body = change(c, command);
    Member& m = *c.member(command.user);
    // That a conversation exists is the memory of its create.
    if (!creates) file_entry(m, command.client_id, {c.seq, c.ord, c.head_id, body_hash, place.position});
    if (countable) mark_own(c, m, nothing_unread);
    answer(*out.reply, c.seq, c.ord, c.head_id);
    out.event = std::move(event);
  }

  void begin_self(model::UserId user) {
    c.kind = model::ConversationKind::self;
    c.created_id = c.head_id;
    join(c, user, model::Role::owner);
  }

  void nothing_to_do(const Command& command, uint64_t body_hash) {
    out.reply->duplicate = true;
    answer(*out.reply, c.seq, c.ord, c.head_id);
    if (Member* m = c.member(command.user))
      file_entry(*m, command.client_id, {c.seq, c.ord, c.head_id, body_hash, place.position});
  }

  void apply(Command& command) {
    out.reply = reply_to(command.reply_to, command.conversation);
    out.reply->client_id = command.client_id;
    const bool creates = std::holds_alternative<CreateConversation>(command.body);
    const bool own = std::holds_alternative<model::SetBlock>(command.body);
    Member* m = c.exists() ? c.member(command.user) : nullptr;
    if (m && m->intervals.empty()) m = nullptr;

    // These change nothing at all, not even `applied`.
    if (c.quarantined) return refuse(Code::internal);
    if (own && command.conversation != model::self_conversation(command.user)) return refuse(Code::not_found);
    if (!well_formed(command)) return refuse(Code::bad_request);
    if (creates && c.exists()) {
      out.reply->duplicate = true;
      return answer(*out.reply, {1}, {0}, c.created_id);
    }
    if (!m && !creates && !(own && !c.exists())) return refuse(Code::not_found);

    const uint64_t body_hash = wire::body_hash(command);
    if (m && repeat(*m, command, body_hash)) {
      // answered
    } else if (const auto refused = untimely(m, command)) {
      refuse(*refused);
    } else if (const auto verdict = check(c, m, command); !verdict) {
      refuse(verdict.error().code);
    } else if (*verdict == Verdict::nothing) {
      nothing_to_do(command, body_hash);
    } else {
      accept(command, body_hash);
    }
    // What was refused leaves no conversation behind, hence no state to write.
    if (c.exists()) changed(body_hash);
  }

  // The record was applied by an earlier run, whose answers may have died with it.
  void say_again(Command& command) {
    Member* m = c.exists() ? c.member(command.user) : nullptr;
    out.repeated = true;
    if (!m || c.quarantined) return;
    ports::Reply reply = reply_to(command.reply_to, command.conversation);
    reply.client_id = command.client_id;
    if (std::holds_alternative<CreateConversation>(command.body)) {
      reply.duplicate = true;
      answer(reply, {1}, {0}, c.created_id);
      out.reply = reply;
      return;
    }
    const Entry* e = find(*m, command.client_id, found.own);
    if (!e || e->body_hash != wire::body_hash(command)) return;
    answer(reply, e->seq, e->ord, e->id);
    reply.duplicate = e->position != place.position;
    out.reply = reply;
    auto* send = std::get_if<SendMessage>(&command.body);
    if (!send || e->position != place.position) return;
    model::Event event;
    event.conversation = command.conversation;
    event.seq = e->seq;
    event.ord = e->ord;
    event.id = e->id;
    event.time = reply.time;
    event.from = command.user;
    event.client_id = command.client_id;
    event.body = model::MessageCreated{std::move(send->message)};
    out.event = std::move(event);
  }

  // --- the others

  void apply(const model::Marking& marking) {
    if (marking.reply_to.gateway != 0) {
      out.reply = reply_to(marking.reply_to, marking.conversation);
      const Member* m = c.exists() ? c.member(marking.user) : nullptr;
      if (c.quarantined) return refuse(Code::internal);
      if (!m || m->intervals.empty()) return refuse(Code::not_found);
      if (!m->is_member()) return refuse(Code::not_member);
      answer(*out.reply, c.seq, c.ord, c.head_id);
    }
    out.moved = move_marks(c, marking);
    if (!out.moved) return;
    Member& m = *c.member(marking.user);
    m.own_activity = place.position;
    if (out.moved->hidden) {
      ++m.hidden_marks;
    } else {
      ++c.marks;
      if (c.lists_marks()) c.activity = place.position;
    }
    changed(hash_of(std::array{marking.user.value, marking.read.value, marking.read_ord.value,
                               marking.delivered.value, static_cast<uint64_t>(marking.hidden)}));
  }

  void apply(const model::Effect& effect) {
    if (c.quarantined) return;
    const Taken* before = c.taken_from(effect.source);
    if (before && before->position >= effect.source_position) return;
    const bool good = std::visit([&](const auto& body) { return apply(effect, body, before); }, effect.body);
    if (good) changed(hash_of(std::array{effect.source_position.value, effect.from.value}));
  }

  bool apply(const model::Effect& effect, const model::Effect::Listing& listing, const Taken* before) {
    if (effect.conversation != model::self_conversation(listing.person)) return false;
    const bool news = before ? before->listed != listing.listed : listing.listed;
    Taken& taken = c.take_from(effect.source);
    taken.position = effect.source_position;
    taken.kind = listing.kind;
    taken.listed = listing.listed;
    if (!news) return true;
    const bool begins = !c.exists();
    model::Event event = begin_event(effect.conversation, effect.from, {}, false);
    if (begins) begin_self(listing.person);
    event.body = model::ConversationListed{effect.source, listing.kind, listing.listed};
    out.event = std::move(event);
    return true;
  }

  bool apply(const model::Effect& effect, const model::Effect::Blocking& blocking, const Taken*) {
    if (effect.source != model::self_conversation(blocking.by) || blocking.by == blocking.user ||
        effect.conversation != model::direct_conversation(blocking.by, blocking.user))
      return false;
    c.take_from(effect.source).position = effect.source_position;
    c.known(blocking.by).blocks = blocking.blocked;
    return true;
  }

  void apply(const model::Quarantine&) {
    c.quarantined = true;
    changed(0);
  }
};

}  // namespace

Lookups lookups(const ConversationState& state, const model::Entering& record) {
  Lookups needed;
  const auto* command = std::get_if<Command>(&record);
  const Member* m = command && state.exists() ? state.member(command->user) : nullptr;
  if (!m || std::holds_alternative<CreateConversation>(command->body)) return needed;
  const auto missing = [m](const ClientId& id) { return !m->entries.is_above(id) && !m->entries.find(id); };
  if (missing(command->client_id)) needed.own = command->client_id;
  const auto* send = std::get_if<SendMessage>(&command->body);
  if (send && send->previous && missing(*send->previous)) needed.previous = send->previous;
  return needed;
}

Output fold(ConversationState& state, const Place& place, model::Entering&& record, const Found& found) {
  Fold f{state, place, found, {}};
  if (place.position <= state.applied) {
    f.out.repeated = true;
    if (auto* command = std::get_if<Command>(&record)) f.say_again(*command);
  } else {
    std::visit([&f](auto& r) { f.apply(r); }, record);
  }
  return std::move(f.out);
}

}  // namespace tidings::fold
