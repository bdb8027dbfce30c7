#include "test/checker/history.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/hash.h"

namespace tidings::checker {
namespace {

void write(base::Writer& out, const Observed& event) {
  out.raw(event.conversation.bytes);
  out.fixed(event.seq.value);
  out.fixed(event.id.value);
  out.fixed(event.from.value);
  out.raw(event.client_id.bytes);
  out.fixed(event.content);
  out.fixed(static_cast<uint8_t>(event.is_message));
}

struct Writing {
  base::Writer& out;

  void users(std::vector<model::UserId> all) const {
    std::sort(all.begin(), all.end());
    for (const auto user : all) out.fixed(user.value);
  }
  void operator()(const model::MessageCreated&) const {}
  void operator()(const model::ConversationCreated& created) const {
    out.fixed(static_cast<uint8_t>(created.kind));
    users(created.members);
    out.string(created.title);
    out.fixed(static_cast<uint8_t>(created.history));
  }
  void operator()(const model::ConversationUpdated& updated) const {
    out.string(updated.title.value_or("-"));
    out.fixed(static_cast<uint8_t>(updated.history.value_or(model::History{})));
  }
  void operator()(const model::MembersAdded& added) const { users(added.members); }
  void operator()(const model::MemberRemoved& removed) const { out.fixed(removed.user.value); }
  void operator()(const model::MemberLeft& left) const {
    out.fixed(left.user.value);
    out.fixed(left.successor.value_or(model::UserId{}).value);
  }
  void operator()(const model::RoleChanged& changed) const {
    out.fixed(changed.user.value);
    out.fixed(static_cast<uint8_t>(changed.role));
  }
  void operator()(const model::ConversationListed& listed) const {
    out.raw(listed.conversation.bytes);
    out.fixed(static_cast<uint8_t>(listed.kind));
    out.fixed(static_cast<uint8_t>(listed.listed));
  }
  void operator()(const model::BlockSet& set) const {
    out.fixed(set.user.value);
    out.fixed(static_cast<uint8_t>(set.blocked));
  }
};

uint64_t content_of(const decltype(model::Event::body)& body) {
  base::Bytes bytes;
  base::Writer out(bytes);
  std::visit(Writing{out}, body);
  return base::xxh64(bytes, 1 + body.index());
}

}  // namespace

uint64_t content_of(const model::Message& message) {
  return base::xxh64(message.text);
}

Observed observed(const model::Event& event) {
  Observed out{.conversation = event.conversation,
               .seq = event.seq,
               .id = event.id,
               .from = event.from,
               .client_id = event.client_id,
               .body = nullptr};
  if (const auto* message = std::get_if<model::MessageCreated>(&event.body)) {
    out.content = content_of(message->message);
  } else {
    out.content = content_of(event.body);
    out.is_message = false;
    out.body = std::make_shared<const decltype(event.body)>(event.body);
  }
  return out;
}

Device History::add_device(DeviceInfo info) {
  devices_.push_back(std::move(info));
  return static_cast<Device>(devices_.size() - 1);
}

void History::add(int64_t time_ns, What what, Device device, Observed event, uint64_t number) {
  records_.push_back({time_ns, what, device, std::move(event), number});
}

void History::invoke(int64_t time_ns, Device device, const model::ConversationId& conversation,
                     const model::ClientId& client_id, const model::Message& message) {
  add(time_ns, What::invoke, device,
      {.conversation = conversation,
       .from = devices_[device].user,
       .client_id = client_id,
       .content = content_of(message)});
}
void History::ok(int64_t time_ns, Device device, const model::ConversationId& conversation,
                 const model::ClientId& client_id, model::Seq seq, model::MessageId id) {
  add(time_ns, What::ok, device,
      {.conversation = conversation,
       .seq = seq,
       .id = id,
       .from = devices_[device].user,
       .client_id = client_id});
}
void History::fail(int64_t time_ns, Device device, const model::ClientId& client_id) {
  add(time_ns, What::fail, device, {.from = devices_[device].user, .client_id = client_id});
}
void History::show(int64_t time_ns, Device device, const model::Event& event) {
  add(time_ns, What::show, device, observed(event));
}
void History::hold(int64_t time_ns, Device device, const model::ConversationId& conversation,
                   model::Seq seq) {
  add(time_ns, What::hold, device, {.conversation = conversation, .seq = seq, .body = nullptr});
}
void History::reset(int64_t time_ns, Device device, const model::ConversationId& conversation) {
  add(time_ns, What::reset, device, {.conversation = conversation});
}
void History::restart(int64_t time_ns, Device device) {
  add(time_ns, What::restart, device, {});
}
void History::copy_aside(int64_t time_ns, uint64_t number) {
  add(time_ns, What::copy, 0, {}, number);
}
void History::restore(int64_t time_ns, uint64_t number) {
  add(time_ns, What::restore, 0, {}, number);
}

void History::mark(int64_t time_ns, Device device, const model::ConversationId& conversation, model::Seq read,
                   bool hidden) {
  add(time_ns, What::mark, device,
      {.conversation = conversation, .seq = read, .from = devices_[device].user, .body = nullptr}, hidden);
}
void History::receipt_seen(int64_t time_ns, Device device, const model::ConversationId& conversation,
                           model::UserId user, model::Seq read, model::Seq delivered) {
  add(time_ns, What::receipt, device,
      {.conversation = conversation, .seq = read, .from = user, .body = nullptr}, delivered.value);
}

uint64_t History::hash() const {
  base::Bytes bytes;
  base::Writer out(bytes);
  for (const auto& record : records_) {
    out.fixed(record.time_ns);
    out.fixed(static_cast<uint8_t>(record.what));
    out.fixed(record.device);
    write(out, record.event);
    out.fixed(record.number);
  }
  for (const auto& page : pages_) {
    out.fixed(page.time_ns);
    out.fixed(page.after.value);
    out.fixed(page.upto.value);
    for (const auto& event : page.events) write(out, event);
  }
  for (const auto& copy : copies_) {
    out.string(copy.holder);
    for (const auto& event : copy.events) write(out, event);
  }
  for (const auto& view : views_) {
    out.raw(view.conversation.bytes);
    out.string(view.title);
    out.fixed(view.member_count);
    for (const auto& mark : view.marks) {
      out.fixed(mark.user.value);
      out.fixed(mark.read.value);
      out.fixed(mark.delivered.value);
    }
    out.fixed(view.unread);
  }
  for (const auto& seen : unread_) out.fixed(seen.unread);
  for (const auto& [from, hash] : folds_) out.fixed(hash);
  for (const auto& owed : owed_) out.fixed(owed.by_ns);
  for (const auto& sentence : stuck_) out.string(sentence);
  return base::xxh64(bytes);
}

}  // namespace tidings::checker
