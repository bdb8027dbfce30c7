// What the client's tests stand on: virtual time, an outbox in memory, and a small honest server whose
// answers a test may swallow, delay or falsify.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/core.h"
#include "wire/frames.h"

namespace tidings::client {

// An executor and a clock that move only when a test says so.
class VirtualTime final : public base::Executor, public ports::Clock {
 public:
  void post(base::Task task) override { tasks_.push_back(std::move(task)); }
  base::TimerId after(base::nanoseconds delay, base::Task task) override {
    timers_.emplace(now_ + delay, std::make_pair(++last_timer_, std::move(task)));
    return last_timer_;
  }
  void cancel(base::TimerId timer) override {
    std::erase_if(timers_, [timer](const auto& entry) { return entry.second.first == timer; });
  }
  base::WallTime wall() const override {
    return base::wall_from_ms(1'800'000'000'000) + wall_error +
           std::chrono::duration_cast<base::milliseconds>(now_.time_since_epoch());
  }
  base::MonotonicTime monotonic() const override { return now_; }

  void run() { run_for(base::nanoseconds(0)); }
  void run_for(base::nanoseconds duration) {
    const base::MonotonicTime end = now_ + duration;
    for (;;) {
      if (!tasks_.empty()) {
        base::Task task = std::move(tasks_.front());
        tasks_.pop_front();
        task();
      } else if (!timers_.empty() && timers_.begin()->first <= end) {
        auto timer = timers_.extract(timers_.begin());
        now_ = std::max(now_, timer.key());
        timer.mapped().second();
      } else {
        break;
      }
    }
    now_ = end;
  }
  base::milliseconds wall_error{0};

 private:
  base::MonotonicTime now_{};
  std::deque<base::Task> tasks_;
  std::multimap<base::MonotonicTime, std::pair<base::TimerId, base::Task>> timers_;
  base::TimerId last_timer_ = 0;
};

class SeededRandom final : public ports::Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  void fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

class OutboxMemory final : public OutboxStore {
 public:
  base::Result<std::vector<OutboxMessage>> load() override {
    std::vector<OutboxMessage> out;
    for (const auto& [id, message] : messages) out.push_back(message);
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.order < b.order; });
    return out;
  }
  base::Status put(const OutboxMessage& message) override {
    if (fails) return base::failure("The disk is full.");
    messages[message.client_id] = message;
    return {};
  }
  base::Status replace(const model::ClientId& old, const OutboxMessage& message) override {
    if (fails) return base::failure("The disk is full.");
    messages.erase(old);
    messages[message.client_id] = message;
    return {};
  }
  base::Status remove(const model::ClientId& client_id) override {
    messages.erase(client_id);
    return {};
  }
  std::map<model::ClientId, OutboxMessage> messages;
  bool fails = false;
};

class SmallServer {
 public:
  explicit SmallServer(VirtualTime& virtual_time) : time(virtual_time) {}

  struct Chat {
    std::vector<model::Event> events;
    std::vector<model::UserId> members;
  };
  struct Link;  // one connection

  // To be given to a Core; `user` is who logs in through it.
  OpenTransport door(model::UserId user) {
    return [this, user](std::function<void(std::unique_ptr<ports::Transport>)> done) {
      ++opened;
      time.post([this, user, done] {
        if (!up) return done(nullptr);
        auto transport = std::make_unique<Transport>(*this, user);
        done(std::move(transport));
      });
    };
  }

  // Everything that came, in order, and those that the server acted upon.
  std::vector<wire::ClientFrame> got;
  template <class Frame>
  std::vector<Frame> got_of() const {
    std::vector<Frame> out;
    for (const auto& frame : got) {
      if (const auto* one = std::get_if<Frame>(&frame)) out.push_back(*one);
    }
    return out;
  }

  // A test's own answer: true means that the frame was dealt with.
  std::function<bool(const wire::ClientFrame&)> instead;
  // Whether an answer or live event is really sent.
  std::function<bool(const std::string&)> lets_out;

