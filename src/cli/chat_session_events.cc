#include <algorithm>

#include "cli/chat_session.h"
#include "cli/chat_text.h"

namespace tidings::cli {

using base::MonotonicTime;
using client::Connection;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// A tick that is followed by the next one is not shown: one line less.
constexpr base::nanoseconds tick_after = milliseconds(600);
constexpr base::nanoseconds further_tick_after = milliseconds(1200);
constexpr base::nanoseconds group_tick_after = seconds(3);
constexpr base::nanoseconds notice_after = milliseconds(300);
constexpr base::nanoseconds next_notice_after = seconds(4);
// A connection that is back sooner was never gone.
constexpr base::nanoseconds outage_after = seconds(1);

}  // namespace

void ChatSession::on_connection(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) {
  if (left_) return;
  if (state == Connection::refused && why == wire::Code::token_expired && !parts_.profile.refresh.empty()) {
    tell_connection(Connection::offline, why, {});
    // Not from inside the core.
    renew_again_at_ = client_.clock().monotonic();
    return alarm_.by(*renew_again_at_);
  }
  tell_connection(state, why, retry_in);
  if (state == Connection::online) {
    const bool first = !std::exchange(was_online_, true);
    if (first) {
      for (const auto& view : client_.core().conversations()) known_.insert(view.conversation);
    }
    if (first && !parts_.script && !open_ && !opening_ && commands_.empty()) list();
    if (std::exchange(opened_known_, false) && open_ && !parts_.script) open_conversation(*open_);
    names_.ask_again();
    run_commands();
  } else if (state == Connection::offline) {
    // What is there is better than nothing.
    if (fetching_) {
      const auto conversation = *fetching_;
      show_opened(conversation);
      done_acting(turn_);
    }
    run_commands();
  }
  if (state != Connection::refused) return;
  const wire::Code code = why.value_or(wire::Code::internal);
  if (code == wire::Code::unauthenticated || code == wire::Code::token_expired ||
      code == wire::Code::device_revoked) {
    return log_in_ended(code == wire::Code::device_revoked);
  } else if (code == wire::Code::replaced) {
    parts_.view.error(
        "This log-in was opened somewhere else. To be in two places at once give one of them a name: "
        "--device NAME.");
  } else {
    parts_.view.error(std::string(wire::row(code).sentence));
  }
  leave(status_refused);
}

void ChatSession::tell_connection(Connection state, std::optional<wire::Code> why,
                                  base::nanoseconds retry_in) {
  if (parts_.script || state == Connection::online || state == Connection::refused) {
    outage_.reset();
    return parts_.view.connection(state, why, retry_in);
  }
  const MonotonicTime now = client_.clock().monotonic();
  if (!outage_) outage_ = Outage{.since = now};
  outage_->state = state;
  // Why it broke is still true while the next connection is made.
  if (state == Connection::offline) outage_->why = why;
  outage_->retry_at = now + retry_in;
  outage_->told = false;
  // Who starts the program waits for it.
  if (!was_online_ && state == Connection::offline) outage_->since = now - outage_after;
  tell_outage(now);
}

void ChatSession::tell_outage(MonotonicTime now) {
  if (!outage_ || outage_->told) return;
  if (outage_->since + outage_after > now) return alarm_.by(outage_->since + outage_after);
  outage_->told = true;
  parts_.view.connection(outage_->state, outage_->why,
                         std::max(outage_->retry_at - now, base::nanoseconds(0)));
}

