#include "test/checker/checker.h"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <unordered_map>

#include <fmt/format.h>

#include "test/checker/people_laws.h"
#include "test/checker/reference.h"

namespace tidings::checker {
namespace {

using model::ConversationId;
using model::MessageId;
using model::Seq;

constexpr std::array<std::string_view, law_count> names{
    "kept",     "true",     "once",  "order",  "contiguous", "branch",    "same fold",
    "recovers", "answered", "marks", "unread", "private",    "same state"};

// What was on its way when a server went back may still arrive for so long.
constexpr int64_t in_flight_ns = 5'000'000'000;

struct SendKey {
  model::UserId from;
  model::ClientId client_id;
  friend bool operator==(const SendKey&, const SendKey&) = default;
};
struct SendKeyHash {
  size_t operator()(const SendKey& key) const {
    return std::hash<model::UserId>()(key.from) ^ std::hash<model::ClientId>()(key.client_id);
  }
};

struct Ok {
  int64_t time_ns;
  Seq seq;
  MessageId id;
  uint32_t process;  // which process of the device heard it
};

// One message and all that is known of it.
struct Send {
  Device device = 0;
  ConversationId conversation;
  model::ClientId client_id;
  uint64_t content = 0;
  int64_t invoked_ns = 0;
  size_t position = 0;  // in the order of sending; one that got another client id keeps its place
  std::vector<Ok> oks;
  bool failed = false;
  bool displaced = false;            // it was seen at a place that a restore took away
  const Observed* stored = nullptr;  // where a fresh copy has it
};

// What a device shows of a conversation since it started or forgot it.
struct Display {
  std::vector<MessageId> ids;  // ids[seq - 1]
};

class Judge {
 public:
  explicit Judge(const History& history)
      : history_(history),
        blame_([this](Law law, std::string sentence) { blame(law, std::move(sentence)); }) {}

  Verdict run() {
    // First, because fresh copies are not complete then, and the other laws complain for that reason alone.
    for (const auto& sentence : history_.stuck()) blame(Law::recovers, sentence);
    collect_restores();
    reference_ = std::make_unique<Reference>(history_, blame_);
    walk();
    judge_stored();
    judge_ticks();
    judge_owed();
    judge_real_time();
    judge_senders();
    judge_displays();
    judge_copies();
    judge_pages();
    judge_people(history_, *reference_, blame_);
    for (const auto& [from, hash] : history_.folds()) {
      if (hash != history_.folds().front().second) {
        blame(Law::same_fold,
              fmt::format("the fold's hash of {} is {:016x}, that of {} is {:016x}", from, hash,
                          history_.folds().front().first, history_.folds().front().second));
      }
    }
    return std::move(verdict_);
  }

 private:
  struct Window {
    int64_t from_ns, to_ns;
  };

  void blame(Law law, std::string sentence) {
    ++verdict_.counts[static_cast<size_t>(law)];
    if (verdict_.first.empty()) verdict_.first = fmt::format("{}: {}", name(law), sentence);
  }

  const std::string& device_name(Device device) const { return history_.devices()[device].name; }
  static std::string at(int64_t time_ns) {
    return fmt::format("{:.6f} s", static_cast<double>(time_ns) / 1e9);
  }
  std::string describe(const Send& send) const {
    auto text = fmt::format("message {} of {} in {} (sent at {}", model::to_text(send.client_id),
                            device_name(send.device), model::to_text(send.conversation), at(send.invoked_ns));
    for (const auto& ok : send.oks) {
      text += fmt::format(", ticked at {} as seq {}, id {}", at(ok.time_ns), ok.seq.value, ok.id.value);
    }
    return text + (send.failed ? ", finally refused)" : ")");
  }
  static std::string describe(const Observed& event) { return checker::describe(event); }

  // What was seen at this time, and sent before the restore, may be gone with the branch that the restore
  // left.
  bool may_be_displaced(int64_t time_ns, const Send* send) const {
    return std::any_of(lost_.begin(), lost_.end(), [&](const Window& w) {
      return w.from_ns <= time_ns && time_ns <= w.to_ns + in_flight_ns &&
             (!send || send->invoked_ns <= w.to_ns);
    });
  }

  bool restored_after(int64_t time_ns) const {
    return std::any_of(lost_.begin(), lost_.end(), [&](const Window& w) { return w.to_ns >= time_ns; });
  }

  void collect_restores() {
    std::map<uint64_t, int64_t> copied;
    for (const auto& record : history_.records()) {
      if (record.what == What::copy) copied[record.number] = record.time_ns;
      if (record.what == What::restore) lost_.push_back({copied[record.number], record.time_ns});
    }
  }

