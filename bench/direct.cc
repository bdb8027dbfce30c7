// B4 of performance.md: people in pairs, every message durable before its tick, delivered
// live to the partner, content and order verified. All acknowledge what they have got; the second time they
// have synced before, so that the server derives marks and receipts from it. The server runs on core 0, the
// load on core 1.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/crowd.h"
#include "bench/raw_relay.h"
#include "bench/real_server.h"
#include "bench/report.h"

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

// Everything but the entry points runs on the crowd's reactor.
class Load {
 public:
  Load(std::vector<Person> people, uint16_t port, bool marks)
      : talks_(people.size()),
        marks_(marks),
        crowd_(std::move(people), port, [this](auto& line, auto& frame) {
          std::visit([&](const auto& f) { take(line, f); }, frame);
        }) {
    crowd_.acknowledges_at_frames = true;
  }

  void connect_all() {
    std::promise<void> done;
    crowd_.reactor().post([&] {
      ready_ = [&done] { done.set_value(); };
      crowd_.connect();
    });
    if (done.get_future().wait_for(std::chrono::seconds(30)) != std::future_status::ready)
      give_up("not everybody could connect");
  }
  void start(int window) {
    crowd_.reactor().post([this, window] {
      sending_ = true;
      for (size_t i = 0; i < talks_.size(); ++i) {
        for (int k = 0; k < window; ++k) send(crowd_.line(i));
      }
    });
  }
  // Ends the sending and waits until nothing is on its way; then every ticked message must have arrived.
  void finish() {
    crowd_.reactor().post([this] { sending_ = false; });
    for (int i = 0; i < 1000; ++i) {
      bool quiet = false;
      crowd_.run([&] { quiet = ticked_ == delivered_ && sent_ == ticked_; });
      if (quiet) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    give_up("messages are missing: " + std::to_string(sent_) + " sent, " + std::to_string(ticked_) +
            " ticked, " + std::to_string(delivered_) + " delivered");
  }
  uint64_t ticked() const { return ticked_; }
  uint64_t receipts() const { return receipts_; }

 private:
  using Line = Crowd::Line;
  struct Talk {
    model::ConversationId conversation;
    uint64_t sent = 0, received = 0;
    model::Seq last_seq;
  };

  void take(Line& line, const wire::Welcome&) {
    if (!marks_) return welcomed();
    // Nothing counts as delivered to a session before its first sync.
    line.send(wire::encode(wire::SyncFrame{3, {}, Crowd::last_conversation(), {}, {}}));
  }
  void take(Line&, const wire::SyncAnswer&) { welcomed(); }
  void take(Line&, const wire::Receipt&) { ++receipts_; }
  void take(Line& line, const wire::Ok& ok) {
    if (ok.request == 1) {
      if (++created_ == talks_.size() / 2) ready_();
      return;
    }
    ++ticked_;
    if (sending_) send(line);
  }
  void take(Line& line, const wire::EventFrame& frame) {
    const auto* message = std::get_if<model::MessageCreated>(&frame.event.body);
    if (!message) return;
    Talk& talk = talks_[line.index];
    if (message->message.text != text(line.index ^ 1, talk.received) || frame.event.seq <= talk.last_seq) {
      give_up("a message is lost, repeated, changed or out of order");
    }
    ++talk.received;
    talk.last_seq = frame.event.seq;
    ++delivered_;
  }
  void take(Line& line, const wire::ErrorFrame& error) {
    // All conversations are made at once: those beyond the bound of loads come again, as any client would.
    if (error.code == wire::Code::busy && error.request == 1) {
      crowd_.reactor().after(std::chrono::milliseconds(50), [this, &line] { create(line); });
      return;
    }
    give_up("the server refuses: " + std::string(wire::name(error.code)) + " " + error.message);
  }
  template <class Other>
  void take(Line&, const Other&) {}

  void welcomed() {
    if (++welcomed_ < talks_.size()) return;
    for (size_t i = 0; i < talks_.size(); ++i) {
      talks_[i].conversation = model::direct_conversation(crowd_.person(i).user, crowd_.person(i ^ 1).user);
      if (i % 2 == 0) create(crowd_.line(i));
    }
  }
  void create(Line& line) {
    line.send(wire::encode(wire::ConversationCreate{1,
                                                    crowd_.next_client_id(line),
                                                    model::ConversationKind::direct,
                                                    {crowd_.person(line.index ^ 1).user}}));
  }
  void send(Line& line) {
    Talk& talk = talks_[line.index];
    wire::MessageSend frame;
    frame.request = 10 + talk.sent;
    frame.conversation = talk.conversation;
    frame.client_id = crowd_.next_client_id(line);
    frame.message.text = text(line.index, talk.sent++);
    ++sent_;
    line.send(wire::encode(frame));
  }
  static std::string text(size_t sender, uint64_t number) {
    std::string out = std::to_string(sender) + "/" + std::to_string(number) + " ";
    out.resize(text_bytes, 'x');
    return out;
  }

  std::vector<Talk> talks_;
  const bool marks_;
  std::function<void()> ready_;
  size_t welcomed_ = 0, created_ = 0;
  bool sending_ = false;
  std::atomic<uint64_t> sent_{0}, ticked_{0}, delivered_{0}, receipts_{0};
  Crowd crowd_;
};

struct Figures {
  double messages_per_second = 0, server_us_per_message = 0, client_cpu_percent = 0;
  double receipts_per_message = 0;
};

Figures run(const Options& options, int window, bool marks) {
  const Directory directory;
  const std::string& data = directory.path();
  Figures figures;
  {
    auto people = make_people(data, options.people);
    ServerProcess server(options.binary, data);
    Load load(std::move(people), server.port(), marks);
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
    fmt::print("{} in flight, with delivered marks: {:.0f} messages/s, {:.2f} server us, load {:.0f} %\n",
               options.window, f.messages_per_second, f.server_us_per_message, f.client_cpu_percent);
    return 0;
  }
  const RelayResult floor = run_raw_relay(options.people, 1, reference_seconds);
  const Figures single = run(options, 1, false);
  const RelayResult pipelined_floor = run_raw_relay(options.people, pipelined_window, reference_seconds);
  const Figures pipelined = run(options, pipelined_window, false);
  const Figures single_marks = run(options, 1, true), pipelined_marks = run(options, pipelined_window, true);
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
    fmt::print("with delivered marks:\n");
    row(1, single_marks, floor);
    row(pipelined_window, pipelined_marks, pipelined_floor);
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
  out.number("marks_value", single_marks.messages_per_second);
  out.number("marks_server_us_per_message", single_marks.server_us_per_message);
  out.number("marks_receipts_per_message", single_marks.receipts_per_message);
  out.number("marks_pipelined_value", pipelined_marks.messages_per_second);
  out.number("marks_pipelined_server_us_per_message", pipelined_marks.server_us_per_message);
  out.number("marks_pipelined_receipts_per_message", pipelined_marks.receipts_per_message);
  out.count("people", static_cast<uint64_t>(options.people));
  fmt::print("{}\n", out.json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  return tidings::bench::main_program(argc, argv);
}