  bool up = true;
  int opened = 0;
  size_t page_events_max = 200;
  size_t sync_rows_max = 500;
  std::string branch = "b1";
  std::map<model::ConversationId, Chat> chats;
  std::map<std::pair<model::UserId, model::ClientId>, model::Event> taken;
  base::milliseconds log_ahead{0};  // of the virtual wall clock

  model::Event append(const model::ConversationId& id, model::UserId from, const model::ClientId& client_id,
                      std::variant<model::ConversationCreated, model::MessageCreated> body,
                      const void* except = nullptr) {
    Chat& chat = chats[id];
    if (const auto* created = std::get_if<model::ConversationCreated>(&body)) chat.members = created->members;
    const uint64_t ord = chat.events.empty() ? 0 : chat.events.back().ord.value + 1;
    model::Event event{.conversation = id,
                       .seq = {chat.events.size() + 1},
                       .ord = {ord},
                       .id = {++last_id},
                       .time = time.wall(),
                       .from = from,
                       .client_id = client_id,
                       .body = std::move(body)};
    chat.events.push_back(event);
    taken[{from, client_id}] = event;
    for (Transport* session : sessions_) {
      if (session != except &&
          std::find(chat.members.begin(), chat.members.end(), session->user) != chat.members.end()) {
        session->push(wire::encode_event(event));
      }
    }
    return event;
  }
  model::ConversationId chat_of(model::UserId a, model::UserId b) {
    const auto id = model::direct_conversation(a, b);
    if (!chats.contains(id)) {
      append(id, a, fresh(), model::ConversationCreated{model::ConversationKind::direct, {a, b}});
    }
    return id;
  }
  model::Event say(const model::ConversationId& id, model::UserId from, std::string text) {
    return append(id, from, fresh(), model::MessageCreated{{model::MessageKind::text, std::move(text)}});
  }
  model::ClientId fresh() {
    ++last_random_;
    return {model::uuid_v7(time.wall(), last_random_, last_random_)};
  }

  void push(const std::string& text) {
    for (Transport* session : sessions_) session->push(text);
  }
  void cut(uint16_t code = 1006, std::string reason = "") {
    for (Transport* session : std::exchange(sessions_, {})) session->end(code, reason);
  }
  size_t session_count() const { return sessions_.size(); }
  // Takes the whole state back to an earlier copy, as somebody who copies a data directory does.
  struct Backup {
    std::map<model::ConversationId, Chat> chats;
    std::map<std::pair<model::UserId, model::ClientId>, model::Event> taken;
  };
  Backup backup() const { return {chats, taken}; }
  void restore(const Backup& backup) {
    cut();
    chats = backup.chats;
    taken = backup.taken;
    branch += "r";
    last_id += 1'000'000;
  }

  VirtualTime& time;
  uint64_t last_id = 1000;

 private:
  class Transport final : public ports::Transport {
   public:
    Transport(SmallServer& owner, model::UserId who)
        : user(who), server_(owner), alive_(std::make_shared<bool>(true)) {
      server_.sessions_.push_back(this);
    }
    ~Transport() override { leave(); }
    void set_handler(Handler* handler) override { handler_ = handler; }
    void send(std::string_view frame) override {
      if (ended_) return;
      server_.time.post([this, weak = std::weak_ptr<bool>(alive_), text = std::string(frame)] {
        if (!weak.lock() || ended_) return;
        for (auto& parsed : wire::parse_client_frames(text).frames) {
          if (parsed.ok() && !ended_) server_.take(*this, *parsed);
        }
      });
    }
    size_t outbox_bytes() const override { return 0; }
    void close(uint16_t code, std::string_view reason) override { end(code, std::string(reason)); }
    std::string peer() const override { return ""; }