  void walk() {
    std::vector<uint32_t> process(history_.devices().size(), 0);
    for (const auto& record : history_.records()) {
      const auto& event = record.event;
      const SendKey key{event.from, event.client_id};
      switch (record.what) {
        case What::invoke: {
          auto [it, is_new] = sends_.try_emplace(key, sends_list_.size());
          if (!is_new) break;
          const auto same = first_with_.try_emplace({record.device, event.content}, it->second).first;
          sends_list_.push_back({.device = record.device,
                                 .conversation = event.conversation,
                                 .client_id = event.client_id,
                                 .content = event.content,
                                 .invoked_ns = record.time_ns,
                                 .position = same->second});
          break;
        }
        case What::ok: {
          auto* send = find(key);
          if (!send) {
            blame(Law::is_true, fmt::format("{} got a tick for {}, which it never sent",
                                            device_name(record.device), model::to_text(event.client_id)));
            break;
          }
          send->oks.push_back({record.time_ns, event.seq, event.id, process[record.device]});
          ++verdict_.acked;
          break;
        }
        case What::fail:
          if (auto* send = find(key)) send->failed = true;
          break;
        case What::show:
          walk_show(record);
          break;
        case What::reset:
          displays_[{record.device, event.conversation}].ids.clear();
          break;
        case What::restart:
          ++process[record.device];
          for (auto& [of, display] : displays_) {
            if (of.first == record.device) display.ids.clear();
          }
          break;
        case What::hold:
        case What::copy:
        case What::restore:
        case What::mark:
        case What::receipt:
          break;
      }
    }
    processes_ = std::move(process);
  }

  void walk_show(const Record& record) {
    const auto& event = record.event;
    auto& ids = displays_[{record.device, event.conversation}].ids;
    const auto who = device_name(record.device);
    // What it may not read it passes over. After a restore that is not known of the branch that was left.
    if (event.seq.value > ids.size() + 1 &&
        (may_be_displaced(record.time_ns, nullptr) ||
         reference_->is_closed_to(history_.devices()[record.device].user, event.conversation, ids.size() + 1,
                                  event.seq.value - 1))) {
      ids.resize(event.seq.value - 1);
    }
    if (event.seq.value <= ids.size() && event.seq.value > 0) {
      const bool same = ids[event.seq.value - 1] == event.id;
      blame(same ? Law::once : Law::order,
            fmt::format("{} at {} showed {} {}", who, at(record.time_ns), describe(event),
                        same ? "a second time" : "in the place of another event"));
      return;
    }
    if (event.seq.value != ids.size() + 1) {
      blame(Law::contiguous, fmt::format("{} at {} showed {} after seq {}", who, at(record.time_ns),
                                         describe(event), ids.size()));
      ids.resize(event.seq.value - 1);
    }
    ids.push_back(event.id);
    judge_content(event, who);
    judge_place(event, record.time_ns, who);
  }

  // Somebody sent it, just so.
  void judge_content(const Observed& event, const std::string& who) {
    if (!event.is_message) {
      const bool creates = event.body && std::holds_alternative<model::ConversationCreated>(*event.body);
      if (creates && event.seq.value != 1) {
        blame(Law::is_true, fmt::format("{} has a creation at {}", who, describe(event)));
      }
      return;
    }
    const auto* send = find({event.from, event.client_id});
    if (!send) {
      blame(Law::is_true, fmt::format("{} has {}, which nobody sent", who, describe(event)));
    } else if (send->content != event.content || send->conversation != event.conversation) {
      blame(Law::is_true,
            fmt::format("{} has {} with other content than {}", who, describe(event), describe(*send)));
    }
  }

  // It stands where the reference has it, unless a restore took it away.
  void judge_place(const Observed& event, int64_t time_ns, const std::string& who) {
    const auto* stored = reference_->at(event.conversation, event.seq);
    if (stored && stored->id == event.id && stored->content == event.content &&
        stored->client_id == event.client_id)
      return;
    auto* send = find({event.from, event.client_id});
    if (may_be_displaced(time_ns, send)) {
      if (send) send->displaced = true;
      return;
    }
    if (!stored) {
      blame(Law::kept,
            fmt::format("{} at {} had {}, and in the end it is nowhere", who, at(time_ns), describe(event)));
    } else {
      blame(Law::order, fmt::format("{} at {} had {}, a fresh copy has {}", who, at(time_ns), describe(event),
                                    describe(*stored)));
    }
  }

