#include <algorithm>

#include "cli/chat_session.h"
#include "cli/chat_text.h"

namespace tidings::cli {

using base::MonotonicTime;
using client::Connection;
using std::chrono::seconds;

namespace {

constexpr base::nanoseconds late_after = seconds(2);
constexpr base::nanoseconds renew_again = seconds(2);
constexpr base::nanoseconds patient_leaves_after = seconds(15);
constexpr base::nanoseconds leaves_after = seconds(2);

}  // namespace

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

void ChatSession::log_in_ended(bool elsewhere) {
  parts_.profile.forget_log_in();
  (void)parts_.profile.save();
  parts_.view.error(std::string(elsewhere ? "You were logged out elsewhere." : "This log-in has ended.") +
                    " Start again to log in with your password.");
  leave(status_refused);
}

bool ChatSession::renew() {
  if (parts_.profile.refresh.empty()) return false;
  if (std::exchange(renewing_, true)) return true;
  renew_again_at_.reset();
  client_.rest().refresh(parts_.profile.refresh, [this](auto answer) { renewed(answer); });
  return true;
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
  // For people the open conversation is shown anew instead: what came meanwhile is history now.
  if (parts_.script) told_before_ = told_to_;
  opened_known_ = open_.has_value() && !parts_.script;
  was_online_ = false;
  fetching_.reset();
  followed_.reset();
  names_.renewed();
  client_.renew(parts_.profile.token);
  client_.core().focus(open_);
  // What the old client was asked is not answered any more.
  if (acting_ && acting_->what == What::group) {
    complain("It is not known whether the group was made; /list shows it.");
  } else if (acting_ && acting_->what != What::open) {
    commands_.push_front(*acting_);
  }
  acting_.reset();
  open_when_listed_.reset();
  if (auto started = client_.core().connect(); !started) {
    parts_.view.error(started.error().sentence);
    return leave(status_failed);
  }
  if (opening_) open_person(std::string(*opening_));
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
    if (opening_) open_person(std::string(*opening_));
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
  if (followed_ && followed_->tell_at && *followed_->tell_at <= now) tell_status();
  if (followed_ && followed_->tell_at) alarm_.by(*followed_->tell_at);
  tell_notices(now);
  tell_outage(now);
  if (leave_at_ && *leave_at_ <= now) {
    run_out();
    tell_left();
    leave(!parts_.patient ? status_ok : online() || failed_ ? status_failed : status_unreachable);
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

void ChatSession::give_back_waiting() {
  std::deque<ChatCommand> others;
  for (ChatCommand& command : std::exchange(commands_, {})) {
    if (command.what == What::send) {
      give_back(command.text);
    } else {
      others.push_back(std::move(command));
    }
  }
  commands_ = std::move(others);
}

// --- the end

void ChatSession::run_out() {
  const auto open_now = [this](const std::string& handle) {
    opening_ = handle;
    if (open_known()) return;
    opening_.reset();
    open_.reset();
  };
  // What is shown meanwhile must not end the session before the last text is kept.
  if (std::exchange(running_out_, true)) return;
  if (opening_) open_now(std::string(*opening_));
  // What was written for a group that is not there yet is not for the one before it.
  if (acting_ && acting_->what == What::group) open_.reset();
  acting_.reset();
  size_t given_back = 0;
  for (const ChatCommand& command : std::exchange(commands_, {})) {
    if (command.what == What::open) {
      open_now(command.text);
    } else if (command.what == What::group) {
      open_.reset();
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
  if (!ending_ || left_ || running_out_ || opening_ || acting_ || !commands_.empty() ||
      client_.core().outbox_size() > 0)
    return;
  // Who asked for nothing still hears what there is.
  if (parts_.patient && (!was_online_ || names_.waits())) return;
  leave(status_ok);
}

void ChatSession::leave(Status status) {
  if (left_) return;
  run_out();
  if (followed_ && !followed_->told_sent) tell_status();
  left_ = true;
  names_.stop();
  if (status == status_ok && failed_ && (parts_.patient || gave_back_)) status = status_failed;
  alarm_.cancel();
  client_.core().disconnect();
  parts_.leave(status);
}

}  // namespace tidings::cli
