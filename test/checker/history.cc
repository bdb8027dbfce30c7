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

uint64_t content_of(const model::ConversationCreated& created) {
  auto members = created.members;
  std::sort(members.begin(), members.end());
  base::Bytes bytes;
  base::Writer out(bytes);
  out.fixed(static_cast<uint8_t>(created.kind));
  for (const auto member : members) out.fixed(member.value);
  return base::xxh64(bytes, 1);
}

}  // namespace

uint64_t content_of(const model::Message& message) {
  return base::xxh64(message.text);
}

Observed observed(const model::Event& event) {
  const auto* message = std::get_if<model::MessageCreated>(&event.body);
  return {
      event.conversation,
      event.seq,
      event.id,
      event.from,
      event.client_id,
      message ? content_of(message->message) : content_of(std::get<model::ConversationCreated>(event.body)),
      message != nullptr};
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
  for (const auto& [from, hash] : folds_) out.fixed(hash);
  for (const auto& sentence : stuck_) out.string(sentence);
  return base::xxh64(bytes);
}

}  // namespace tidings::checker
