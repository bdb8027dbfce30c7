#include "test/faults/crowd.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace tidings::faults {
namespace {

constexpr auto call_timeout = std::chrono::seconds(20);
constexpr const char* password = "correct horse battery";

}  // namespace

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

base::Result<std::vector<client::OutboxMessage>> MemoryOutbox::load() {
  std::vector<client::OutboxMessage> all;
  for (const auto& [order, message] : messages_) all.push_back(message);
  return all;
}
base::Status MemoryOutbox::put(const client::OutboxMessage& message) {
  if (on_put) on_put(message);
  // Orders grow: an older one of this client id gives way.
  if (!known_.insert(message.client_id).second) (void)remove(message.client_id);
  known_.insert(message.client_id);
  messages_.emplace(message.order, message);
  return {};
}
base::Status MemoryOutbox::replace(const model::ClientId& old, const client::OutboxMessage& message) {
  (void)remove(old);
  return put(message);
}
base::Status MemoryOutbox::remove(const model::ClientId& client_id) {
  const auto found = std::find_if(messages_.begin(), messages_.end(),
                                  [&](const auto& entry) { return entry.second.client_id == client_id; });
  if (found != messages_.end()) messages_.erase(found);
  known_.erase(client_id);
  return {};
}

CrowdDevice::CrowdDevice(net::Reactor& reactor, checker::History& history, std::string name,
                         client::Address address, client::LogIn log_in)
    : history_(history),
      name_(std::move(name)),
      log_in_(std::move(log_in)),
      number_(history.add_device({name_, log_in_.user, true})) {
  outbox_.on_put = [this](const client::OutboxMessage& message) {
    history_.invoke(now_ns(), number_, message.conversation, message.client_id, message.message);
  };
  client_ = std::make_unique<client::Client>(
      reactor, client::Client::Options{std::move(address), log_in_.token, "faults/1"}, outbox_, *this);
}

bool CrowdDevice::say(model::UserId to, std::string text) {
  return say_in(model::direct_conversation(log_in_.user, to), std::move(text));
}

bool CrowdDevice::say_in(const model::ConversationId& conversation, std::string text) {
  return core().send(conversation, {model::MessageKind::text, std::move(text)}).ok();
}

void CrowdDevice::read(const model::ConversationId& conversation, model::Seq seq, bool hidden) {
  // The mark stands at the newest event that is held at or below.
  const auto& events = held_[conversation];
  const auto above = std::upper_bound(events.begin(), events.end(), seq,
                                      [](model::Seq a, const checker::Observed& b) { return a < b.seq; });
  if (above == events.begin()) return;
  auto& read = read_[conversation];
  const model::Seq at = std::prev(above)->seq;
  if (at <= read) return;
  read = at;
  history_.mark(now_ns(), number_, conversation, at, hidden);
  core().read(conversation, at, hidden);
}

void CrowdDevice::give_copies(bool fresh) {
  for (const auto& [conversation, events] : held_) {
    history_.final_copy({name_, fresh, log_in_.user, conversation, events});
  }
}

void CrowdDevice::give_views(bool fresh) {
  for (const auto& view : core().conversations()) {
    auto members = view.members;
    std::sort(members.begin(), members.end());
    history_.final_view({number_, fresh, view.conversation, view.title, view.left, view.role,
                         view.member_count, std::move(members), view.marks, view.unread});
  }
  auto blocked = core().blocked();
  std::sort(blocked.begin(), blocked.end());
  history_.blocks_seen(number_, std::move(blocked));
}

uint64_t CrowdDevice::head(const model::ConversationId& conversation) const {
  const auto found = held_.find(conversation);
  return found == held_.end() ? 0 : found->second.size();
}

bool CrowdDevice::settled() {
  if (!online_ || core().outbox_size() > 0) return false;
  for (const auto& view : core().conversations()) {
    if (view.have.seq < view.head) return false;
  }
  return true;
}

