#include "gateway/connection.h"

#include <utility>

#include "gateway/session.h"

namespace tidings::gateway {

namespace {

using wire::Code;

constexpr uint16_t close_try_later = 1013;
constexpr uint64_t retry_least_ms = 500;

uint16_t close_code(Code code) {
  const auto& row = wire::row(code);
  if (row.close_code != 0) return row.close_code;
  return row.retry == wire::Retry::as_is ? close_try_later : wire::row(Code::bad_frame).close_code;
}

}  // namespace

Connection::Connection(Shared& shared, uint64_t number, std::unique_ptr<ports::Transport> transport)
    : shared_(shared), number_(number), transport_(std::move(transport)), last_heard_(shared.now()) {
  transport_->set_handler(this);
}

void Connection::on_frame(std::string_view message) {
  if (stage_ == Stage::over) return;
  if (shared_.stood_still()) return shared_.drop_connections();
  if (stage_ == Stage::open) {
    last_heard_ = shared_.now();
    return session_->on_message(message);
  }
  const auto& limits = shared_.parts.limits;
  auto parsed = wire::parse_client_frames(message, limits.json_depth_max, limits.frame_bytes_max);
  for (auto& frame : parsed.frames) {
    shared_.metrics.frames_in.add();
    if (stage_ == Stage::greeting) {
      auto* hello = frame.ok() ? std::get_if<wire::Hello>(&*frame) : nullptr;
      // A hello that cannot be read is no hello.
      if (!frame.ok()) return end({Code::bad_frame, frame.error().detail});
      if (!hello) return end({Code::bad_frame, "The first frame is a hello."});
      on_hello(*hello);
    } else {
      hold({std::move(frame), message.size() / parsed.frames.size()});
    }
    if (stage_ == Stage::over) return;
  }
}

void Connection::hold(Held held) {
  const auto& limits = shared_.parts.limits;
  auto& all = greeting_->held;
  if (all.size() >= limits.sends_in_flight_max ||
      greeting_->held_bytes + held.bytes > limits.frame_bytes_max) {
    return end({Code::bad_frame, "Too much was sent before the welcome."});
  }
  greeting_->held_bytes += held.bytes;
  all.push_back(std::move(held));
}

void Connection::on_hello(wire::Hello& hello) {
  if (hello.version_min > wire::protocol_version || hello.version_max < wire::protocol_version) {
    return end({Code::version, ""});
  }
  greet(std::move(hello));
}

void Connection::greet(wire::Hello hello) {
  const auto asked = shared_.rates.hello(transport_->peer(), shared_.now());
  if (asked.refused) return end(*asked.refused);
  greeting_ = std::make_unique<Greeting>();
  greeting_->hello = std::move(hello);
  greeting_->time = last_heard_;  // since it was opened
  stage_ = Stage::waiting;
  switch (shared_.admit(number_)) {
    case Admission::Verdict::now:
      check();
      break;
    case Admission::Verdict::later:
      break;
    case Admission::Verdict::busy:
      end({Code::busy, "", retry_least_ms + shared_.hello_retry_ms()});
      break;
  }
}

void Connection::enter(std::unique_ptr<Greeting> greeting) {
  greeting_ = std::move(greeting);
  stage_ = Stage::checking;
  ask_accounts();
}

bool Connection::check() {
  if (stage_ != Stage::waiting) return false;
  stage_ = Stage::checking;
  admitted_ = true;
  ask_accounts();
  return true;
}

void Connection::ask_accounts() {
  shared_.parts.accounts.authenticate(greeting_->hello.token, shared_.parts.executor,
                                      [alive = std::weak_ptr(shared_.alive), shared = &shared_,
                                       number = number_](const wire::Answer<account::Identity>& identity) {
                                        Connection* here =
                                            alive.expired() ? nullptr : shared->connection(number);
                                        if (here) here->on_identity(identity);
                                      });
}

void Connection::on_identity(const wire::Answer<account::Identity>& identity) {
  if (stage_ != Stage::checking) return;
  if (!identity) return end(identity.error());
  if (shared_.draining) return end({Code::draining, ""});
  greeting_->who = *identity;
  if (!resume()) shared_.begin_session(*this, *greeting_);
}

bool Connection::resume() {
  const auto& hello = greeting_->hello;
  if (!hello.session || !hello.resume || !hello.received) return false;
  const auto name = parse_session_name(*hello.session);
  if (!name) return false;
  if (name->gateway != shared_.gateway) return move_to(name->gateway);
  Session* session = shared_.session(name->number);
  return session && session->resume(*this, *greeting_);
}

bool Connection::move_to(uint64_t gateway) {
  const auto& at_gateway = shared_.parts.at_gateway;
  if (!at_gateway || !at_gateway(gateway, {})) return false;
  auto transport = transport_->move_out();
  if (!transport) return false;
  at_gateway(gateway,
             [transport = std::move(transport), greeting = std::move(greeting_)](Gateway& there) mutable {
               there.adopt(std::move(transport), std::move(greeting));
             });
  leave();
  shared_.forget_connection_later(number_);
  return true;
}

std::vector<Held> Connection::take_held() {
  stage_ = Stage::open;
  auto held = std::move(greeting_->held);
  greeting_.reset();
  release();
  return held;
}

void Connection::heard() {
  last_heard_ = shared_.now();
}

void Connection::write(std::string_view frame) {
  transport_->send(frame);
  written_ += frame.size();
  shared_.metrics.frames_out.add();
}

void Connection::write(Train& train) {
  transport_->send_shared(train.shared());
  written_ += train.bytes();
  shared_.metrics.frames_out.add(train.frames().size());
}

void Connection::pause_reading(bool pause) {
  if (std::exchange(paused_, pause) != pause) transport_->pause_reading(pause);
}

void Connection::end(const wire::Problem& problem) {
  if (stage_ == Stage::over) return;
  shared_.metrics.refused(problem.code).add();
  // Who does not read is told nothing more.
  if (problem.code != Code::slow_consumer) {
    wire::ErrorFrame error{{}, problem.code, problem.detail, {}, {}};
    if (problem.retry_ms > 0) error.retry_ms = problem.retry_ms;
    write(wire::encode(error));
  }
  close(close_code(problem.code), wire::name(problem.code));
}

void Connection::close(uint16_t code, std::string_view reason) {
  if (stage_ == Stage::over) return;
  leave();
  transport_->close(code, reason);
}

void Connection::leave() {
  stage_ = Stage::over;
  if (Session* session = std::exchange(session_, nullptr)) session->on_connection_lost();
  greeting_.reset();
  release();
}

void Connection::release() {
  if (std::exchange(admitted_, false)) shared_.hello_done();
}

void Connection::on_closed(uint16_t, std::string_view) {
  leave();
  // The transport is still running this call, so it goes a little later.
  shared_.forget_connection_later(number_);
}

void Connection::on_tick(base::MonotonicTime now) {
  if (stage_ == Stage::open || stage_ == Stage::over) return;
  if (now - last_heard_ < shared_.parts.limits.hello_timeout) return;
  if (stage_ == Stage::greeting) return end({Code::hello_timeout, ""});
  end({Code::busy, "", retry_least_ms + shared_.hello_retry_ms()});
}

}  // namespace tidings::gateway