    void push(std::string text) {
      if (server_.lets_out && !server_.lets_out(text)) return;
      server_.time.post([this, weak = std::weak_ptr<bool>(alive_), text = std::move(text)] {
        if (weak.lock() && !ended_) handler_->on_frame(text);
      });
    }
    void end(uint16_t code, std::string reason) {
      leave();
      server_.time.post([this, weak = std::weak_ptr<bool>(alive_), code, reason = std::move(reason)] {
        if (!weak.lock() || ended_) return;
        ended_ = true;
        handler_->on_closed(code, reason);
      });
    }
    const model::UserId user;
    bool said_hello = false;

   private:
    void leave() { std::erase(server_.sessions_, this); }
    SmallServer& server_;
    Handler* handler_ = nullptr;
    bool ended_ = false;
    std::shared_ptr<bool> alive_;
  };

  void take(Transport& session, const wire::ClientFrame& frame);
  void take_send(Transport& session, const wire::MessageSend& send);
  void take_sync(Transport& session, const wire::SyncFrame& sync);
  void take_pull(Transport& session, const wire::PullFrame& pull);
  static void refuse(Transport& session, wire::Request request, wire::Code code,
                     std::optional<model::ClientId> missing = {}) {
    session.push(wire::encode(wire::ErrorFrame{.request = request, .code = code, .missing = missing}));
  }

  std::vector<Transport*> sessions_;
  uint64_t last_random_ = 0;
};

inline void SmallServer::take(Transport& session, const wire::ClientFrame& frame) {
  got.push_back(frame);
  if (instead && instead(frame)) return;
  if (std::holds_alternative<wire::Hello>(frame)) {
    wire::Welcome welcome;
    welcome.session = "s";
    welcome.user = session.user;
    welcome.device = {7};
    welcome.now = time.wall() - time.wall_error + log_ahead;
    welcome.branch = branch;
    welcome.frame_bytes_max = 64 * 1024;
    welcome.sends_in_flight_max = 32;
    session.push(wire::encode(welcome));
  } else if (std::holds_alternative<wire::Ping>(frame)) {
    session.push(wire::encode(wire::Pong{time.wall() - time.wall_error + log_ahead}));
  } else if (const auto* send = std::get_if<wire::MessageSend>(&frame)) {
    take_send(session, *send);
  } else if (const auto* create = std::get_if<wire::ConversationCreate>(&frame)) {
    const auto id = chat_of(session.user, create->members.at(0));
    const model::Event& first = chats.at(id).events.front();
    session.push(wire::encode(wire::Ok{create->request, id, first.seq, first.ord, first.id, first.time}));
  } else if (const auto* sync = std::get_if<wire::SyncFrame>(&frame)) {
    take_sync(session, *sync);
  } else if (const auto* pull = std::get_if<wire::PullFrame>(&frame)) {
    take_pull(session, *pull);
  }
}

inline void SmallServer::take_send(Transport& session, const wire::MessageSend& send) {
  const auto id = send.to ? chat_of(session.user, *send.to) : *send.conversation;
  if (!chats.contains(id)) return refuse(session, send.request, wire::Code::not_found);
  const auto before = taken.find({session.user, send.client_id});
  if (before != taken.end()) {
    const model::Event& e = before->second;
    return session.push(wire::encode(wire::Ok{send.request, id, e.seq, e.ord, e.id, e.time, true}));
  }
  const auto server_now = time.wall() - time.wall_error + log_ahead;
  if (model::uuid_v7_time(send.client_id.bytes) > server_now + std::chrono::hours(24)) {
    return refuse(session, send.request, wire::Code::client_id_ahead);
  }
  if (send.previous && !taken.contains({session.user, *send.previous})) {
    return refuse(session, send.request, wire::Code::order, send.previous);
  }
  const model::Event e =
      append(id, session.user, send.client_id, model::MessageCreated{send.message}, &session);
  session.push(wire::encode(wire::Ok{send.request, id, e.seq, e.ord, e.id, e.time}));
}

