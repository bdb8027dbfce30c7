#include "fold/state.h"

#include <algorithm>

namespace tidings::fold {

namespace {
constexpr uint8_t state_schema = 1;
constexpr size_t members_max = 1024;

void put(base::Writer& w, const Entry& e) {
  w.varint(e.seq.value);
  w.varint(e.ord.value);
  w.fixed(e.id.value);
  w.fixed(e.body_hash);
  w.varint(e.position.value);
}
Entry take_entry(base::Reader& r) {
  Entry e;
  e.seq = {r.varint()};
  e.ord = {r.varint()};
  e.id = {r.fixed<uint64_t>()};
  e.body_hash = r.fixed<uint64_t>();
  e.position = {r.varint()};
  return e;
}

void put(base::Writer& w, const Member& m) {
  w.fixed(m.user.value);
  w.varint(m.joined.value);
  w.varint(m.read.value);
  w.varint(m.delivered.value);
  w.varint(m.read_ord.value);
  w.fixed(static_cast<uint8_t>((m.evicted ? 1 : 0) | (m.highest ? 2 : 0)));
  if (m.highest) w.raw(m.highest->bytes);
  w.varint(m.own_after_read.size());
  for (const auto& own : m.own_after_read) {
    w.varint(own.seq.value);
    w.varint(own.ord.value);
  }
  w.varint(m.newest.size());
  for (const auto& e : m.newest) {
    w.raw(e.client_id.bytes);
    put(w, e.entry);
  }
}
bool take(base::Reader& r, Member& m) {
  m.user = {r.fixed<uint64_t>()};
  m.joined = {r.varint()};
  m.read = {r.varint()};
  m.delivered = {r.varint()};
  m.read_ord = {r.varint()};
  const auto flags = r.fixed<uint8_t>();
  m.evicted = flags & 1;
  if (flags & 2) m.highest = model::ClientId{r.array<16>()};
  const uint64_t own = r.varint();
  if (!r.ok() || flags > 3 || own > own_after_read_max) return false;
  m.own_after_read.resize(own);
  for (auto& o : m.own_after_read) {
    o.seq = {r.varint()};
    o.ord = {r.varint()};
  }
  const uint64_t entries = r.varint();
  if (!r.ok() || entries > newest_entries_max) return false;
  m.newest.reserve(newest_entries_max);
  m.newest.resize(entries);
  for (auto& e : m.newest) {
    e.client_id = {r.array<16>()};
    e.entry = take_entry(r);
  }
  return r.ok();
}
}  // namespace

Member* ConversationState::member(model::UserId user) {
  const auto it =
      std::find_if(members.begin(), members.end(), [user](const Member& m) { return m.user == user; });
  return it == members.end() ? nullptr : &*it;
}
const Member* ConversationState::member(model::UserId user) const {
  return const_cast<ConversationState*>(this)->member(user);
}

uint64_t unread(const ConversationState& c, const Member& m) {
  const model::Ord base = m.read_ord;
  uint64_t own = 0;
  for (const auto& o : m.own_after_read) own += o.ord > base;
  return c.ord.value - base.value - own;
}

base::Bytes encode_state(const ConversationState& s) {
  base::Bytes out;
  out.reserve(128 + s.members.size() * 128);
  base::Writer w(out);
  w.fixed(state_schema);
  w.fixed(static_cast<uint8_t>(s.kind));
  w.varint(s.seq.value);
  w.varint(s.ord.value);
  w.fixed(s.created_id.value);
  w.fixed(s.head_id.value);
  w.varint(s.marks);
  w.varint(s.applied.value);
  w.fixed(s.chain);
  w.varint(s.members.size());
  for (const auto& m : s.members) put(w, m);
  return out;
}

base::Result<ConversationState> decode_state(base::BytesView bytes) {
  base::Reader r(bytes);
  ConversationState s;
  if (r.fixed<uint8_t>() != state_schema)
    return base::failure("a conversation's state has an unknown schema");
  const auto kind = r.fixed<uint8_t>();
  s.kind = static_cast<model::ConversationKind>(kind);
  s.seq = {r.varint()};
  s.ord = {r.varint()};
  s.created_id = {r.fixed<uint64_t>()};
  s.head_id = {r.fixed<uint64_t>()};
  s.marks = r.varint();
  s.applied = {r.varint()};
  s.chain = r.fixed<uint64_t>();
  const uint64_t members = r.varint();
  bool good =
      r.ok() && kind == static_cast<uint8_t>(model::ConversationKind::direct) && members <= members_max;
  for (uint64_t i = 0; good && i < members; ++i) good = take(r, s.members.emplace_back());
  if (!good || !r.finished()) return base::failure("a conversation's state cannot be read");
  return s;
}

base::Bytes encode_entry(const Entry& entry) {
  base::Bytes out;
  base::Writer w(out);
  put(w, entry);
  return out;
}

base::Result<Entry> decode_entry(base::BytesView bytes) {
  base::Reader r(bytes);
  const Entry e = take_entry(r);
  if (!r.finished()) return base::failure("a dedupe entry cannot be read");
  return e;
}

}  // namespace tidings::fold