void ChatSession::on_event(const model::Event& event) {
  const auto user = client_.core().user();
  if (user && event.conversation == model::self_conversation(*user)) return;
  if (open_when_listed_ == event.conversation) on_listed(event.conversation);
  const auto before = told_before_.find(event.conversation);
  if (before != told_before_.end() && event.seq <= before->second) return;
  told_to_[event.conversation] = event.seq;
  const bool typed_here = typed_.erase(event.client_id) > 0;
  const bool history = !was_online_;
  if (!parts_.script) {
    if (history || fetching_ == event.conversation) return;
    if (open_ != event.conversation) return notice(event.conversation, event);
  }
  if (const auto* added = std::get_if<model::MembersAdded>(&event.body)) names_.ask_again(added->members);
  names_.show(
      shown_.people_of(event),
      [this, event, typed_here, history] {
        const auto shown_before = shown_to_.find(event.conversation);
        const bool again = shown_before != shown_to_.end() && event.seq <= shown_before->second;
        auto message = shown_.event(event);
        if (!message || (again && !parts_.script)) return;
        message->open = open_ == event.conversation;
        if (!parts_.script && !message->open) return notice(event.conversation, event);
        message->typed_here = typed_here;
        message->history = history;
        // An answer says more than a tick.
        if (followed_ && !message->own && message->says.empty()) {
          if (!followed_->told_sent) tell_status();
          if (!message->group) followed_.reset();
        }
        if (!message->own || !message->says.empty() || parts_.script || !typed_here) message->ticks.reset();
        parts_.view.message(*message);
        if (message->open) read_to(event.conversation, event.seq);
      },
      shown_.group(event.conversation));
}

void ChatSession::on_sent(const client::Sent& sent) {
  const auto pending = pending_.find(sent.client_id);
  const std::string text = pending == pending_.end() ? "" : pending->second.text;
  const bool late = pending != pending_.end() && pending->second.told_late;
  if (pending != pending_.end()) pending_.erase(pending);
  const bool followed = !text.empty() && !late && open_ == sent.conversation;
  parts_.view.sent(sent, text, followed);
  if (followed || (late && open_ == sent.conversation)) {
    follow(sent, text);
    followed_->told_sent = late;
  }
  alarm_.by(client_.clock().monotonic());  // its event comes before one may leave
}

void ChatSession::on_failed(const client::OutboxMessage& message, const wire::Problem& why) {
  pending_.erase(message.client_id);
  typed_.erase(message.client_id);
  failed_ = true;
  wire::Problem told = why;
  const bool plain = told.detail.empty() || told.detail == wire::row(why.code).sentence;
  if (plain && why.code == wire::Code::forbidden && !shown_.group(message.conversation))
    told.detail = "This person does not take messages from you.";
  if (plain && why.code == wire::Code::not_member)
    told.detail = std::string(wire::row(why.code).sentence) + " Somebody who is in it can add you again.";
  parts_.view.failed(message.client_id, message.message.text, told);
  alarm_.by(client_.clock().monotonic());
}

void ChatSession::on_reset(const model::ConversationId& conversation) {
  shown_to_.erase(conversation);
  shown_from_.erase(conversation);
  told_to_.erase(conversation);
  told_before_.erase(conversation);
  if (open_ == conversation) followed_.reset();
  names_.show(shown_.people_of(conversation),
              [this, conversation] { parts_.view.reset(conversation, shown_.title(conversation)); });
}

void ChatSession::on_renamed(const model::ClientId& from, const model::ClientId& to) {
  if (auto pending = pending_.extract(from)) {
    pending.key() = to;
    pending_.insert(std::move(pending));
  }
  if (typed_.erase(from) > 0) typed_.insert(to);
  parts_.view.renamed(from, to);
}

void ChatSession::on_marks(const model::ConversationId& conversation) {
  const auto* view = client_.core().conversation(conversation);
  if (!view || left_) return;
  if (!parts_.script) {
    if (open_ != conversation || !followed_ || followed_->tell_at) return;
    const bool small = view->member_count <= 2;
    const base::nanoseconds wait = !followed_->told_sent ? tick_after
                                   : small               ? further_tick_after
                                                         : group_tick_after;
    followed_->tell_at = client_.clock().monotonic() + wait;
    return alarm_.by(*followed_->tell_at);
  }
  if (!was_online_) return;
  auto people = shown_.people_of(conversation);
  for (const model::Mark& mark : view->marks) people.push_back(mark.user);
  names_.show(
      std::move(people),
      [this, conversation] {
        const auto* now = client_.core().conversation(conversation);
        if (!now) return;
        std::vector<ShownMark> marks;
        for (const model::Mark& mark : now->marks)
          marks.push_back({names_.of(mark.user), mark.read, mark.delivered});
        parts_.view.marks(shown_.conversation(conversation), marks, shown_.newest_own(conversation));
      },
      shown_.group(conversation));
}

