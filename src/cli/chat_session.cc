#include "cli/chat_session.h"

#include <algorithm>

#include "cli/chat_text.h"

namespace tidings::cli {

using base::MonotonicTime;
using client::Connection;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr size_t recent_messages = 10;
constexpr size_t names_asked_max = 50;
constexpr base::nanoseconds late_after = seconds(2);
constexpr base::nanoseconds look_up_again = seconds(1);
constexpr base::nanoseconds renew_again = seconds(2);
constexpr base::nanoseconds open_known_after = seconds(2);
constexpr base::nanoseconds patient_leaves_after = seconds(15);
constexpr base::nanoseconds leaves_after = seconds(2);

}  // namespace

ChatSession::ChatSession(Parts parts)
    : parts_(std::move(parts)),
      client_(parts_.reactor, {parts_.profile.address, parts_.profile.token, "chat/0.1"}, parts_.outbox,
              *this),
      alarm_(parts_.reactor, client_.clock(), [this] { act(); }) {}

ChatSession::~ChatSession() = default;

base::Status ChatSession::start() {
  return client_.core().connect();
}

void ChatSession::command(ChatCommand command) {
  // Counts from here, even if a command before it waits for the server.
  if (command.what == ChatCommand::What::quit) return input_ended();
  // A person hears at once that a line is not kept; a script's lines wait for as long as it may take.
  if (command.what == ChatCommand::What::send && opening_ && told_waiting_ && !parts_.patient) {
    return give_back(command.text);
  }
  commands_.push_back(std::move(command));
  run_commands();
}

void ChatSession::input_ended() {
  if (ending_) return;
  ending_ = true;
  leave_at_ = client_.clock().monotonic() + (parts_.patient ? patient_leaves_after : leaves_after);
  alarm_.by(*leave_at_);
  try_to_leave();
}

Status ChatSession::interrupted() {
  if (left_) return status_ok;
  run_out();
  tell_left();
  left_ = true;
  return gave_back_ ? status_failed : status_ok;
}

void ChatSession::run_commands() {
  using What = ChatCommand::What;
  while (!commands_.empty() && !opening_ && !left_) {
    // Before the first sync there is nothing to list.
    if (commands_.front().what == What::list && !was_online_) break;
    const ChatCommand command = std::move(commands_.front());
    commands_.pop_front();
    switch (command.what) {
      case What::open:
        open(command.text);
        break;
      case What::send:
        send(command.text);
        break;
      case What::list:
        list();
        break;
      case What::help:
        parts_.view.help();
        break;
      case What::bad:
        complain(command.text);
        break;
      case What::quit:
      case What::nothing:
        break;
    }
  }
  try_to_leave();
}

void ChatSession::open(const std::string& handle) {
  opening_ = handle;
  if (parts_.profile.known(handle) && !open_known_at_) {
    open_known_at_ = client_.clock().monotonic() + open_known_after;
    alarm_.by(*open_known_at_);
  }
  client_.rest().find_by_handle(handle, [this, handle](auto answer) { found(handle, std::move(answer)); });
}

