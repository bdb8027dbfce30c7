#include <algorithm>
#include <utility>

#include "gateway/session.h"

namespace tidings::gateway {

namespace {

constexpr uint64_t busy_retry_ms = 500;
// A link that takes long to become ready for a read is slow, and feels no longer pause.
constexpr base::nanoseconds read_pause_first = std::chrono::milliseconds(20);
constexpr base::nanoseconds read_pause_max = std::chrono::milliseconds(320);

std::optional<uint64_t> retry_ms(wire::Code code) {
  return code == wire::Code::busy ? std::optional(busy_retry_ms) : std::nullopt;
}

}  // namespace

void Session::refuse(std::optional<wire::Request> request, const wire::Problem& problem,
                     std::optional<model::ClientId> missing) {
  shared_.metrics.refused(problem.code).add();
  send(
      wire::encode(wire::ErrorFrame{request, problem.code, problem.detail, retry_ms(problem.code), missing}));
}

void Session::refuse_send(const wire::MessageSend& send, const wire::Problem& problem) {
  refused_.remember(send.client_id);
  refuse(send.request, problem, problem.code == wire::Code::order ? send.previous : std::nullopt);
}

base::WallTime Session::until(std::optional<base::WallTime> own) const {
  return std::min(shared_.until(), own.value_or(shared_.until()));
}

void Session::on_request(const wire::Ping&) {
  send(wire::encode(wire::Pong{shared_.links.log_time()}));
}

void Session::on_request(const wire::Bye&) {
  close(1000, "bye");
}

void Session::on_request(const wire::Hello&) {
  end(wire::Code::bad_frame, "The hello was said already.");
}

void Session::on_request(const wire::UnknownFrame& unknown) {
  if (unknown.request) refuse(unknown.request, {wire::Code::unsupported, ""});
}

// --- commands

std::optional<wire::Problem> Session::check_send(const wire::MessageSend& send) const {
  using wire::Code;
  if (is_full()) return wire::Problem{Code::busy, "Too many requests are unanswered."};
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
  send.to ? first_send(std::move(send)) : hand_over(send, false);
}

void Session::first_send(wire::MessageSend send) {
  looking_up_ = true;
  ++in_flight_;
  const model::UserId to = *send.to;
  shared_.find_person(
      to, [shared = &shared_, number = number_, send = std::move(send)](wire::Answer<bool> there) {
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
      shared_.pending.add(SessionAsker{number_, send.request, send.client_id, std::nullopt});
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

void Session::on_request(wire::ConversationCreate& create) {
  std::erase(create.members, who_.user);
  if (is_full()) return refuse(create.request, {wire::Code::busy, "Too many requests are unanswered."});
  if (create.members.size() != 1) {
    return refuse(create.request, {wire::Code::bad_request, "A direct conversation has two people."});
  }
  looking_up_ = true;
  ++in_flight_;
  const model::UserId other = create.members.front();
  shared_.find_person(other, [shared = &shared_, number = number_, other,
                              create = std::move(create)](wire::Answer<bool> there) {
    Session* session = shared->session(number);
    if (!session || !session->is_open()) return;
    --session->in_flight_;
    if (!there) {
      session->refuse(create.request, there.error());
    } else if (!*there) {
      session->refuse(create.request, {wire::Code::not_found, ""});
    } else {
      session->hand_over_create(create, other);
    }
    session->go_on();
  });
}

void Session::hand_over_create(const wire::ConversationCreate& create, model::UserId other) {
  const uint64_t number =
      shared_.pending.add(SessionAsker{number_, create.request, std::nullopt, std::nullopt});
  if (shared_.hand_over({shared_.create_command(who_, other, create.client_id, until(std::nullopt),
                                                shared_.reply_to(number_, number))})) {
    ++in_flight_;
  } else {
    shared_.pending.take(number);
    refuse(create.request, {wire::Code::busy, ""});
  }
}

void Session::on_reply(const SessionAsker& asker, const ports::Reply& reply) {
  if (!is_open()) return;
  --in_flight_;
  if (!reply.error) {
    return send(wire::encode(wire::Ok{asker.request, reply.conversation, reply.seq, reply.ord, reply.id,
                                      reply.time, reply.duplicate}));
  }
  if (!reply.appended && asker.send) refused_.remember(*asker.send);
  refuse(asker.request, {*reply.error, ""}, reply.missing);
}

// --- reads

void Session::on_request(wire::PullFrame& pull) {
  if (is_full()) return refuse(pull.request, {wire::Code::busy, "Too many requests are unanswered."});
  ++in_flight_;
  reads_.emplace_back(std::move(pull));
  next_read();
}

void Session::on_request(wire::SyncFrame& sync) {
  if (is_full()) return refuse(sync.request, {wire::Code::busy, "Too many requests are unanswered."});
  if (sync.from > sync.to) return refuse(sync.request, {wire::Code::bad_request, "from is above to."});
  if (sync.vector.size() > shared_.parts.limits.sync_rows_max) {
    return refuse(sync.request, {wire::Code::limit, "The vector has too many rows."});
  }
  ++in_flight_;
  reads_.emplace_back(std::move(sync));
  next_read();
}

void Session::next_read() {
  while (!reading_ && !reads_.empty() && is_open()) {
    if (transport_->outbox_bytes() > read_outbox_bytes_max()) return read_later();
    read_pause_ = {};
    auto read = std::move(reads_.front());
    reads_.pop_front();
    reading_ = true;
    std::visit([this](auto& frame) { start(frame); }, read);
  }
}

void Session::read_later() {
  if (std::exchange(read_waits_, true)) return;
  auto look = [alive = std::weak_ptr(shared_.alive), shared = &shared_, number = number_] {
    Session* session = alive.expired() ? nullptr : shared->session(number);
    if (!session) return;
    session->read_waits_ = false;
    session->next_read();
  };
  if (read_pause_ == base::nanoseconds(0)) {
    read_pause_ = read_pause_first;
    return shared_.parts.executor.post(std::move(look));
  }
  shared_.parts.executor.after(read_pause_, std::move(look));
  read_pause_ = std::min(2 * read_pause_, read_pause_max);
}

void Session::read_done() {
  reading_ = false;
  --in_flight_;
}

void Session::start(const wire::PullFrame& pull) {
  const uint64_t number =
      shared_.pending.add(SessionAsker{number_, pull.request, std::nullopt, std::nullopt});
  const uint64_t limit_max = shared_.parts.limits.page_events_max;
  if (shared_.links.send(
          pull.conversation,
          ports::Pull{number, who_.user, pull.conversation, pull.after, pull.check,
                      static_cast<size_t>(std::min(limit_max, pull.limit.value_or(limit_max)))})) {
    return;
  }
  shared_.pending.take(number);
  read_done();
  refuse(pull.request, {wire::Code::busy, ""});
}

void Session::start(wire::SyncFrame& sync) {
  const size_t limit = shared_.parts.limits.sync_rows_max;
  std::ranges::sort(sync.vector, {}, &wire::VectorEntry::conversation);
  std::vector<std::vector<ports::VectorRow>> vectors(shared_.links.count());
  for (const auto& entry : sync.vector) {
    auto& rows = vectors[shared_.links.shard_of(entry.conversation)];
    if (!rows.empty() && rows.back().conversation == entry.conversation) continue;
    rows.push_back({entry.conversation, entry.have.seq, entry.have.id});
  }
  const uint64_t number = shared_.pending.add(
      SessionAsker{number_, sync.request, std::nullopt, SyncGather(vectors.size(), limit)});
  for (size_t shard = 0; shard < vectors.size(); ++shard) {
    if (shared_.links.send(
            shard, ports::Sync{number, who_.user, sync.from, sync.to, std::move(vectors[shard]), limit})) {
      continue;
    }
    // What the other shards answer finds nobody.
    shared_.pending.take(number);
    read_done();
    return refuse(sync.request, {wire::Code::busy, ""});
  }
}

void Session::on_page(const SessionAsker& asker, const wire::Answer<ports::Page>& page) {
  if (!is_open()) return;
  read_done();
  if (!page) {
    refuse(asker.request, page.error());
  } else {
    wire::PageFrame frame;
    frame.request = asker.request;
    frame.conversation = page->conversation;
    frame.holes = page->holes;
    frame.upto = page->upto;
    frame.head = page->head;
    frame.asof = page->asof;
    frame.more = page->more;
    frame.marks = page->marks;
    frame.mark_count = page->mark_count;
    answer_read(wire::encode_page(frame, page->events));
  }
  next_read();
}

void Session::on_sync(const SessionAsker& asker, const wire::Answer<ports::SyncRows>& rows) {
  if (!is_open()) return;
  read_done();
  if (!rows) {
    refuse(asker.request, rows.error());
  } else {
    wire::SyncAnswer answer;
    answer.request = asker.request;
    for (const auto& row : rows->rows) {
      answer.conversations.push_back({row.conversation,
                                      row.kind,
                                      row.title,
                                      {row.head, row.head_id},
                                      row.ord,
                                      row.marks,
                                      row.mark_count,
                                      row.unread});
    }
    answer.activity = rows->activity;
    answer.more = rows->next.has_value();
    answer.next = rows->next;
    answer_read(wire::encode(answer));
  }
  next_read();
}

}  // namespace tidings::gateway
