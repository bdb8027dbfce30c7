// The state as bytes (docs/formats/store.md): one value, and parts where there are many members or sources.
#include <algorithm>

#include "fold/fold.h"
#include "fold/state.h"

namespace tidings::fold {

namespace {

constexpr uint8_t state_schema = 2;
constexpr uint8_t flag_quarantined = 1, flag_members_apart = 2, flag_taken_apart = 4, flags_all = 7;
constexpr uint8_t member_evicted = 1, member_blocks = 2, member_flags_all = 3;
constexpr size_t title_bytes_max = 4096;  // far above what is accepted
constexpr char member_key = 'm', taken_key = 't';

void put(base::Writer& w, const Member& m) {
  w.fixed(m.user.value);
  w.fixed(static_cast<uint8_t>(m.role));
  w.varint(m.intervals.size());
  for (const auto& i : m.intervals) {
    w.varint(i.since.value);
    w.varint(i.until.value);
  }
  w.varint(m.read.value);
  w.varint(m.shown_read.value);
  w.varint(m.delivered.value);
  w.varint(m.read_ord.value);
  w.varint(m.left.ord.value);
  w.fixed(m.left.id.value);
  w.varint(m.left.position.value);
  w.string(m.left.title);
  w.fixed(static_cast<uint8_t>((m.evicted ? member_evicted : 0) | (m.blocks ? member_blocks : 0)));
  w.varint(m.own_after_read.size());
  for (const auto& own : m.own_after_read) {
    w.varint(own.seq.value);
    w.varint(own.ord.value);
  }
  m.entries.encode(w);
}

bool take(base::Reader& r, Member& m) {
  m.user = {r.fixed<uint64_t>()};
  const auto role = r.fixed<uint8_t>();
  m.role = static_cast<model::Role>(role);
  const uint64_t intervals = r.varint();
  if (!r.ok() || role < 1 || role > 3 || intervals > intervals_max) return false;
  m.intervals.resize(intervals);
  for (auto& i : m.intervals) {
    i.since = {r.varint()};
    i.until = {r.varint()};
  }
  m.read = {r.varint()};
  m.shown_read = {r.varint()};
  m.delivered = {r.varint()};
  m.read_ord = {r.varint()};
  m.left.ord = {r.varint()};
  m.left.id = {r.fixed<uint64_t>()};
  m.left.position = {r.varint()};
  m.left.title = r.string();
  const auto flags = r.fixed<uint8_t>();
  m.evicted = flags & member_evicted;
  m.blocks = flags & member_blocks;
  const uint64_t own = r.varint();
  if (!r.ok() || m.left.title.size() > title_bytes_max || flags > member_flags_all ||
      own > own_after_read_max)
    return false;
  m.own_after_read.resize(own);
  for (auto& o : m.own_after_read) {
    o.seq = {r.varint()};
    o.ord = {r.varint()};
  }
  auto entries = Entries::decode(r);
  if (!entries) return false;
  m.entries = std::move(*entries);
  return r.ok();
}

void put(base::Writer& w, const Taken& t) {
  w.raw(t.source.bytes);
  w.varint(t.position.value);
  w.fixed(static_cast<uint8_t>(t.kind));
  w.fixed(static_cast<uint8_t>(t.listed));
}
bool take(base::Reader& r, Taken& t) {
  t.source = {r.array<16>()};
  t.position = {r.varint()};
  const auto kind = r.fixed<uint8_t>(), listed = r.fixed<uint8_t>();
  t.kind = static_cast<model::ConversationKind>(kind);
  t.listed = listed;
  return r.ok() && kind >= 1 && kind <= 3 && listed <= 1;
}

template <class Part>
ports::StatePart part(char key, std::string_view name, const Part& from) {
  ports::StatePart out{std::string(1, key).append(name), {}};
  base::Writer w(out.value);
  put(w, from);
  return out;
}

// What stands in the value itself, and how many of each are parts.
struct Head {
  ConversationState state;
  uint64_t members_apart = 0, taken_apart = 0;
};

bool take(base::Reader& r, Head& head) {
  auto& s = head.state;
  const auto kind = r.fixed<uint8_t>(), flags = r.fixed<uint8_t>(), history = r.fixed<uint8_t>();
  s.kind = static_cast<model::ConversationKind>(kind);
  s.quarantined = flags & flag_quarantined;
  s.history = static_cast<model::History>(history);
  s.activity = {r.fixed<uint64_t>()};
  s.seq = {r.varint()};
  s.ord = {r.varint()};
  s.created_id = {r.fixed<uint64_t>()};
  s.head_id = {r.fixed<uint64_t>()};
  s.marks = r.varint();
  s.applied = {r.varint()};
  s.chain = r.fixed<uint64_t>();
  s.member_count = r.varint();
  s.title = r.string();
  if (!r.ok() || kind < 1 || kind > 3 || flags > flags_all || history < 1 || history > 2 ||
      s.title.size() > title_bytes_max)
    return false;
  const uint64_t blocked = r.varint();
  if (!r.ok() || blocked > blocks_max) return false;
  s.blocked.resize(blocked);
  for (auto& user : s.blocked) user = {r.fixed<uint64_t>()};

  const uint64_t members = r.varint();
  if (!r.ok() || members > members_known_max || s.member_count > members) return false;
  head.members_apart = flags & flag_members_apart ? members : 0;
  for (uint64_t i = head.members_apart; i < members; ++i) {
    if (!take(r, s.members.emplace_back())) return false;
  }
  const uint64_t taken = r.varint();
  if (!r.ok()) return false;
  head.taken_apart = flags & flag_taken_apart ? taken : 0;
  if (taken - head.taken_apart > taken_inside_max) return false;
  for (uint64_t i = head.taken_apart; i < taken; ++i) {
    if (!take(r, s.taken.emplace_back())) return false;
  }
  return r.finished();
}

base::Result<Head> decode_head(base::BytesView value) {
  base::Reader r(value);
  if (r.fixed<uint8_t>() != state_schema)
    return base::failure("a conversation's state has an unknown schema");
  Head head;
  if (!take(r, head)) return base::failure("a conversation's state cannot be read");
  return head;
}

// False: the part is of no known kind, or damaged.
bool add_part(ConversationState& s, const ports::StatePart& stored) {
  base::Reader r(stored.value);
  if (stored.key.starts_with(member_key)) {
    Member m;
    if (!take(r, m) || !r.finished() || stored.key != member_part(m.user)) return false;
    s.members.push_back(std::move(m));
    return true;
  }
  Taken t;
  if (!stored.key.starts_with(taken_key) || !take(r, t) || !r.finished()) return false;
  s.taken.push_back(t);
  return true;
}

}  // namespace

base::Bytes member_part(model::UserId user) {
  base::Bytes key(1, member_key);
  base::append_key(key, user.value);
  return key;
}

EncodedState encode_state(const ConversationState& s) {
  const bool members_apart = s.members.size() > members_inside_max,
             taken_apart = s.taken.size() > taken_inside_max;
  EncodedState out;
  out.value.reserve(128 + (members_apart ? 0 : s.members.size() * 128));
  base::Writer w(out.value);
  w.fixed(state_schema);
  w.fixed(static_cast<uint8_t>(s.kind));
  w.fixed(static_cast<uint8_t>((s.quarantined ? flag_quarantined : 0) |
                               (members_apart ? flag_members_apart : 0) |
                               (taken_apart ? flag_taken_apart : 0)));
  w.fixed(static_cast<uint8_t>(s.history));
  w.fixed(s.activity.value);
  w.varint(s.seq.value);
  w.varint(s.ord.value);
  w.fixed(s.created_id.value);
  w.fixed(s.head_id.value);
  w.varint(s.marks);
  w.varint(s.applied.value);
  w.fixed(s.chain);
  w.varint(s.member_count);
  w.string(s.title);
  w.varint(s.blocked.size());
  for (const auto user : s.blocked) w.fixed(user.value);
  w.varint(s.members.size());
  for (const auto& m : s.members) {
    if (!members_apart) {
      put(w, m);
    } else if (m.unsaved) {
      out.parts.push_back({member_part(m.user), {}});
      base::Writer part_writer(out.parts.back().value);
      put(part_writer, m);
    }
  }
  w.varint(s.taken.size());
  for (const auto& t : s.taken) {
    if (!taken_apart) {
      put(w, t);
    } else if (t.unsaved) {
      out.parts.push_back(part(taken_key, t.source.view(), t));
    }
  }
  return out;
}

void mark_saved(ConversationState& state) {
  for (auto& m : state.members) m.unsaved = false;
  for (auto& t : state.taken) t.unsaved = false;
}

base::Result<ConversationState> decode_state(const ports::StoredState& stored) {
  auto head = decode_head(stored.value);
  if (!head) return base::fail(head.error());
  auto& s = head->state;
  // What was quarantined has lost its value, and its parts mean nothing any more.
  if (s.quarantined) return std::move(s);
  const size_t members_inside = s.members.size(), taken_inside = s.taken.size();
  for (const auto& part : stored.parts) {
    if (!add_part(s, part)) return base::failure("a part of a conversation's state cannot be read");
  }
  const bool good =
      s.members.size() == members_inside + head->members_apart &&
      s.taken.size() == taken_inside + head->taken_apart &&
      std::ranges::is_sorted(s.members, std::ranges::less_equal{}, &Member::user) &&
      std::ranges::is_sorted(s.taken, std::ranges::less_equal{}, &Taken::source) &&
      std::ranges::is_sorted(s.blocked) &&
      static_cast<size_t>(std::ranges::count_if(s.members, &Member::is_member)) == s.member_count;
  if (!good) return base::failure("a conversation's state does not agree with its parts");
  return std::move(s);
}

base::Result<ConversationState> glance(const ports::StoredState& stored) {
  auto head = decode_head(stored.value);
  if (!head) return base::fail(head.error());
  auto& s = head->state;
  s.partial = head->members_apart > 0;
  for (const auto& part : stored.parts) {
    if (s.partial && part.key.starts_with(member_key) && !add_part(s, part))
      return base::failure("a part of a conversation's state cannot be read");
  }
  return std::move(s);
}

}  // namespace tidings::fold