void ChatSession::found(const std::string& handle,
                        base::Result<std::optional<client::PersonInfo>, client::RestProblem> answer) {
  if (opening_ != handle) return;  // opened from the profile meanwhile
  const auto give_up = [this](const std::string& sentence) {
    opening_.reset();
    open_known_at_.reset();
    told_waiting_ = false;
    complain(sentence);
    run_commands();
  };
  const bool expired =
      !answer.ok() && answer.error().code == wire::Code::token_expired && !parts_.profile.refresh.empty();
  const bool later = !answer.ok() && (expired || !answer.error().code ||
                                      wire::row(*answer.error().code).retry == wire::Retry::as_is);
  if (expired) return renew();
  if (later) {
    if (open_known()) return run_commands();
    if (!std::exchange(told_waiting_, true)) {
      parts_.view.note("The server does not answer; " + printable(handle) +
                       " is looked up as soon as it does. Until then nothing that you write is kept.");
      if (!parts_.patient) {
        std::deque<ChatCommand> others;
        for (ChatCommand& command : std::exchange(commands_, {})) {
          if (command.what == ChatCommand::What::send) {
            give_back(command.text);
          } else {
            others.push_back(std::move(command));
          }
        }
        commands_ = std::move(others);
      }
    }
    look_up_again_at_ = client_.clock().monotonic() + look_up_again;
    alarm_.by(*look_up_again_at_);
    return;
  }
  if (!answer.ok()) return give_up(printable(answer.error().sentence));
  if (!*answer) return give_up("There is nobody called " + shortened(printable(handle), 40) + " here.");
  const client::PersonInfo person = **answer;
  if (person.handle == parts_.profile.handle) return give_up("That is you.");
  names_[person.user] = printable(person.handle);
  client_.core().open_direct(
      person.user, [this, handle, other = person.user](wire::Answer<model::ConversationId> opened) {
        if (opened.ok() && parts_.profile.remember(*client_.core().user(), handle, other)) {
          if (auto saved = parts_.profile.save(); !saved) parts_.view.note(saved.error().sentence);
        }
        if (opening_ != handle) return;
        opening_.reset();
        open_known_at_.reset();
        told_waiting_ = false;
        if (opened.ok()) {
          others_[*opened] = other;
          open_conversation(*opened);
        } else {
          const wire::Problem& why = opened.error();
          complain(why.detail.empty() ? std::string(wire::row(why.code).sentence) : printable(why.detail));
        }
        run_commands();
      });
}

bool ChatSession::open_known() {
  const auto other = opening_ ? parts_.profile.known(*opening_) : std::nullopt;
  if (!other) return false;
  const auto conversation = model::direct_conversation(parts_.profile.user, *other);
  names_[*other] = printable(*opening_);
  others_[conversation] = *other;
  opening_.reset();
  open_known_at_.reset();
  told_waiting_ = false;
  opened_known_ = !was_online_;
  open_conversation(conversation);
  if (!running_out_) parts_.view.note("The server does not answer; what you write is kept and sent later.");
  // A restored server may have forgotten it: made again before anything is sent to it.
  client_.core().open_direct(*other, [](const auto&) {});
  return true;
}

void ChatSession::open_conversation(const model::ConversationId& conversation) {
  open_ = conversation;
  show_named(people_of(conversation), [this, conversation] {
    std::vector<ShownMessage> recent;
    if (const auto* view = client_.core().conversation(conversation))
      shown_to_[conversation] = view->have.seq;
    const auto events = client_.core().events(conversation);
    for (auto event = events.rbegin(); event != events.rend() && recent.size() < recent_messages; ++event) {
      if (auto message = shown(*event)) recent.push_back(std::move(*message));
    }
    std::reverse(recent.begin(), recent.end());
    parts_.view.opened(shown(conversation), recent);
  });
}

void ChatSession::send(const std::string& text) {
  if (!open_) {
    complain("Whom to? Open a conversation first: /open HANDLE.");
    if (parts_.patient) give_back(text);
    return;
  }
  auto sent = client_.core().send(*open_, {model::MessageKind::text, text});
  if (!sent) {
    complain("Not sent: " + sent.error().sentence);
    return give_back(text);
  }
  const MonotonicTime now = client_.clock().monotonic();
  pending_[*sent] = {text, now};
  typed_.insert(*sent);
  parts_.view.pending(*sent, text);
  alarm_.by(now + late_after);
}

void ChatSession::list() {
  const auto views = client_.core().conversations();
  std::vector<model::UserId> people;
  for (const auto& view : views) people.insert(people.end(), view.members.begin(), view.members.end());
  show_named(std::move(people), [this] {
    std::vector<ShownConversation> rows;
    for (const auto& view : client_.core().conversations()) rows.push_back(shown(view.conversation));
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
      return (a.last ? a.last->time : base::WallTime()) > (b.last ? b.last->time : base::WallTime());
    });
    parts_.view.list(rows);
  });
}

// --- what the client tells

