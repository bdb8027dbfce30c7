// B4 of performance.md: people in pairs, every message durable before its tick, delivered
// live to the partner, content and order verified; then once more with clients that acknowledge what they
// have got, from which the server derives marks and receipts. The server runs on core 0, the load on core 1.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/raw_relay.h"
#include "bench/real_server.h"
#include "bench/report.h"
#include "client/cpp/acks.h"
#include "engine/embedded/system_clock.h"
#include "net/reactor.h"
#include "net/websocket.h"
#include "wire/frames.h"

namespace tidings::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t text_bytes = 100;
constexpr int pipelined_window = 16;

struct Options {
  int people = 1000;
  double seconds = 8;
  bool quick = false, json = false;
  int window = 0;  // only this one, without a reference: for profiles
  std::string binary;
};

// All people on one reactor; everything but the entry points runs there.
class Load {
 public:
  Load(std::vector<Person> people, uint16_t port, bool acks)
      : people_(std::move(people)), reactor_("load"), port_(port), acks_(acks) {
    lines_.resize(people_.size());
    reactor_.start();
  }
  ~Load() {
    std::promise<void> closed;
    reactor_.post([&] {
      lines_.clear();
      closed.set_value();
    });
    closed.get_future().wait();
    reactor_.stop();
  }

  void connect_all() {
    std::promise<void> done;
    reactor_.post([&] {
      pin(0, 1);
      ready_ = [&done] { done.set_value(); };
      for (size_t i = 0; i < people_.size(); ++i) connect(i);
    });
    if (done.get_future().wait_for(std::chrono::seconds(30)) != std::future_status::ready)
      give_up("not everybody could connect");
  }
  void start(int window) {
    reactor_.post([this, window] {
      sending_ = true;
      for (size_t i = 0; i < lines_.size(); ++i) {
        for (int k = 0; k < window; ++k) send(i);
      }
    });
  }
  // Ends the sending and waits until nothing is on its way; then every ticked message must have arrived.
  void finish() {
    reactor_.post([this] { sending_ = false; });
    for (int i = 0; i < 1000; ++i) {
      std::promise<bool> quiet;
      reactor_.post([&] { quiet.set_value(ticked_ == delivered_ && sent_ == ticked_); });
      if (quiet.get_future().get()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    give_up("messages are missing: " + std::to_string(sent_) + " sent, " + std::to_string(ticked_) +
            " ticked, " + std::to_string(delivered_) + " delivered");
  }
  uint64_t ticked() const { return ticked_; }
  uint64_t receipts() const { return receipts_; }

 private:
  struct Line : net::WebSocket::Handler {
    Load* load = nullptr;
    size_t index = 0;
    std::unique_ptr<net::WebSocket> socket;
    model::ConversationId conversation;
    client::Acks acks;
    uint64_t sent = 0, received = 0;
    model::Seq last_seq;
    void on_message(std::string_view text) override { load->on_message(*this, text); }
    void on_closed(uint16_t code, std::string_view reason) override {
      give_up("a connection was closed: " + std::to_string(code) + " " + std::string(reason));
    }
  };

  void connect(size_t index) {
    net::connect_websocket(reactor_, "127.0.0.1", port_, "/v1/ws", std::string(wire::subprotocol_json), {},
                           [this, index](base::Result<std::unique_ptr<net::WebSocket>> socket) {
                             if (!socket) give_up(socket.error().sentence);
                             auto line = std::make_unique<Line>();
                             line->load = this;
                             line->index = index;
                             line->socket = std::move(*socket);
                             line->socket->set_handler(line.get());
                             wire::Hello hello;
                             hello.token = people_[index].token;
                             hello.app = "bench";
                             line->socket->send(wire::encode(hello));
                             lines_[index] = std::move(line);
                           });
  }

  model::ClientId next_client_id(const Line& line) {
    return {model::uuid_v7(clock_.wall(), line.index & 0xfff, ++client_ids_)};
  }

  void on_message(Line& line, std::string_view text) {
    auto parsed = wire::parse_server_frames(text);
    if (acks_) {
      line.acks.taken(parsed.counted, text.size(), clock_.monotonic());
      if (const auto ack = line.acks.due(clock_.monotonic())) line.socket->send(wire::encode(*ack));
    }
    for (auto& frame : parsed.frames) {
      if (!frame) give_up("a frame of the server cannot be read: " + frame.error().detail);
      if (std::holds_alternative<wire::Ok>(*frame)) {
        on_ok(line, std::get<wire::Ok>(*frame));
      } else if (auto* event = std::get_if<wire::EventFrame>(&*frame)) {
        on_event(line, event->event);
      } else if (std::holds_alternative<wire::Welcome>(*frame)) {
        if (acks_) {
          // Nothing counts as delivered to a session before its first sync.
          line.socket->send(wire::encode(wire::SyncFrame{3, {}, last_conversation(), {}, {}}));
        } else if (++welcomed_ == lines_.size()) {
          create_conversations();
        }
      } else if (std::holds_alternative<wire::SyncAnswer>(*frame)) {
        if (++welcomed_ == lines_.size()) create_conversations();
      } else if (std::holds_alternative<wire::Receipt>(*frame)) {
        ++receipts_;
      } else if (auto* error = std::get_if<wire::ErrorFrame>(&*frame)) {
        // All conversations are made at once: those beyond the bound of loads come again, as any client
        // would.
        if (error->code == wire::Code::busy && error->request == 1) {
          reactor_.after(std::chrono::milliseconds(50), [this, &line] { create(line); });
          continue;
        }
        give_up("the server refuses: " + std::string(wire::name(error->code)) + " " + error->message);
      }
    }
  }
  static model::ConversationId last_conversation() {
    model::ConversationId id;
    id.bytes.fill(0xFF);
    return id;
  }
  void create_conversations() {
    for (auto& line : lines_) {
      line->conversation =
          model::direct_conversation(people_[line->index].user, people_[line->index ^ 1].user);
      if (line->index % 2 == 0) create(*line);
    }
  }
  void create(Line& line) {
    line.socket->send(wire::encode(wire::ConversationCreate{
        1, next_client_id(line), model::ConversationKind::direct, {people_[line.index ^ 1].user}}));
  }
  void on_ok(Line& line, const wire::Ok& ok) {
    if (ok.request == 1) {
      if (++created_ == lines_.size() / 2) ready_();
      return;
    }
    ++ticked_;
    if (sending_) send(line.index);
  }
  void on_event(Line& line, const model::Event& event) {
    const auto* message = std::get_if<model::MessageCreated>(&event.body);
    if (!message) return;
    if (message->message.text != text(line.index ^ 1, line.received) || event.seq <= line.last_seq) {
      give_up("a message is lost, repeated, changed or out of order");
    }
    ++line.received;
    line.last_seq = event.seq;
    ++delivered_;
  }
  void send(size_t index) {
    Line& line = *lines_[index];
    wire::MessageSend frame;
    frame.request = 10 + line.sent;
    frame.conversation = line.conversation;
    frame.client_id = next_client_id(line);
    frame.message.text = text(index, line.sent++);
    ++sent_;
    line.socket->send(wire::encode(frame));
  }
  static std::string text(size_t sender, uint64_t number) {
    std::string out = std::to_string(sender) + "/" + std::to_string(number) + " ";
    out.resize(text_bytes, 'x');
    return out;
  }

  std::vector<Person> people_;
  net::Reactor reactor_;
  uint16_t port_;
  const bool acks_;
  embedded::SystemClock clock_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::function<void()> ready_;
  size_t welcomed_ = 0, created_ = 0;
  uint64_t client_ids_ = 0;
  bool sending_ = false;
  std::atomic<uint64_t> sent_{0}, ticked_{0}, delivered_{0}, receipts_{0};
};

struct Figures {
  double messages_per_second = 0, server_us_per_message = 0, client_cpu_percent = 0;
  double receipts_per_message = 0;
};

Figures run(const Options& options, int window, bool acks) {
  const Directory directory;
  const std::string& data = directory.path();
  Figures figures;
  {
    auto people = make_people(data, options.people);
    ServerProcess server(options.binary, data);
    Load load(std::move(people), server.port(), acks);
    load.connect_all();
    load.start(window);
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const auto begun = SteadyClock::now();
    const uint64_t ticked = load.ticked(), receipts = load.receipts();
    const double server_cpu = server.cpu_seconds(), client_cpu = own_cpu_seconds();
    std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
    const double took = std::chrono::duration<double>(SteadyClock::now() - begun).count();
    const auto messages = static_cast<double>(load.ticked() - ticked);
    figures.messages_per_second = messages / took;
    figures.server_us_per_message = (server.cpu_seconds() - server_cpu) * 1e6 / messages;
    figures.receipts_per_message = static_cast<double>(load.receipts() - receipts) / messages;
    figures.client_cpu_percent = (own_cpu_seconds() - client_cpu) / took * 100;
    load.finish();
  }
  return figures;
}

int main_program(int argc, char** argv) {
  Options options;
  options.binary = (std::filesystem::canonical(argv[0]).parent_path() / "../tidings").string();
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (flag == "--quick") {
      options.quick = true;
      options.seconds = 4;
    } else if (flag == "--json") {
      options.json = true;
    } else if (flag == "--people") {
      options.people = std::stoi(value()) / 2 * 2;
    } else if (flag == "--seconds") {
      options.seconds = std::stod(value());
    } else if (flag == "--in-flight") {
      options.window = std::stoi(value());
    } else if (flag == "--binary") {
      options.binary = value();
    } else {
      give_up("unknown flag " + flag +
              " (there are --quick, --json, --people N, --seconds S, --in-flight N, --binary PATH)");
    }
  }
  const double reference_seconds = options.quick ? 2 : 5;
  if (options.window > 0) {
    const Figures f = run(options, options.window, true);
    fmt::print("{} in flight, with acknowledgements: {:.0f} messages/s, {:.2f} server us, load {:.0f} %\n",
               options.window, f.messages_per_second, f.server_us_per_message, f.client_cpu_percent);
    return 0;
  }
  const RelayResult floor = run_raw_relay(options.people, 1, reference_seconds);
  const Figures single = run(options, 1, false);
  const RelayResult pipelined_floor = run_raw_relay(options.people, pipelined_window, reference_seconds);
  const Figures pipelined = run(options, pipelined_window, false);
  const Figures single_acks = run(options, 1, true), pipelined_acks = run(options, pipelined_window, true);
  if (!options.json) {
    fmt::print("{:>10} {:>12} {:>12} {:>12} {:>6} {:>12} {:>9}\n", "in flight", "messages/s", "server us",
               "raw msg/s", "ratio", "raw us", "load CPU");
    const auto row = [](int window, const Figures& f, const RelayResult& raw) {
      fmt::print("{:>10} {:>12.0f} {:>12.1f} {:>12.0f} {:>6.2f} {:>12.1f} {:>8.0f}%\n", window,
                 f.messages_per_second, f.server_us_per_message, raw.messages_per_second,
                 f.messages_per_second / raw.messages_per_second, raw.server_us_per_message,
                 f.client_cpu_percent);
    };
    row(1, single, floor);
    row(pipelined_window, pipelined, pipelined_floor);
    fmt::print("with acknowledgements:\n");
    row(1, single_acks, floor);
    row(pipelined_window, pipelined_acks, pipelined_floor);
    fmt::print("{}\ndirect: {:.0f} messages/s from {} people, {:.2f} of the raw {:.0f}\n", machine(),
               single.messages_per_second, options.people,
               single.messages_per_second / floor.messages_per_second, floor.messages_per_second);
    return 0;
  }
  Object out = figure("direct", single.messages_per_second, "messages/s", floor.messages_per_second);
  out.number("server_us_per_message", single.server_us_per_message);
  out.number("reference_us_per_message", floor.server_us_per_message);
  out.number("client_cpu_percent", single.client_cpu_percent);
  out.number("pipelined_value", pipelined.messages_per_second);
  out.number("pipelined_reference", pipelined_floor.messages_per_second);
  out.number("pipelined_ratio", pipelined.messages_per_second / pipelined_floor.messages_per_second);
  out.number("pipelined_server_us_per_message", pipelined.server_us_per_message);
  out.number("pipelined_client_cpu_percent", pipelined.client_cpu_percent);
  out.number("acks_value", single_acks.messages_per_second);
  out.number("acks_server_us_per_message", single_acks.server_us_per_message);
  out.number("acks_receipts_per_message", single_acks.receipts_per_message);
  out.number("acks_pipelined_value", pipelined_acks.messages_per_second);
  out.number("acks_pipelined_server_us_per_message", pipelined_acks.server_us_per_message);
  out.number("acks_pipelined_receipts_per_message", pipelined_acks.receipts_per_message);
  out.count("people", static_cast<uint64_t>(options.people));
  fmt::print("{}\n", out.json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  return tidings::bench::main_program(argc, argv);
}
