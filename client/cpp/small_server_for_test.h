// A small honest server in memory for the client's tests, whose answers a test may swallow, delay or falsify,
// and the virtual time that it lives in.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
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

class SmallServer {
 public:
  explicit SmallServer(VirtualTime& virtual_time) : time(virtual_time) {}

  // The server's own state of a member, by the letter of protocol.md's appendix "the fold".
  struct Member {
    std::vector<std::pair<uint64_t, uint64_t>> intervals;  // since, until (0: now)
    uint64_t read = 0, delivered = 0, read_ord = 0;
    std::vector<std::pair<uint64_t, uint64_t>> own_after_read;  // seq, ord
    bool evicted = false;
    bool may_read(uint64_t seq) const {
      return std::any_of(intervals.begin(), intervals.end(), [seq](const auto& interval) {
        return seq >= interval.first && (interval.second == 0 || seq <= interval.second);
      });
    }
  };
  struct Chat {
    model::ConversationKind kind = model::ConversationKind::direct;
    std::string title;
    std::vector<model::Event> events;
    std::vector<model::UserId> members;
    std::map<model::UserId, Member> states;
    uint64_t marks = 0, activity = 0;
    uint64_t ord() const { return events.empty() ? 0 : events.back().ord.value; }
    bool has(model::UserId user) const {
      return std::find(members.begin(), members.end(), user) != members.end();
    }
    uint64_t unread(model::UserId user) const {
      const Member& m = states.at(user);
      const auto own = std::count_if(m.own_after_read.begin(), m.own_after_read.end(),
                                     [&m](const auto& one) { return one.second > m.read_ord; });
      return ord() - m.read_ord - static_cast<uint64_t>(own);
    }
    std::vector<model::Mark> listed() const {
      std::vector<model::Mark> out;
      if (members.size() > model::listed_marks_max) return out;
      for (const auto& [user, m] : states) {
        if (has(user)) out.push_back({user, {m.read}, {m.delivered}});
      }
      return out;
    }
  };
  using Body = decltype(model::Event::body);

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

  // Sessions outlive their connections.
  bool resumes = false;
  int resumed_count = 0;
  // With `resumes`: beyond so many unacked frames of a session events and receipts are left out.
  size_t unacked_frames_max = 1'000'000;
  int dirty_count = 0;
  size_t ring_frames_most = 0;
  // How long it takes until the next request is taken up.
  std::function<base::nanoseconds()> thinks;
  // Asked before each message that arrives, on either side: whether the connection breaks instead.
  std::function<bool()> breaks;
  // The server does not notice then, and goes on with what had been sent to it.
  bool breaks_one_way = false;

  bool up = true;
  int opened = 0;
  size_t page_events_max = 200;
  size_t sync_rows_max = 500;
  std::string branch = "b1";
  std::string verdict = "full";  // what the next welcomes say
  uint64_t last_activity = 0;
  std::map<model::ConversationId, Chat> chats;
  std::map<std::pair<model::UserId, model::ClientId>, model::Event> taken;
  base::milliseconds log_ahead{0};  // of the virtual wall clock

