#include "test/sim/device.h"

#include <algorithm>

#include <fmt/format.h>

namespace tidings::sim {

Device::Device(Parts parts, Prng random)
    : clock(parts.scheduler, parts.start_of_time),
      parts_(std::move(parts)),
      random_(random),
      number_(parts_.history.add_device({parts_.name, parts_.user, true})) {}

Device::~Device() {
  if (process_) process_->kill();
}

void Device::start() {
  if (core_) return;
  process_ = &parts_.scheduler.make_process(fmt::format("{} {}", parts_.name, ++runs_));
  executor_ = &process_->make_executor();
  process_->on_crash([this, process = process_] {
    if (!core_ || process_ != process) return;  // something else ended it in that moment
    end();
    if (crashed_) crashed_();
  });
  auto& executor = *executor_;
  core_ = std::make_unique<client::Core>(client::Core::Parts{
      .executor = executor,
      .clock = clock,
      .random = random_,
      .outbox = *this,
      .listener = *this,
      .token = parts_.token,
      .app = "sim/1",
      .open_transport = [this, &executor](auto done) { parts_.network.open(executor, std::move(done)); }});
  executor.post([this] {
    if (!core_->connect().ok()) process_->crash();
  });
}

void Device::kill() {
  if (!core_) return;
  process_->kill();
  end();
}

void Device::end() {
  core_.reset();
  parts_.history.restart(now_ns(), number_);
}

void Device::crash_in(uint64_t steps, std::function<void()> crashed) {
  if (!core_) return;
  crashed_ = std::move(crashed);
  process_->crash_in(steps);
}

void Device::say(model::UserId to, std::vector<std::string> texts) {
  if (!core_) return;
  executor_->post([this, to, texts = std::move(texts)] {
    const auto conversation = model::direct_conversation(parts_.user, to);
    if (core_->conversation(conversation)) return send(conversation, texts);
    core_->open_direct(to, [this, texts](wire::Answer<model::ConversationId> opened) {
      if (opened.ok()) send(*opened, texts);
    });
  });
}

void Device::send(const model::ConversationId& conversation, const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    if (!core_->send(conversation, {model::MessageKind::text, text}).ok()) return;
  }
}

std::vector<client::ConversationView> Device::conversations() const {
  return core_ ? core_->conversations() : std::vector<client::ConversationView>{};
}

void Device::give_copies(bool fresh) const {
  for (const auto& view : conversations()) {
    checker::Copy copy{parts_.name, fresh, parts_.user, view.conversation, {}};
    for (const auto& event : core_->events(view.conversation))
      copy.events.push_back(checker::observed(event));
    parts_.history.final_copy(std::move(copy));
  }
}

base::Result<std::vector<client::OutboxMessage>> Device::load() {
  return outbox_;
}

// The moment from which on the message may be stored somewhere: a crash right behind it loses the call's
// answer only.
base::Status Device::put(const client::OutboxMessage& message) {
  process_->step();
  const auto same = std::find_if(outbox_.begin(), outbox_.end(),
                                 [&](const auto& old) { return old.client_id == message.client_id; });
  if (same == outbox_.end()) {
    parts_.history.invoke(now_ns(), number_, message.conversation, message.client_id, message.message);
  } else {
    outbox_.erase(same);
  }
  insert(message);
  process_->step();
  return {};
}

void Device::insert(const client::OutboxMessage& message) {
  const auto place = std::upper_bound(outbox_.begin(), outbox_.end(), message,
                                      [](const auto& a, const auto& b) { return a.order < b.order; });
  outbox_.insert(place, message);
}

base::Status Device::replace(const model::ClientId& old, const client::OutboxMessage& message) {
  process_->step();
  parts_.history.invoke(now_ns(), number_, message.conversation, message.client_id, message.message);
  std::erase_if(outbox_, [&](const auto& one) { return one.client_id == old; });
  insert(message);
  process_->step();
  return {};
}

base::Status Device::remove(const model::ClientId& client_id) {
  std::erase_if(outbox_, [&](const auto& message) { return message.client_id == client_id; });
  return {};
}

void Device::on_connection(client::Connection state, std::optional<wire::Code> why, base::nanoseconds) {
  constexpr std::array<const char*, 5> words{"offline", "connecting", "syncing", "online", "refused"};
  parts_.note(fmt::format("{} is {}{}{}", parts_.name, words[static_cast<size_t>(state)], why ? ": " : "",
                          why ? wire::name(*why) : ""));
}
void Device::on_event(const model::Event& event) {
  parts_.history.show(now_ns(), number_, event);
}
void Device::on_sent(const client::Sent& sent) {
  parts_.history.ok(now_ns(), number_, sent.conversation, sent.client_id, sent.seq, sent.id);
}
void Device::on_failed(const client::OutboxMessage& message, const wire::Problem&) {
  parts_.history.fail(now_ns(), number_, message.client_id);
}
// The server found the time in the old id too far ahead and will never take it.
void Device::on_renamed(const model::ClientId& before, const model::ClientId&) {
  parts_.history.fail(now_ns(), number_, before);
}
void Device::on_reset(const model::ConversationId& conversation) {
  parts_.history.reset(now_ns(), number_, conversation);
}

}  // namespace tidings::sim