void ChatSession::on_connection(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) {
  if (left_) return;
  if (state == Connection::refused && why == wire::Code::token_expired && !parts_.profile.refresh.empty()) {
    parts_.view.connection(Connection::offline, why, {});
    // Not from inside the core.
    renew_again_at_ = client_.clock().monotonic();
    return alarm_.by(*renew_again_at_);
  }
  parts_.view.connection(state, why, retry_in);
  if (state == Connection::online) {
    unknown_.clear();
    const bool first = !std::exchange(was_online_, true);
    if (first && !parts_.script && !open_ && !opening_) list();
    if (std::exchange(opened_known_, false) && open_ && !parts_.script) open_conversation(*open_);
    show_waiting();
    run_commands();
  }
  if (state != Connection::refused) return;
  const wire::Code code = why.value_or(wire::Code::internal);
  if (code == wire::Code::unauthenticated || code == wire::Code::token_expired ||
      code == wire::Code::device_revoked) {
    return log_in_ended();
  } else if (code == wire::Code::replaced) {
    parts_.view.error("This profile was opened somewhere else.");
  } else {
    parts_.view.error(std::string(wire::row(code).sentence));
  }
  leave(status_refused);
}

void ChatSession::log_in_ended() {
  parts_.profile.forget_log_in();
  (void)parts_.profile.save();
  parts_.view.error("This log-in has ended. Start again to log in with your password.");
  leave(status_refused);
}

void ChatSession::renew() {
  if (std::exchange(renewing_, true)) return;
  renew_again_at_.reset();
  client_.rest().refresh(parts_.profile.refresh, [this](auto answer) { renewed(answer); });
}

void ChatSession::renewed(const base::Result<client::LogIn, client::RestProblem>& answer) {
  renewing_ = false;
  if (left_) return;
  if (!answer.ok()) {
    const auto code = answer.error().code;
    if (code == wire::Code::unauthenticated || code == wire::Code::token_expired) return log_in_ended();
    renew_again_at_ = client_.clock().monotonic() + renew_again;
    return alarm_.by(*renew_again_at_);
  }
  if (auto kept = parts_.profile.keep(*answer); !kept) {
    parts_.view.error(kept.error().sentence);
    return leave(status_failed);
  }
  told_before_ = told_to_;
  was_online_ = false;
  asking_ = false;
  client_.renew(parts_.profile.token);
  if (auto started = client_.core().connect(); !started) {
    parts_.view.error(started.error().sentence);
    return leave(status_failed);
  }
  // What the old client was asked is not answered any more.
  if (opening_) open(std::string(*opening_));
}

void ChatSession::on_event(const model::Event& event) {
  const auto before = told_before_.find(event.conversation);
  if (before != told_before_.end() && event.seq <= before->second) return;
  told_to_[event.conversation] = event.seq;
  const bool typed_here = typed_.erase(event.client_id) > 0;
  if (!std::holds_alternative<model::MessageCreated>(event.body)) return;
  const bool history = !was_online_;
  if (history && !parts_.script) return;
  const bool mine = event.from == client_.core().user();
  if (!parts_.script && !mine && !open_ && !opening_) {
    parts_.view.note("Somebody writes to you; what you type goes to them.");
    return open_conversation(event.conversation);
  }
  show_named(people_of(event.conversation), [this, event, typed_here, history] {
    auto message = shown(event);
    const auto shown_before = shown_to_.find(event.conversation);
    const bool again = shown_before != shown_to_.end() && event.seq <= shown_before->second;
    if (!message || (again && !parts_.script)) return;
    message->typed_here = typed_here;
    message->history = history;
    parts_.view.message(*message);
  });
}

void ChatSession::on_sent(const client::Sent& sent) {
  const auto pending = pending_.find(sent.client_id);
  const std::string text = pending == pending_.end() ? "" : pending->second.text;
  if (pending != pending_.end()) pending_.erase(pending);
  parts_.view.sent(sent, text);
  alarm_.by(client_.clock().monotonic());  // its event comes before one may leave
}

