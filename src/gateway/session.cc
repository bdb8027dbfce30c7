#include "gateway/session.h"

#include <utility>

#include "wire/frames.h"

namespace tidings::gateway {

namespace {

// What was written in one turn of the loop is judged in the next, when the peer's machine had its chance to
// take it; this many times the bound is too much at any moment.
constexpr size_t outbox_burst_factor = 4;
// Of the question whether the client's newest event is there.
constexpr base::nanoseconds newest_answer_max = base::seconds(2);
constexpr uint16_t close_silent = 1001, close_try_later = 1013;

uint16_t close_code(wire::Code code) {
  const auto& row = wire::row(code);
  if (row.close_code != 0) return row.close_code;
  return row.retry == wire::Retry::as_is ? close_try_later : wire::row(wire::Code::bad_frame).close_code;
}

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

Session::Session(Shared& shared, uint64_t number, std::unique_ptr<ports::Transport> transport)
    : shared_(shared),
      number_(number),
      transport_(std::move(transport)),
      begun_(shared.now()),
      last_heard_(begun_),
      hello_time_(begun_),
      refused_(shared.parts.limits.refused_client_ids_max),
      places_(shared.parts.limits.unacked_places_max, shared.parts.limits.unsettled_conversations_max) {
  transport_->set_handler(this);
}

DeviceHello Session::device_hello() const {
  return {who_.device, hello_time_, shared_.gateway, number_};
}

void Session::on_frame(std::string_view message) {
  if (stage_ == Stage::over) return;
  if (shared_.stood_still()) return shared_.end_all("The server stood still; please send again.");
  last_heard_ = shared_.now();
  const auto& limits = shared_.parts.limits;
  // The size of a text is checked here, not by the parser, so that the refused client id can be remembered.
  auto parsed = wire::parse_client_frames(message, limits.json_depth_max, limits.frame_bytes_max);
  if (parsed.received && is_open()) on_received(*parsed.received);
  if (stage_ == Stage::over) return;
  for (auto& frame : parsed.frames) {
    shared_.metrics.frames_in.add();
    take(std::move(frame), message.size() / parsed.frames.size());
    if (stage_ == Stage::over) return;
  }
}

void Session::take(Taken frame, size_t bytes) {
  if (looking_up_) return hold(std::move(frame), bytes);
  handle(frame);
}

void Session::hold(Taken frame, size_t bytes) {
  const auto& limits = shared_.parts.limits;
  if (held_.size() < limits.sends_in_flight_max && held_bytes_ + bytes <= limits.frame_bytes_max) {
    held_bytes_ += bytes;
    held_.push_back({std::move(frame), bytes});
    return;
  }
  if (!frame.ok() && frame.error().closes) return end(frame.error().code, frame.error().detail);
  if (stage_ == Stage::checking) return end(wire::Code::bad_frame, "Too much was sent before the welcome.");
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
    held_bytes_ -= next.bytes;
    handle(next.frame);
  }
}

void Session::handle(Taken& frame) {
  if (!frame.ok()) {
    const auto& problem = frame.error();
    // A hello that cannot be read is no hello.
    if (problem.closes || stage_ == Stage::greeting) return end(wire::Code::bad_frame, problem.detail);
    if (problem.request) refuse(problem.request, {problem.code, problem.detail});
    return;
  }
  if (stage_ == Stage::greeting) {
    const auto* hello = std::get_if<wire::Hello>(&*frame);
    return hello ? on_hello(*hello) : end(wire::Code::bad_frame, "The first frame is a hello.");
  }
  std::visit([this](auto& request) { on_request(request); }, *frame);
}

void Session::send(std::string_view frame) {
  if (stage_ != Stage::open) return;
  ++sent_;
  send_uncounted(frame);
}

void Session::send_uncounted(std::string_view frame) {
  if (stage_ != Stage::open) return;
  if (transport_->outbox_bytes() <= read_outbox_bytes_max()) answer_bytes_ = 0;
  write(frame);
  count_unsent();
}

void Session::answer_read(std::string_view frame) {
  if (stage_ != Stage::open) return;
  ++sent_;
  answer_bytes_ = frame.size();
  write(frame);
  count_unsent();
}

void Session::count_unsent() {
  const auto& limits = shared_.parts.limits;
  const size_t unsent = transport_->outbox_bytes();
  const size_t bound = limits.outbox_bytes_max + answer_bytes_;
  if (unsent <= bound || outbox_watched_) {
    if (unsent > outbox_burst_factor * bound) end(wire::Code::slow_consumer);
    return;
  }
  outbox_watched_ = true;
  shared_.parts.executor.post(
      [alive = std::weak_ptr(shared_.alive), shared = &shared_, number = number_, bound] {
        Session* session = alive.expired() ? nullptr : shared->session(number);
        if (!session || session->stage_ == Stage::over) return;
        session->outbox_watched_ = false;
        if (session->transport_->outbox_bytes() > bound) session->end(wire::Code::slow_consumer);
      });
}

void Session::write(std::string_view frame) {
  transport_->send(frame);
  shared_.metrics.frames_out.add();
}

void Session::end(wire::Code code, std::string detail) {
  if (stage_ == Stage::over) return;
  shared_.metrics.refused(code).add();
  // Who does not read is told nothing more.
  if (code != wire::Code::slow_consumer)
    write(wire::encode(wire::ErrorFrame{{}, code, std::move(detail), {}, {}}));
  close(close_code(code), wire::name(code));
}

void Session::close(uint16_t code, std::string_view reason) {
  if (stage_ == Stage::over) return;
  leave();
  transport_->close(code, reason);
}

void Session::leave() {
  if (std::exchange(entered_, false)) {
    look_at(std::nullopt);
    shared_.people.leave_device(who_.device, *this);
    shared_.people.leave(who_.user, *this);
  }
  stage_ = Stage::over;
  held_.clear();
  reads_.clear();
}

void Session::on_closed(uint16_t, std::string_view) {
  leave();
  // The transport is still running this call, so it goes with the session a little later.
  shared_.parts.executor.post([alive = std::weak_ptr(shared_.alive), shared = &shared_, number = number_] {
    if (!alive.expired()) shared->forget(number);
  });
}

void Session::on_tick(base::MonotonicTime now) {
  const auto& limits = shared_.parts.limits;
  if (stage_ == Stage::greeting || stage_ == Stage::checking) {
    if (now - begun_ >= limits.hello_timeout) return end(wire::Code::hello_timeout);
    if (newest_query_ != 0 && now - newest_asked_ >= newest_answer_max) {
      shared_.pending.take(newest_query_);
      on_newest(false);
    }
  } else if (stage_ == Stage::open && now - last_heard_ >= limits.silence_timeout) {
    close(close_silent, "silence");
  }
}

}  // namespace tidings::gateway
