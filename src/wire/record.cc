#include "base/hash.h"
#include "wire/record_bytes.h"

namespace tidings::wire {
namespace {

using base::Reader;
using base::Writer;
using namespace model;

enum class RecordTag : uint8_t {
  command = 1,
  lineage = 2,
  fold_version = 3,
  marking = 4,
  effect = 5,
  quarantine = 6,
};
enum class CommandTag : uint8_t {
  create_conversation = 1,
  send_message = 2,
  update_conversation = 3,
  add_members = 4,
  remove_member = 5,
  leave_conversation = 6,
  set_role = 7,
  set_block = 8,
};
enum class EffectTag : uint8_t { listing = 1, blocking = 2 };

// The canonical command: the same bytes in the log and under body_hash.
void put_body(Writer& out, const CreateConversation& body) {
  put(out, CommandTag::create_conversation);
  put_created(out, body);
}
void put_body(Writer& out, const SendMessage& body) {
  put(out, CommandTag::send_message);
  put_message(out, body.message);
}
void put_body(Writer& out, const UpdateConversation& body) {
  put(out, CommandTag::update_conversation);
  put_updated(out, body);
}
void put_body(Writer& out, const AddMembers& body) {
  put(out, CommandTag::add_members);
  put_users(out, body.users);
}
void put_body(Writer& out, const RemoveMember& body) {
  put(out, CommandTag::remove_member);
  put_user(out, body.user);
}
void put_body(Writer& out, const LeaveConversation&) {
  put(out, CommandTag::leave_conversation);
}
void put_body(Writer& out, const SetRole& body) {
  put(out, CommandTag::set_role);
  put_user(out, body.user);
  put(out, body.role);
}
void put_body(Writer& out, const SetBlock& body) {
  put(out, CommandTag::set_block);
  put_user(out, body.user);
  put_flag(out, body.blocked);
}

// False: unknown or out of bounds.
bool get_body(Reader& in, CreateConversation& body) {
  return get_created(in, body);
}
bool get_body(Reader& in, SendMessage& body) {
  return get_message(in, body.message);
}
bool get_body(Reader& in, UpdateConversation& body) {
  return get_updated(in, body);
}
bool get_body(Reader& in, AddMembers& body) {
  return get_users(in, body.users);
}
bool get_body(Reader& in, RemoveMember& body) {
  body.user = get_user(in);
  return true;
}
bool get_body(Reader&, LeaveConversation&) {
  return true;
}
bool get_body(Reader& in, SetRole& body) {
  body.user = get_user(in);
  return get_role(in, body.role);
}
bool get_body(Reader& in, SetBlock& body) {
  body.user = get_user(in);
  return get_flag(in, body.blocked);
}

enum CommandFlags : uint8_t { errors_only = 1, has_previous = 2 };
enum MarkingFlags : uint8_t { mark_errors_only = 1, is_hidden = 2 };

void put_reply_to(Writer& out, const ReplyTo& reply_to) {
  out.fixed(reply_to.gateway);
  out.varint(reply_to.session);
  out.varint(reply_to.request);
}
void get_reply_to(Reader& in, ReplyTo& reply_to) {
  reply_to.gateway = in.fixed<uint64_t>();
  reply_to.session = in.varint();
  reply_to.request = in.varint();
}

void put_record(Writer& out, const Command& command) {
  put(out, RecordTag::command);
  const auto* send = std::get_if<SendMessage>(&command.body);
  const bool previous = send != nullptr && send->previous.has_value();
  out.fixed<uint8_t>((command.reply_to.errors_only ? errors_only : 0) | (previous ? has_previous : 0));
  put_user(out, command.user);
  out.fixed(command.device.value);
  put_reply_to(out, command.reply_to);
  out.raw(command.conversation.bytes);
  out.raw(command.client_id.bytes);
  put_time(out, command.until);
  if (previous) out.raw(send->previous->bytes);
  std::visit([&](const auto& body) { put_body(out, body); }, command.body);
}
void put_record(Writer& out, const Marking& marking) {
  put(out, RecordTag::marking);
  out.fixed<uint8_t>((marking.reply_to.errors_only ? mark_errors_only : 0) |
                     (marking.hidden ? is_hidden : 0));
  put_user(out, marking.user);
  put_reply_to(out, marking.reply_to);
  out.raw(marking.conversation.bytes);
  out.varint(marking.read.value);
  out.varint(marking.read_ord.value);
  out.varint(marking.delivered.value);
}
// The source comes first, for effect_source().
void put_record(Writer& out, const Effect& effect) {
  put(out, RecordTag::effect);
  out.raw(effect.source.bytes);
  out.fixed(effect.source_position.value);
  out.raw(effect.conversation.bytes);
  put_user(out, effect.from);
  if (const auto* listing = std::get_if<Effect::Listing>(&effect.body)) {
    put(out, EffectTag::listing);
    put_user(out, listing->person);
    put(out, listing->kind);
    put_flag(out, listing->listed);
  } else {
    const auto& blocking = std::get<Effect::Blocking>(effect.body);
    put(out, EffectTag::blocking);
    put_user(out, blocking.by);
    put_user(out, blocking.user);
    put_flag(out, blocking.blocked);
  }
}
void put_record(Writer& out, const Quarantine& quarantine) {
  put(out, RecordTag::quarantine);
  out.raw(quarantine.conversation.bytes);
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
  command.user = get_user(in);
  command.device = {in.fixed<uint64_t>()};
  get_reply_to(in, command.reply_to);
  command.reply_to.errors_only = flags & errors_only;
  command.conversation = get_uuid<ConversationId>(in);
  command.client_id = get_uuid<ClientId>(in);
  command.until = get_time(in);
  std::optional<ClientId> previous;
  if (flags & has_previous) previous = get_uuid<ClientId>(in);
  const auto tag = get<CommandTag>(in);
  if (previous && tag != CommandTag::send_message) return false;
  const auto body = [&]<class Body>(Body value) {
    if (!get_body(in, value)) return false;
    command.body = std::move(value);
    return true;
  };
  switch (tag) {
    case CommandTag::create_conversation:
      return body(CreateConversation{});
    case CommandTag::send_message:
      return body(SendMessage{.message = {}, .previous = previous});
    case CommandTag::update_conversation:
      return body(UpdateConversation{});
    case CommandTag::add_members:
      return body(AddMembers{});
    case CommandTag::remove_member:
      return body(RemoveMember{});
    case CommandTag::leave_conversation:
      return body(LeaveConversation{});
    case CommandTag::set_role:
      return body(SetRole{});
    case CommandTag::set_block:
      return body(SetBlock{});
  }
  return false;
}

bool get_marking(Reader& in, Marking& marking) {
  const auto flags = in.fixed<uint8_t>();
  if (flags & ~(mark_errors_only | is_hidden)) return false;
  marking.user = get_user(in);
  get_reply_to(in, marking.reply_to);
  marking.reply_to.errors_only = flags & mark_errors_only;
  marking.hidden = flags & is_hidden;
  marking.conversation = get_uuid<ConversationId>(in);
  marking.read = {in.varint()};
  marking.read_ord = {in.varint()};
  marking.delivered = {in.varint()};
  return true;
}

bool get_effect(Reader& in, Effect& effect) {
  effect.source = get_uuid<ConversationId>(in);
  effect.source_position = {in.fixed<uint64_t>()};
  effect.conversation = get_uuid<ConversationId>(in);
  effect.from = get_user(in);
  switch (get<EffectTag>(in)) {
    case EffectTag::listing: {
      auto& listing = effect.body.emplace<Effect::Listing>();
      listing.person = get_user(in);
      return get_kind(in, listing.kind) && get_flag(in, listing.listed);
    }
    case EffectTag::blocking: {
      auto& blocking = effect.body.emplace<Effect::Blocking>();
      blocking.by = get_user(in);
      blocking.user = get_user(in);
      return get_flag(in, blocking.blocked);
    }
  }
  return false;
}

bool get_lineage(Reader& in, Lineage& lineage) {
  lineage.tag = in.fixed<uint64_t>();
  lineage.base = {in.fixed<uint64_t>()};
  lineage.time = get_time(in);
  return get_between(in, lineage.reason, Lineage::Reason::start, Lineage::Reason::promotion);
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
    case RecordTag::marking:
      return get_marking(in, record.emplace<Marking>());
    case RecordTag::effect:
      return get_effect(in, record.emplace<Effect>());
    case RecordTag::quarantine:
      record = Quarantine{get_uuid<ConversationId>(in)};
      return true;
  }
  return false;
}

}  // namespace

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

