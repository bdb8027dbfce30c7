#include <filesystem>
#include <fstream>
#include <thread>

#include <sys/wait.h>

#include "engine/embedded/rocks_store.h"
#include "test/faults/disk.h"
#include "test/faults/log_judge.h"
#include "test/faults/world.h"
#include "test/sim/prng.h"

namespace tidings::faults {
namespace {

using base::seconds;
using Conversations = std::map<model::ConversationId, std::vector<checker::Observed>>;

constexpr uint64_t tail_bytes = 64u << 10;
constexpr uint64_t dense_cut_bytes = 2u << 10;
constexpr uint64_t flipped_bytes = 4u << 10;
constexpr uint64_t header_bytes = 4096;

// A server's data after kill -9, with more than one segment and 64 KiB of groups in the last.
class Specimen {
 public:
  explicit Specimen(const DiskOptions& options)
      : options_(options), world_(options, {.text_bytes = 0, .settings = {"storage.segment_bytes=128KiB"}}) {}

  // "" or what went wrong.
  std::string make() {
    if (auto begun = world_.begin(); !begun.ok()) return begun.error().sentence;
    for (int tries = 0; tries < 10; ++tries) {
      for (int i = 0; i < 2000 && !is_enough(); ++i) std::this_thread::sleep_for(base::milliseconds(20));
      world_.server().kill();
      if (is_enough()) break;
      if (auto again = world_.start_again(); !again.ok()) return again.error().sentence;
    }
    world_.talk(false);
    if (!is_enough()) return "no log of the wanted length came about";
    judge_.emplace(read_files(log()));
    if (judge_->records().back().position.value >= 4096) return "the log is too long to know ids by position";
    // What the server would hold against the log.
    const std::string copy = fresh_copy();
    base::Registry metrics;
    auto store = embedded::RocksStore::open(copy + "/store", metrics);
    if (!store.ok()) return store.error().sentence;
    auto checkpoints = (*store)->checkpoints();
    auto low = (*store)->low();
    if (!checkpoints.ok() || !low.ok()) return "the store cannot be read";
    for (const auto& checkpoint : *checkpoints) folded_ = std::max(folded_, checkpoint.position);
    if (low->value > 0) folded_ = std::max(folded_, model::Position{low->value - 1});
    return "";
  }
  const LogJudge& judge() const { return *judge_; }
  // The store has folded up to here.
  model::Position folded() const { return folded_; }

  // A copy of the whole data directory with this log file instead.
  std::string copy_with(const std::string& name, const base::Bytes& content) {
    const std::string copy = fresh_copy();
    std::ofstream(copy + "/log/" + name, std::ios::binary | std::ios::trunc) << content;
    return copy;
  }
  std::string fresh_copy() {
    std::filesystem::remove_all(world_.scratch().aside());
    std::filesystem::copy(world_.server().data(), world_.scratch().aside(),
                          std::filesystem::copy_options::recursive);
    return world_.scratch().aside();
  }

  struct Started {
    std::string refused, trouble;
    Conversations conversations;
  };
  // Starts a server on the copy and reads everything.
  Started start(const std::string& copy) {
    Started started;
    ServerProcess server(options_.binary, copy);
    if (auto begun = server.start(); !begun.ok()) return {"", begun.error().sentence, {}};
    if (!server.wait_until_ready(seconds(20)).ok()) {
      const auto status = server.wait_for_end(seconds(1));
      const std::string said = server.said();
      if (!status || !WIFEXITED(*status) || WEXITSTATUS(*status) != 1)
        return {"", "the server does not start, and does not end with status 1 either: " + said, {}};
      return {said, "", {}};
    }
    Crowd crowd({"127.0.0.1", server.port()});
    for (size_t i = 0; i < world_.devices().size(); i += 2) {
      auto device = crowd.add(fmt::format("person{}", i), "reader");
      if (!device.ok()) return {"", device.error().sentence, {}};
    }
    const auto settled = [&] {
      return std::all_of(crowd.devices().begin(), crowd.devices().end(), [](const auto& device) {
        return device->settled() && !device->core().conversations().empty();
      });
    };
    if (!crowd.wait_for(settled, seconds(20))) started.trouble = "the reader does not get everything";
    crowd.run([&] {
      for (const auto& device : crowd.devices()) device->give_copies(true);
      for (const auto& copied : crowd.history().copies())
        started.conversations[copied.conversation] = copied.events;
    });
    if (auto stopped = server.stop(); !stopped.ok()) started.trouble = stopped.error().sentence;
    return started;
  }
  // "" if the copy is refused with a sentence, or, if it may open, shows exactly what was folded of the first
  // `records` records (or of `or_records`).
  std::string judge_start(const std::string& copy, const LogJudge::Allowed& allowed,
                          const Conversations& all) {
    const Files before = read_files(copy + "/log");
    const Started started = start(copy);
    if (!started.trouble.empty()) return started.trouble;
    if (!started.refused.empty()) {
      if (!allowed.refused) return "the server refuses: " + started.refused;
      if (started.refused.find("tidings: the log is damaged: ") == std::string::npos)
        return "the refusal is not clear: " + started.refused;
      return read_files(copy + "/log") == before ? "" : "the server refused the log, and changed it";
    }
    for (const auto records : {allowed.records, allowed.or_records}) {
      if (records && is_what_was(started.conversations, all, *records)) return "";
    }
    return "the server shows something else than the records that were left";
  }

