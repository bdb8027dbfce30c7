// 1,000 messages under v7 and v4 client ids, a restart, all 1,000 client ids again in random order: each gets
// its first answer, and nothing is stored twice (protocol.md §6).
#include <algorithm>

#include <fmt/format.h>

#include "test/faults/crowd.h"
#include "test/faults/runs.h"
#include "test/faults/scratch.h"
#include "test/faults/server_process.h"
#include "test/sim/prng.h"
#include "wire/frames.h"

namespace tidings::faults {
namespace {

using base::seconds;

struct Sent {
  model::ClientId client_id;
  std::string text;
  uint64_t seq = 0, id = 0;
  bool duplicate = false;
};

// A bare session, because a client would never send what is ticked.
class Session : ports::Transport::Handler {
 public:
  explicit Session(std::string token) : token_(std::move(token)) {}
  // On the reactor.
  void open(net::Reactor& reactor, const client::Address& address) {
    client::open_websocket(reactor, address, [this](std::unique_ptr<ports::Transport> transport) {
      if (!transport) {
        trouble = "no connection";
        return;
      }
      transport_ = std::move(transport);
      transport_->set_handler(this);
      transport_->send(wire::encode(wire::Hello{.token = token_, .app = "faults/1"}));
    });
  }
  // Sends the i-th of `all` for each i in `order`; answers go into `all`.
  void send(model::UserId to, std::vector<Sent>& all, std::vector<size_t> order) {
    to_ = to;
    all_ = &all;
    order_ = std::move(order);
    next_ = answered = 0;
    go_on();
  }
  size_t answered = 0;
  uint64_t head = 0;
  bool welcomed = false;
  std::string trouble;

 private:
  void go_on() {
    if (!all_ || !welcomed) return;
    for (; next_ < order_.size() && next_ - answered < in_flight_max; ++next_) {
      const auto& sent = (*all_)[order_[next_]];
      transport_->send(wire::encode(wire::MessageSend{.request = order_[next_] + 1,
                                                      .to = to_,
                                                      .client_id = sent.client_id,
                                                      .message = {model::MessageKind::text, sent.text}}));
    }
  }
  void on_frame(std::string_view text) override {
    for (const auto& parsed : wire::parse_server_frames(text).frames) {
      if (!parsed.ok()) {
        trouble = "the server sent a frame that cannot be read";
      } else if (std::holds_alternative<wire::Welcome>(*parsed)) {
        welcomed = true;
      } else if (const auto* error = std::get_if<wire::ErrorFrame>(&*parsed)) {
        trouble = "refused: " + std::string(wire::name(error->code));
      } else if (const auto* ok = std::get_if<wire::Ok>(&*parsed)) {
        auto& sent = (*all_)[ok->request - 1];
        if (sent.seq && (sent.seq != ok->seq.value || sent.id != ok->id.value))
          trouble = "a repeat got another answer";
        sent.seq = ok->seq.value;
        sent.id = ok->id.value;
        sent.duplicate = ok->duplicate;
        head = std::max(head, ok->seq.value);
        ++answered;
      }
    }
    go_on();
  }
  void on_closed(uint16_t code, std::string_view reason) override {
    trouble = fmt::format("closed: {} {}", code, reason);
  }

  static constexpr size_t in_flight_max = 24;
  const std::string token_;
  std::unique_ptr<ports::Transport> transport_;
  model::UserId to_;
  std::vector<Sent>* all_ = nullptr;
  std::vector<size_t> order_;
  size_t next_ = 0;
};

std::vector<Sent> make_messages(sim::Prng& random, uint64_t count) {
  std::vector<Sent> all;
  const auto now = client::SystemClock().wall();
  for (uint64_t i = 0; i < count; ++i) {
    model::ClientId id{model::uuid_v7(now + base::milliseconds(i), random.next(), random.next())};
    if (i % 2) {
      for (auto& byte : id.bytes) byte = static_cast<uint8_t>(random.next() >> 24);
      id.bytes[6] = static_cast<uint8_t>(0x40 | (id.bytes[6] & 0x0f));
      id.bytes[8] = static_cast<uint8_t>(0x80 | (id.bytes[8] & 0x3f));
    }
    all.push_back({id, fmt::format("message {}", i)});
  }
  return all;
}

}  // namespace

int run_duplicates(const Options& options) {
  Scratch scratch;
  ServerProcess server(options.binary, scratch.data());
  const auto start = [&]() -> std::string {
    if (auto started = server.start(); !started.ok()) return started.error().sentence;
    auto ready = server.wait_until_ready(seconds(20));
    return ready.ok() ? "" : ready.error().sentence;
  };
  if (auto trouble = start(); !trouble.empty()) return failed(scratch, trouble);
  const client::Address address{"127.0.0.1", server.port()};
  model::UserId bob;
  std::string token;
  sim::Prng random(options.seed);
  auto all = make_messages(random, options.count);
  std::vector<size_t> order(all.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  {
    Crowd crowd(address);
    auto other = crowd.add("bob", "phone");
    auto me = crowd.add("ann", "phone");
    if (!other.ok() || !me.ok()) return failed(scratch, "cannot log in");
    bob = (*other)->user();
    token = crowd.run([&] { return (*me)->token(); });
    if (!crowd.wait_for([&] { return (*me)->online(); }, seconds(20))) return failed(scratch, "not online");
    if (auto opened = crowd.open(**me, bob); !opened.ok()) return failed(scratch, opened.error().sentence);
  }
  uint64_t heads[2] = {0, 0};
  for (int round = 0; round < 2; ++round) {
    net::Reactor reactor("duplicates");
    reactor.start();
    Session session(token);
    reactor.post([&] { session.open(reactor, address); });
    const auto ask = [&](auto call) {
      std::promise<bool> answer;
      reactor.post([&] { answer.set_value(call()); });
      return answer.get_future().get();
    };
    const auto wait_for = [&](auto call) {
      for (int i = 0; i < 30'000 && !ask([&] { return call() || !session.trouble.empty(); }); ++i) {
        std::this_thread::sleep_for(base::milliseconds(2));
      }
      return session.trouble.empty();
    };
    const bool fine = wait_for([&] { return session.welcomed; }) && ask([&] {
                        session.send(bob, all, order);
                        return true;
                      }) &&
                      wait_for([&] { return session.answered == all.size(); });
    reactor.stop();
    heads[round] = session.head;
    if (!fine) return failed(scratch, session.trouble);
    if (round) break;
    server.kill();
    if (auto trouble = start(); !trouble.empty()) return failed(scratch, trouble);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  }
  const auto duplicates =
      std::count_if(all.begin(), all.end(), [](const Sent& sent) { return sent.duplicate; });
  const bool right = static_cast<size_t>(duplicates) == all.size() && heads[0] == heads[1];
  if (options.json) {
    fmt::print("{{\"messages\":{},\"duplicates\":{},\"new_seqs\":{}}}\n", all.size(), duplicates,
               heads[1] - heads[0]);
  } else {
    fmt::print("{} messages sent again after a restart: {} duplicates, {} new seqs\n", all.size(), duplicates,
               heads[1] - heads[0]);
  }
  auto stopped = server.stop();
  return right && stopped.ok() ? 0 : failed(scratch, "not every repeat was recognised");
}

}  // namespace tidings::faults
