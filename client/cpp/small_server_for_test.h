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
  explicit SmallServer(VirtualTime& virtual_time);
  ~SmallServer();

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
  OpenTransport door(model::UserId user);

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

  void push(const std::string& text);
  void cut(uint16_t code = 1006, std::string reason = "");
  size_t session_count() const { return transports_.size(); }
  // Those that are kept for a connection that may come back.
  void forget_sessions();
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
  struct Session;

  void end_session(Session& session);
  void take_over(Session& held, Session& fresh_one);
  void think(std::shared_ptr<Session> session, const wire::ClientFrame& frame);
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
                     std::optional<model::ClientId> missing = {});

  std::vector<Transport*> transports_;
  std::vector<std::shared_ptr<Session>> sessions_;
  uint64_t last_session_ = 0;
  uint64_t last_random_ = 0;
};

}  // namespace tidings::client
