#include "wire/record.h"

#include "base/hash.h"

namespace tidings::wire {
namespace {

using base::Reader;
using base::Writer;
using namespace model;

constexpr uint8_t schema_number = 1;

enum class RecordTag : uint8_t { command = 1, lineage = 2, fold_version = 3 };
enum class CommandTag : uint8_t { create_conversation = 1, send_message = 2 };
enum class EventTag : uint8_t { conversation_created = 1, message_created = 2 };

template <class Enum>
void put(Writer& out, Enum value) {
  out.fixed(static_cast<uint8_t>(value));
}
template <class Enum>
Enum get(Reader& in) {
  return static_cast<Enum>(in.fixed<uint8_t>());
}

template <class Id>
Id get_uuid(Reader& in) {
  return Id{in.array<16>()};
}

void put_time(Writer& out, base::WallTime time) {
  out.fixed<int64_t>(base::to_ms(time));
}
base::WallTime get_time(Reader& in) {
  return base::wall_from_ms(in.fixed<int64_t>());
}

// Times are written as the difference to a time that is known anyway; it wraps, so that any value survives.
uint64_t zigzag(uint64_t n) {
  return n << 1 ^ (n >> 63 ? ~uint64_t{0} : 0);
}
uint64_t unzigzag(uint64_t n) {
  return n >> 1 ^ (n & 1 ? ~uint64_t{0} : 0);
}

void put_people(Writer& out, ConversationKind kind, const std::vector<UserId>& members) {
  put(out, kind);
  out.varint(members.size());
  for (const UserId member : members) out.fixed(member.value);
}
bool get_people(Reader& in, ConversationKind& kind, std::vector<UserId>& members) {
  kind = get<ConversationKind>(in);
  const uint64_t count = in.varint();
  if (kind != ConversationKind::direct || count > in.left() / sizeof(uint64_t)) return false;
  members.reserve(count);
  for (uint64_t i = 0; i < count; ++i) members.push_back({in.fixed<uint64_t>()});
  return true;
}

void put_message(Writer& out, const Message& message) {
  put(out, message.kind);
  out.string(message.text);
}
bool get_message(Reader& in, Message& message) {
  message.kind = get<MessageKind>(in);
  message.text = in.string();
  return message.kind == MessageKind::text;
}

// The canonical command: the same bytes in the log and under body_hash.
void put_body(Writer& out, const CreateConversation& body) {
  put(out, CommandTag::create_conversation);
  put_people(out, body.kind, body.members);
}
void put_body(Writer& out, const SendMessage& body) {
  put(out, CommandTag::send_message);
  put_message(out, body.message);
}

enum CommandFlags : uint8_t { errors_only = 1, has_previous = 2 };

void put_record(Writer& out, const Command& command) {
  put(out, RecordTag::command);
  const auto* send = std::get_if<SendMessage>(&command.body);
  const bool previous = send != nullptr && send->previous.has_value();
  out.fixed<uint8_t>((command.reply_to.errors_only ? errors_only : 0) | (previous ? has_previous : 0));
  out.fixed(command.user.value);
  out.fixed(command.device.value);
  out.fixed(command.reply_to.gateway);
  out.varint(command.reply_to.session);
  out.varint(command.reply_to.request);
  out.raw(command.conversation.bytes);
  out.raw(command.client_id.bytes);
  put_time(out, command.until);
  if (previous) out.raw(send->previous->bytes);
  std::visit([&](const auto& body) { put_body(out, body); }, command.body);
}
void put_record(Writer& out, const Lineage& lineage) {
  put(out, RecordTag::lineage);
  out.fixed(lineage.tag);
  out.fixed(lineage.base.value);
  put_time(out, lineage.time);
  put(out, lineage.reason);
}
void put_record(Writer& out, const FoldVersion& fold_version) {
  put(out, RecordTag::fold_version);
  out.fixed(fold_version.version);
}

bool get_command(Reader& in, Command& command) {
  const auto flags = in.fixed<uint8_t>();
  if (flags & ~(errors_only | has_previous)) return false;
  command.user = {in.fixed<uint64_t>()};
  command.device = {in.fixed<uint64_t>()};
  command.reply_to.gateway = in.fixed<uint64_t>();
  command.reply_to.session = in.varint();
  command.reply_to.request = in.varint();
  command.reply_to.errors_only = flags & errors_only;
  command.conversation = get_uuid<ConversationId>(in);
  command.client_id = get_uuid<ClientId>(in);
  command.until = get_time(in);
  std::optional<ClientId> previous;
  if (flags & has_previous) previous = get_uuid<ClientId>(in);
  switch (get<CommandTag>(in)) {
    case CommandTag::create_conversation: {
      CreateConversation body;
      if (previous || !get_people(in, body.kind, body.members)) return false;
      command.body = std::move(body);
      return true;
    }
    case CommandTag::send_message: {
      SendMessage body;
      if (!get_message(in, body.message)) return false;
      body.previous = previous;
      command.body = std::move(body);
      return true;
    }
  }
  return false;
}

bool get_lineage(Reader& in, Lineage& lineage) {
  lineage.tag = in.fixed<uint64_t>();
  lineage.base = {in.fixed<uint64_t>()};
  lineage.time = get_time(in);
  lineage.reason = get<Lineage::Reason>(in);
  return lineage.reason >= Lineage::Reason::start && lineage.reason <= Lineage::Reason::promotion;
}

bool get_record(Reader& in, Record& record) {
  switch (get<RecordTag>(in)) {
    case RecordTag::command:
      return get_command(in, record.emplace<Command>());
    case RecordTag::lineage:
      return get_lineage(in, record.emplace<Lineage>());
    case RecordTag::fold_version:
      record = FoldVersion{in.fixed<uint32_t>()};
      return true;
  }
  return false;
}

bool get_event(Reader& in, Event& event) {
  event.seq = {in.varint()};
  event.ord = {in.varint()};
  event.id = {in.fixed<uint64_t>()};
  const auto id_ms = static_cast<uint64_t>(base::to_ms(message_time(event.id)));
  event.time = base::wall_from_ms(static_cast<int64_t>(id_ms + unzigzag(in.varint())));
  event.from = {in.fixed<uint64_t>()};
  event.client_id = get_uuid<ClientId>(in);
  switch (get<EventTag>(in)) {
    case EventTag::conversation_created: {
      auto& body = event.body.emplace<ConversationCreated>();
      return get_people(in, body.kind, body.members);
    }
    case EventTag::message_created:
      return get_message(in, event.body.emplace<MessageCreated>().message);
  }
  return false;
}

// Every value begins with the number of its schema.
base::Status check_schema(Reader& in, const char* what) {
  const auto schema = in.fixed<uint8_t>();
  if (!in.ok()) return base::failure(std::string(what) + " is empty.");
  if (schema > schema_number) {
    return base::failure(std::string(what) + " has schema " + std::to_string(schema) +
                         ", this server knows up to " + std::to_string(schema_number) +
                         "; use the newer server that wrote it.");
  }
  if (schema != schema_number) return base::failure(std::string(what) + " has no known schema.");
  return {};
}

}  // namespace

base::Bytes encode_record(const Record& record) {
  base::Bytes bytes;
  Writer out(bytes);
  out.fixed(schema_number);
  std::visit([&](const auto& r) { put_record(out, r); }, record);
  return bytes;
}

base::Result<Record> decode_record(base::BytesView bytes) {
  Reader in(bytes);
  if (auto schema = check_schema(in, "A record"); !schema) return base::fail(schema.error());
  Record record;
  if (!get_record(in, record) || !in.finished()) return base::failure("A record cannot be read.");
  return record;
}

uint64_t body_hash(const Command& command) {
  base::Bytes bytes;
  Writer out(bytes);
  std::visit([&](const auto& body) { put_body(out, body); }, command.body);
  return base::xxh64(bytes);
}

void append_event(base::Bytes& bytes, const Event& event) {
  Writer out(bytes);
  out.fixed(schema_number);
  out.varint(event.seq.value);
  out.varint(event.ord.value);
  out.fixed(event.id.value);
  out.varint(zigzag(static_cast<uint64_t>(base::to_ms(event.time)) -
                    static_cast<uint64_t>(base::to_ms(message_time(event.id)))));
  out.fixed(event.from.value);
  out.raw(event.client_id.bytes);
  if (const auto* created = std::get_if<ConversationCreated>(&event.body)) {
    put(out, EventTag::conversation_created);
    put_people(out, created->kind, created->members);
  } else {
    put(out, EventTag::message_created);
    put_message(out, std::get<MessageCreated>(event.body).message);
  }
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

base::Bytes encode_lineages(const std::vector<Lineage>& lineages) {
  base::Bytes bytes;
  Writer out(bytes);
  out.fixed(schema_number);
  out.varint(lineages.size());
  for (const auto& lineage : lineages) put_record(out, lineage);
  return bytes;
}

base::Result<std::vector<Lineage>> decode_lineages(base::BytesView bytes) {
  Reader in(bytes);
  if (auto schema = check_schema(in, "The list of lineages"); !schema) return base::fail(schema.error());
  std::vector<Lineage> lineages;
  const uint64_t count = in.varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    Lineage lineage;
    if (get<RecordTag>(in) != RecordTag::lineage || !get_lineage(in, lineage)) {
      return base::failure("The list of lineages cannot be read.");
    }
    lineages.push_back(lineage);
  }
  if (!in.finished()) return base::failure("The list of lineages cannot be read.");
  return lineages;
}

}  // namespace tidings::wire
