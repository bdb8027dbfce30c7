#include "client/cpp/core.h"

#include <deque>
#include <utility>

#include <simdjson.h>

#include "base/limits.h"
#include "client/cpp/alarm.h"
#include "client/cpp/client_ids.h"
#include "client/cpp/openings.h"
#include "client/cpp/outbox.h"
#include "client/cpp/timelines.h"

namespace tidings::client {

namespace {

// Unless the welcome says otherwise.
constexpr size_t sends_in_flight_default = 32;
// More would only queue in the server, which lets little wait for a slow link.
constexpr size_t pulls_in_flight_max = 2;
constexpr base::nanoseconds patience_usual = std::chrono::seconds(10);
// A page has up to 256 KiB: enough for 7 KB/s.
constexpr base::nanoseconds patience_for_pages = std::chrono::seconds(40);
constexpr size_t outbox_messages_max = 100'000;
constexpr size_t sync_row_bytes = 96;
constexpr size_t sync_rows_max = 500;
constexpr size_t sync_head_bytes = 256;

}  // namespace

struct Core::State final : Line::Host, Timelines::Sink {
  explicit State(Parts given)
      : parts(std::move(given)),
        ids(parts.clock, parts.random),
        outbox(parts.outbox, ids, parts.random),
        openings(parts.random),
        timelines(parts.random, *this, last_request),
        line(parts.executor, parts.clock, parts.random, parts.open_transport, *this),
        alarm(parts.executor, parts.clock, [this] { turn(); }) {}

  // --- one turn: all that is due is done and written, then the listener hears of it.
  void turn() {
    if (delivering) {
      again = true;
      return;
    }
    delivering = true;
    do {
      again = false;
      work();
      while (!notices.empty()) {
        auto notice = std::move(notices.front());
        notices.pop_front();
        notice();
      }
    } while (again);
    delivering = false;
  }

  // The same for calls from outside, where the listener must not hear of anything.
  void called() {
    if (delivering) {
      again = true;
      return;
    }
    work();
    if (!notices.empty()) alarm.by(parts.clock.monotonic());
  }

  void work() {
    const base::MonotonicTime now = parts.clock.monotonic();
    line.act(now);
    for (const Outbox::Ended& ended : outbox.ended(now)) {
      if (ended.renamed) {
        notices.push_back(
            [this, ended] { parts.listener.on_renamed(ended.message.client_id, *ended.renamed); });
      } else {
        notices.push_back([this, ended] { parts.listener.on_failed(ended.message, ended.why); });
      }
    }
    for (const auto& frame : timelines.due(now)) {
      std::visit(
          [this](const auto& f) {
            if constexpr (requires { wire::encode(f); }) line.send(wire::encode(f));
          },
          frame);
    }
    for (const auto& frame : openings.due(now, last_request)) line.send(wire::encode(frame));
    const auto route = [this](const model::ConversationId& conversation) {
      return Outbox::Route{timelines.settled(conversation), timelines.addressee(conversation)};
    };
    for (const auto& frame : outbox.due(now, last_request, route)) line.send(wire::encode(frame));
    if (line.state() == Connection::syncing && timelines.caught_up()) line.caught_up();
    if (const auto next =
            earlier(earlier(line.next(), timelines.next()), earlier(openings.next(), outbox.next()))) {
      alarm.by(*next);
    }
  }

  // --- Line::Host
  wire::Hello hello() override {
    wire::Hello hello;
    hello.token = parts.token;
    hello.app = parts.app;
    if (!branch.empty()) hello.branch = branch;
    hello.newest = timelines.newest();
    return hello;
  }

  void on_welcome(const wire::Welcome& welcome) override {
    user = welcome.user;
    branch = welcome.branch;
    const uint64_t requests =
        welcome.sends_in_flight_max ? welcome.sends_in_flight_max : sends_in_flight_default;
    const auto in_flight = static_cast<size_t>(std::min<uint64_t>(requests, 1024));
    const size_t pulls = std::clamp<size_t>(in_flight / 4, 1, pulls_in_flight_max);
    const size_t frame_bytes = static_cast<size_t>(
        welcome.frame_bytes_max ? std::min<uint64_t>(welcome.frame_bytes_max, limits.frame_bytes_max)
                                : limits.frame_bytes_max);
    const size_t rows = frame_bytes > sync_head_bytes ? (frame_bytes - sync_head_bytes) / sync_row_bytes : 1;
    timelines.connected(welcome.user, welcome.branch, pulls, std::min(sync_rows_max, rows));
    openings.connected();
    outbox.connected(in_flight > pulls ? in_flight - pulls : 1);
  }

  bool on_frame(const wire::ServerFrame& frame) override {
    const base::MonotonicTime now = parts.clock.monotonic();
    outbox.look_again();
    timelines.heard(now);
    if (const auto* event = std::get_if<wire::EventFrame>(&frame)) {
      tick(event->event);
      return timelines.add(event->event, now);
    }
    if (const auto* ok = std::get_if<wire::Ok>(&frame)) return accepted(*ok, now);
    if (const auto* error = std::get_if<wire::ErrorFrame>(&frame)) return refused(*error, now);
    if (const auto* page = std::get_if<wire::PageFrame>(&frame)) return timelines.page(*page, now);
    if (const auto* sync = std::get_if<wire::SyncAnswer>(&frame)) return timelines.synced(*sync, now);
    return true;
  }