  void keep() { world_.scratch().keep(); }

 private:
  std::string log() { return world_.server().data() + "/log"; }
  bool is_enough() {
    const auto segments = find_log(read_files(log()));
    return segments.size() >= 2 && segments.back().end >= header_bytes + tail_bytes;
  }
  bool is_what_was(const Conversations& shown, const Conversations& all, size_t records) const {
    const uint64_t newest = records ? judge_->records()[records - 1].position.value : 0;
    for (const auto& [conversation, events] : all) {
      const auto found = shown.find(conversation);
      size_t i = 0;
      for (const auto& event : events) {
        // The lowest bits of an id are those of its position, and there are fewer than 4,096 here.
        if ((event.id.value & 4095) > newest) break;
        if (found == shown.end() || i >= found->second.size()) return false;
        const auto& is = found->second[i++];
        if (is.id != event.id || is.seq != event.seq || is.content != event.content) return false;
      }
      if (found != shown.end() && found->second.size() != i) return false;
    }
    return true;
  }

  const DiskOptions& options_;
  World world_;
  std::optional<LogJudge> judge_;
  model::Position folded_;
};

}  // namespace

void log_cut(const DiskOptions& options, Tally& tally) {
  Specimen specimen(options);
  if (auto trouble = specimen.make(); !trouble.empty()) return tally.violation(trouble);
  const LogJudge& judge = specimen.judge();
  const base::Bytes& whole = judge.files().at(judge.last());
  // Through the trailer and a little of the room behind it.
  const uint64_t end = judge.segments().back().end + 64;
  const uint64_t stride = options.amount == Amount::full ? 1
                          : options.count                ? std::max<uint64_t>(1, tail_bytes / options.count)
                          : options.amount == Amount::quick ? 97
                                                            : 13;
  uint64_t number = 0;
  for (uint64_t cut = end; cut > end - tail_bytes - 64; cut -= end - cut < dense_cut_bytes ? 1 : stride) {
    ++number;
    Files damaged = judge.files();
    damaged[judge.last()] = whole.substr(0, cut);
    const size_t left = judge.records_until(cut);
    LogJudge::Allowed allowed{.refused = cut < header_bytes, .records = left};
    auto trouble = judge.open(damaged, allowed, {0}, number % 16 == 0);
    if (trouble.empty() && number % 8 == 0 && left < judge.records().size()) {
      // The store has more than is left.
      trouble = judge.open(damaged, {.refused = true}, judge.records()[left].position, false);
    }
    tally.judged();
    if (!trouble.empty()) tally.violation(fmt::format("cut at byte {}: {}", cut, trouble));
  }
  Tally::progress("  {} cuts in memory: {} opened, {} refused", number, judge.opened(), judge.refused());

  const auto reference = specimen.start(specimen.fresh_copy());
  if (!reference.trouble.empty() || !reference.refused.empty()) {
    specimen.keep();
    return tally.violation("the log that was not cut: " + reference.trouble + reference.refused);
  }
  sim::Prng random(options.seed);
  const int starts = options.amount == Amount::quick ? 4 : 12;
  int below = 0;
  for (int i = 0; i < starts; ++i) {
    // By turns below and above what the store has folded.
    uint64_t cut = 0;
    bool is_below = false;
    for (int tries = 0; tries < 10'000; ++tries) {
      cut = end - random.below(i % 2 ? tail_bytes : 8192);
      const size_t left = judge.records_until(cut);
      is_below = !left || judge.records()[left - 1].position < specimen.folded();
      if (is_below == (i % 2 == 1)) break;
    }
    below += is_below;
    const auto copy = specimen.copy_with(judge.last(), whole.substr(0, cut));
    LogJudge::Allowed allowed{.refused = is_below};
    if (!is_below) allowed.records = judge.records_until(cut);
    const auto trouble = specimen.judge_start(copy, allowed, reference.conversations);
    tally.judged();
    if (!trouble.empty()) {
      tally.violation(fmt::format("a server on a log cut at byte {}: {}", cut, trouble));
      specimen.keep();
    }
  }
  Tally::progress("  {} starts on cut logs, {} of them below the store", starts, below);
}

namespace {

// What a flip at this byte may lead to.
LogJudge::Allowed allowed_at(const LogJudge& judge, const std::string& name, uint64_t byte) {
  const auto& segment = *std::find_if(judge.segments().begin(), judge.segments().end(),
                                      [&](const auto& s) { return s.name == name; });
  const size_t all = judge.records().size();
  if (byte >= segment.end) return {.records = all};  // a trailer, or room that nobody uses
  const bool in_last_group = name == judge.last() && byte >= segment.groups.back().offset;
  // Whole groups or a trailer behind it say that it was synced once.
  if (!in_last_group || segment.vouched) return {.refused = true};
  return {.records = all - segment.groups.back().records.size()};
}

void flip(base::Bytes& bytes, uint64_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
}

void flip_in_memory(const DiskOptions& options, const LogJudge& judge, sim::Prng& random, Tally& tally) {
  const auto& last = judge.segments().back();
  Files damaged = judge.files();
  uint64_t number = 0;
  const auto try_bit = [&](const std::string& name, uint64_t bit) {
    flip(damaged[name], bit);
    const auto trouble = judge.open(damaged, allowed_at(judge, name, bit / 8), {0}, ++number % 64 == 0);
    flip(damaged[name], bit);
    tally.judged();
    if (!trouble.empty()) {
      tally.violation(fmt::format("bit {} of byte {} of {}, the last group {} a trailer: {}", bit % 8,
                                  bit / 8, name, last.vouched ? "has" : "lacks", trouble));
    }
  };
  const uint64_t step = options.amount == Amount::quick ? 17 : 1;
  const uint64_t end = last.end + (last.vouched ? 16 : 0);
  for (uint64_t bit = (end - flipped_bytes) * 8; bit < end * 8; bit += step) try_bit(last.name, bit);
  const uint64_t elsewhere = options.count                     ? options.count
                             : options.amount == Amount::quick ? 300
                             : options.amount == Amount::full  ? 10'000
                                                               : 3'000;
  for (uint64_t i = 0; i < elsewhere; ++i) {
    const auto& segment = judge.segments()[random.below(judge.segments().size())];
    try_bit(segment.name, random.below(judge.files().at(segment.name).size() * 8));
  }
  Tally::progress("  {} flips in memory, the last group {} a trailer: {} opened, {} refused", number,
                  last.vouched ? "has" : "lacks", judge.opened(), judge.refused());
}

}  // namespace

void log_flipped(const DiskOptions& options, Tally& tally) {
  Specimen specimen(options);
  if (auto trouble = specimen.make(); !trouble.empty()) return tally.violation(trouble);
  sim::Prng random(options.seed);
  const LogJudge judges[] = {specimen.judge().with_trailer(true), specimen.judge().with_trailer(false)};
  for (const auto& judge : judges) flip_in_memory(options, judge, random, tally);

  const auto reference = specimen.start(specimen.fresh_copy());
  if (!reference.trouble.empty() || !reference.refused.empty()) {
    specimen.keep();
    return tally.violation("the log that was not flipped: " + reference.trouble + reference.refused);
  }
  const int starts = options.amount == Amount::quick ? 3 : 12;
  for (int i = 0; i < starts; ++i) {
    // By turns an early group, the last group, and the trailer or behind it.
    const LogJudge& judge = judges[i / 3 % 2];
    const auto& last = judge.segments().back();
    const uint64_t early = header_bytes + random.below(last.groups.back().offset - header_bytes);
    const uint64_t in_last = last.groups.back().offset + random.below(last.groups.back().bytes);
    const uint64_t behind = last.end + random.below(32);
    const uint64_t byte = i % 3 == 0 ? early : i % 3 == 1 ? in_last : behind;
    auto allowed = allowed_at(judge, last.name, byte);
    // The store may have folded the last group already.
    if (allowed.records != judge.records().size()) allowed.refused = true;
    base::Bytes content = judge.files().at(last.name);
    flip(content, byte * 8 + random.below(8));
    const auto trouble =
        specimen.judge_start(specimen.copy_with(last.name, content), allowed, reference.conversations);
    tally.judged();
    if (!trouble.empty()) {
      tally.violation(fmt::format("a server on a log with a flip at byte {}: {}", byte, trouble));
      specimen.keep();
    }
  }
  Tally::progress("  {} starts on logs with a flip", starts);
}

}  // namespace tidings::faults
