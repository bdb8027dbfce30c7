#include "cli/chat_session.h"

#include <algorithm>

#include "cli/chat_text.h"

namespace tidings::cli {

using base::MonotonicTime;
using client::Connection;
using std::chrono::seconds;

namespace {

constexpr uint64_t recent_events = 15, recent_events_max = 50;
constexpr base::nanoseconds late_after = seconds(2);
constexpr base::nanoseconds look_up_again = seconds(1);
constexpr base::nanoseconds open_known_after = seconds(2);

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 6 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

ChatSession::ChatSession(Parts parts)
    : parts_(std::move(parts)),
      // A script gets everything; a person asks for what was said before.
      client_(parts_.reactor,
              {parts_.profile.address, parts_.profile.token, "chat/0.1",
               parts_.script ? client::CatchUp::everything : client::CatchUp::newest},
              parts_.outbox, *this),
      alarm_(parts_.reactor, client_.clock(), [this] { act(); }),
      names_(
          client_, parts_.profile.handle, [this] { return renew(); }, [this] { try_to_leave(); }),
      shown_(client_, names_) {}

ChatSession::~ChatSession() = default;

base::Status ChatSession::start() {
  return client_.core().connect();
}

void ChatSession::command(ChatCommand command) {
  // Counts from here, even if a command before it waits for the server.
  if (command.what == What::quit) return input_ended();
  // A person hears at once that a line is not kept; a script's lines wait for as long as it may take.
  const bool lost = (opening_ && told_waiting_) || (acting_ && acting_->what == What::group && !online());
  if (command.what == What::send && lost && !parts_.patient) return give_back(command.text);
  commands_.push_back(std::move(command));
  run_commands();
}

bool ChatSession::may_run(const ChatCommand& command) const {
  if (opening_ || left_) return false;
  const bool sends = command.what == What::send;
  // What is written while the line is broken is kept at once, but for a group that may not exist yet.
  if (acting_) return sends && !online() && acting_->what != What::group;
  switch (command.what) {
    case What::send:
    case What::help:
    case What::bad:
    case What::quit:
    case What::nothing:
      return true;
    case What::open:
      // A handle can be looked up meanwhile; anything else is found in the list.
      return was_online_ || !command.people.empty() || client::is_handle(command.text);
    default:
      return was_online_ && (online() || !parts_.patient);
  }
}

void ChatSession::run_commands() {
  while (!commands_.empty() && may_run(commands_.front())) {
    const ChatCommand command = std::move(commands_.front());
    commands_.pop_front();
    if (command.what != What::leave) leave_asked_.reset();
    run(command);
  }
  try_to_leave();
}

void ChatSession::run(const ChatCommand& command) {
  switch (command.what) {
    case What::open:
      return open(command);
    case What::send:
      return send(command.text);
    case What::list:
      return list();
    case What::more:
      return more(command);
    case What::info:
      return info();
    case What::members:
    case What::group:
    case What::add:
    case What::remove:
    case What::leave:
    case What::role:
    case What::rename:
    case What::block:
    case What::unblock:
      return change(command);
    case What::help:
      return parts_.view.help();
    case What::bad:
      return complain(command.text);
    case What::quit:
    case What::nothing:
      return;
  }
}

uint64_t ChatSession::act_on(const ChatCommand& command) {
  acting_ = command;
  return ++turn_;
}

void ChatSession::done_acting(uint64_t turn) {
  if (turn != turn_ || !acting_) return;
  acting_.reset();
  run_commands();
}

// --- opening

void ChatSession::open(const ChatCommand& command) {
  const std::string& name = command.text;
  std::optional<model::ConversationId> known;
  if (!command.people.empty()) return open_person(name);
  if (name.empty()) {
    known = shown_.newest_unread();
    if (!known) return complain("There is nothing unread. Say /open NAME, or /list to see what there is.");
  } else if (is_number(name) && !numbered_.empty()) {
    const size_t n = std::stoul(name);
    if (n < 1 || n > numbered_.size())
      return complain("There is no number " + name + " in the list; /list shows it again.");
    known = numbered_[n - 1];
  } else if (const auto bytes = model::parse_uuid(name)) {
    const model::ConversationId id{*bytes};
    if (client_.core().conversation(id)) known = id;
  }
  if (!known) known = shown_.group_called(name, client::is_handle(name));
  if (known) return open_conversation(*known);
  if (client::is_handle(name)) return open_person(name);
  complain("There is no conversation called " + shortened(printable(name), 40) +
           "; /list shows those that there are.");
}

void ChatSession::open_person(const std::string& handle) {
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
  if (expired) {
    renew();
    return;
  }
  if (later) {
    if (open_known()) return run_commands();
    if (!std::exchange(told_waiting_, true)) {
      parts_.view.note("The server does not answer; " + printable(handle) +
                       " is looked up as soon as it does. Until then nothing that you write is kept.");
      if (!parts_.patient) give_back_waiting();
    }
    look_up_again_at_ = client_.clock().monotonic() + look_up_again;
    alarm_.by(*look_up_again_at_);
    return;
  }
  if (!answer.ok()) return give_up(printable(answer.error().sentence));
  if (!*answer) {
    // It may be the title of a group: known once the list is.
    const auto group = shown_.group_called(handle, false);
    if (group) {
      opening_.reset();
      open_known_at_.reset();
      open_conversation(*group);
      return run_commands();
    }
    if (!was_online_) {
      look_up_again_at_ = client_.clock().monotonic() + look_up_again;
      return alarm_.by(*look_up_again_at_);
    }
    return give_up("There is nobody called " + shortened(printable(handle), 40) +
                   " here, and no such group; /list shows your conversations.");
  }
  const client::PersonInfo person = **answer;
  if (person.handle == parts_.profile.handle) return give_up("That is you. Whom do you want to talk to?");
  names_.learn(person.user, person.handle);
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
          shown_.know_other(*opened, other);
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
  names_.learn(*other, *opening_);
  shown_.know_other(conversation, *other);
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
  if (open_ && open_ != conversation && followed_ && !followed_->told_sent) tell_status();
  followed_.reset();
  notices_.erase(conversation);
  known_.insert(conversation);
  if (fetching_) acting_.reset();
  fetching_.reset();
  open_ = conversation;
  client_.core().focus(conversation);
  // What is there is known in a moment: on_connection() comes back here.
  const Connection state = client_.core().connection();
  const bool near = state == Connection::syncing || (state == Connection::connecting && !was_online_);
  if (near && !parts_.script && !running_out_) {
    fetching_ = conversation;
    opened_known_ = true;
    act_on({What::open});
    return;
  }
  const auto* view = client_.core().conversation(conversation);
  if (parts_.script || !view || !view->earlier || !online()) return show_opened(conversation);
  const uint64_t wanted = std::clamp(view->unread + 3, recent_events, recent_events_max);
  fetching_ = conversation;
  const uint64_t turn = act_on({What::open});
  client_.core().history(conversation, {view->have.seq.value + 1}, wanted,
                         [this, conversation, turn](const auto&) {
                           if (fetching_ == conversation) show_opened(conversation);
                           done_acting(turn);
                         });
}

void ChatSession::show_opened(const model::ConversationId& conversation) {
  fetching_.reset();
  auto people = shown_.people_of(conversation);
  for (const model::Event& event : client_.core().events(conversation)) {
    const auto more = shown_.people_of(event);
    people.insert(people.end(), more.begin(), more.end());
  }
  std::sort(people.begin(), people.end());
  people.erase(std::unique(people.begin(), people.end()), people.end());
  if (parts_.script) people = shown_.people_of(conversation);
  names_.show(
      std::move(people),
      [this, conversation] {
        ShownConversation shown = shown_.conversation(conversation);
        std::vector<ShownMessage> recent;
        const auto* view = client_.core().conversation(conversation);
        model::Seq have;
        if (view) {
          have = view->have.seq;
          shown_to_[conversation] = have;
          const model::Seq read = view->mark_of(client_.core().user().value_or(model::UserId{})).read;
          const uint64_t wanted = std::clamp(view->unread + 3, recent_events, recent_events_max);
          if (!parts_.script) recent = shown_.events(conversation, {have.value + 1}, wanted);
          const auto unread = std::find_if(recent.begin(), recent.end(), [&](const ShownMessage& one) {
            return !one.own && one.says.empty() && one.seq > read;
          });
          if (view->unread > 0 && unread != recent.end()) shown.new_from = unread->seq;
          const model::Seq from = recent.empty() ? model::Seq{have.value + 1} : recent.front().seq;
          shown_from_[conversation] = from;
          shown.earlier = view->earlier || !shown_.events(conversation, from, 1).empty();
        }
        std::vector<std::string> pending;
        for (const auto& [client_id, one] : pending_) {
          if (one.conversation == conversation) pending.push_back(one.text);
        }
        parts_.view.opened(shown, recent, pending);
        read_to(conversation, have);
      },
      shown_.group(conversation));
}

void ChatSession::send(const std::string& text) {
  if (!open_) {
    complain("Whom to? Open a conversation first: /open NAME, or /list to see what there is.");
    if (parts_.patient) give_back(text);
    return;
  }
  auto sent = client_.core().send(*open_, {model::MessageKind::text, text});
  if (!sent) {
    complain("Not sent: " + sent.error().sentence);
    return give_back(text);
  }
  const MonotonicTime now = client_.clock().monotonic();
  pending_[*sent] = {text, *open_, now};
  typed_.insert(*sent);
  parts_.view.pending(*sent, text);
  alarm_.by(now + late_after);
}

}  // namespace tidings::cli