void ChatSession::on_failed(const client::OutboxMessage& message, const wire::Problem& why) {
  pending_.erase(message.client_id);
  typed_.erase(message.client_id);
  failed_ = true;
  parts_.view.failed(message.client_id, message.message.text, why);
  alarm_.by(client_.clock().monotonic());
}

void ChatSession::on_reset(const model::ConversationId& conversation) {
  shown_to_.erase(conversation);
  told_to_.erase(conversation);
  told_before_.erase(conversation);
  show_named(people_of(conversation), [this, conversation] {
    const auto other = other_of(conversation);
    parts_.view.reset(conversation, other ? name(*other) : "somebody");
  });
}

void ChatSession::on_renamed(const model::ClientId& from, const model::ClientId& to) {
  if (auto pending = pending_.extract(from)) {
    pending.key() = to;
    pending_.insert(std::move(pending));
  }
  if (typed_.erase(from) > 0) typed_.insert(to);
  parts_.view.renamed(from, to);
}

// --- time

void ChatSession::act() {
  const MonotonicTime now = client_.clock().monotonic();
  if (open_known_at_ && *open_known_at_ <= now) {
    open_known_at_.reset();
    // While online the look-up's answer is near, and tells more.
    if (client_.core().connection() != Connection::online && open_known()) run_commands();
  }
  if (left_) return;
  if (open_known_at_) alarm_.by(*open_known_at_);
  if (renew_again_at_ && *renew_again_at_ <= now) renew();
  if (renew_again_at_) alarm_.by(*renew_again_at_);
  if (look_up_again_at_ && *look_up_again_at_ <= now) {
    look_up_again_at_.reset();
    if (opening_) open(std::string(*opening_));
  }
  if (look_up_again_at_) alarm_.by(*look_up_again_at_);
  std::optional<MonotonicTime> next_late;
  for (auto& [client_id, pending] : pending_) {
    if (pending.told_late) continue;
    if (pending.since + late_after <= now) {
      pending.told_late = true;
      parts_.view.late(pending.text);
    } else if (!next_late || pending.since + late_after < *next_late) {
      next_late = pending.since + late_after;
    }
  }
  if (next_late) alarm_.by(*next_late);
  if (leave_at_ && *leave_at_ <= now) {
    run_out();
    tell_left();
    const bool online = client_.core().connection() == Connection::online;
    leave(!parts_.patient ? status_ok : online || failed_ ? status_failed : status_unreachable);
  } else if (leave_at_) {
    alarm_.by(*leave_at_);
    try_to_leave();
  }
}

void ChatSession::complain(const std::string& sentence) {
  failed_ = true;
  parts_.view.error(sentence);
}

void ChatSession::give_back(const std::string& text) {
  gave_back_ = true;
  complain("Not sent and not kept: " + printable(text));
}

void ChatSession::run_out() {
  using What = ChatCommand::What;
  const auto open_now = [this](const std::string& handle) {
    opening_ = handle;
    if (open_known()) return;
    opening_.reset();
    open_.reset();
  };
  // What is shown meanwhile must not end the session before the last text is kept.
  if (std::exchange(running_out_, true)) return;
  if (opening_) open_now(std::string(*opening_));
  size_t given_back = 0;
  for (const ChatCommand& command : std::exchange(commands_, {})) {
    if (command.what == What::open) {
      open_now(command.text);
    } else if (command.what == What::send && open_) {
      send(command.text);
    } else if (command.what == What::send) {
      give_back(command.text);
      ++given_back;
    }
  }
  if (given_back > 1) parts_.view.error(std::to_string(given_back) + " messages were not sent and not kept.");
  running_out_ = false;
}

void ChatSession::tell_left() {
  const size_t left = client_.core().outbox_size();
  if (left == 0) return;
  parts_.view.note(std::to_string(left) + (left == 1 ? " message is" : " messages are") +
                   " not sent yet; next time they will be.");
}