  void judge_stored() {
    for (const auto& [conversation, c] : reference_->all()) {
      for (const auto& event : c.events) {
        if (event.seq.value == 0) continue;
        judge_content(event, "a fresh device");
        auto* send = event.is_message ? find({event.from, event.client_id}) : nullptr;
        if (!send) continue;
        if (send->stored) {
          blame(Law::once, fmt::format("{} is stored twice, as seq {} and seq {}", describe(*send),
                                       send->stored->seq.value, event.seq.value));
          continue;
        }
        send->stored = &event;
        // After a restore another device of the sender may bring back a message that this one could not.
        if (send->failed && !restored_after(send->invoked_ns))
          blame(Law::is_true, fmt::format("{} is stored as seq {}", describe(*send), event.seq.value));
      }
    }
  }

  void judge_ticks() {
    for (auto& send : sends_list_) {
      bool comes_back = false;
      for (const auto& ok : send.oks) {
        const bool in_place = send.stored && send.stored->seq == ok.seq && send.stored->id == ok.id;
        if (in_place) continue;
        if (may_be_displaced(ok.time_ns, &send)) {
          send.displaced = true;
          const auto& info = history_.devices()[send.device];
          comes_back = comes_back || (info.keeps_outbox && ok.process == processes_[send.device]);
          continue;
        }
        if (!send.stored) {
          blame(Law::kept, fmt::format("{} is lost", describe(send)));
        } else {
          blame(Law::order, fmt::format("{} is stored as seq {}, id {}", describe(send),
                                        send.stored->seq.value, send.stored->id.value));
        }
        break;
      }
      // It may be refused when it comes again.
      if (comes_back && !send.stored && !send.failed) {
        blame(Law::branch, fmt::format("{} was lost with a restore, and its sender did not send it again",
                                       describe(send)));
      }
    }
  }

  void judge_owed() {
    std::unordered_map<SendKey, int64_t, SendKeyHash> answered;
    for (const auto& record : history_.records()) {
      if (record.what == What::ok || record.what == What::fail)
        answered.try_emplace({history_.devices()[record.device].user, record.event.client_id},
                             record.time_ns);
    }
    for (const auto& owed : history_.owed()) {
      const auto found = answered.find({history_.devices()[owed.device].user, owed.client_id});
      if (found != answered.end() && found->second <= owed.by_ns) continue;
      blame(Law::answered,
            fmt::format("{} of {} should have been answered by {}, and was {}",
                        model::to_text(owed.client_id), history_.devices()[owed.device].name, at(owed.by_ns),
                        found == answered.end() ? "never" : "at " + at(found->second)));
    }
  }

  // tick(a) before send(b) => seq a < seq b, by one sweep through time with the highest seq ticked so far.
  void judge_real_time() {
    std::unordered_map<ConversationId, const Send*> highest;
    std::unordered_map<const Send*, const Send*> before;
    for (const auto& record : history_.records()) {
      if (record.what != What::invoke && record.what != What::ok) continue;
      auto* send = find({record.event.from, record.event.client_id});
      if (!send || !send->stored || send->displaced) continue;
      auto& top = highest[send->conversation];
      if (record.what == What::ok) {
        if (!top || top->stored->seq < send->stored->seq) top = send;
      } else {
        before.try_emplace(send, top);
      }
    }
    for (const auto& send : sends_list_) {
      const auto found = before.find(&send);
      if (found == before.end() || !found->second || send.oks.empty()) continue;
      if (found->second->stored->seq > send.stored->seq) {
        blame(Law::order, fmt::format("{} was ticked before {} was sent, but stands behind it",
                                      describe(*found->second), describe(send)));
      }
    }
  }

  void judge_senders() {
    std::vector<const Send*> in_order;
    for (const auto& send : sends_list_) {
      if (send.stored && !send.displaced && history_.devices()[send.device].keeps_outbox)
        in_order.push_back(&send);
    }
    std::sort(in_order.begin(), in_order.end(), [](const Send* a, const Send* b) {
      return a->position != b->position ? a->position < b->position : a->invoked_ns < b->invoked_ns;
    });
    std::map<std::pair<Device, ConversationId>, const Send*> last;
    for (const auto* send : in_order) {
      auto& before = last[{send->device, send->conversation}];
      if (before && before->position == send->position) {
        blame(Law::once, fmt::format("{} and {} are one message under two client ids", describe(*before),
                                     describe(*send)));
      } else if (before && before->stored->seq > send->stored->seq) {
        blame(Law::order,
              fmt::format("{} was sent after {}, but stands before it", describe(*send), describe(*before)));
        continue;
      }
      before = send;
    }
  }

