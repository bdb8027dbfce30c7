// What a Core is made of, and the one turn in which it acts. core.cc: the calls; core_frames.cc: what comes
// in.
#pragma once

#include <deque>
#include <set>
#include <utility>

#include "base/limits.h"
#include "client/cpp/acks.h"
#include "client/cpp/alarm.h"
#include "client/cpp/client_ids.h"
#include "client/cpp/commands.h"
#include "client/cpp/core.h"
#include "client/cpp/outbox.h"
#include "client/cpp/resume.h"
#include "client/cpp/timelines.h"

namespace tidings::client {

struct Core::State final : Line::Host, Timelines::Sink {
  explicit State(Parts given)
      : parts(std::move(given)),
        ids(parts.clock, parts.random),
        outbox(parts.outbox, ids, parts.random),
        commands(ids, parts.random),
        timelines(parts.random, *this, last_request, parts.catch_up),
        line(parts.executor, parts.clock, parts.random, parts.open_transport, *this),
        alarm(parts.executor, parts.clock, [this] { turn(); }) {}

  // All that is due is done and written, then the listener hears of it.
  void turn();
  // The same for calls from outside, where the listener must not hear of anything.
  void called();
  void work();
  void tell_marks();
  void acknowledge();
  // The session of before the break goes on, and all that was missed has come.
  void go_on(base::MonotonicTime now);
  base::MonotonicTime now() const { return parts.clock.monotonic(); }

  // --- Line::Host
  wire::Hello hello() override;
  bool on_welcome(const wire::Welcome& welcome) override;
  bool on_frame(const wire::ServerFrame& frame) override;
  void on_counted(uint64_t frames, size_t bytes) override {
    acks.taken(frames, bytes, now());
    resume.counted(frames, now());
  }
  base::nanoseconds patience() const override;
  void on_server_time(base::WallTime server_now) override;
  void on_down() override;
  void on_session_over() override { resume.forget(); }
  void on_state(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) override;
  void on_turn() override { turn(); }

  // --- Timelines::Sink
  void on_event(const model::Event& event) override;
  void on_held(const model::Event& event) override;
  void on_reset(const model::ConversationId& conversation) override;
  void on_lost(const model::ConversationId& conversation, std::vector<OutboxMessage> lost) override;
  void on_marks(const model::ConversationId& conversation) override { marked.insert(conversation); }
  void on_listed(const model::ConversationId& conversation) override { listed.insert(conversation); }
  void later(std::function<void()> done) override { notices.push_back(std::move(done)); }

  // --- answers
  void tick(const model::Event& event);
  void tell_sent(const Sent& sent);
  bool accepted(const wire::Ok& ok);
  bool refused(const wire::ErrorFrame& error);

  // --- calls
  void command(Commands::Frame frame, const Commands::Done& done);
  void change(Commands::Frame frame, const WhenDone& done);
  void open(Commands::Frame frame, const WhenOpened& done);

  Parts parts;
  base::Limits limits;
  uint64_t last_request = 0;
  model::UserId user;
  std::string branch;
  std::optional<model::ConversationId> focus;
  bool focus_told = true;
  ClientIds ids;
  Outbox outbox;
  Commands commands;
  Timelines timelines;
  Acks acks;
  Resume resume;
  Line line;
  Alarm alarm;
  std::deque<std::function<void()>> notices;
  std::set<model::ConversationId> marked, listed;  // of which the listener is to hear
  bool delivering = false;
  bool again = false;
};

}  // namespace tidings::client
