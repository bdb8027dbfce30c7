#include <algorithm>
#include <utility>

#include "gateway/answers.h"
#include "gateway/asked.h"
#include "gateway/session.h"

namespace tidings::gateway {

template <class Frame>
void Session::queue_read(Frame& frame) {
  if (asks_too_much()) return refuse(frame.request, {wire::Code::busy, "Too many requests are unanswered."});
  if (const auto asked = shared_.rates.request(who_, shared_.now()); asked.refused)
    return refuse(frame.request, *asked.refused);
  ++in_flight_;
  reads_.push_back(std::move(frame));
  next_read();
}

void Session::on_request(wire::PullFrame& pull) {
  queue_read(pull);
}

void Session::on_request(wire::HistoryFrame& history) {
  queue_read(history);
}

void Session::on_request(wire::SyncFrame& sync) {
  if (sync.from > sync.to) return refuse(sync.request, {wire::Code::bad_request, "from is above to."});
  if (sync.vector.size() > shared_.parts.limits.sync_rows_max) {
    return refuse(sync.request, {wire::Code::limit, "The vector has too many rows."});
  }
  queue_read(sync);
}

void Session::next_read() {
  while (!reading_ && !reads_.empty() && connection_) {
    if (is_full(0)) return;  // goes on with an ack
    if (ring_.waits() || connection_->outbox_bytes() > shared_.parts.limits.outbox_bytes_high)
      return pump_later();
    auto read = std::move(reads_.front());
    reads_.pop_front();
    reading_ = true;
    std::visit([this](auto& frame) { start(frame); }, read);
  }
}

void Session::read_done() {
  reading_ = false;
  --in_flight_;
}

void Session::ask(uint64_t number, wire::Request request, const model::ConversationId& conversation,
                  ports::UpFrame question) {
  if (shared_.links.send(conversation, std::move(question))) return;
  shared_.pending.take(number);
  read_done();
  refuse(request, {wire::Code::busy, ""});
}

void Session::start(const wire::PullFrame& pull) {
  const uint64_t number = shared_.pending.add(SessionAsker{number_, SessionAsker::What::pull, pull.request});
  const uint64_t limit_max = shared_.parts.limits.page_events_max;
  ask(number, pull.request, pull.conversation,
      ports::Pull{number, who_.user, pull.conversation, pull.after, pull.check,
                  static_cast<size_t>(std::min(limit_max, pull.limit.value_or(limit_max)))});
}

void Session::start(const wire::HistoryFrame& history) {
  const uint64_t number =
      shared_.pending.add(SessionAsker{number_, SessionAsker::What::history, history.request});
  ask(number, history.request, history.conversation,
      history_of(history, who_.user, number, shared_.parts.limits));
}

void Session::start(wire::SyncFrame& sync) {
  const size_t limit = shared_.parts.limits.sync_rows_max;
  std::ranges::sort(sync.vector, {}, &wire::VectorEntry::conversation);
  std::vector<std::vector<ports::VectorRow>> vectors(shared_.links.count());
  for (const auto& entry : sync.vector) {
    auto& rows = vectors[shared_.links.shard_of(entry.conversation)];
    if (!rows.empty() && rows.back().conversation == entry.conversation) continue;
    rows.push_back({entry.conversation, entry.have.seq, entry.have.id, entry.mark_count});
  }
  const uint64_t number =
      shared_.pending.add(SessionAsker{number_, SessionAsker::What::sync, sync.request, std::nullopt,
                                       sync.from, sync.to, SyncGather(vectors.size(), limit)});
  for (size_t shard = 0; shard < vectors.size(); ++shard) {
    if (shared_.links.send(shard, ports::Sync{number, who_.user, sync.from, sync.to,
                                              std::move(vectors[shard]), sync.activity, limit})) {
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
    auto frame = page_frame(*page);
    frame.request = asker.request.value_or(0);
    send(wire::encode_page(frame, page->events));
    if (asker.what == SessionAsker::What::pull && !page->more && page->conversation != own_log_) {
      places_.end_of_pull(ring_.newest(), page->conversation, page->upto);
    }
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
    answer.request = asker.request.value_or(0);
    std::vector<model::ConversationId> listed;
    for (const auto& row : rows->rows) {
      answer.conversations.push_back(synced_frame(row));
      listed.push_back(row.conversation);
    }
    answer.activity = rows->activity;
    answer.more = rows->next.has_value();
    answer.next = rows->next;
    send(wire::encode(answer));
    mark_delivered(places_.synced(asker.from, asker.to, rows->next, listed));
  }
  next_read();
}

}  // namespace tidings::gateway
