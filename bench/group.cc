// A group of 1,024 people, all connected and all looking at it, with 50 messages a second at fixed times
// (open loop): once with nobody acknowledging anything, so that delivery stands alone, then as clients do it:
// each acknowledges what it has got and marks what it has read, once a second. Every message must reach
// everybody, in order and unchanged. The server runs on core 0, the load on core 1.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <time.h>

#include "bench/crowd.h"
#include "bench/raw_fan_out.h"
#include "bench/real_server.h"
#include "bench/report.h"

namespace tidings::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t text_bytes = 100;
constexpr int senders = 8;
constexpr wire::Request create_request = 1, sync_request = 2, activity_request = 3, first_send = 10;

struct Options {
  int people = 1024;
  double messages_per_second = 50;
  double seconds = 20;
  bool json = false;
  std::string binary;
};

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(SteadyClock::now().time_since_epoch()).count();
}

// Everything but the entry points runs on the crowd's reactor.
class Load {
 public:
  Load(std::vector<Person> people, uint16_t port)
      : places_(people.size()), crowd_(std::move(people), port, [this](auto& line, auto& frame) {
          std::visit([&](const auto& f) { take(line, f); }, frame);
        }) {}

  // Everybody is connected, and in the group.
  void begin() {
    std::promise<void> done;
    crowd_.reactor().post([&] {
      ready_ = [&done] { done.set_value(); };
      crowd_.connect();
    });
    if (done.get_future().wait_for(std::chrono::seconds(60)) != std::future_status::ready)
      give_up("not everybody could connect");
  }
  void acknowledge() {
    crowd_.run([this] { turn(); });
  }
  // Sends at fixed times, and returns when everybody has everything.
  void send(double messages_per_second, double seconds) {
    const auto count = static_cast<uint64_t>(messages_per_second * seconds);
    crowd_.run([&] {
      scheduled_.reserve(scheduled_.size() + count);
      latencies_ms.clear();
      latencies_ms.reserve(count * places_.size());
    });
    const int64_t begun = now_ns();
    for (uint64_t i = 0; i < count; ++i) {
      const int64_t at = begun + static_cast<int64_t>(static_cast<double>(i) * 1e9 / messages_per_second);
      const timespec until{at / 1'000'000'000, at % 1'000'000'000};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
      crowd_.reactor().post([this, at] { say(at); });
    }
    for (int i = 0; i < 1000; ++i) {
      bool all = false;
      crowd_.run([&] {
        all = ticked_ == scheduled_.size() && delivered_ == scheduled_.size() * (places_.size() - 1);
      });
      if (all) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    give_up("messages are missing: " + std::to_string(scheduled_.size()) + " sent, " +
            std::to_string(ticked_) + " ticked, " + std::to_string(delivered_) + " deliveries");
  }
  // The newest position of the log that is folded: positions of one run of the server have no gaps.
  uint64_t activity() {
    std::promise<uint64_t> answer;
    crowd_.run([&] {
      answered_ = [&](uint64_t position) { answer.set_value(position); };
      crowd_.line(0).send(wire::encode(wire::SyncFrame{activity_request, {}, {}, {}, {}}));
    });
    return answer.get_future().get();
  }
  // Of the last send().
  std::vector<double> latencies_ms;
  std::atomic<uint64_t> marks{0}, receipts{0};

 private:
  using Line = Crowd::Line;
  // What somebody has got.
  struct Place {
    model::Seq seq, read;
    model::MessageId id;
    model::Ord ord;
  };

  void take(Line& line, const wire::Welcome&) {
    // Nothing counts as delivered to a session before its first sync.
    line.send(wire::encode(wire::SyncFrame{sync_request, {}, Crowd::last_conversation(), {}, {}}));
  }
  void take(Line&, const wire::SyncAnswer& answer) {
    if (answer.request == activity_request) {
      answered_(answer.activity.value);
    } else if (++synced_ == places_.size()) {
      create();
    }
  }
  void take(Line&, const wire::Receipt&) { ++receipts; }
  void take(Line&, const wire::ErrorFrame& error) {
    give_up("the server refuses: " + std::string(wire::name(error.code)) + " " + error.message);
  }
  void take(Line& line, const wire::Ok& ok) {
    if (ok.request == create_request) {
      group_ = ok.conversation;
      in_group();
      return;
    }
    place(ok.request - first_send, ok.seq);
    ++ticked_;
    Place& here = places_[line.index];
    here.seq = std::max(here.seq, ok.seq);
    here.id = ok.id;
    here.ord = ok.ord;
  }
  template <class Other>
  void take(Line&, const Other&) {}

  void create() {
    wire::ConversationCreate frame;
    frame.request = create_request;
    frame.client_id = crowd_.next_client_id(crowd_.line(0));
    frame.kind = model::ConversationKind::group;
    frame.title = "everybody";
    for (size_t i = 0; i < places_.size(); ++i) frame.members.push_back(crowd_.person(i).user);
    crowd_.line(0).send(wire::encode(frame));
  }
  void in_group() {
    if (++in_group_ < places_.size()) return;
    for (size_t i = 0; i < places_.size(); ++i) crowd_.line(i).send(wire::encode(wire::FocusFrame{group_}));
    ready_();
  }
  // Everybody must see the same message at the same place.
  void place(uint64_t number, model::Seq seq) {
    if (numbers_.size() <= seq.value) numbers_.resize(seq.value + 1, UINT64_MAX);
    uint64_t& known = numbers_[seq.value];
    if (known == UINT64_MAX) known = number;
    if (known != number) give_up("two people see different messages at one place");
  }
  void take(Line& line, const wire::EventFrame& frame) {
    const auto& event = frame.event;
    if (event.conversation != group_ && group_ != model::ConversationId{}) return;
    Place& here = places_[line.index];
    if (std::holds_alternative<model::ConversationCreated>(event.body)) {
      here.seq = event.seq;
      if (line.index != 0) in_group();
      return;
    }
    const auto* message = std::get_if<model::MessageCreated>(&event.body);
    if (!message) return;
    const uint64_t number = std::stoull(message->message.text);
    if (number >= scheduled_.size() || message->message.text != text(number)) give_up("a message is changed");
    // A sender learns its own messages by their answers.
    const bool next = event.seq.value == here.seq.value + 1;
    if (!next && (line.index >= senders || event.seq.value == 0))
      give_up("a message is lost or out of order");
    if (line.index >= senders || event.seq > here.seq) {
      here.seq = event.seq;
      here.id = event.id;
      here.ord = event.ord;
    }
    place(number, event.seq);
    ++delivered_;
    latencies_ms.push_back(static_cast<double>(now_ns() - scheduled_[number]) / 1e6);
  }
  void say(int64_t at_ns) {
    const uint64_t number = scheduled_.size();
    scheduled_.push_back(at_ns);
    Line& line = crowd_.line(number % senders);
    wire::MessageSend frame;
    frame.request = first_send + number;
    frame.conversation = group_;
    frame.client_id = crowd_.next_client_id(line);
    frame.message.text = text(number);
    line.send(wire::encode(frame));
  }
  static std::string text(uint64_t number) {
    std::string out = std::to_string(number) + " ";
    out.resize(text_bytes, 'x');
    return out;
  }
  // A hundredth of the people each 10 ms: each marks what it has read once a second, and acknowledges.
  void turn() {
    if (crowd_.size() == 0) return;  // it is being taken down
    const size_t slots = 100;
    const auto now = crowd_.clock().monotonic();
    for (size_t i = turn_++ % slots; i < places_.size(); i += slots) {
      Place& here = places_[i];
      if (here.seq == here.read || here.id.value == 0) continue;
      wire::MarkFrame mark;
      mark.conversation = group_;
      mark.read = model::Cursor{here.seq, here.id};
      mark.read_ord = here.ord;
      here.read = here.seq;
      ++marks;
      crowd_.line(i).send(wire::encode(mark));
    }
    for (size_t i = 0; i < places_.size(); ++i) {
      if (const auto ack = crowd_.line(i).acks.due(now)) crowd_.line(i).send(wire::encode(*ack));
    }
    crowd_.reactor().after(std::chrono::milliseconds(10), [this] { turn(); });
  }

  std::vector<Place> places_;
  std::function<void()> ready_;
  std::function<void(uint64_t)> answered_;
  model::ConversationId group_;
  size_t synced_ = 0, in_group_ = 0, turn_ = 0;
  uint64_t ticked_ = 0, delivered_ = 0;
  std::vector<int64_t> scheduled_;  // ns, by number of the message
  std::vector<uint64_t> numbers_;   // by seq
  Crowd crowd_;
};

struct Figures {
  double deliveries_per_second = 0, server_us_per_message = 0, server_us_per_delivery = 0, server_percent = 0;
  double client_percent = 0, records_per_message = 0, keys_per_message = 0, marks_per_message = 0;
  double receipts_per_message = 0, p50_ms = 0, p99_ms = 0, resident_mib = 0;
};

Figures measure(Load& load, const ServerProcess& server, const std::string& data, const Options& options,
                double seconds) {
  const auto others = static_cast<double>(options.people - 1);
  const uint64_t activity = load.activity(), keys = store_keys_written(data), marks = load.marks,
                 receipts = load.receipts;
  const double server_cpu = server.cpu_seconds(), client_cpu = own_cpu_seconds();
  const auto begun = SteadyClock::now();
  load.send(options.messages_per_second, seconds);
  const double took = std::chrono::duration<double>(SteadyClock::now() - begun).count();
  Figures f;
  f.server_percent = (server.cpu_seconds() - server_cpu) / took * 100;
  f.client_percent = (own_cpu_seconds() - client_cpu) / took * 100;
  const double messages = std::floor(options.messages_per_second * seconds);
  f.deliveries_per_second = messages * others / took;
  f.server_us_per_message = (server.cpu_seconds() - server_cpu) * 1e6 / messages;
  f.server_us_per_delivery = f.server_us_per_message / others;
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // the last marks, and their flush
  f.records_per_message = static_cast<double>(load.activity() - activity) / messages;
  f.keys_per_message = static_cast<double>(store_keys_written(data) - keys) / messages;
  f.marks_per_message = static_cast<double>(load.marks - marks) / messages;
  f.receipts_per_message = static_cast<double>(load.receipts - receipts) / messages;
  f.p50_ms = percentile(load.latencies_ms, 50);
  f.p99_ms = percentile(load.latencies_ms, 99);
  f.resident_mib = server.memory().resident / (1024 * 1024);
  return f;
}

Object fields(const Figures& f) {
  Object out;
  out.number("deliveries_per_s", f.deliveries_per_second)
      .number("server_us_per_message", f.server_us_per_message);
  out.number("server_us_per_delivery", f.server_us_per_delivery)
      .number("server_cpu_percent", f.server_percent);
  out.number("client_cpu_percent", f.client_percent).number("records_per_message", f.records_per_message);
  out.number("keys_per_message", f.keys_per_message).number("marks_per_message", f.marks_per_message);
  out.number("receipts_per_message", f.receipts_per_message).number("p50_ms", f.p50_ms);
  out.number("p99_ms", f.p99_ms).number("resident_mib", f.resident_mib);
  return out;
}

int main_program(int argc, char** argv) {
  Options options;
  options.binary = (std::filesystem::canonical(argv[0]).parent_path() / "../tidings").string();
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (flag == "--quick") {
      options.seconds = 6;
    } else if (flag == "--json") {
      options.json = true;
    } else if (flag == "--people") {
      options.people = std::stoi(value());
    } else if (flag == "--rate") {
      options.messages_per_second = std::stod(value());
    } else if (flag == "--binary") {
      options.binary = value();
    } else {
      give_up("unknown flag " + flag + " (there are --quick, --json, --people N, --rate N, --binary PATH)");
    }
  }
  if (options.people <= senders) give_up("there must be more than 8 people");
  const auto raw = run_raw_fan_out(options.people, senders, options.messages_per_second, options.seconds / 2);
  Figures alone, all;
  {
    const Directory directory;
    auto people = make_people(directory.path(), options.people);
    ServerProcess server(options.binary, directory.path());
    Load load(std::move(people), server.port());
    load.begin();
    std::this_thread::sleep_for(std::chrono::seconds(1));
    // Below what a session remembers as not acknowledged.
    alone = measure(load, server, directory.path(), options, std::min(options.seconds / 2, 8.0));
    load.acknowledge();
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    all = measure(load, server, directory.path(), options, options.seconds);
  }
  if (!options.json) {
    fmt::print("{:>28} {:>12} {:>12} {:>10} {:>9} {:>9} {:>9} {:>9}\n", "", "us/message", "us/delivery",
               "server", "records", "keys", "p50 ms", "p99 ms");
    const auto row = [](const char* name, const Figures& f) {
      fmt::print("{:>28} {:>12.0f} {:>12.2f} {:>9.0f}% {:>9.1f} {:>9.1f} {:>9.2f} {:>9.2f}\n", name,
                 f.server_us_per_message, f.server_us_per_delivery, f.server_percent, f.records_per_message,
                 f.keys_per_message, f.p50_ms, f.p99_ms);
    };
    row("nobody acknowledges", alone);
    row("everybody reads", all);
    fmt::print("{:>28} {:>12.0f} {:>12.2f} {:>10} {:>9} {:>9} {:>9.2f} {:>9.2f}\n", "raw relay",
               raw.server_us_per_message, raw.server_us_per_delivery, "", "", "", raw.p50_ms, raw.p99_ms);
    fmt::print(
        "{}\ngroup: {:.2f} us of the server for a delivery to one of {} people, {:.2f} of the raw {:.2f}\n",
        machine(), all.server_us_per_delivery, options.people,
        all.server_us_per_delivery / raw.server_us_per_delivery, raw.server_us_per_delivery);
    return 0;
  }
  Object out = figure("group", all.server_us_per_delivery, "server us/delivery", raw.server_us_per_delivery);
  out.number("reference_p50_ms", raw.p50_ms).number("reference_p99_ms", raw.p99_ms);
  out.count("people", static_cast<uint64_t>(options.people))
      .number("messages_per_s", options.messages_per_second);
  out.list("runs", {fields(alone), fields(all)});
  fmt::print("{}\n", out.json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  return tidings::bench::main_program(argc, argv);
}