void ChatSession::try_to_leave() {
  if (!ending_ || left_ || running_out_ || opening_ || !commands_.empty() || client_.core().outbox_size() > 0)
    return;
  // Who asked for nothing still hears what there is.
  if (parts_.patient && (!was_online_ || !waiting_.empty())) return;
  leave(status_ok);
}

void ChatSession::leave(Status status) {
  if (left_) return;
  run_out();
  left_ = true;
  if (status == status_ok && failed_ && (parts_.patient || gave_back_)) status = status_failed;
  alarm_.cancel();
  client_.core().disconnect();
  parts_.leave(status);
}

// --- names

void ChatSession::show_named(std::vector<model::UserId> people, std::function<void()> show) {
  waiting_.push_back({std::move(people), std::move(show)});
  show_waiting();
}

void ChatSession::show_waiting() {
  while (!waiting_.empty() && !left_) {
    const Named& first = waiting_.front();
    const bool known = std::all_of(first.people.begin(), first.people.end(), [this](model::UserId user) {
      return names_.contains(user) || unknown_.contains(user) || user == client_.core().user();
    });
    if (!known) return ask_names();
    const auto show = std::move(waiting_.front().show);
    waiting_.pop_front();
    show();
  }
  try_to_leave();
}

void ChatSession::ask_names() {
  if (asking_) return;
  std::vector<model::UserId> people;
  for (const Named& one : waiting_) {
    for (const model::UserId user : one.people) {
      const bool known = names_.contains(user) || unknown_.contains(user) || user == client_.core().user();
      if (known || std::find(people.begin(), people.end(), user) != people.end()) continue;
      if (people.size() < names_asked_max) people.push_back(user);
    }
  }
  if (people.empty()) return;
  asking_ = true;
  client_.rest().find_by_ids(people, [this, people](auto answer) {
    asking_ = false;
    if (!answer.ok() && answer.error().code == wire::Code::token_expired && !parts_.profile.refresh.empty())
      return renew();
    if (answer.ok()) {
      for (const client::PersonInfo& person : *answer) names_[person.user] = printable(person.handle);
    }
    // Shown by number then; the next connection asks again.
    for (const model::UserId user : people) {
      if (!names_.contains(user)) unknown_.insert(user);
    }
    show_waiting();
  });
}

std::string ChatSession::name(model::UserId user) const {
  if (user == client_.core().user()) return parts_.profile.handle;
  const auto known = names_.find(user);
  return known == names_.end() ? "person " + model::to_text(user) : known->second;
}

std::vector<model::UserId> ChatSession::people_of(const model::ConversationId& conversation) const {
  const client::ConversationView* view = client_.core().conversation(conversation);
  return view ? view->members : std::vector<model::UserId>();
}

std::optional<model::UserId> ChatSession::other_of(const model::ConversationId& conversation) const {
  for (const model::UserId user : people_of(conversation)) {
    if (user != client_.core().user()) return user;
  }
  // One that was just opened: its first event is on its way.
  const auto opened = others_.find(conversation);
  return opened == others_.end() ? std::nullopt : std::optional(opened->second);
}

std::optional<ShownMessage> ChatSession::shown(const model::Event& event) const {
  const auto* created = std::get_if<model::MessageCreated>(&event.body);
  if (!created) return std::nullopt;
  const auto other = other_of(event.conversation);
  return ShownMessage{.conversation = event.conversation,
                      .with = other ? name(*other) : name(event.from),
                      .from = name(event.from),
                      .text = created->message.text,
                      .seq = event.seq,
                      .id = event.id,
                      .time = event.time,
                      .own = event.from == client_.core().user(),
                      .open = open_ == event.conversation};
}

ShownConversation ChatSession::shown(const model::ConversationId& conversation) const {
  const auto other = other_of(conversation);
  ShownConversation out{conversation, other ? name(*other) : "somebody", 0, std::nullopt};
  if (const auto* view = client_.core().conversation(conversation)) out.events = view->head.value;
  const auto events = client_.core().events(conversation);
  for (auto event = events.rbegin(); event != events.rend() && !out.last; ++event) out.last = shown(*event);
  return out;
}

}  // namespace tidings::cli
