#include "client/cpp/core.h"

#include <simdjson.h>

#include "client/cpp/core_state.h"

namespace tidings::client {

namespace {

constexpr size_t outbox_messages_max = 100'000;
constexpr uint64_t history_events_max = 200;

}  // namespace

void Core::State::turn() {
  if (delivering) {
    again = true;
    return;
  }
  delivering = true;
  do {
    again = false;
    work();
    while (!notices.empty()) {
      auto notice = std::move(notices.front());
      notices.pop_front();
      notice();
    }
  } while (again);
  delivering = false;
  acknowledge();
}

// After the listener has heard of it.
void Core::State::acknowledge() {
  acks.heard(timelines.whole());
  if (!line.welcomed()) return;
  if (const auto ack = acks.due(now())) line.send(wire::encode(*ack));
  if (const auto at = acks.next()) alarm.by(*at);
}

void Core::State::called() {
  if (delivering) {
    again = true;
    return;
  }
  work();
  if (!notices.empty()) alarm.by(now());
}

void Core::State::work() {
  const base::MonotonicTime moment = now();
  line.act(moment);
  if (line.welcomed() && resume.ends(moment)) go_on(moment);
  for (const Outbox::Ended& ended : outbox.ended(moment)) {
    if (ended.renamed) {
      later([this, ended] { parts.listener.on_renamed(ended.message.client_id, *ended.renamed); });
    } else {
      later([this, ended] { parts.listener.on_failed(ended.message, ended.why); });
    }
  }
  const auto write = [this](const auto& frame) {
    if constexpr (requires { wire::encode(frame); }) line.send(wire::encode(frame));
  };
  for (const auto& frame : timelines.due(moment)) std::visit(write, frame);
  for (const auto& frame : commands.due(moment, last_request)) std::visit(write, frame);
  const auto route = [this](const model::ConversationId& conversation) {
    return Outbox::Route{timelines.settled(conversation), timelines.addressee(conversation)};
  };
  for (const auto& frame : outbox.due(moment, last_request, route)) write(frame);
  if (line.welcomed() && !resume.replaying()) {
    if (!std::exchange(focus_told, true)) write(wire::FocusFrame{focus});
    if (line.state() == Connection::syncing && timelines.caught_up()) line.caught_up();
  }
  tell_marks();
  if (const auto next = earlier(earlier(earlier(line.next(), timelines.next()), resume.next()),
                                earlier(commands.next(), outbox.next()))) {
    alarm.by(*next);
  }
}

void Core::State::tell_marks() {
  for (const auto& conversation : std::exchange(listed, {}))
    later([this, conversation] { parts.listener.on_listed(conversation); });
  for (const auto& conversation : std::exchange(marked, {}))
    later([this, conversation] { parts.listener.on_marks(conversation); });
}

void Core::State::command(Commands::Frame frame, const Commands::Done& done) {
  if (!commands.add(std::move(frame), done)) {
    later([done] { done(wire::problem(wire::Code::busy)); });
  }
  called();
}

void Core::State::change(Commands::Frame frame, const WhenDone& done) {
  command(std::move(frame), [done](const wire::Answer<wire::Ok>& answer) {
    if (!done) return;
    if (answer.ok()) {
      done(Done{answer->conversation, answer->seq, answer->duplicate});
    } else {
      done(wire::problem(answer.error().code, answer.error().detail));
    }
  });
}

void Core::State::open(Commands::Frame frame, const WhenOpened& done) {
  change(std::move(frame), [done](const wire::Answer<Done>& answer) {
    if (!done) return;
    if (answer.ok()) {
      done(answer->conversation);
    } else {
      done(wire::problem(answer.error().code, answer.error().detail));
    }
  });
}

Core::Core(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {}

Core::~Core() = default;

base::Status Core::connect() {
  if (auto loaded = state_->outbox.load(state_->now()); !loaded) return loaded;
  state_->line.start();
  state_->called();
  return {};
}

void Core::disconnect() {
  state_->line.stop();
  state_->called();
}

Connection Core::connection() const {
  return state_->line.state();
}

void Core::set_token(std::string token) {
  state_->parts.token = std::move(token);
}

std::optional<model::UserId> Core::user() const {
  if (state_->user.value == 0) return std::nullopt;
  return state_->user;
}

void Core::open_direct(model::UserId other, WhenOpened done) {
  if (const auto self = user()) {
    const auto id = model::direct_conversation(*self, other);
    if (conversation(id)) {
      if (done) state_->later([done = std::move(done), id] { done(id); });
      state_->called();
      return;
    }
  }
  state_->open(wire::ConversationCreate{.kind = model::ConversationKind::direct, .members = {other}}, done);
}

void Core::create_group(std::string title, std::vector<model::UserId> members, model::History history,
                        WhenOpened done) {
  state_->open(wire::ConversationCreate{.kind = model::ConversationKind::group,
                                        .members = std::move(members),
                                        .title = std::move(title),
                                        .history = history},
               done);
}

void Core::rename(const model::ConversationId& conversation, std::string title, WhenDone done) {
  state_->change(wire::ConversationUpdate{.conversation = conversation, .title = std::move(title)}, done);
}

void Core::set_history(const model::ConversationId& conversation, model::History history, WhenDone done) {
  state_->change(wire::ConversationUpdate{.conversation = conversation, .history = history}, done);
}

void Core::add_members(const model::ConversationId& conversation, std::vector<model::UserId> users,
                       WhenDone done) {
  state_->change(wire::MemberAdd{.conversation = conversation, .users = std::move(users)}, done);
}

void Core::remove_member(const model::ConversationId& conversation, model::UserId user, WhenDone done) {
  state_->change(wire::MemberRemove{.conversation = conversation, .user = user}, done);
}

void Core::leave(const model::ConversationId& conversation, WhenDone done) {
  state_->change(wire::ConversationLeave{.conversation = conversation}, done);
}

void Core::set_role(const model::ConversationId& conversation, model::UserId user, model::Role role,
                    WhenDone done) {
  state_->change(wire::MemberRole{.conversation = conversation, .user = user, .role = role}, done);
}

void Core::block(model::UserId user, bool blocked, WhenDone done) {
  state_->change(wire::BlockFrame{.user = user, .blocked = blocked}, done);
}

std::vector<model::UserId> Core::blocked() const {
  const auto& blocked = state_->timelines.blocked();
  return {blocked.begin(), blocked.end()};
}

void Core::read(const model::ConversationId& conversation, model::Seq seq, bool hidden) {
  state_->timelines.read(conversation, seq, hidden, state_->now());
  state_->called();
}

void Core::focus(std::optional<model::ConversationId> conversation) {
  if (state_->focus == conversation) return;
  state_->focus = conversation;
  state_->focus_told = false;
  state_->called();
}

Ticks Core::ticks(const model::ConversationId& conversation, model::Seq seq) const {
  const ConversationView* view = state_->timelines.view(conversation);
  return view ? client::ticks(*view, seq, state_->user) : Ticks{};
}

void Core::history(const model::ConversationId& conversation, model::Seq before, uint64_t limit,
                   WhenOlder done) {
  state_->timelines.history(
      {conversation, before, std::clamp<uint64_t>(limit, 1, history_events_max), std::move(done)});
  state_->called();
}

base::Result<model::ClientId> Core::send(const model::ConversationId& conversation, model::Message message) {
  if (message.text.size() > state_->limits.text_bytes_max) return base::failure("The text is too long.");
  if (!simdjson::validate_utf8(message.text)) return base::failure("The text is not valid UTF-8.");
  if (state_->outbox.size() >= outbox_messages_max)
    return base::failure("Too many messages wait to be sent.");
  const model::ClientId client_id = state_->ids.mint();
  wire::MessageSend frame{.request = state_->last_request + 1'000'000'000,
                          .conversation = conversation,
                          .client_id = client_id,
                          .previous = client_id,
                          .message = message};
  // Escapes may make it longer than any frame.
  if (wire::encode(frame).size() > state_->limits.frame_bytes_max)
    return base::failure("The text is too long.");
  if (auto added = state_->outbox.add({client_id, conversation, std::move(message)}); !added) {
    return base::fail(added.error());
  }
  state_->called();
  return client_id;
}

const ConversationView* Core::conversation(const model::ConversationId& id) const {
  return state_->timelines.view(id);
}
std::vector<ConversationView> Core::conversations() const {
  return state_->timelines.views();
}
std::vector<model::Event> Core::events(const model::ConversationId& id) const {
  return state_->timelines.events(id);
}
size_t Core::outbox_size() const {
  return state_->outbox.size();
}
size_t Core::command_count() const {
  return state_->commands.size();
}

}  // namespace tidings::client
