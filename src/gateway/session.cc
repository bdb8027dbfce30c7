#include "gateway/session.h"

#include <utility>

#include "fold/fold.h"
#include "gateway/poll.h"
#include "wire/frames.h"

namespace tidings::gateway {

namespace {

// Of the question whether the client's newest event is there.
constexpr base::nanoseconds newest_answer_max = base::seconds(2);
constexpr uint16_t close_silent = 1001;

std::optional<wire::Request> request_of(const base::Result<wire::ClientFrame, wire::FrameProblem>& frame) {
  if (!frame.ok()) return frame.error().request;
  return std::visit(
      [](const auto& f) -> std::optional<wire::Request> {
        if constexpr (requires { f.request; }) return f.request;
        return std::nullopt;
      },
      *frame);
}

}  // namespace

Session::Session(Shared& shared, uint64_t number, const account::Identity& who,
                 base::MonotonicTime hello_time)
    : shared_(shared),
      number_(number),
      who_(who),
      own_log_(model::self_conversation(who.user)),
      hello_time_(hello_time),
      refused_(shared.parts.limits.refused_client_ids_max),
      progress_at_(hello_time),
      places_(shared.parts.limits.unacked_places_max, shared.parts.limits.unsettled_conversations_max) {}

Session::~Session() {
  if (dirty_) shared_.metrics.pulling.add(-1);
}

DeviceHello Session::device_hello() const {
  return {who_.device, hello_time_, shared_.gateway, number_};
}

// --- its connections

void Session::begin(Connection& connection, const wire::Hello& hello) {
  connection_ = &connection;
  connection.set_session(this);
  Session* const other = shared_.people.with_device(who_.device);
  if (other && other->device_hello() > device_hello()) return end(wire::Code::replaced);
  if (!shared_.people.enter(who_.user, *this)) return end(wire::Code::busy);
  entered_ = true;
  if (other) other->end(wire::Code::replaced);
  shared_.people.set_device(who_.device, *this);
  if (shared_.parts.announce) shared_.parts.announce(device_hello());
  if (!ask_newest(hello)) open("full");
}

bool Session::ask_newest(const wire::Hello& hello) {
  if (!hello.branch || !hello.newest || !shared_.branches.holds(*hello.branch)) return false;
  const uint64_t query = shared_.pending.add(SessionAsker{number_, SessionAsker::What::newest});
  if (!shared_.links.send(
          hello.newest->conversation,
          ports::AskEvent{query, who_.user, hello.newest->conversation, hello.newest->event})) {
    shared_.pending.take(query);
    return false;
  }
  asked_ = std::make_unique<Asked>(query, shared_.now());
  return true;
}

void Session::on_newest(const wire::Answer<bool>& there) {
  if (stage_ != Stage::checking || !asked_) return;
  asked_.reset();
  open(there.ok() && *there ? "changes" : "full");
}

wire::Welcome Session::welcome() {
  const auto& limits = shared_.parts.limits;
  token_ = ResumeToken(shared_.parts.random);
  wire::Welcome welcome;
  welcome.session = session_name({shared_.gateway, number_});
  welcome.resume = token_.text();
  welcome.user = who_.user;
  welcome.device = who_.device;
  welcome.heartbeat_ms =
      static_cast<uint64_t>(std::chrono::duration_cast<base::milliseconds>(limits.heartbeat).count());
  welcome.now = shared_.links.log_time();
  welcome.branch = shared_.parts.branch;
  welcome.frame_bytes_max = limits.frame_bytes_max;
  welcome.text_bytes_max = limits.text_bytes_max;
  welcome.page_events_max = limits.page_events_max;
  welcome.sends_in_flight_max = limits.sends_in_flight_max;
  welcome.sync_rows_max = limits.sync_rows_max;
  welcome.members_max = fold::members_max;
  welcome.title_bytes_max = limits.title_bytes_max;
  return welcome;
}

void Session::open(std::string_view sync) {
  stage_ = Stage::open;
  auto welcome = this->welcome();
  welcome.sync = sync;
  send_uncounted(wire::encode(welcome));
  take_held();
}

void Session::take_held() {
  auto held = connection_->take_held();
  for (auto& [frame, bytes] : held) {
    if (!connection_) return;
    take(std::move(frame), bytes);
  }
}

bool Session::resume(Connection& connection, const Greeting& greeting) {
  const auto& hello = greeting.hello;
  if (stage_ != Stage::open || greeting.who.device != who_.device || greeting.time < hello_time_)
    return false;
  const bool newest = token_.is(*hello.resume);
  if (!newest && !previous_token_.is(*hello.resume)) return false;
  if (*hello.received < ring_.acked() || *hello.received > ring_.newest()) return false;
  if (Connection* older = let_go()) older->end({wire::Code::replaced, ""});
  if (parked_) unpark();
  drop_reads();
  // What it was shown stays good: this welcome may be lost, too.
  if (newest) previous_token_ = token_;
  hello_time_ = greeting.time;
  if (shared_.parts.announce) shared_.parts.announce(device_hello());
  on_received(*hello.received);
  settle_dirty();
  ring_.rewind();
  connection_ = &connection;
  connection.set_session(this);
  progress_at_ = shared_.now();
  progress_taken_ = 0;
  shared_.metrics.resumed.add();
  auto welcome = this->welcome();
  welcome.resumed = true;
  welcome.sync = "none";
  welcome.received = ring_.acked();
  welcome.replayed = ring_.frames();
  const ResumeToken shown = previous_token_;
  send_uncounted(wire::encode(welcome));
  pump();
  take_held();
  // What was said with the hello does not prove that the welcome came.
  previous_token_ = shown;
  return true;
}

void Session::on_connection_lost() {
  connection_ = nullptr;
  if (stage_ == Stage::open && !shared_.draining) return park();
  leave();
}

Connection* Session::let_go() {
  if (connection_) connection_->set_session(nullptr);
  return std::exchange(connection_, nullptr);
}

void Session::drop_connection(const wire::Problem& problem) {
  Connection* connection = let_go();
  if (!connection) return;
  on_connection_lost();
  connection->end(problem);
}

void Session::end(wire::Code code, std::string detail) {
  if (stage_ == Stage::over) return;
  if (!wire::row(code).terminal && code != wire::Code::draining)
    return drop_connection({code, std::move(detail)});
  Connection* connection = let_go();
  leave();
  if (!connection) return;
  if (code == wire::Code::replaced && connection->poll())
    shared_.replaced.add(number_, who_.device, shared_.now());
  connection->end({code, std::move(detail)});
}

void Session::park() {
  drop_reads();
  parked_ = true;
  progress_at_ = shared_.now();
  shared_.parked.add(number_, progress_at_, ring_.bytes());
  shared_.forget_parked_above_limit();
}

void Session::drop_reads() {
  in_flight_ -= static_cast<uint32_t>(reads_.size());
  reads_.clear();
}

void Session::unpark() {
  parked_ = false;
  shared_.parked.remove(number_, progress_at_, ring_.bytes());
}

void Session::leave() {
  if (stage_ == Stage::over) return;
  let_go();
  if (parked_) unpark();
  if (std::exchange(entered_, false)) {
    look_at(std::nullopt);
    shared_.people.leave_device(who_.device, *this);
    shared_.people.leave(who_.user, *this);
  }
  stage_ = Stage::over;
  held_.clear();
  reads_.clear();
  shared_.forget_session_later(number_);
}

void Session::on_tick(base::MonotonicTime now) {
  const auto& limits = shared_.parts.limits;
  if (stage_ == Stage::checking) {
    if (!asked_ || now - asked_->at < newest_answer_max) return;
    shared_.pending.take(asked_->query);
    return on_newest(false);
  }
  if (!connection_) return;
  const bool paused = connection_->is_paused();
  if (paused) {
    connection_->heard();
  } else if (now - connection_->last_heard() >= limits.silence_timeout) {
    Connection* silent = let_go();
    on_connection_lost();
    return silent->close(close_silent, "silence");
  }
  if (!dirty_ && !paused) {
    // Nothing more is touched of an idle one. What was taken meanwhile counts at the first look that does.
    progress_at_ = now;
    return;
  }
  const uint64_t taken = connection_->taken_bytes();
  if (taken >= progress_taken_ + limits.outbox_bytes_high) {
    progress_at_ = now;
    progress_taken_ = taken;
  } else if (now - progress_at_ >= limits.progress_timeout) {
    end(wire::Code::slow_consumer);
  }
}

void Session::ask_to_move(uint64_t retry_ms) {
  send_uncounted(wire::encode(wire::Moved{retry_ms}));
}

// --- what the client says

void Session::on_message(std::string_view message) {
  const auto& limits = shared_.parts.limits;
  previous_token_ = {};
  // The size of a text is checked here, not by the parser, so that the refused client id can be remembered.
  auto parsed = wire::parse_client_frames(message, limits.json_depth_max, limits.frame_bytes_max);
  if (parsed.received) {
    on_received(*parsed.received);
    pump();
  }
  for (auto& frame : parsed.frames) {
    if (!connection_) return;
    shared_.metrics.frames_in.add();
    take(std::move(frame), message.size() / parsed.frames.size());
  }
}

void Session::on_poll(std::optional<uint64_t> received, std::string_view frames) {
  connection_->heard();
  if (received) on_received(*received);
  if (!connection_) return;
  // Whatever an earlier answer held: it may be lost.
  connection_->poll()->forget_unanswered();
  ring_.rewind();
  pump();
  if (connection_ && !frames.empty()) on_message(frames);
}

void Session::take(Taken frame, size_t bytes) {
  if (looking_up_) return hold(std::move(frame), bytes);
  handle(frame);
}

void Session::hold(Taken frame, size_t bytes) {
  const auto& limits = shared_.parts.limits;
  if (held_.size() < limits.sends_in_flight_max && held_bytes_ + bytes <= limits.frame_bytes_max) {
    held_bytes_ += static_cast<uint32_t>(bytes);
    held_.push_back({std::move(frame), bytes});
    return;
  }
  if (!frame.ok() && frame.error().closes) return end(frame.error().code, frame.error().detail);
  if (frame.ok() && std::holds_alternative<wire::MessageSend>(*frame)) {
    refuse_send(std::get<wire::MessageSend>(*frame), {wire::Code::busy, ""});
  } else if (const auto request = request_of(frame)) {
    refuse(request, {wire::Code::busy, ""});
  }
}

void Session::go_on() {
  looking_up_ = false;
  while (!looking_up_ && stage_ == Stage::open && !held_.empty()) {
    Held next = std::move(held_.front());
    held_.pop_front();
    held_bytes_ -= static_cast<uint32_t>(next.bytes);
    handle(next.frame);
  }
}

void Session::handle(Taken& frame) {
  if (!frame.ok()) {
    const auto& problem = frame.error();
    if (problem.closes) return end(wire::Code::bad_frame, problem.detail);
    if (problem.request) refuse(problem.request, {problem.code, problem.detail});
    return;
  }
  std::visit([this](auto& request) { on_request(request); }, *frame);
}

}  // namespace tidings::gateway