base::Bytes encode_record(const Record& record) {
  if (const auto* command = std::get_if<Command>(&record)) return encode_record(*command);
  base::Bytes bytes;
  Writer out(bytes);
  out.fixed(schema_number);
  std::visit([&](const auto& r) { put_record(out, r); }, record);
  return bytes;
}

base::Bytes encode_record(const Command& command) {
  constexpr size_t bytes_without_text_max = 120;
  const auto* send = std::get_if<SendMessage>(&command.body);
  base::Bytes bytes;
  bytes.reserve(bytes_without_text_max + (send ? send->message.text.size() : 0));
  Writer out(bytes);
  out.fixed(schema_number);
  put_record(out, command);
  return bytes;
}

base::Result<Record> decode_record(base::BytesView bytes) {
  Reader in(bytes);
  if (auto schema = check_schema(in, "A record"); !schema) return base::fail(schema.error());
  Record record;
  if (!get_record(in, record) || !in.finished()) return base::failure("A record cannot be read.");
  return record;
}

bool is_effect(base::BytesView record) {
  return record.size() >= 2 && static_cast<uint8_t>(record[0]) == schema_number &&
         static_cast<uint8_t>(record[1]) == static_cast<uint8_t>(RecordTag::effect);
}

std::optional<ConversationId> effect_source(base::BytesView record) {
  if (!is_effect(record)) return std::nullopt;
  Reader in(record.substr(2));
  const auto source = get_uuid<ConversationId>(in);
  return in.ok() ? std::optional(source) : std::nullopt;
}

uint64_t body_hash(const Command& command) {
  // Kept for the next one: the fold of a message allocates nothing.
  thread_local base::Bytes bytes;
  bytes.clear();
  Writer out(bytes);
  std::visit([&](const auto& body) { put_body(out, body); }, command.body);
  return base::xxh64(bytes);
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