void CrowdDevice::on_connection(client::Connection state, std::optional<wire::Code>, base::nanoseconds) {
  const bool online = state == client::Connection::online;
  if (online_ && !online) ++downs_;
  online_ = online;
}
void CrowdDevice::on_event(const model::Event& event) {
  history_.show(now_ns(), number_, event);
  held_[event.conversation].push_back(checker::observed(event));
}
void CrowdDevice::on_sent(const client::Sent& sent) {
  last_tick_ns_ = now_ns();
  history_.ok(last_tick_ns_, number_, sent.conversation, sent.client_id, sent.seq, sent.id);
}
void CrowdDevice::on_failed(const client::OutboxMessage& message, const wire::Problem&) {
  history_.fail(now_ns(), number_, message.client_id);
}
void CrowdDevice::on_held(const model::Event& event) {
  history_.hold(now_ns(), number_, event.conversation, event.seq);
}
void CrowdDevice::on_reset(const model::ConversationId& conversation) {
  history_.reset(now_ns(), number_, conversation);
  held_.erase(conversation);
  read_.erase(conversation);
  std::erase_if(shown_, [&](const auto& shown) { return shown.first.first == conversation; });
}
void CrowdDevice::on_marks(const model::ConversationId& conversation) {
  last_marks_ns_ = now_ns();
  const auto* view = core().conversation(conversation);
  if (!view) return;
  for (const auto& mark : view->marks) {
    auto& shown = shown_[{conversation, mark.user}];
    if (shown.read == mark.read && shown.delivered == mark.delivered) continue;
    shown = mark;
    history_.receipt_seen(last_marks_ns_, number_, conversation, mark.user, mark.read, mark.delivered);
  }
}
void CrowdDevice::on_renamed(const model::ClientId& before, const model::ClientId&) {
  history_.fail(now_ns(), number_, before);
}

Crowd::Crowd(client::Address address) : address_(std::move(address)), reactor_("crowd") {
  reactor_.start();
}

Crowd::~Crowd() {
  reactor_.stop();
  devices_.clear();
}

base::Result<CrowdDevice*> Crowd::add(const std::string& handle, const std::string& device) {
  // Shared with callbacks that may come after a time-out.
  struct Asked {
    std::unique_ptr<client::Rest> rest;
    std::promise<base::Result<client::LogIn, client::RestProblem>> answer;
  };
  auto asked = std::make_shared<Asked>();
  reactor_.post([this, asked, handle, device] {
    asked->rest = std::make_unique<client::Rest>(reactor_, address_, "");
    asked->rest->sign_up(handle, password, handle, [asked, handle, device](auto) {
      asked->rest->log_in(handle, password, device,
                          [asked](auto log_in) { asked->answer.set_value(std::move(log_in)); });
    });
  });
  auto answer = asked->answer.get_future();
  if (answer.wait_for(call_timeout) != std::future_status::ready)
    return base::failure("no answer to the log-in of " + handle);
  auto log_in = answer.get();
  reactor_.post([asked] { asked->rest.reset(); });
  if (!log_in.ok()) return base::failure("cannot log in as " + handle + ": " + log_in.error().sentence);
  return run([&] {
    devices_.push_back(std::make_unique<CrowdDevice>(reactor_, history_, handle + "'s " + device, address_,
                                                     std::move(*log_in)));
    (void)devices_.back()->core().connect();
    return base::Result<CrowdDevice*>(devices_.back().get());
  });
}

base::Result<client::LogIn> Crowd::log_in(const std::string& handle, const std::string& device) {
  struct Asked {
    std::unique_ptr<client::Rest> rest;
    std::promise<base::Result<client::LogIn, client::RestProblem>> answer;
  };
  auto asked = std::make_shared<Asked>();
  auto answer = asked->answer.get_future();
  reactor_.post([this, asked, handle, device] {
    asked->rest = std::make_unique<client::Rest>(reactor_, address_, "");
    asked->rest->log_in(handle, password, device,
                        [asked](auto log_in) { asked->answer.set_value(std::move(log_in)); });
  });
  if (answer.wait_for(call_timeout) != std::future_status::ready)
    return base::failure("no answer to the log-in of " + handle);
  auto log_in = answer.get();
  reactor_.post([asked] { asked->rest.reset(); });
  if (!log_in.ok()) return base::failure("cannot log in as " + handle + ": " + log_in.error().sentence);
  return std::move(*log_in);
}

void Crowd::ask_for_account(const std::string& handle) {
  reactor_.post([this, handle] {
    auto rest = std::make_shared<client::Rest>(reactor_, address_, "");
    rest->sign_up(handle, password, handle, [this, rest, handle](auto answer) {
      if (answer.ok()) accounts_.push_back(handle);
    });
  });
}

base::Status Crowd::open(CrowdDevice& device, model::UserId other) {
  auto answer = std::make_shared<std::promise<bool>>();
  auto opened = answer->get_future();
  reactor_.post([&device, other, answer] {
    device.core().open_direct(other, [answer](auto conversation) { answer->set_value(conversation.ok()); });
  });
  if (opened.wait_for(call_timeout) != std::future_status::ready || !opened.get()) {
    return base::failure(device.name() + " cannot open a conversation");
  }
  return {};
}

bool Crowd::wait_for(const std::function<bool()>& condition, base::nanoseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!run(condition)) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

bool Crowd::wait_while_busy(const std::function<bool()>& condition, base::nanoseconds idle_at_most) {
  for (size_t held = 0;;) {
    if (wait_for(condition, idle_at_most)) return true;
    const size_t now = run([this] { return history_.records().size(); });
    if (now == held) return false;
    held = now;
  }
}

}  // namespace tidings::faults
