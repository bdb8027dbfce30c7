// Events in chunks, and what the store keeps about them: feed entries and steps.
#include "wire/record_bytes.h"

namespace tidings::wire {
namespace {

using base::Reader;
using base::Writer;
using namespace model;

enum class EventTag : uint8_t {
  conversation_created = 1,
  message_created = 2,
  conversation_updated = 3,
  members_added = 4,
  member_removed = 5,
  member_left = 6,
  role_changed = 7,
  conversation_listed = 8,
  block_set = 9,
};
constexpr auto kinds = static_cast<uint8_t>(std::variant_size_v<decltype(Event::body)>);
static_assert(kinds == static_cast<uint8_t>(EventTag::block_set));

// Times are written as the difference to a time that is known anyway; it wraps, so that any value survives.
uint64_t zigzag(uint64_t n) {
  return n << 1 ^ (n >> 63 ? ~uint64_t{0} : 0);
}
uint64_t unzigzag(uint64_t n) {
  return n >> 1 ^ (n & 1 ? ~uint64_t{0} : 0);
}

struct PutBody {
  Writer& out;

  void operator()(const ConversationCreated& body) const {
    put(out, EventTag::conversation_created);
    put_created(out, body);
  }
  void operator()(const MessageCreated& body) const {
    put(out, EventTag::message_created);
    put_message(out, body.message);
  }
  void operator()(const ConversationUpdated& body) const {
    put(out, EventTag::conversation_updated);
    put_updated(out, body);
  }
  void operator()(const MembersAdded& body) const {
    put(out, EventTag::members_added);
    put_users(out, body.members);
  }
  void operator()(const MemberRemoved& body) const {
    put(out, EventTag::member_removed);
    put_user(out, body.user);
  }
  void operator()(const MemberLeft& body) const {
    put(out, EventTag::member_left);
    put_user(out, body.user);
    put_flag(out, body.successor.has_value());
    if (body.successor) put_user(out, *body.successor);
  }
  void operator()(const RoleChanged& body) const {
    put(out, EventTag::role_changed);
    put_user(out, body.user);
    put(out, body.role);
  }
  void operator()(const ConversationListed& body) const {
    put(out, EventTag::conversation_listed);
    out.raw(body.conversation.bytes);
    put(out, body.kind);
    put_flag(out, body.listed);
  }
  void operator()(const BlockSet& body) const {
    put(out, EventTag::block_set);
    put_user(out, body.user);
    put_flag(out, body.blocked);
  }
};

bool get_body(Reader& in, Event& event) {
  switch (get<EventTag>(in)) {
    case EventTag::conversation_created:
      return get_created(in, event.body.emplace<ConversationCreated>());
    case EventTag::message_created:
      return get_message(in, event.body.emplace<MessageCreated>().message);
    case EventTag::conversation_updated:
      return get_updated(in, event.body.emplace<ConversationUpdated>());
    case EventTag::members_added:
      return get_users(in, event.body.emplace<MembersAdded>().members);
    case EventTag::member_removed:
      event.body = MemberRemoved{get_user(in)};
      return true;
    case EventTag::member_left: {
      auto& body = event.body.emplace<MemberLeft>();
      body.user = get_user(in);
      bool succeeded = false;
      if (!get_flag(in, succeeded)) return false;
      if (succeeded) body.successor = get_user(in);
      return true;
    }
    case EventTag::role_changed: {
      auto& body = event.body.emplace<RoleChanged>();
      body.user = get_user(in);
      return get_role(in, body.role);
    }
    case EventTag::conversation_listed: {
      auto& body = event.body.emplace<ConversationListed>();
      body.conversation = get_uuid<ConversationId>(in);
      return get_kind(in, body.kind) && get_flag(in, body.listed);
    }
    case EventTag::block_set: {
      auto& body = event.body.emplace<BlockSet>();
      body.user = get_user(in);
      return get_flag(in, body.blocked);
    }
  }
  return false;
}

bool get_event(Reader& in, Event& event) {
  event.seq = {in.varint()};
  event.ord = {in.varint()};
  event.id = {in.fixed<uint64_t>()};
  const auto id_ms = static_cast<uint64_t>(base::to_ms(message_time(event.id)));
  event.time = base::wall_from_ms(static_cast<int64_t>(id_ms + unzigzag(in.varint())));
  event.from = get_user(in);
  event.client_id = get_uuid<ClientId>(in);
  return get_body(in, event);
}

}  // namespace

void append_event(base::Bytes& bytes, const Event& event) {
  Writer out(bytes);
  out.fixed(schema_number);
  out.varint(event.seq.value);
  out.varint(event.ord.value);
  out.fixed(event.id.value);
  out.varint(zigzag(static_cast<uint64_t>(base::to_ms(event.time)) -
                    static_cast<uint64_t>(base::to_ms(message_time(event.id)))));
  put_user(out, event.from);
  out.raw(event.client_id.bytes);
  std::visit(PutBody{out}, event.body);
}

base::Result<std::vector<Event>> decode_chunk(const ConversationId& conversation, base::BytesView bytes) {
  std::vector<Event> events;
  Reader in(bytes);
  while (!in.at_end()) {
    if (auto schema = check_schema(in, "An event"); !schema) return base::fail(schema.error());
    Event event;
    event.conversation = conversation;
    if (!get_event(in, event) || !in.ok()) return base::failure("An event in a chunk cannot be read.");
    if (event.seq <= (events.empty() ? Seq{} : events.back().seq)) {
      return base::failure("The events of a chunk are not in order.");
    }
    events.push_back(std::move(event));
  }
  return events;
}

uint8_t feed_kind(const Event& event) {
  return static_cast<uint8_t>(event.body.index() + 1);
}

base::Bytes encode_feed(const std::vector<FeedRow>& rows) {
  base::Bytes bytes;
  Writer out(bytes);
  out.fixed(schema_number);
  out.varint(rows.size());
  for (const auto& row : rows) {
    out.varint(row.position.value);
    out.raw(row.conversation.bytes);
    out.varint(row.seq.value);
    out.fixed(row.kind);
  }
  return bytes;
}

base::Result<std::vector<FeedRow>> decode_feed(base::BytesView bytes) {
  Reader in(bytes);
  if (auto schema = check_schema(in, "An entry of the feed"); !schema) return base::fail(schema.error());
  constexpr size_t row_bytes_min = 1 + 16 + 1 + 1;
  const uint64_t count = in.varint();
  bool known = count <= in.left() / row_bytes_min;
  std::vector<FeedRow> rows;
  if (known) rows.reserve(count);
  for (uint64_t i = 0; i < count && known && in.ok(); ++i) {
    FeedRow row;
    row.position = {in.varint()};
    row.conversation = get_uuid<ConversationId>(in);
    row.seq = {in.varint()};
    row.kind = in.fixed<uint8_t>();
    known = row.kind >= 1 && row.kind <= kinds;
    rows.push_back(row);
  }
  if (!known || !in.finished()) return base::failure("An entry of the feed cannot be read.");
  return rows;
}

base::Bytes encode_step(const Step& step) {
  base::Bytes bytes;
  Writer out(bytes);
  // The time comes first: the store forgets by it (ports/store.h).
  put_time(out, step.time);
  out.fixed(schema_number);
  out.varint(step.read.value);
  out.varint(step.delivered.value);
  return bytes;
}

base::Result<Step> decode_step(base::BytesView bytes) {
  Reader in(bytes);
  Step step;
  step.time = get_time(in);
  if (auto schema = check_schema(in, "A step"); !schema) return base::fail(schema.error());
  step.read = {in.varint()};
  step.delivered = {in.varint()};
  if (!in.finished()) return base::failure("A step cannot be read.");
  return step;
}

}  // namespace tidings::wire
