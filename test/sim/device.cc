#include "test/sim/device.h"

#include <algorithm>

#include <fmt/format.h>

namespace tidings::sim {
namespace {

bool joins(const model::Event& event, model::UserId user) {
  const auto* created = std::get_if<model::ConversationCreated>(&event.body);
  const auto* added = std::get_if<model::MembersAdded>(&event.body);
  const auto* members = created ? &created->members : added ? &added->members : nullptr;
  return members && std::find(members->begin(), members->end(), user) != members->end();
}

}  // namespace
Device::Device(Parts parts, Prng random)
    : clock(parts.scheduler, parts.start_of_time),
      parts_(std::move(parts)),
      random_(random.fork()),
      choices_(random.fork()),
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
  read_.clear();
  others_.clear();
  told_.clear();
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

const client::ConversationView* Device::some_group() {
  std::vector<model::ConversationId> groups;
  for (const auto& view : core_->conversations()) {
    const bool tries = !view.left || choices_.chance(50);
    if (view.kind == model::ConversationKind::group && tries) groups.push_back(view.conversation);
  }
  return groups.empty() ? nullptr : core_->conversation(groups[choices_.below(groups.size())]);
}

void Device::say_in_group(std::vector<std::string> texts) {
  if (!core_) return;
  executor_->post([this, texts = std::move(texts)] {
    if (const auto* group = some_group()) send(model::ConversationId(group->conversation), texts);
  });
}

void Device::create_group(std::string title, std::vector<model::UserId> members, model::History history) {
  if (!core_) return;
  executor_->post([this, title = std::move(title), members = std::move(members), history] {
    core_->create_group(title, members, history, [](const auto&) {});
  });
}

void Device::change_group(Change change, model::UserId user, const std::string& title) {
  if (!core_) return;
  executor_->post([this, change, user, title] {
    const auto* group = some_group();
    if (!group) return;
    const auto id = group->conversation;
    const auto done = [](const auto&) {};
    switch (change) {
      case Change::rename:
        return core_->rename(id, title, done);
      case Change::add:
        return core_->add_members(id, {user}, done);
      case Change::remove:
        return core_->remove_member(id, user, done);
      case Change::leave:
        return core_->leave(id, done);
      case Change::role:
        return core_->set_role(id, user, static_cast<model::Role>(choices_.between(1, 3)), done);
      case Change::history:
        return core_->set_history(id, choices_.chance(500) ? model::History::all : model::History::joining,
                                  done);
    }
  });
}

void Device::block(model::UserId user, bool blocked) {
  if (!core_) return;
  executor_->post([this, user, blocked] { core_->block(user, blocked, [](const auto&) {}); });
}

void Device::read_something() {
  if (!core_) return;
  executor_->post([this] {
    const auto views = core_->conversations();
    if (views.empty()) return;
    const auto& view = views[choices_.below(views.size())];
    const bool all = choices_.chance(600);
    read(view.conversation, all ? view.have.seq : model::Seq{choices_.below(view.have.seq.value + 1)});
    if (choices_.chance(300)) core_->focus(view.conversation);
  });
}

model::Seq Device::seq_held(const model::ConversationId& conversation, model::Seq seq) const {
  const auto events = core_->events(conversation);
  const auto above = std::upper_bound(events.begin(), events.end(), seq,
                                      [](model::Seq s, const model::Event& event) { return s < event.seq; });
  return above == events.begin() ? model::Seq{} : std::prev(above)->seq;
}

void Device::read(const model::ConversationId& conversation, model::Seq seq) {
  const auto* view = core_->conversation(conversation);
  if (!view || view->left || view->kind == model::ConversationKind::self) return;
  const auto held = seq_held(conversation, seq);
  if (held.value == 0) return;
  // As for a send: from here on it may be known.
  parts_.history.mark(now_ns(), number_, conversation, held, parts_.hides);
  process_->step();
  core_->read(conversation, seq, parts_.hides);
  // Marks at what nobody counts are moved by own messages, too, which nobody is told.
  for (const auto& event : core_->events(conversation)) {
    if (event.seq <= held && event.from != parts_.user && model::is_countable(event))
      read_[conversation] = std::max(read_[conversation], event.seq);
  }
}

model::Seq Device::own_log() const {
  const auto* view = core_ ? core_->conversation(model::self_conversation(parts_.user)) : nullptr;
  return view ? view->have.seq : model::Seq{};
}

std::string Device::mark_that_misses() const {
  for (const auto& view : conversations()) {
    if (view.left) continue;
    const auto mark = view.mark_of(parts_.user);
    const auto level = [&](const auto& map) {
      const auto found = map.find(view.conversation);
      return found == map.end() ? model::Seq{} : found->second;
    };
    if (mark.read >= level(read_) && mark.delivered >= level(others_)) continue;
    return fmt::format("{} has read seq {} and holds seq {} of {}, but its mark is {}, {}", parts_.name,
                       level(read_).value, level(others_).value, model::to_text(view.conversation),
                       mark.read.value, mark.delivered.value);
  }
  return {};
}

std::vector<model::ClientId> Device::unanswered() const {
  std::vector<model::ClientId> out;
  for (const auto& message : outbox_) out.push_back(message.client_id);
  return out;
}

void Device::owe(const std::vector<model::ClientId>& sends, int64_t by_ns) const {
  for (const auto& send : sends) parts_.history.owe(number_, send, by_ns);
}

std::vector<client::ConversationView> Device::conversations() const {
  return core_ ? core_->conversations() : std::vector<client::ConversationView>{};
}

void Device::give_copies(bool fresh) const {
  if (!core_) return;
  const auto give = [&](const model::ConversationId& conversation) {
    checker::Copy copy{parts_.name, fresh, parts_.user, conversation, {}};
    for (const auto& event : core_->events(conversation)) copy.events.push_back(checker::observed(event));
    parts_.history.final_copy(std::move(copy));
  };
  give(model::self_conversation(parts_.user));
  for (const auto& view : conversations()) {
    give(view.conversation);
    checker::View seen{.device = number_,
                       .fresh = fresh,
                       .conversation = view.conversation,
                       .title = view.title,
                       .left = view.left,
                       .role = view.role,
                       .member_count = view.member_count,
                       .members = view.members,
                       .marks = view.marks,
                       .unread = view.unread};
    std::sort(seen.members.begin(), seen.members.end());
    parts_.history.final_view(std::move(seen));
  }
  parts_.history.blocks_seen(number_, core_->blocked());
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
  if (joins(event, parts_.user)) {
    // The mark of who joins is there, which nobody is told.
    others_.erase(event.conversation);
    read_.erase(event.conversation);
  }
  if (event.from != parts_.user && model::is_countable(event)) others_[event.conversation] = event.seq;
  if (!choices_.chance(parts_.reads_per_mille)) return;
  const auto after = choices_.duration(base::milliseconds(choices_.chance(500) ? 20 : 3000));
  executor_->after(after,
                   [this, conversation = event.conversation, seq = event.seq] { read(conversation, seq); });
}
void Device::on_marks(const model::ConversationId& conversation) {
  const auto* view = core_->conversation(conversation);
  if (!view) return;
  for (const auto& mark : view->marks) {
    auto& told = told_[{conversation, mark.user}];
    if (told == mark) continue;
    told = mark;
    parts_.history.receipt_seen(now_ns(), number_, conversation, mark.user, mark.read, mark.delivered);
  }
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
void Device::on_held(const model::Event& event) {
  parts_.history.hold(now_ns(), number_, event.conversation, event.seq);
}
void Device::on_reset(const model::ConversationId& conversation) {
  read_.erase(conversation);
  others_.erase(conversation);
  std::erase_if(told_, [&](const auto& told) { return told.first.first == conversation; });
  parts_.history.reset(now_ns(), number_, conversation);
}

}  // namespace tidings::sim
