#include <algorithm>
#include <utility>

#include "base/log_line.h"
#include "gateway/session.h"

namespace tidings::gateway {

namespace {

constexpr uint64_t busy_retry_ms = 500;

std::optional<uint64_t> retry_ms(const wire::Problem& problem) {
  if (problem.retry_ms > 0) return problem.retry_ms;
  return problem.code == wire::Code::busy ? std::optional(busy_retry_ms) : std::nullopt;
}

}  // namespace

void Session::refuse(std::optional<wire::Request> request, const wire::Problem& problem,
                     std::optional<model::ClientId> missing) {
  shared_.metrics.refused(problem.code).add();
  if (base::logs(base::LogLevel::debug)) {
    base::log_fields(base::LogLevel::debug, "gateway: refused",
                     {{"session", std::to_string(shared_.gateway) + "-" + std::to_string(number_)},
                      {"request", request ? std::to_string(*request) : "-"},
                      {"code", wire::name(problem.code)}});
  }
  send(wire::encode(wire::ErrorFrame{request, problem.code, problem.detail, retry_ms(problem), missing}));
}

void Session::refuse_send(const wire::MessageSend& send, const wire::Problem& problem) {
  refused_.remember(send.client_id);
  refuse(send.request, problem, problem.code == wire::Code::order ? send.previous : std::nullopt);
}

base::WallTime Session::until(std::optional<base::WallTime> own) const {
  return std::min(shared_.until(), own.value_or(shared_.until()));
}

void Session::on_request(const wire::Ping&) {
  send_uncounted(wire::encode(wire::Pong{shared_.links.log_time()}));
}

void Session::on_request(const wire::Bye&) {
  Connection* connection = let_go();
  leave();
  if (connection) connection->close(1000, "bye");
}

void Session::on_request(const wire::Hello&) {
  end(wire::Code::bad_frame, "The hello was said already.");
}

void Session::on_request(const wire::UnknownFrame& unknown) {
  if (unknown.request) refuse(unknown.request, {wire::Code::unsupported, ""});
}

// --- sends

std::optional<wire::Problem> Session::check_send(const wire::MessageSend& send) const {
  using wire::Code;
  if (asks_too_much()) return wire::Problem{Code::busy, "Too many requests are unanswered."};
  if (send.message.text.empty()) return wire::Problem{Code::bad_request, "The text is empty."};
  if (send.message.text.size() > shared_.parts.limits.text_bytes_max) {
    return wire::Problem{Code::too_large, "The text is longer than allowed."};
  }
  if (send.to == who_.user) return wire::Problem{Code::bad_request, "A direct conversation has two people."};
  if (send.previous && refused_.contains(*send.previous)) return wire::Problem{Code::order, ""};
  return std::nullopt;
}

void Session::on_request(wire::MessageSend& send) {
  refused_.forget(send.client_id);
  if (const auto problem = check_send(send)) return refuse_send(send, *problem);
  for (const auto draw : {&Rates::request, &Rates::send}) {
    if (const auto asked = (shared_.rates.*draw)(who_, shared_.now()); asked.refused)
      return refuse_send(send, *asked.refused);
  }
  send.to ? first_send(std::move(send)) : hand_over(send, false);
}

void Session::first_send(wire::MessageSend send) {
  looking_up_ = true;
  ++in_flight_;
  const model::UserId to = *send.to;
  shared_.find_people(
      {to}, [shared = &shared_, number = number_, send = std::move(send)](wire::Answer<bool> there) {
        Session* session = shared->session(number);
        if (!session || !session->is_open()) return;
        --session->in_flight_;
        if (!there) {
          session->refuse_send(send, there.error());
        } else if (!*there) {
          session->refuse_send(send, {wire::Code::not_found, ""});
        } else {
          session->hand_over(send, true);
        }
        session->go_on();
      });
}

void Session::hand_over(const wire::MessageSend& send, bool create_first) {
  const uint64_t number =
      shared_.pending.add(SessionAsker{number_, SessionAsker::What::command, send.request, send.client_id});
  const auto late = until(send.until);
  const auto conversation = send.to ? model::direct_conversation(who_.user, *send.to) : *send.conversation;
  std::vector<model::Command> commands;
  if (create_first) {
    auto reply_to = shared_.reply_to(number_, number);
    reply_to.errors_only = true;
    commands.push_back(
        shared_.create_command(who_, *send.to, model::create_client_id(send.client_id), late, reply_to));
  }
  commands.push_back({who_.user, who_.device, shared_.reply_to(number_, number), conversation, send.client_id,
                      late, model::SendMessage{send.message, send.previous}});
  if (shared_.hand_over(std::move(commands))) {
    ++in_flight_;
  } else {
    shared_.pending.take(number);
    refuse_send(send, {wire::Code::busy, ""});
  }
}

// --- the other commands

template <class Frame>
void Session::command(Frame& frame) {
  const wire::Request request = frame.request;
  if (asks_too_much()) return refuse(request, {wire::Code::busy, "Too many requests are unanswered."});
  auto wanted = want(shared_.parts.limits, who_.user, std::move(frame));
  if (!wanted) return refuse(request, wanted.error());
  if (const auto asked = shared_.rates.request(who_, shared_.now()); asked.refused)
    return refuse(request, *asked.refused);
  if (const auto asked = shared_.rates.command(who_, *wanted, shared_.now()); asked.refused)
    return refuse(request, *asked.refused);
  if (wanted->must_exist.empty()) return hand_over(request, std::move(*wanted));
  looking_up_ = true;
  ++in_flight_;
  auto people = wanted->must_exist;
  shared_.find_people(std::move(people), [shared = &shared_, number = number_, request,
                                          wanted = std::move(*wanted)](wire::Answer<bool> there) mutable {
    Session* session = shared->session(number);
    if (!session || !session->is_open()) return;
    --session->in_flight_;
    if (!there) {
      session->refuse(request, there.error());
    } else if (!*there) {
      session->refuse(request, {wire::Code::not_found, ""});
    } else {
      session->hand_over(request, std::move(wanted));
    }
    session->go_on();
  });
}

void Session::hand_over(wire::Request request, Wanted wanted) {
  const uint64_t number = shared_.pending.add(SessionAsker{number_, SessionAsker::What::command, request});
  if (shared_.hand_over({shared_.command(who_, std::move(wanted), until(std::nullopt),
                                         shared_.reply_to(number_, number))})) {
    ++in_flight_;
  } else {
    shared_.pending.take(number);
    refuse(request, {wire::Code::busy, ""});
  }
}

void Session::on_request(wire::ConversationCreate& create) {
  command(create);
}
void Session::on_request(wire::ConversationUpdate& update) {
  command(update);
}
void Session::on_request(wire::ConversationLeave& leave) {
  command(leave);
}
void Session::on_request(wire::MemberAdd& add) {
  command(add);
}
void Session::on_request(wire::MemberRemove& remove) {
  command(remove);
}
void Session::on_request(wire::MemberRole& role) {
  command(role);
}
void Session::on_request(wire::BlockFrame& block) {
  command(block);
}

void Session::on_reply(const SessionAsker& asker, const ports::Reply& reply) {
  if (!is_open()) return;
  if (asker.what == SessionAsker::What::mark) return answer_mark(asker, reply);
  --in_flight_;
  if (!reply.error) {
    return send(wire::encode(wire::Ok{asker.request.value_or(0), reply.conversation, reply.seq, reply.ord,
                                      reply.id, reply.time, reply.duplicate}));
  }
  if (!reply.appended && asker.send) refused_.remember(*asker.send);
  refuse(asker.request, refused_by_core(*reply.error), reply.missing);
}

// What became of a command is not known: whoever sends it again learns it.
void Session::on_lost(const SessionAsker& asker) {
  using What = SessionAsker::What;
  if (asker.what == What::newest) return on_newest(false);
  if (!is_open()) return;
  if (asker.what == What::mark) {
    --marks_in_flight_;
  } else if (asker.what == What::command) {
    --in_flight_;
  } else {
    read_done();
  }
  if (asker.request) refuse(asker.request, {wire::Code::busy, ""});
  next_read();
}

}  // namespace tidings::gateway