  base::nanoseconds patience() const override {
    return timelines.asks_for_pages() ? patience_for_pages : patience_usual;
  }

  void on_server_time(base::WallTime now) override {
    timelines.heard(parts.clock.monotonic());
    ids.told(now);
  }

  void on_down() override {
    timelines.disconnected();
    openings.disconnected();
    outbox.disconnected();
  }

  void on_state(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) override {
    notices.push_back([=, this] { parts.listener.on_connection(state, why, retry_in); });
  }

  void on_turn() override { turn(); }

  // --- Timelines::Sink
  void on_event(const model::Event& event) override {
    tick(event);
    notices.push_back([this, event] { parts.listener.on_event(event); });
  }

  void on_reset(const model::ConversationId& conversation) override {
    notices.push_back([this, conversation] { parts.listener.on_reset(conversation); });
  }

  void on_lost(const model::ConversationId& conversation, std::vector<OutboxMessage> lost) override {
    outbox.put_back(conversation, std::move(lost));
  }

  // --- answers
  void tick(const model::Event& event) {
    if (event.from != user || !std::holds_alternative<model::MessageCreated>(event.body)) return;
    if (!outbox.accept(event.client_id)) return;
    tell_sent({event.client_id, event.conversation, event.seq, event.ord, event.id, event.time});
  }

  void tell_sent(const Sent& sent) {
    notices.push_back([this, sent] { parts.listener.on_sent(sent); });
  }

  bool accepted(const wire::Ok& ok, base::MonotonicTime now) {
    if (auto opened = openings.accept(ok)) {
      timelines.expect(ok.conversation, ok.seq, now);
      finish(std::move(*opened));
      return true;
    }
    const OutboxMessage* message = outbox.find(ok.request);
    // Of a message that was ticked or given up already: the event is known, or pulled.
    if (!message) return ok.seq.value == 0 || (timelines.expect(ok.conversation, ok.seq, now), true);
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
                         now);
  }

  bool refused(const wire::ErrorFrame& error, base::MonotonicTime now) {
    if (auto opened = openings.refuse(error, now)) {
      finish(std::move(*opened));
      return true;
    }
    if (const OutboxMessage* message = outbox.find(*error.request)) {
      // A restored server may not know the conversation any more: it is made again by writing to the person.
      if (error.code == wire::Code::not_found && timelines.gone(message->conversation)) {
        outbox.reroute(*error.request, now);
      } else {
        outbox.refuse(error, now);
      }
      return true;
    }
    return timelines.refused(error, now);
  }

  void finish(Openings::Finished finished) {
    notices.push_back([finished = std::move(finished)] { finished.done(finished.answer); });
  }

  Parts parts;
  base::Limits limits;
  uint64_t last_request = 0;
  model::UserId user;
  std::string branch;
  ClientIds ids;
  Outbox outbox;
  Openings openings;
  Timelines timelines;
  Line line;
  Alarm alarm;
  std::deque<std::function<void()>> notices;
  bool delivering = false;
  bool again = false;
};

Core::Core(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {}

Core::~Core() = default;

base::Status Core::connect() {
  if (auto loaded = state_->outbox.load(); !loaded) return loaded;
  state_->line.start();
  state_->called();
  return {};
}

void Core::disconnect() {
  state_->line.stop();
  state_->called();
}

Connection Core::connection() const {
  return state_->line.state();
}

std::optional<model::UserId> Core::user() const {
  if (state_->user.value == 0) return std::nullopt;
  return state_->user;
}

void Core::open_direct(model::UserId other, std::function<void(wire::Answer<model::ConversationId>)> done) {
  if (const auto self = user()) {
    const auto id = model::direct_conversation(*self, other);
    if (conversation(id)) {
      state_->finish({std::move(done), id});
      state_->called();
      return;
    }
  }
  state_->openings.add(other, state_->ids.mint(), std::move(done));
  state_->called();
}

base::Result<model::ClientId> Core::send(const model::ConversationId& conversation, model::Message message) {
  if (message.text.size() > state_->limits.text_bytes_max) return base::failure("The text is too long.");
  if (!simdjson::validate_utf8(message.text)) return base::failure("The text is not valid UTF-8.");
  if (state_->outbox.size() >= outbox_messages_max)
    return base::failure("Too many messages wait to be sent.");
  const model::ClientId client_id = state_->ids.mint();
  wire::MessageSend frame{.request = state_->last_request + 1'000'000'000,
                          .conversation = conversation,
                          .client_id = client_id,
                          .previous = client_id,
                          .message = message};
  // Escapes may make it longer than any frame.
  if (wire::encode(frame).size() > state_->limits.frame_bytes_max)
    return base::failure("The text is too long.");
  if (auto added = state_->outbox.add({client_id, conversation, std::move(message)}); !added) {
    return base::fail(added.error());
  }
  state_->called();
  return client_id;
}

const ConversationView* Core::conversation(const model::ConversationId& id) const {
  return state_->timelines.view(id);
}
std::vector<ConversationView> Core::conversations() const {
  return state_->timelines.views();
}
std::vector<model::Event> Core::events(const model::ConversationId& id) const {
  return state_->timelines.events(id);
}
size_t Core::outbox_size() const {
  return state_->outbox.size();
}

}  // namespace tidings::client