  model::Event append(const model::ConversationId& id, model::UserId from, const model::ClientId& client_id,
                      Body body, const void* except = nullptr);
  model::ConversationId group(model::UserId creator, std::vector<model::UserId> others,
                              std::string title = "") {
    const auto client_id = fresh();
    const auto id = model::group_conversation(creator, client_id);
    others.insert(others.begin(), creator);
    append(id, creator, client_id,
           model::ConversationCreated{model::ConversationKind::group, std::move(others), std::move(title),
                                      model::History::joining});
    return id;
  }
  // Into the person's own log.
  model::Event tell(model::UserId user, Body body) {
    const auto id = model::self_conversation(user);
    chats[id].kind = model::ConversationKind::self;
    chats[id].members = {user};
    chats[id].states[user].intervals = {{1, 0}};
    return append(id, user, {}, std::move(body));
  }
  // False if it changes nothing.
  bool mark(const model::ConversationId& id, model::UserId user, uint64_t read, uint64_t read_ord,
            uint64_t delivered);
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
    for (const auto& session : sessions_) session->push(text);
  }
  void cut(uint16_t code = 1006, std::string reason = "") {
    for (Transport* transport : std::exchange(transports_, {})) transport->end(code, reason);
  }
  size_t session_count() const { return transports_.size(); }
  // Those that are kept for a connection that may come back.
  void forget_sessions() {
    std::erase_if(sessions_, [](const auto& session) { return !session->on; });
  }
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
  uint64_t counted = 0;  // frames that were sent, over all sessions

 private:
  class Transport;
  struct Session : std::enable_shared_from_this<Session> {
    Session(SmallServer& owner, model::UserId who) : server(owner), user(who) {}
    void push(const std::string& text) {
      const uint64_t counts = wire::parse_server_frames(text).counted;
      server.counted += counts;
      if (server.lets_out && !server.lets_out(text)) return;
      if (counts > 0 && leaves_out(text)) return;
      sent += counts;
      if (server.resumes && counts > 0) ring.emplace_back(sent, text);
      if (on) on->deliver(text);
    }
    void took(uint64_t received) {
      acked = std::max(acked, received);
      while (!ring.empty() && ring.front().first <= acked) ring.pop_front();
      if (dirty.conversations.empty() || ring.size() > server.unacked_frames_max / 4) return;
      ++server.dirty_count;
      push(wire::encode(std::exchange(dirty, {})));
    }
    // Answers always go in.
    bool leaves_out(const std::string& text) {
      server.ring_frames_most = std::max(server.ring_frames_most, ring.size());
      if (ring.size() < server.unacked_frames_max && dirty.conversations.empty()) return false;
      const auto parsed = wire::parse_server_frames(text);
      if (parsed.frames.empty() || !parsed.frames.front().ok()) return false;
      std::optional<model::ConversationId> about;
      if (const auto* event = std::get_if<wire::EventFrame>(&*parsed.frames.front()))
        about = event->event.conversation;
      if (const auto* receipt = std::get_if<wire::Receipt>(&*parsed.frames.front()))
        about = receipt->conversation;
      if (!about) return false;
      const auto noted = [&](const wire::Dirty::Row& row) { return row.conversation == *about; };
      if (std::none_of(dirty.conversations.begin(), dirty.conversations.end(), noted))
        dirty.conversations.push_back({*about, {}});
      return true;
    }
    SmallServer& server;
    const model::UserId user;
    Transport* on = nullptr;
    std::string name, key, key_before;
    bool welcomed = false;
    uint64_t sent = 0, acked = 0;
    std::deque<std::pair<uint64_t, std::string>> ring;
    wire::Dirty dirty;
    base::MonotonicTime busy_until{};
  };

  class Transport final : public ports::Transport {
   public:
    Transport(SmallServer& owner, model::UserId who)
        : session(std::make_shared<Session>(owner, who)),
          server_(owner),
          alive_(std::make_shared<bool>(true)) {
      session->on = this;
      server_.transports_.push_back(this);
      server_.sessions_.push_back(session);
    }
    ~Transport() override { leave(); }
    void set_handler(Handler* handler) override { handler_ = handler; }
    void send(std::string_view frame) override {
      if (ended_) return;
      server_.time.post([this, weak = std::weak_ptr<bool>(alive_), text = std::string(frame)] {
        if (!weak.lock() || ended_ || mute_) return;
        if (server_.breaks && server_.breaks()) return break_off(false);
        const auto parsed = wire::parse_client_frames(text);
        if (parsed.received) session->took(*parsed.received);
        for (const auto& one : parsed.frames) {
          if (one.ok() && !ended_) server_.think(session, *one);
        }
      });
    }
    size_t outbox_bytes() const override { return 0; }
    void close(uint16_t code, std::string_view reason) override {
      if (code == 1000) server_.end_session(*session);
      end(code, std::string(reason));
    }
    std::string peer() const override { return ""; }

    void deliver(std::string text) {
      server_.time.post([this, weak = std::weak_ptr<bool>(alive_), text = std::move(text)] {
        if (!weak.lock() || ended_ || deaf_) return;
        if (server_.breaks && server_.breaks()) return break_off(true);
        handler_->on_frame(text);
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
    // What is behind on the same way is lost. What goes the other way may still come.
    void break_off(bool to_client) {
      const bool noticed = !server_.breaks_one_way || !to_client;
      mute_ = noticed;
      deaf_ = to_client;
      if (noticed) return end(1006, "");
      server_.time.post([this, weak = std::weak_ptr<bool>(alive_)] {
        if (!weak.lock() || ended_) return;
        handler_->on_closed(1006, "");
      });
    }
    std::shared_ptr<Session> session;

   private:
    void leave() {
      std::erase(server_.transports_, this);
      if (session->on != this) return;
      session->on = nullptr;
      if (!server_.resumes || !session->welcomed) server_.end_session(*session);
    }
    SmallServer& server_;
    Handler* handler_ = nullptr;
    bool ended_ = false, mute_ = false, deaf_ = false;
    std::shared_ptr<bool> alive_;
  };

  void end_session(Session& session) {
    std::erase_if(sessions_, [&session](const auto& one) { return one.get() == &session; });
  }
  void take_over(Session& held, Session& fresh_one) {
    Transport* transport = fresh_one.on;
    if (Transport* before = std::exchange(held.on, transport)) before->end(1000, "");
    transport->session = held.shared_from_this();
    end_session(fresh_one);
  }
  void think(std::shared_ptr<Session> session, const wire::ClientFrame& frame) {
    if (!thinks || std::holds_alternative<wire::Hello>(frame)) return take(*session, frame);
    session->busy_until = std::max(session->busy_until, time.monotonic() + thinks());
    time.after(session->busy_until - time.monotonic(), [this, session, frame] { take(*session, frame); });
  }
  void take(Session& session, const wire::ClientFrame& frame);
  void take_hello(Session& fresh_one, const wire::Hello& hello);
  void take_send(Session& session, const wire::MessageSend& send);
  void take_sync(Session& session, const wire::SyncFrame& sync);
  void take_pull(Session& session, const wire::PullFrame& pull);
  void take_history(Session& session, const wire::HistoryFrame& history);
  void take_create(Session& session, const wire::ConversationCreate& create);
  void take_mark(Session& session, const wire::MarkFrame& mark);
  template <class Frame>
  void take_change(Session& session, const Frame& frame, model::ConversationId id, Body body);
  std::vector<std::string> cover(const Chat& chat, model::UserId user, uint64_t from, uint64_t upto,
                                 wire::PageFrame& page);
  static void refuse(Session& session, wire::Request request, wire::Code code,
                     std::optional<model::ClientId> missing = {}) {
    session.push(wire::encode(wire::ErrorFrame{.request = request, .code = code, .missing = missing}));
  }

  std::vector<Transport*> transports_;
  std::vector<std::shared_ptr<Session>> sessions_;
  uint64_t last_session_ = 0;
  uint64_t last_random_ = 0;
};

}  // namespace tidings::client

#include "client/cpp/small_server_answers_for_test.h"