void ChatSession::on_listed(const model::ConversationId& conversation) {
  if (left_) return;
  if (open_when_listed_ == conversation && shown_.knows(conversation)) {
    open_when_listed_.reset();
    const uint64_t turn = turn_;
    open_conversation(conversation);
    return done_acting(turn);
  }
  if (parts_.script || !was_online_ || !known_.insert(conversation).second) return;
  // A talk of two is news once something is said in it.
  const auto* view = client_.core().conversation(conversation);
  if (shown_.group(conversation) && !view->left && open_ != conversation) notice(conversation, std::nullopt);
}

// --- what is read, and what people see of the rest

void ChatSession::read_to(const model::ConversationId& conversation, model::Seq seq) {
  if (left_ || seq.value == 0 || open_ != conversation || !was_online_) return;
  client_.core().read(conversation, seq);
}

void ChatSession::notice(const model::ConversationId& conversation,
                         const std::optional<model::Event>& event) {
  const auto self = client_.core().user().value_or(model::UserId{});
  if (event) {
    if (event->from == self) return;
    known_.insert(conversation);
    const auto people = shown_.people_of(*event);
    const bool concerns = std::holds_alternative<model::MessageCreated>(event->body) ||
                          std::find(people.begin(), people.end(), self) != people.end();
    if (!concerns) return;
    const auto* created = std::get_if<model::ConversationCreated>(&event->body);
    if (created && created->kind != model::ConversationKind::group) return;
  }
  const MonotonicTime now = client_.clock().monotonic();
  const auto [at, inserted] = notices_.try_emplace(conversation);
  if (inserted) at->second.at = now + notice_after;
  if (event) at->second.last = event;
  at->second.due = true;
  alarm_.by(at->second.at);
}

void ChatSession::tell_notices(MonotonicTime now) {
  std::vector<model::ConversationId> quiet;
  for (auto& [conversation, notice] : notices_) {
    if (notice.at > now) {
      alarm_.by(notice.at);
      continue;
    }
    if (!std::exchange(notice.due, false)) {
      quiet.push_back(conversation);
      continue;
    }
    notice.at = now + next_notice_after;
    alarm_.by(notice.at);
    auto people = shown_.people_of(conversation);
    if (notice.last) people = shown_.people_of(*notice.last);
    names_.show(
        std::move(people),
        [this, id = conversation, last = notice.last] {
          if (open_ == id) return;
          ShownConversation shown = shown_.conversation(id);
          shown.last = last ? shown_.event(*last) : std::nullopt;
          parts_.view.elsewhere(shown);
        },
        shown_.group(conversation));
  }
  for (const auto& id : quiet) notices_.erase(id);
}

void ChatSession::follow(const client::Sent& sent, const std::string& text) {
  followed_ = Followed{.seq = sent.seq, .text = text, .told = {}, .tell_at = {}};
  followed_->tell_at = client_.clock().monotonic() + tick_after;
  alarm_.by(*followed_->tell_at);
}

void ChatSession::tell_status() {
  if (!followed_ || !open_) return;
  followed_->tell_at.reset();
  const ShownTicks now = shown_.ticks(*open_, followed_->seq, followed_->text);
  const bool further = now.ticks.state() > followed_->told.state() ||
                       (now.ticks.of > 1 && now.ticks.read > followed_->told.read);
  if (std::exchange(followed_->told_sent, true) && !further) return;
  followed_->told = now.ticks;
  if (!parts_.script) parts_.view.status(shown_.conversation(*open_), now);
}

}  // namespace tidings::cli
