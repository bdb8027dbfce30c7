#include "bench/fold_store.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <vector>

#include <stdlib.h>
#include <time.h>

#include "base/thread_executor.h"
#include "delivery/shard.h"
#include "engine/embedded/rocks_store.h"
#include "engine/embedded/system_clock.h"
#include "fold/fold.h"
#include "wire/record.h"

namespace tidings::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
const base::WallTime t0 = base::wall_from_ms(1'795'300'000'000);
constexpr size_t text_bytes = 100;

[[noreturn]] void give_up(const std::string& sentence) {
  std::fprintf(stderr, "bench: %s\n", sentence.c_str());
  std::exit(1);
}

// Of this thread: how fast the fold is does not depend on who else uses the core.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double seconds_since(SteadyClock::time_point begun) {
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

model::Command create(model::UserId a, model::UserId b) {
  model::Command c;
  c.user = a;
  c.conversation = model::direct_conversation(a, b);
  c.client_id = {model::uuid_v7(t0, 0, 1)};
  c.until = t0 + std::chrono::hours(1);
  c.body = model::CreateConversation{model::ConversationKind::direct, {a, b}};
  return c;
}
model::Command message(model::UserId from, model::UserId to, uint64_t number) {
  model::Command c;
  c.user = from;
  c.conversation = model::direct_conversation(from, to);
  c.client_id = {model::uuid_v7(t0, 0, number)};
  c.until = t0 + std::chrono::hours(1);
  c.body = model::SendMessage{{model::MessageKind::text, std::string(text_bytes, 'x')}, std::nullopt};
  return c;
}

// Records are handed to the shard by hand; what the shard itself appends (effects) waits here to be handed to
// it like the rest. Thread: the shard's.
struct HandedLog : ports::Log {
  std::optional<wire::Code> append(std::vector<Append> records) override {
    for (auto& record : records) appended.push_back(std::move(record));
    return std::nullopt;
  }
  void read(model::Position, Sink) override {}
  void trim(model::Position) override {}
  model::Position end() const override { return {next}; }
  base::WallTime time() const override { return t0; }
  // Hands over `records`, and what was appended before.
  void hand_out(delivery::Shard& shard, std::vector<Append> records) {
    auto all = std::exchange(appended, {});
    for (auto& record : records) all.push_back(std::move(record));
    if (all.empty()) return;
    std::vector<ports::LogRecord> out;
    for (auto& [partition, payload] : all) out.push_back({{next++}, partition, t0, std::move(payload)});
    shard.on_records(std::move(out), {next});
  }

  std::vector<Append> appended;
  uint64_t next = 1;
};

}  // namespace

double run_fold(uint64_t messages) {
  const model::UserId ann{1}, bob{2};
  fold::ConversationState state;
  const auto partition = model::partition_of(model::direct_conversation(ann, bob));
  uint64_t position = 1;
  fold::fold(state, {{position}, partition, t0, t0, 1}, create(ann, bob), {});
  std::vector<model::Command> commands;
  double seconds = 0;
  for (uint64_t done = 0; done < messages;) {
    commands.clear();
    for (int i = 0; i < 4096; ++i) {
      const uint64_t n = 10 + done + static_cast<uint64_t>(i);
      commands.push_back(n % 2 ? message(ann, bob, n) : message(bob, ann, n));
    }
    const double begun = cpu_seconds();
    for (auto& command : commands) {
      ++position;
      const auto out = fold::fold(state, {{position}, partition, t0, t0, 1}, std::move(command), {});
      if (!out.event) give_up("the fold refused a message");
    }
    seconds += cpu_seconds() - begun;
    done += commands.size();
  }
  return static_cast<double>(messages) / seconds;
}

StoreCost run_store(uint64_t conversations, uint64_t messages) {
  char directory[] = "/tmp/tidings-bench-XXXXXX";
  if (!mkdtemp(directory)) give_up("no directory");
  StoreCost cost;
  {
    base::Registry metrics;
    auto store = embedded::RocksStore::open(directory, metrics);
    if (!store) give_up(store.error().sentence);
    base::ThreadExecutor home("shard"), readers("reader", 2), writing("store");
    embedded::SystemClock clock;
    base::Limits limits;
    limits.states_max = 3 * conversations + 1;  // and the own logs of both
    HandedLog log;
    delivery::StoreWriter writer({writing, **store, clock, limits, metrics, 1, {}, give_up});
    delivery::Shard shard({0, 1, home, readers, log, **store, writer, clock, limits, metrics, 1, give_up});
    if (auto started = shard.start({}, {}); !started.ok()) give_up(started.error().sentence);
    const auto at_home = [&](auto call) {
      std::promise<decltype(call())> done;
      home.post([&] { done.set_value(call()); });
      return done.get_future().get();
    };
    const auto feed = [&](uint64_t count, const auto& command) {
      for (uint64_t done = 0; done < count;) {
        std::vector<ports::Log::Append> records;
        for (; records.size() < 512 && done < count; ++done) {
          const model::Command c = command(done);
          records.push_back({model::partition_of(c.conversation), wire::encode_record(c)});
        }
        at_home([&] {
          log.hand_out(shard, std::move(records));
          return true;
        });
      }
      // The last flush, once all loads ended, and the effects that it caused.
      for (bool folded = false; !folded;) {
        std::promise<void> flushed;
        home.post([&] { shard.flush([&] { flushed.set_value(); }); });
        flushed.get_future().wait();
        folded = at_home([&] {
          const bool all = log.appended.empty() && shard.folded_below().value == log.next;
          log.hand_out(shard, {});
          return all;
        });
      }
    };
    const auto pair = [](uint64_t i) {
      return std::pair(model::UserId{2 * i + 1}, model::UserId{2 * i + 2});
    };
    feed(conversations, [&](uint64_t i) { return create(pair(i).first, pair(i).second); });
    auto& keys = metrics.counter("tidings_store_keys_written_total");
    auto& bytes = metrics.counter("tidings_store_bytes_written_total");
    const uint64_t keys_before = keys.value(), bytes_before = bytes.value();
    const auto begun = SteadyClock::now();
    feed(messages, [&](uint64_t i) {
      const auto [a, b] = pair(i % conversations);
      return message(i / conversations % 2 ? a : b, i / conversations % 2 ? b : a, 10 + i);
    });
    const auto count = static_cast<double>(messages);
    cost.messages_per_second = count / seconds_since(begun);
    cost.keys_per_message = static_cast<double>(keys.value() - keys_before) / count;
    cost.bytes_per_message = static_cast<double>(bytes.value() - bytes_before) / count;
    home.stop();
    readers.stop();
    writing.stop();
  }
  std::filesystem::remove_all(directory);
  return cost;
}

}  // namespace tidings::bench
