#include "client/cpp/small_server_for_test.h"

namespace tidings::client {

struct SmallServer::Session : std::enable_shared_from_this<Session> {
  Session(SmallServer& owner, model::UserId who) : server(owner), user(who) {}
  void push(const std::string& text);
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

class SmallServer::Transport final : public ports::Transport {
 public:
  Transport(SmallServer& owner, model::UserId who)
      : session(std::make_shared<Session>(owner, who)), server_(owner), alive_(std::make_shared<bool>(true)) {
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

void SmallServer::Session::push(const std::string& text) {
  const uint64_t counts = wire::parse_server_frames(text).counted;
  server.counted += counts;
  if (server.lets_out && !server.lets_out(text)) return;
  if (counts > 0 && leaves_out(text)) return;
  sent += counts;
  if (server.resumes && counts > 0) ring.emplace_back(sent, text);
  if (on) on->deliver(text);
}

SmallServer::SmallServer(VirtualTime& virtual_time) : time(virtual_time) {}
SmallServer::~SmallServer() = default;

OpenTransport SmallServer::door(model::UserId user) {
  return [this, user](std::function<void(std::unique_ptr<ports::Transport>)> done) {
    ++opened;
    time.post([this, user, done] {
      if (!up) return done(nullptr);
      auto transport = std::make_unique<Transport>(*this, user);
      done(std::move(transport));
    });
  };
}

void SmallServer::push(const std::string& text) {
  for (const auto& session : sessions_) session->push(text);
}

void SmallServer::cut(uint16_t code, std::string reason) {
  for (Transport* transport : std::exchange(transports_, {})) transport->end(code, reason);
}

void SmallServer::forget_sessions() {
  std::erase_if(sessions_, [](const auto& session) { return !session->on; });
}

void SmallServer::end_session(Session& session) {
  std::erase_if(sessions_, [&session](const auto& one) { return one.get() == &session; });
}

void SmallServer::take_over(Session& held, Session& fresh_one) {
  Transport* transport = fresh_one.on;
  if (Transport* before = std::exchange(held.on, transport)) before->end(1000, "");
  transport->session = held.shared_from_this();
  end_session(fresh_one);
}

void SmallServer::think(std::shared_ptr<Session> session, const wire::ClientFrame& frame) {
  if (!thinks || std::holds_alternative<wire::Hello>(frame)) return take(*session, frame);
  session->busy_until = std::max(session->busy_until, time.monotonic() + thinks());
  time.after(session->busy_until - time.monotonic(), [this, session, frame] { take(*session, frame); });
}

void SmallServer::refuse(Session& session, wire::Request request, wire::Code code,
                         std::optional<model::ClientId> missing) {
  session.push(wire::encode(wire::ErrorFrame{.request = request, .code = code, .missing = missing}));
}

void SmallServer::take(Session& session, const wire::ClientFrame& frame) {
  got.push_back(frame);
  if (!std::holds_alternative<wire::Hello>(frame)) session.key_before.clear();
  if (instead && instead(frame)) return;
  if (const auto* hello = std::get_if<wire::Hello>(&frame)) {
    take_hello(session, *hello);
  } else if (std::holds_alternative<wire::Ping>(frame)) {
    session.push(wire::encode(wire::Pong{time.wall() - time.wall_error + log_ahead}));
  } else if (const auto* send = std::get_if<wire::MessageSend>(&frame)) {
    take_send(session, *send);
  } else if (const auto* create = std::get_if<wire::ConversationCreate>(&frame)) {
    take_create(session, *create);
  } else if (const auto* update = std::get_if<wire::ConversationUpdate>(&frame)) {
    take_change(session, *update, update->conversation,
                model::ConversationUpdated{update->title, update->history});
  } else if (const auto* leave = std::get_if<wire::ConversationLeave>(&frame)) {
    take_change(session, *leave, leave->conversation, model::MemberLeft{session.user, {}});
  } else if (const auto* add = std::get_if<wire::MemberAdd>(&frame)) {
    take_change(session, *add, add->conversation, model::MembersAdded{add->users});
  } else if (const auto* remove = std::get_if<wire::MemberRemove>(&frame)) {
    take_change(session, *remove, remove->conversation, model::MemberRemoved{remove->user});
  } else if (const auto* role = std::get_if<wire::MemberRole>(&frame)) {
    take_change(session, *role, role->conversation, model::RoleChanged{role->user, role->role});
  } else if (const auto* block = std::get_if<wire::BlockFrame>(&frame)) {
    const model::Event e = tell(session.user, model::BlockSet{block->user, block->blocked});
    session.push(wire::encode(wire::Ok{block->request, e.conversation, e.seq, e.ord, e.id, e.time}));
  } else if (const auto* marked = std::get_if<wire::MarkFrame>(&frame)) {
    take_mark(session, *marked);
  } else if (const auto* history = std::get_if<wire::HistoryFrame>(&frame)) {
    take_history(session, *history);
  } else if (const auto* sync = std::get_if<wire::SyncFrame>(&frame)) {
    take_sync(session, *sync);
  } else if (const auto* pull = std::get_if<wire::PullFrame>(&frame)) {
    take_pull(session, *pull);
  }
}

void SmallServer::take_hello(Session& fresh_one, const wire::Hello& hello) {
  const auto held = std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& one) {
    return resumes && one->name == hello.session && one->user == fresh_one.user && hello.resume &&
           (one->key == *hello.resume || one->key_before == *hello.resume) && hello.received >= one->acked &&
           hello.received <= one->sent;
  });
  const bool resumed = held != sessions_.end();
  const auto session = resumed ? *held : fresh_one.shared_from_this();
  if (resumed) take_over(*session, fresh_one);
  wire::Welcome welcome;
  welcome.session = session->name = resumed ? session->name : "s" + std::to_string(++last_session_);
  session->welcomed = true;
  if (resumes) {
    session->key_before = std::exchange(session->key, "key" + std::to_string(++last_session_));
    welcome.resume = session->key;
  }
  if (resumed) {
    ++resumed_count;
    session->took(*hello.received);
    welcome.resumed = true;
    welcome.received = *hello.received;
    welcome.replayed = session->sent - *hello.received;
  }
  welcome.user = session->user;
  welcome.device = {7};
  welcome.now = time.wall() - time.wall_error + log_ahead;
  welcome.branch = branch;
  welcome.sync = resumed ? "none" : verdict;
  welcome.frame_bytes_max = 64 * 1024;
  welcome.sends_in_flight_max = 32;
  session->push(wire::encode(welcome));
  if (!resumed) return;
  for (const auto& [number, text] : session->ring) session->on->deliver(text);
}

void SmallServer::take_send(Session& session, const wire::MessageSend& send) {
  const auto id = send.to ? chat_of(session.user, *send.to) : *send.conversation;
  if (!chats.contains(id)) return refuse(session, send.request, wire::Code::not_found);
  if (!chats.at(id).has(session.user)) return refuse(session, send.request, wire::Code::not_member);
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

model::Event SmallServer::append(const model::ConversationId& id, model::UserId from,
                                 const model::ClientId& client_id, Body body, const void* except) {
  Chat& chat = chats[id];
  const auto before = chat.members;
  const auto sender = chat.states.find(from);
  const uint64_t unread = sender == chat.states.end() || !chat.has(from) ? 0 : chat.unread(from);
  const bool countable = std::holds_alternative<model::MessageCreated>(body);
  const uint64_t seq = chat.events.size() + 1, ord = chat.ord() + (countable ? 1 : 0);
  const auto join = [&](model::UserId user) {
    if (!chat.has(user)) chat.members.push_back(user);
    Member& m = chat.states[user];
    m.intervals.emplace_back(seq, 0);
    m.read = m.delivered = seq;
    m.read_ord = ord;
    m.own_after_read.clear();
    m.evicted = false;
  };
  const auto part = [&](model::UserId user) {
    std::erase(chat.members, user);
    chat.states[user].intervals.back().second = seq;
  };
  if (const auto* created = std::get_if<model::ConversationCreated>(&body)) {
    chat.kind = created->kind;
    chat.title = created->title;
    for (const auto user : created->members) join(user);
  } else if (const auto* added = std::get_if<model::MembersAdded>(&body)) {
    for (const auto user : added->members) join(user);
  } else if (const auto* removed = std::get_if<model::MemberRemoved>(&body)) {
    part(removed->user);
  } else if (const auto* left = std::get_if<model::MemberLeft>(&body)) {
    part(left->user);
  } else if (const auto* updated = std::get_if<model::ConversationUpdated>(&body)) {
    chat.title = updated->title.value_or(chat.title);
  }
  model::Event event{.conversation = id,
                     .seq = {seq},
                     .ord = {ord},
                     .id = {++last_id},
                     .time = time.wall(),
                     .from = from,
                     .client_id = client_id,
                     .body = std::move(body)};
  chat.events.push_back(event);
  chat.activity = ++last_activity;
  taken[{from, client_id}] = event;
  if (chat.has(from) && chat.kind != model::ConversationKind::self) {
    Member& m = chat.states[from];
    if (unread == 0 && !m.evicted) {
      m.read = seq;
      m.read_ord = ord;
      m.delivered = std::max(m.delivered, seq);
      m.own_after_read.clear();
    } else if (countable) {
      if (m.own_after_read.size() == 64) {
        m.read_ord = std::max(m.read_ord, m.own_after_read.front().second);
        m.own_after_read.erase(m.own_after_read.begin());
        m.evicted = true;
      }
      m.own_after_read.emplace_back(seq, ord);
    }
  }
  for (const auto& session : sessions_) {
    const bool was = std::find(before.begin(), before.end(), session->user) != before.end();
    if (session.get() != except && (was || chat.has(session->user))) session->push(wire::encode_event(event));
  }
  return event;
}

bool SmallServer::mark(const model::ConversationId& id, model::UserId user, uint64_t read, uint64_t read_ord,
                       uint64_t delivered) {
  Chat& chat = chats.at(id);
  if (!chat.has(user) || read > chat.events.size() || delivered > chat.events.size()) return false;
  Member& m = chat.states.at(user);
  bool moved = false;
  if (read > m.read) {
    m.read = read;
    m.evicted = false;
    m.read_ord = read == chat.events.size() ? chat.ord() : std::clamp(read_ord, m.read_ord, chat.ord());
    std::erase_if(m.own_after_read, [read](const auto& one) { return one.first <= read; });
    moved = true;
  }
  if (std::max(read, delivered) > m.delivered) {
    m.delivered = std::max(read, delivered);
    moved = true;
  }
  if (!moved) return false;
  ++chat.marks;
  chat.activity = ++last_activity;
  const wire::Receipt receipt{
      .conversation = id, .marks = {{user, {m.read}, {m.delivered}}}, .mark_count = chat.marks};
  for (const auto& session : sessions_) {
    if (chat.has(session->user)) session->push(wire::encode(receipt));
  }
  return true;
}

void SmallServer::take_mark(Session& session, const wire::MarkFrame& frame) {
  const auto found = chats.find(frame.conversation);
  if (found == chats.end() || !found->second.has(session.user)) {
    if (frame.request) refuse(session, *frame.request, wire::Code::not_member);
    return;
  }
  const auto& events = found->second.events;
  if (frame.read && frame.read->seq.value <= events.size() &&
      events.at(frame.read->seq.value - 1).id != frame.read->id) {
    return refuse(session, frame.request.value_or(0), wire::Code::diverged);
  }
  mark(frame.conversation, session.user, frame.read ? frame.read->seq.value : 0, frame.read_ord.value,
       frame.delivered ? frame.delivered->value : 0);
  if (frame.request) {
    session.push(wire::encode(
        wire::Ok{*frame.request, frame.conversation, {events.size()}, events.back().ord, {}, time.wall()}));
  }
}

void SmallServer::take_create(Session& session, const wire::ConversationCreate& create) {
  if (create.kind == model::ConversationKind::group) {
    const auto before = taken.find({session.user, create.client_id});
    auto members = create.members;
    members.insert(members.begin(), session.user);
    const auto id = model::group_conversation(session.user, create.client_id);
    const model::Event e =
        before != taken.end()
            ? before->second
            : append(id, session.user, create.client_id,
                     model::ConversationCreated{create.kind, members, create.title, create.history},
                     &session);
    return session.push(
        wire::encode(wire::Ok{create.request, id, e.seq, e.ord, e.id, e.time, before != taken.end()}));
  }
  const bool known = chats.contains(model::direct_conversation(session.user, create.members.at(0)));
  const auto id = chat_of(session.user, create.members.at(0));
  const model::Event& first = chats.at(id).events.front();
  session.push(wire::encode(wire::Ok{create.request, id, first.seq, first.ord, first.id, first.time, known}));
}

template <class Frame>
void SmallServer::take_change(Session& session, const Frame& frame, model::ConversationId id, Body body) {
  if (!chats.contains(id)) return refuse(session, frame.request, wire::Code::not_found);
  const auto before = taken.find({session.user, frame.client_id});
  if (before == taken.end() && !chats.at(id).has(session.user))
    return refuse(session, frame.request, wire::Code::not_member);
  const model::Event e = before != taken.end()
                             ? before->second
                             : append(id, session.user, frame.client_id, std::move(body), &session);
  session.push(wire::encode(wire::Ok{frame.request, id, e.seq, e.ord, e.id, e.time, before != taken.end()}));
}

void SmallServer::take_sync(Session& session, const wire::SyncFrame& sync_frame) {
  wire::SyncAnswer answer{.request = sync_frame.request, .activity = {last_activity}};
  for (const auto& [id, chat] : chats) {
    if (id < sync_frame.from || id > sync_frame.to || !chat.states.contains(session.user)) continue;
    const Member& m = chat.states.at(session.user);
    size_t head = chat.events.size();
    while (head > 0 && !m.may_read(head)) --head;
    const model::Event& last = chat.events.at(head - 1);
    const bool equal =
        sync_frame.activity
            ? chat.activity <= sync_frame.activity->value
            : std::any_of(sync_frame.vector.begin(), sync_frame.vector.end(), [&](const auto& row) {
                return row.conversation == id && row.have == model::Cursor{last.seq, last.id} &&
                       row.mark_count.value_or(chat.marks) == chat.marks;
              });
    if (equal) continue;
    if (answer.conversations.size() == sync_rows_max) {
      answer.more = true;
      answer.next = id;
      break;
    }
    const bool self = chat.kind == model::ConversationKind::self;
    answer.conversations.push_back({.conversation = id,
                                    .kind = chat.kind,
                                    .title = chat.title,
                                    .head = {last.seq, last.id},
                                    .ord = last.ord,
                                    .left = !chat.has(session.user),
                                    .members = chat.members.size(),
                                    .marks = self ? std::vector<model::Mark>{} : chat.listed(),
                                    .mark_count = chat.marks,
                                    .read_ord = {m.read_ord},
                                    .unread = self ? 0 : chat.unread(session.user)});
  }
  session.push(wire::encode(answer));
}

// The events of from..upto that the person may read; the others are holes.
std::vector<std::string> SmallServer::cover(const Chat& chat, model::UserId user, uint64_t from,
                                            uint64_t upto, wire::PageFrame& page) {
  std::vector<std::string> bodies;
  for (uint64_t seq = from; seq <= upto; ++seq) {
    if (chat.states.at(user).may_read(seq)) {
      bodies.push_back(wire::encode_event(chat.events.at(seq - 1)));
    } else if (!page.holes.empty() && page.holes.back().to.value + 1 == seq) {
      page.holes.back().to = {seq};
    } else {
      page.holes.push_back({{seq}, {seq}, model::HoleReason::not_member});
    }
  }
  page.from = {from};
  page.upto = {upto};
  page.asof = page.head;
  page.marks = chat.kind == model::ConversationKind::self ? std::vector<model::Mark>{} : chat.listed();
  page.mark_count = chat.marks;
  return bodies;
}

void SmallServer::take_pull(Session& session, const wire::PullFrame& pull) {
  const auto found = chats.find(pull.conversation);
  if (found == chats.end() || !found->second.states.contains(session.user))
    return refuse(session, pull.request, wire::Code::not_found);
  const Chat& chat = found->second;
  uint64_t head = chat.events.size();
  while (head > 0 && !chat.states.at(session.user).may_read(head)) --head;
  if (pull.after.value > head ||
      (pull.check && chat.events.at(pull.check->seq.value - 1).id != pull.check->id))
    return refuse(session, pull.request, wire::Code::diverged);
  wire::PageFrame page{.request = pull.request, .conversation = pull.conversation, .head = {head}};
  const uint64_t upto = std::min<uint64_t>(head, pull.after.value + page_events_max);
  const auto bodies = cover(chat, session.user, pull.after.value + 1, upto, page);
  page.more = upto < head;
  session.push(wire::encode_page(page, bodies));
}

void SmallServer::take_history(Session& session, const wire::HistoryFrame& history) {
  const auto found = chats.find(history.conversation);
  if (found == chats.end()) return refuse(session, history.request, wire::Code::not_found);
  const Chat& chat = found->second;
  if (history.have && (history.have->seq.value > chat.events.size() ||
                       chat.events.at(history.have->seq.value - 1).id != history.have->id))
    return refuse(session, history.request, wire::Code::diverged);
  wire::PageFrame page{
      .request = history.request, .conversation = history.conversation, .head = {chat.events.size()}};
  const uint64_t upto = std::min<uint64_t>(history.seq.value - 1, chat.events.size());
  const uint64_t limit = std::min<uint64_t>(history.limit.value_or(50), page_events_max);
  const uint64_t from = upto > limit ? upto - limit + 1 : 1;
  const auto bodies = cover(chat, session.user, from, upto, page);
  page.earlier = from > 1;
  session.push(wire::encode_page(page, bodies));
}

}  // namespace tidings::client
