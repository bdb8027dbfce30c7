// A data directory copied aside at head 90, used to 100, copied back, used to 95: every client ends equal to
// a fresh one, and what was lost comes back from its sender (protocol.md §1 "Lineage").
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "test/faults/crowd.h"
#include "test/faults/runs.h"
#include "test/faults/scratch.h"
#include "test/faults/server_process.h"

namespace tidings::faults {
namespace {

using base::seconds;

class Run {
 public:
  Run(const Options& options, Scratch& scratch)
      : scratch_(scratch), server_(options.binary, scratch.data()), crowd_({"127.0.0.1", server_.port()}) {}

  // "" or what went wrong.
  std::string go() {
    if (auto started = start(); !started.empty()) return started;
    for (const auto& [handle, device] : {std::pair{"ann", "phone"}, {"ann", "laptop"}, {"bob", "phone"}}) {
      auto added = crowd_.add(handle, device);
      if (!added.ok()) return added.error().sentence;
      devices_.push_back(*added);
    }
    auto& ann = *devices_[0];
    auto& laptop = *devices_[1];
    auto& bob = *devices_[2];
    if (!crowd_.wait_for([&] { return settled(); }, seconds(20))) return "the clients do not come online";
    if (auto opened = crowd_.open(ann, bob.user()); !opened.ok()) return opened.error().sentence;
    conversation_ = model::direct_conversation(ann.user(), bob.user());
    if (!say(ann, bob.user(), 90)) return "the head is not 90";

    if (auto stopped = server_.stop(); !stopped.ok()) return stopped.error().sentence;
    std::filesystem::copy(scratch_.data(), scratch_.aside(), std::filesystem::copy_options::recursive);
    crowd_.run([&] { crowd_.history().copy_aside(now_ns(), 1); });
    if (auto started = start(); !started.empty()) return started;
    crowd_.run([&] { laptop.core().disconnect(); });
    if (!say(bob, ann.user(), 100)) return "the head is not 100";

    // Those who saw 91 to 100 are away when others write another 91.
    crowd_.run([&] {
      ann.core().disconnect();
      bob.core().disconnect();
    });
    if (auto stopped = server_.stop(); !stopped.ok()) return stopped.error().sentence;
    std::filesystem::remove_all(scratch_.data());
    std::filesystem::copy(scratch_.aside(), scratch_.data(), std::filesystem::copy_options::recursive);
    crowd_.run([&] { crowd_.history().restore(now_ns(), 1); });
    if (auto started = start(); !started.empty()) return started;
    crowd_.run([&] { (void)laptop.core().connect(); });
    if (!say(laptop, bob.user(), 95)) return "the head is not 95";

    crowd_.run([&] {
      (void)ann.core().connect();
      (void)bob.core().connect();
    });
    // Ten lost messages come back behind the 95.
    const auto equal = [&] {
      return settled() && std::all_of(devices_.begin(), devices_.end(),
                                      [&](const auto* device) { return device->head(conversation_) == 105; });
    };
    if (!crowd_.wait_for(equal, seconds(60))) {
      return fmt::format("the heads are {}, {} and {} instead of 105", ann.head(conversation_),
                         laptop.head(conversation_), bob.head(conversation_));
    }
    // Of both, because each has an own log, too.
    const size_t old = devices_.size();
    for (const char* who : {"ann", "bob"}) {
      auto fresh = crowd_.add(who, "fresh device");
      if (!fresh.ok()) return fresh.error().sentence;
      devices_.push_back(*fresh);
    }
    if (!crowd_.wait_for(equal, seconds(20))) return "a fresh device does not get everything";
    verdict = crowd_.run([&] {
      for (size_t i = old; i < devices_.size(); ++i) devices_[i]->give_copies(true);
      for (size_t i = 0; i < old; ++i) devices_[i]->give_copies(false);
      return checker::check(crowd_.history());
    });
    if (verdict.violations()) return verdict.first + "\n" + verdict.counts_text();
    auto stopped = server_.stop();
    return stopped.ok() ? "" : stopped.error().sentence;
  }

  checker::Verdict verdict;

 private:
  std::string start() {
    if (auto started = server_.start(); !started.ok()) return started.error().sentence;
    auto ready = server_.wait_until_ready(seconds(20));
    return ready.ok() ? "" : ready.error().sentence;
  }
  bool settled() {
    return std::all_of(devices_.begin(), devices_.end(), [](auto* device) {
      return device->core().connection() == client::Connection::offline || device->settled();
    });
  }
  // Until the conversation's head is so high.
  bool say(CrowdDevice& device, model::UserId to, uint64_t head) {
    const auto arrived = [&] { return device.online() && device.settled(); };
    if (!crowd_.wait_for(arrived, seconds(30))) return false;
    crowd_.run([&] {
      for (uint64_t i = device.head(conversation_); i < head; ++i) {
        device.say(to, fmt::format("{} {}", device.name(), i + 1));
      }
    });
    return crowd_.wait_for([&] { return device.settled() && device.head(conversation_) == head; },
                           seconds(30));
  }

  Scratch& scratch_;
  ServerProcess server_;
  Crowd crowd_;
  std::vector<CrowdDevice*> devices_;
  model::ConversationId conversation_;
};

}  // namespace

int run_copy_back(const Options& options) {
  Scratch scratch;
  std::string trouble;
  uint64_t acked = 0, violations = 0;
  {
    Run run(options, scratch);
    trouble = run.go();
    acked = run.verdict.acked;
    violations = run.verdict.violations();
  }
  if (!trouble.empty()) return failed(scratch, trouble);
  if (options.json) {
    fmt::print("{{\"acked\":{},\"head\":105,\"violations\":{}}}\n", acked, violations);
  } else {
    fmt::print("{} ticks, all devices equal to a fresh one at head 105, {} violations\n", acked, violations);
  }
  return 0;
}

}  // namespace tidings::faults
