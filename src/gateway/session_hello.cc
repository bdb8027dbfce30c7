#include <utility>

#include "fold/fold.h"
#include "gateway/session.h"

namespace tidings::gateway {

namespace {
constexpr uint16_t close_try_later = 1013;
}  // namespace

void Session::on_hello(const wire::Hello& hello) {
  if (hello.version_min > wire::protocol_version || hello.version_max < wire::protocol_version) {
    return end(wire::Code::version);
  }
  if (const auto asked = shared_.rates.hello(transport_->peer(), shared_.now()); asked.refused) {
    shared_.metrics.refused(asked.refused->code).add();
    write(wire::encode(wire::ErrorFrame{{}, asked.refused->code, {}, asked.refused->retry_ms, {}}));
    return close(close_try_later, wire::name(asked.refused->code));
  }
  stage_ = Stage::checking;
  looking_up_ = true;
  branch_ = hello.branch;
  newest_ = hello.newest;
  hello_time_ = shared_.now();
  shared_.parts.accounts.authenticate(hello.token, shared_.parts.executor,
                                      [alive = std::weak_ptr(shared_.alive), shared = &shared_,
                                       number = number_](wire::Answer<account::Identity> identity) {
                                        Session* session =
                                            alive.expired() ? nullptr : shared->session(number);
                                        if (session) session->on_identity(std::move(identity));
                                      });
}

void Session::on_identity(wire::Answer<account::Identity> identity) {
  if (stage_ != Stage::checking) return;
  if (!identity) return end(identity.error().code, identity.error().detail);
  who_ = *identity;
  if (shared_.draining) return end(wire::Code::draining);
  if (Session* other = shared_.people.with_device(who_.device)) {
    if (other->device_hello() > device_hello()) return end(wire::Code::replaced);
    other->end(wire::Code::replaced);
  }
  if (!shared_.people.enter(who_.user, *this)) return end(wire::Code::busy);
  entered_ = true;
  own_log_ = model::self_conversation(who_.user);
  shared_.people.set_device(who_.device, *this);
  if (shared_.parts.announce) shared_.parts.announce(device_hello());
  if (stage_ == Stage::checking && !ask_newest()) open("full");
}

bool Session::ask_newest() {
  if (!branch_ || !newest_ || !shared_.branches.holds(*branch_)) return false;
  newest_query_ = shared_.pending.add(SessionAsker{number_, SessionAsker::What::newest});
  newest_asked_ = shared_.now();
  if (shared_.links.send(newest_->conversation,
                         ports::AskEvent{newest_query_, who_.user, newest_->conversation, newest_->event})) {
    return true;
  }
  shared_.pending.take(std::exchange(newest_query_, 0));
  return false;
}

void Session::on_newest(const wire::Answer<bool>& there) {
  if (stage_ != Stage::checking || std::exchange(newest_query_, 0) == 0) return;
  open(there.ok() && *there ? "changes" : "full");
}

void Session::open(std::string_view sync) {
  stage_ = Stage::open;
  branch_.reset();
  newest_.reset();
  const auto& limits = shared_.parts.limits;
  wire::Welcome welcome;
  welcome.session = std::to_string(shared_.gateway) + "-" + std::to_string(number_);
  welcome.user = who_.user;
  welcome.device = who_.device;
  welcome.heartbeat_ms =
      static_cast<uint64_t>(std::chrono::duration_cast<base::milliseconds>(limits.heartbeat).count());
  welcome.now = shared_.links.log_time();
  welcome.branch = shared_.parts.branch;
  welcome.sync = sync;
  welcome.frame_bytes_max = limits.frame_bytes_max;
  welcome.text_bytes_max = limits.text_bytes_max;
  welcome.page_events_max = limits.page_events_max;
  welcome.sends_in_flight_max = limits.sends_in_flight_max;
  welcome.sync_rows_max = limits.sync_rows_max;
  welcome.members_max = fold::members_max;
  welcome.title_bytes_max = limits.title_bytes_max;
  send_uncounted(wire::encode(welcome));
  go_on();
}

}  // namespace tidings::gateway