inline void SmallServer::take_sync(Transport& session, const wire::SyncFrame& sync) {
  wire::SyncAnswer answer{.request = sync.request};
  for (const auto& [id, chat] : chats) {
    if (id < sync.from || id > sync.to) continue;
    if (std::find(chat.members.begin(), chat.members.end(), session.user) == chat.members.end()) continue;
    const model::Event& last = chat.events.back();
    const bool equal = std::any_of(sync.vector.begin(), sync.vector.end(), [&](const auto& row) {
      return row.conversation == id && row.have == model::Cursor{last.seq, last.id};
    });
    if (equal) continue;
    if (answer.conversations.size() == sync_rows_max) {
      answer.more = true;
      answer.next = id;
      break;
    }
    answer.conversations.push_back({.conversation = id, .head = {last.seq, last.id}, .ord = last.ord});
  }
  session.push(wire::encode(answer));
}

inline void SmallServer::take_pull(Transport& session, const wire::PullFrame& pull) {
  const auto chat = chats.find(pull.conversation);
  if (chat == chats.end()) return refuse(session, pull.request, wire::Code::not_found);
  const auto& events = chat->second.events;
  if (pull.after.value > events.size() ||
      (pull.check &&
       (pull.check->seq.value > events.size() || events[pull.check->seq.value - 1].id != pull.check->id))) {
    return refuse(session, pull.request, wire::Code::diverged);
  }
  wire::PageFrame page{.request = pull.request, .conversation = pull.conversation, .head = {events.size()}};
  std::vector<std::string> bodies;
  size_t next = pull.after.value;
  for (; next < events.size() && bodies.size() < page_events_max; ++next) {
    bodies.push_back(wire::encode_event(events[next]));
  }
  page.upto = {next};
  page.asof = page.head;
  page.more = next < events.size();
  session.push(wire::encode_page(page, bodies));
}

// Writes down what a Core says.
class Diary final : public Listener {
 public:
  void on_connection(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) override {
    states.push_back(state);
    last_why = why;
    if (state == Connection::offline) waits.push_back(retry_in);
  }
  void on_event(const model::Event& event) override { events[event.conversation].push_back(event); }
  void on_sent(const Sent& one) override { sent.push_back(one); }
  void on_failed(const OutboxMessage& message, const wire::Problem& why) override {
    failed.emplace_back(message.client_id, why.code);
    failed_texts.push_back(message.message.text);
  }
  void on_reset(const model::ConversationId& conversation) override {
    ++resets;
    events[conversation].clear();
  }
  void on_renamed(const model::ClientId& from, const model::ClientId& to) override {
    renamed.emplace_back(from, to);
  }

  std::vector<Connection> states;
  std::vector<base::nanoseconds> waits;
  std::optional<wire::Code> last_why;
  std::map<model::ConversationId, std::vector<model::Event>> events;
  std::vector<Sent> sent;
  std::vector<std::pair<model::ClientId, wire::Code>> failed;
  std::vector<std::string> failed_texts;
  std::vector<std::pair<model::ClientId, model::ClientId>> renamed;
  int resets = 0;
};

// One person's client.
struct Person {
  Person(SmallServer& server, model::UserId who, uint64_t seed = 1)
      : random(seed),
        user(who),
        core(std::make_unique<Core>(Core::Parts{server.time, server.time, random, outbox, diary, "token",
                                                "test/1", server.door(who)})) {}
  // As after kill -9: only the outbox is left.
  void restart(SmallServer& server) {
    core.reset();
    diary = Diary();
    core = std::make_unique<Core>(
        Core::Parts{server.time, server.time, random, outbox, diary, "token", "test/1", server.door(user)});
  }
  SeededRandom random;
  OutboxMemory outbox;
  Diary diary;
  model::UserId user;
  std::unique_ptr<Core> core;
};

inline std::vector<std::string> texts(const std::vector<model::Event>& events) {
  std::vector<std::string> out;
  for (const auto& event : events) {
    if (const auto* message = std::get_if<model::MessageCreated>(&event.body))
      out.push_back(message->message.text);
  }
  return out;
}

}  // namespace tidings::client
