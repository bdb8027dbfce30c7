// A gateway on virtual time with two pretended core shards, for tests.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "account/local_service.h"
#include "base/hash.h"
#include "engine/memory/memory_accounts.h"
#include "gateway/gateway.h"
#include "wire/frames.h"

namespace tidings::gateway {

struct VirtualTime : ports::Clock {
  base::nanoseconds passed{};
  base::WallTime wall() const override { return base::wall_from_ms(1'790'000'000'000); }
  base::MonotonicTime monotonic() const override { return base::MonotonicTime(base::seconds(100) + passed); }
};

class VirtualExecutor : public base::Executor {
 public:
  explicit VirtualExecutor(VirtualTime& time) : time_(time) {}
  void post(base::Task task) override { tasks_.push_back(std::move(task)); }
  base::TimerId after(base::nanoseconds delay, base::Task task) override {
    timers_.emplace(std::pair(time_.passed + delay, ++last_), std::move(task));
    return last_;
  }
  void cancel(base::TimerId timer) override {
    std::erase_if(timers_, [&](const auto& entry) { return entry.first.second == timer; });
  }
  void run() {
    while (!tasks_.empty()) {
      base::Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }
  void advance(base::nanoseconds by) {
    const auto end = time_.passed + by;
    run();
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      auto timer = timers_.extract(timers_.begin());
      time_.passed = std::max(time_.passed, timer.key().first);
      timer.mapped()();
      run();
    }
    time_.passed = end;
  }

 private:
  VirtualTime& time_;
  std::deque<base::Task> tasks_;
  std::map<std::pair<base::nanoseconds, base::TimerId>, base::Task> timers_;
  base::TimerId last_ = 0;
};

struct CountingRandom : ports::Random {
  uint8_t next = 0;
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = ++next;
  }
};

struct PretendedLink : ports::LinkToCore {
  std::vector<ports::UpFrame> frames;
  bool full = false;
  bool send(ports::UpFrame frame) override {
    if (full) return false;
    frames.push_back(std::move(frame));
    return true;
  }
  template <class T>
  std::vector<T> all() const {
    std::vector<T> out;
    for (const auto& frame : frames) {
      if (const auto* f = std::get_if<T>(&frame)) out.push_back(*f);
    }
    return out;
  }
};

// What the peer of a transport sees.
struct Peer {
  ports::Transport::Handler* handler = nullptr;
  std::vector<std::string> got;
  size_t unsent = 0;
  size_t shared = 0;  // frames that it was sent together with others
  std::string address = "127.0.0.1";
  bool reads = true;
  bool paused = false;  // nobody reads what it says
  bool moves = true;    // its transport can go to another thread
  std::optional<std::pair<uint16_t, std::string>> closed;

  void say(std::string_view frame) {
    if (handler) handler->on_frame(frame);
  }
  // The frames since the last call.
  std::vector<wire::ServerFrame> take() {
    std::vector<wire::ServerFrame> out;
    for (const auto& text : got) {
      for (auto& frame : wire::parse_server_frames(text).frames) {
        if (frame.ok())
          out.push_back(std::move(*frame));
        else
          ADD_FAILURE() << text << frame.error().detail;
      }
    }
    got.clear();
    return out;
  }
  // The only frame since the last call, which is a T.
  template <class T>
  T one() {
    const auto frames = take();
    EXPECT_EQ(frames.size(), 1u);
    const T* frame = frames.empty() ? nullptr : std::get_if<T>(&frames.back());
    EXPECT_NE(frame, nullptr);
    return frame ? *frame : T{};
  }
};

class PretendedTransport : public ports::Transport {
 public:
  PretendedTransport(base::Executor& executor, std::shared_ptr<Peer> peer)
      : executor_(executor), peer_(std::move(peer)) {}
  ~PretendedTransport() override {
    if (peer_) peer_->handler = nullptr;
  }
  void set_handler(Handler* handler) override { peer_->handler = handler; }
  void send(std::string_view frame) override {
    ASSERT_FALSE(peer_->closed) << frame;
    peer_->got.emplace_back(frame);
    if (!peer_->reads) peer_->unsent += frame.size();
  }
  void send_shared(ports::SharedFrames& shared) override {
    peer_->shared += shared.frames.size();
    Transport::send_shared(shared);
  }
  size_t outbox_bytes() const override { return peer_->unsent; }
  void close(uint16_t code, std::string_view reason) override {
    ASSERT_FALSE(peer_->closed);
    peer_->closed.emplace(code, reason);
    executor_.post([peer = peer_] {
      if (peer->handler) peer->handler->on_closed(peer->closed->first, peer->closed->second);
    });
  }
  void pause_reading(bool pause) override { peer_->paused = pause; }
  ports::MovedTransport move_out() override {
    if (!peer_->moves) return {};
    peer_->handler = nullptr;
    return [peer = std::exchange(peer_, nullptr)](base::Executor& to) -> std::unique_ptr<ports::Transport> {
      return std::make_unique<PretendedTransport>(to, peer);
    };
  }
  std::string peer() const override { return peer_->address; }

 private:
  base::Executor& executor_;
  std::shared_ptr<Peer> peer_;
};

inline constexpr model::UserId ann{1}, bob{2}, eve{3};
inline constexpr model::DeviceId ann_phone{11}, ann_laptop{12}, bob_phone{21}, eve_phone{31};

class GatewayTest : public testing::Test {
 protected:
  GatewayTest() {
    add_person(ann, "ann");
    add_person(bob, "bob");
    add_person(eve, "eve");
    add_device(ann, ann_phone, "ann-phone");
    add_device(ann, ann_laptop, "ann-laptop");
    add_device(bob, bob_phone, "bob-phone");
    add_device(eve, eve_phone, "eve-phone");
    add_device(eve, {32}, "expired", base::wall_from_ms(1));
    EXPECT_TRUE(service_.start().ok());
    make();
  }