  // What is shown at the end is what a fresh copy has, also after a restore.
  void judge_displays() {
    for (const auto& [of, display] : displays_) {
      for (uint64_t seq = 1; seq <= display.ids.size(); ++seq) {
        const auto* stored = reference_->at(of.second, Seq{seq});
        if (display.ids[seq - 1] == MessageId{}) continue;  // a hole
        if (stored && stored->id == display.ids[seq - 1]) continue;
        if (lost_.empty()) break;  // was told with the event itself
        blame(Law::branch,
              fmt::format("{} still shows id {} as seq {} of {}, a fresh copy has {}", device_name(of.first),
                          display.ids[seq - 1].value, seq, model::to_text(of.second),
                          stored ? fmt::format("id {}", stored->id.value) : "nothing there"));
        break;
      }
    }
  }

  // Everybody holds just what the person may read.
  void judge_copies() {
    for (const auto& copy : history_.copies()) {
      const auto* stored = reference_->find(copy.conversation);
      const auto law = lost_.empty() ? Law::contiguous : Law::branch;
      if (!stored) {
        if (!copy.events.empty()) {
          blame(law,
                fmt::format("{} holds {} that nobody pulls", copy.holder, model::to_text(copy.conversation)));
        }
        continue;
      }
      auto next = copy.events.begin();
      for (uint64_t seq = 1; seq <= stored->head(); ++seq) {
        const auto& b = stored->events[seq - 1];
        const bool held = next != copy.events.end() && next->seq.value <= seq;
        if (!held && (b.seq.value == 0 || !reference_->may_read(copy.user, copy.conversation, b.seq)))
          continue;
        if (!held) {
          blame(law, fmt::format("{} holds {} events in the end, without {}", copy.holder, copy.events.size(),
                                 describe(b)));
          break;
        }
        const auto& a = *next++;
        if (a.seq == b.seq && a.id == b.id && a.content == b.content && a.client_id == b.client_id &&
            a.from == b.from) {
          continue;
        }
        blame(lost_.empty() ? Law::order : Law::branch,
              fmt::format("{} holds {}, a fresh device {}", copy.holder, describe(a), describe(b)));
        next = copy.events.end();
        break;
      }
      if (next != copy.events.end()) {
        blame(law, fmt::format("{} holds {}, and a fresh device holds nothing there", copy.holder,
                               describe(*next)));
      }
    }
  }

  void judge_pages() {
    for (const auto& page : history_.pages()) {
      struct Span {
        uint64_t from, to;
      };
      std::vector<Span> spans;
      const auto who = fmt::format("the page for {}", device_name(page.device));
      for (const auto& event : page.events) {
        spans.push_back({event.seq.value, event.seq.value});
        judge_content(event, who);
        judge_place(event, page.time_ns, who);
      }
      for (const auto& hole : page.holes) spans.push_back({hole.from.value, hole.to.value});
      std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.from < b.from; });
      uint64_t next = page.after.value + 1;
      for (const auto& span : spans) {
        if (span.from != next) break;
        next = span.to + 1;
      }
      if (next != page.upto.value + 1) {
        blame(Law::contiguous,
              fmt::format("{} at {} for {} after {} covers up to {} and says {}", who, at(page.time_ns),
                          model::to_text(page.conversation), page.after.value, next - 1, page.upto.value));
      }
    }
  }

  Send* find(const SendKey& key) {
    const auto found = sends_.find(key);
    return found == sends_.end() ? nullptr : &sends_list_[found->second];
  }

  const History& history_;
  const Blame blame_;
  Verdict verdict_;
  std::vector<Window> lost_;
  std::unique_ptr<Reference> reference_;
  std::unordered_map<SendKey, size_t, SendKeyHash> sends_;
  std::vector<Send> sends_list_;                              // in the order of sending
  std::map<std::pair<Device, uint64_t>, size_t> first_with_;  // by content, which workloads make unique
  std::map<std::pair<Device, ConversationId>, Display> displays_;
  std::vector<uint32_t> processes_;
};

}  // namespace

std::string_view name(Law law) {
  return names[static_cast<size_t>(law)];
}

uint64_t Verdict::violations() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

std::string Verdict::counts_text() const {
  std::string text;
  for (size_t i = 0; i < law_count; ++i) text += fmt::format("{}{} {}", i ? ", " : "", names[i], counts[i]);
  return text;
}

Verdict check(const History& history) {
  return Judge(history).run();
}

}  // namespace tidings::checker
