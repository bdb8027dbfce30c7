#include "client/cpp/core_state.h"

namespace tidings::client {

namespace {

// Unless the welcome says otherwise.
constexpr size_t sends_in_flight_default = 32;
// More would only queue in the server, which lets little wait for a slow link.
constexpr size_t pulls_in_flight_max = 2;
// Commands, marks, rows and histories, which may also be on their way.
constexpr size_t others_in_flight_max = 12;
constexpr base::nanoseconds patience_usual = std::chrono::seconds(10);
// A page has up to 256 KiB: enough for 7 KB/s.
constexpr base::nanoseconds patience_for_pages = std::chrono::seconds(40);
constexpr size_t sync_row_bytes = 112;
constexpr size_t sync_rows_max = 500;
constexpr size_t sync_head_bytes = 256;

}  // namespace

wire::Hello Core::State::hello() {
  wire::Hello hello;
  hello.token = parts.token;
  hello.app = parts.app;
  if (!branch.empty()) hello.branch = branch;
  hello.newest = timelines.newest();
  resume.say(hello, acks.stored());
  return hello;
}

bool Core::State::on_welcome(const wire::Welcome& welcome) {
  const auto verdict = resume.welcomed(welcome, user, now());
  if (verdict == Resume::Verdict::broken) return false;
  branch = welcome.branch;
  if (verdict == Resume::Verdict::resumed) {
    acks.resumed(welcome.received);
    return true;
  }
  user = welcome.user;
  acks.connected();
  const uint64_t requests =
      welcome.sends_in_flight_max ? welcome.sends_in_flight_max : sends_in_flight_default;
  const auto in_flight = static_cast<size_t>(std::min<uint64_t>(requests, 1024));
  const size_t pulls = std::clamp<size_t>(in_flight / 4, 1, pulls_in_flight_max);
  const size_t frame_bytes = static_cast<size_t>(
      welcome.frame_bytes_max ? std::min<uint64_t>(welcome.frame_bytes_max, limits.frame_bytes_max)
                              : limits.frame_bytes_max);
  const size_t rows_told = welcome.sync_rows_max
                               ? static_cast<size_t>(std::min<uint64_t>(welcome.sync_rows_max, sync_rows_max))
                               : sync_rows_max;
  const size_t rows = frame_bytes > sync_head_bytes ? (frame_bytes - sync_head_bytes) / sync_row_bytes : 1;
  timelines.connected({.self = welcome.user,
                       .branch = welcome.branch,
                       .changes = welcome.sync == "changes",
                       .pulls_max = pulls,
                       .chunk_rows_max = std::max<size_t>(1, std::min(rows_told, rows))});
  commands.connected();
  const size_t others = pulls + others_in_flight_max;
  outbox.connected(in_flight > others ? in_flight - others : 1);
  focus_told = !focus;
  return true;
}

void Core::State::go_on(base::MonotonicTime moment) {
  timelines.resumed(moment);
  commands.resumed();
  outbox.resumed();
  focus_told = false;
}

bool Core::State::on_frame(const wire::ServerFrame& frame) {
  outbox.look_again();
  timelines.heard(now());
  if (const auto* event = std::get_if<wire::EventFrame>(&frame)) {
    tick(event->event);
    return timelines.add(event->event, now());
  }
  if (const auto* ok = std::get_if<wire::Ok>(&frame)) return accepted(*ok);
  if (const auto* error = std::get_if<wire::ErrorFrame>(&frame)) return refused(*error);
  if (const auto* dirty = std::get_if<wire::Dirty>(&frame)) {
    if (!dirty->branch.empty()) branch = dirty->branch;
    timelines.dirty(*dirty, now());
    return true;
  }
  if (const auto* receipt = std::get_if<wire::Receipt>(&frame)) return timelines.receipt(*receipt, now());
  if (const auto* page = std::get_if<wire::PageFrame>(&frame)) return timelines.page(*page, now());
  if (const auto* sync = std::get_if<wire::SyncAnswer>(&frame)) return timelines.synced(*sync, now());
  return true;
}

base::nanoseconds Core::State::patience() const {
  return timelines.asks_for_pages() ? patience_for_pages : patience_usual;
}

void Core::State::on_server_time(base::WallTime server_now) {
  timelines.heard(now());
  ids.told(server_now);
}

void Core::State::on_down() {
  resume.down();
  timelines.paused();
  commands.paused();
  outbox.paused();
}

void Core::State::on_state(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) {
  notices.push_back([=, this] { parts.listener.on_connection(state, why, retry_in); });
}

void Core::State::on_event(const model::Event& event) {
  tick(event);
  notices.push_back([this, event] { parts.listener.on_event(event); });
}

void Core::State::on_held(const model::Event& event) {
  notices.push_back([this, event] { parts.listener.on_held(event); });
}

void Core::State::on_reset(const model::ConversationId& conversation) {
  notices.push_back([this, conversation] { parts.listener.on_reset(conversation); });
}

void Core::State::on_lost(const model::ConversationId& conversation, std::vector<OutboxMessage> lost) {
  outbox.put_back(conversation, std::move(lost));
}

void Core::State::tick(const model::Event& event) {
  if (event.from != user || !std::holds_alternative<model::MessageCreated>(event.body)) return;
  if (!outbox.accept(event.client_id)) return;
  tell_sent({event.client_id, event.conversation, event.seq, event.ord, event.id, event.time});
}

void Core::State::tell_sent(const Sent& sent) {
  notices.push_back([this, sent] { parts.listener.on_sent(sent); });
}

bool Core::State::accepted(const wire::Ok& ok) {
  if (auto finished = commands.accept(ok)) {
    // The session that asked gets no event: it is pulled, though it be an earlier try that was taken. Of a
    // conversation that is not known a duplicate may name one that was there already.
    if (ok.duplicate && !timelines.view(ok.conversation)) {
      timelines.look_at(ok.conversation, now());
    } else {
      timelines.expect(ok.conversation, ok.seq, now());
    }
    later([finished = std::move(*finished)] { finished.done(finished.answer); });
    return true;
  }
  if (timelines.marked(ok, now())) return true;
  const OutboxMessage* message = outbox.find(ok.request);
  // Of a message that was ticked or given up already: the event is known, or pulled.
  if (!message) {
    if (ok.seq.value > 0) timelines.expect(ok.conversation, ok.seq, now());
    return true;
  }
  if (message->conversation != ok.conversation || ok.seq.value == 0) return false;
  const auto sent = outbox.accept(message->client_id);
  if (!sent) return true;
  tell_sent({sent->client_id, ok.conversation, ok.seq, ok.ord, ok.id, ok.time});
  // The event that every other device gets.
  return timelines.add({.conversation = ok.conversation,
                        .seq = ok.seq,
                        .ord = ok.ord,
                        .id = ok.id,
                        .time = ok.time,
                        .from = user,
                        .client_id = sent->client_id,
                        .body = model::MessageCreated{sent->message}},
                       now());
}

bool Core::State::refused(const wire::ErrorFrame& error) {
  if (auto finished = commands.refuse(error, now())) {
    later([finished = std::move(*finished)] { finished.done(finished.answer); });
    return true;
  }
  if (const OutboxMessage* message = outbox.find(*error.request)) {
    // A restored server may not know the conversation any more: it is made again by writing to the person.
    if (error.code == wire::Code::not_found && timelines.gone(message->conversation)) {
      outbox.reroute(*error.request, now());
    } else {
      outbox.refuse(error, now());
    }
    return true;
  }
  return timelines.refused(error, now());
}

}  // namespace tidings::client