  void make() {
    gateway_ = std::make_unique<Gateway>(
        Gateway::Parts{executor_,
                       time_,
                       random_,
                       service_,
                       limits_,
                       metrics_,
                       "00ab",
                       [this](const DeviceHello& hello) { announced_.push_back(hello); },
                       {},
                       lineages_});
    gateway_->set_links({&links_[0], &links_[1]});
  }
  void add_person(model::UserId user, std::string handle) {
    ASSERT_TRUE(accounts_.add_account({user, handle, handle, "hash"}).ok());
  }
  void add_device(model::UserId user, model::DeviceId device, std::string token,
                  base::WallTime expires = base::wall_from_ms(2'000'000'000'000)) {
    ASSERT_TRUE(accounts_.add_device({device, user, "", base::sha256(token), {}, expires}).ok());
  }

  std::shared_ptr<Peer> connect() {
    auto peer = std::make_shared<Peer>();
    gateway_->accept(std::make_unique<PretendedTransport>(executor_, peer));
    return peer;
  }
  static std::string hello(std::string token) {
    wire::Hello hello;
    hello.token = std::move(token);
    return wire::encode(hello);
  }
  std::shared_ptr<Peer> welcomed(std::string token) {
    auto peer = connect();
    peer->say(hello(std::move(token)));
    executor_.run();
    peer->one<wire::Welcome>();
    return peer;
  }

  static model::ClientId client_id(uint8_t n) {
    return {model::uuid_v7(base::wall_from_ms(1'790'000'000'000 + n), 0, n)};
  }
  static wire::MessageSend send_of(wire::Request request, uint8_t n, std::string text = "hi") {
    wire::MessageSend send;
    send.request = request;
    send.conversation = talk();
    send.client_id = client_id(n);
    send.message.text = std::move(text);
    return send;
  }
  static model::ConversationId talk() { return model::direct_conversation(ann, bob); }
  static size_t shard_of(const model::ConversationId& id) { return model::partition_of(id).value % 2; }
  PretendedLink& link() { return links_[shard_of(talk())]; }

  void down(size_t shard, std::vector<ports::DownFrame> frames) {
    ports::DownBatch batch;
    batch.stamp = {7, log_time_, {}};
    batch.previous = numbers_[shard];
    batch.number = ++numbers_[shard];
    batch.frames = std::move(frames);
    gateway_->on_down(shard, std::move(batch));
  }
  void down(ports::DownFrame frame) { down_one(shard_of(talk()), std::move(frame)); }
  void down_one(size_t shard, ports::DownFrame frame) {
    std::vector<ports::DownFrame> frames;
    frames.push_back(std::move(frame));
    down(shard, std::move(frames));
  }
  // An event of talk() for these people, but for the session that sent it.
  static ports::EventOut live(std::vector<model::UserId> people, uint64_t except, std::string bytes,
                              uint64_t seq = 1, model::UserId from = bob) {
    return {talk(), {seq}, from, std::move(people), except, std::move(bytes)};
  }
  // The answer of a mark.
  static ports::Reply answer(const ports::Mark& mark, std::optional<wire::Code> error = {}) {
    ports::Reply reply;
    reply.to = mark.marking.reply_to;
    reply.conversation = mark.marking.conversation;
    reply.error = error;
    reply.seq = {77};
    return reply;
  }
  static ports::Reply ok(const model::Command& command, uint64_t seq) {
    ports::Reply reply;
    reply.to = command.reply_to;
    reply.conversation = command.conversation;
    reply.client_id = command.client_id;
    reply.seq = {seq};
    reply.id = {seq * 1000};
    return reply;
  }
  static ports::Reply refused(const model::Command& command, wire::Code code, bool appended) {
    auto reply = ok(command, 0);
    reply.error = code;
    reply.appended = appended;
    return reply;
  }
  // The same on whichever link it came.
  std::vector<model::Command> last_commands_to(const model::ConversationId& conversation) {
    const auto all = links_[shard_of(conversation)].all<ports::Commands>();
    return all.empty() ? std::vector<model::Command>() : all.back().commands;
  }
  // All that the core was asked, on any link.
  template <class T>
  std::vector<T> asked() const {
    auto out = links_[0].all<T>();
    for (auto& frame : links_[1].all<T>()) out.push_back(std::move(frame));
    return out;
  }
  static model::ConversationId last_id() {
    model::ConversationId id;
    id.bytes.fill(0xff);
    return id;
  }
  // The commands of the last frame that carried any.
  std::vector<model::Command> last_commands() {
    const auto all = link().all<ports::Commands>();
    return all.empty() ? std::vector<model::Command>() : all.back().commands;
  }
  int64_t gauge(const std::string& name) { return metrics_.values()[name]; }

  VirtualTime time_;
  VirtualExecutor executor_{time_};
  CountingRandom random_;
  base::Limits limits_;
  base::Registry metrics_;
  memory::MemoryAccounts accounts_;
  account::LocalService service_{
      {accounts_, time_, random_, executor_, executor_, executor_, limits_, {1, 8192}}};
  PretendedLink links_[2];
  uint64_t numbers_[2] = {0, 0};
  base::WallTime log_time_ = base::wall_from_ms(1'790'000'500'000);
  std::vector<DeviceHello> announced_;
  std::vector<model::Lineage> lineages_;
  std::unique_ptr<Gateway> gateway_;
};

}  // namespace tidings::gateway
