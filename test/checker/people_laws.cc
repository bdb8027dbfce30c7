#include "test/checker/people_laws.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace tidings::checker {
namespace {

using model::ConversationId;
using model::Seq;
using model::UserId;

constexpr uint64_t own_after_read_max = 64;      // protocol.md §8
constexpr int64_t in_flight_ns = 5'000'000'000;  // what an old branch said may still arrive for so long

std::string at(int64_t time_ns) {
  return fmt::format("{:.6f} s", static_cast<double>(time_ns) / 1e9);
}

class People {
 public:
  People(const History& history, const Reference& reference, const Blame& blame)
      : history_(history),
        reference_(reference),
        blame_(blame),
        has_restore_(std::ranges::any_of(
            history.records(), [](const Record& record) { return record.what == What::restore; })) {}

  void judge() {
    for (const auto& record : history_.records()) walk(record);
    judge_arrived();
    judge_unread();
    judge_private();
    judge_devices_agree();
    judge_lists();
  }

 private:
  using Place = std::pair<UserId, ConversationId>;
  using Sight = std::pair<Device, Place>;
  struct Levels {
    uint64_t read = 0, delivered = 0;
    friend bool operator==(const Levels&, const Levels&) = default;
  };

  const DeviceInfo& device(Device d) const { return history_.devices()[d]; }

  // --- marks, one record after another

  void walk(const Record& record) {
    const auto& event = record.event;
    const UserId person = device(record.device).user;
    switch (record.what) {
      case What::show: {
        auto& shown = held_[{record.device, event.conversation}].shown;
        shown = std::max(shown, event.seq.value);
        break;
      }
      case What::hold:
        held_[{record.device, event.conversation}].waits.insert(event.seq.value);
        break;
      case What::ok: {
        break;
      }
      case What::mark: {
        auto& marked = marked_[{person, event.conversation}];
        marked = std::max(marked, event.seq.value);
        if (record.number == 0) {
          auto& told = told_[{record.device, {person, event.conversation}}];
          told = std::max(told, event.seq.value);
        }
        break;
      }
      case What::receipt:
        receipt(record);
        break;
      case What::reset:
        std::erase_if(levels_, [&](const auto& level) {
          return level.first.first == record.device && level.first.second.second == event.conversation;
        });
        told_.erase({record.device, {person, event.conversation}});
        break;
      case What::restart:
        // Which marks had not left it is forgotten with the process.
        std::erase_if(told_, [&](const auto& told) { return told.first.first == record.device; });
        break;
      case What::restore:
        restored_ns_ = record.time_ns;
        fell_.clear();
        told_.clear();
        break;
      case What::invoke:
      case What::fail:
      case What::copy:
        break;
    }
  }

  bool in_doubt(int64_t time_ns) const { return restored_ns_ && time_ns <= *restored_ns_ + in_flight_ns; }

  void receipt(const Record& record) {
    const auto& event = record.event;
    const uint64_t read = event.seq.value, delivered = record.number;
    const auto tell = [&](const std::string& what) {
      blame_(Law::marks, fmt::format("{} at {} shows read {}, delivered {} of {} in {}: {}",
                                     device(record.device).name, at(record.time_ns), read, delivered,
                                     event.from.value, model::to_text(event.conversation), what));
    };
    if (read > delivered) tell("read is above delivered");
    auto& before = levels_[{record.device, {event.from, event.conversation}}];
    // Once for each restore: a device may take long to hear that what it shows was of the lost branch.
    if ((read < before.read || delivered < before.delivered) && !in_doubt(record.time_ns) &&
        (!restored_ns_ || !fell_.insert({record.device, {event.from, event.conversation}}).second)) {
      tell(fmt::format("it was read {}, delivered {} before", before.read, before.delivered));
    }
    before = {read, delivered};
    const auto* c = reference_.find(event.conversation);
    // What a restore takes away, or will take away, is not in the reference.
    const auto* said = reference_.at(event.conversation, Seq{delivered});
    const bool any_restore = restored_ns_ || has_restore_;
    if (any_restore && (!said || in_doubt(record.time_ns) || !restored_ns_)) return;
    if (!c || !said) {
      if (delivered > 0) tell("there is no such event");
      return;
    }
    const auto member = c->members.find(event.from);
    if (member == c->members.end()) return tell("who never was a member");
    // Received by a device, said by the person, marked by the person, or joined with it.
    const Place place{event.from, event.conversation};
    const bool joined = std::any_of(member->second.intervals.begin(), member->second.intervals.end(),
                                    [&](const auto& i) { return i.since == delivered; });
    const bool by_all = said->body && joins(*said->body, event.from);
    if (marked_[place] < delivered && said->from != event.from && !joined && !by_all &&
        !had_all(place, *c, delivered))
      tell("none of that person's devices had all of it");
  }

  // One device of the person had, shown or not, all that others had said up to there.
  bool had_all(const Place& place, const Reference::Conversation& c, uint64_t delivered) const {
    const auto member = c.members.find(place.first);
    for (Device d = 0; d < history_.devices().size(); ++d) {
      if (device(d).user != place.first) continue;
      const auto found = held_.find({d, place.second});
      const Held nothing;
      const Held& held = found == held_.end() ? nothing : found->second;
      uint64_t seq = held.shown;
      while (++seq <= delivered) {
        const auto& event = c.events[seq - 1];
        const bool needed = event.from != place.first && member->second.may_read(seq);
        if (needed && !held.waits.contains(seq)) break;
      }
      if (seq > delivered) return true;
    }
    return false;
  }

  static bool joins(const decltype(model::Event::body)& body, UserId user) {
    const auto* created = std::get_if<model::ConversationCreated>(&body);
    const auto* added = std::get_if<model::MembersAdded>(&body);
    const auto* members = created ? &created->members : added ? &added->members : nullptr;
    return members && std::find(members->begin(), members->end(), user) != members->end();
  }

  // --- the end

  // What somebody has received and read is known to everybody who lists marks.
  void judge_arrived() {
    std::map<Place, Levels> due;
    for (const auto& copy : history_.copies()) {
      const auto* c = reference_.find(copy.conversation);
      if (!c || c->kind == model::ConversationKind::self || !is_member(*c, copy.user)) continue;
      auto& level = due[{copy.user, copy.conversation}];
      for (const auto& event : copy.events) {
        if (event.from != copy.user) level.delivered = std::max(level.delivered, event.seq.value);
      }
    }
    for (const auto& [of, read] : told_) {
      const auto* c = reference_.find(of.second.second);
      if (c && is_member(*c, of.second.first)) {
        auto& level = due[of.second];
        level.read = std::max(level.read, read);
      }
    }
    for (auto& [place, level] : due) {
      const auto& c = *reference_.find(place.second);
      level = {messages_upto(c, place.first, level.read), messages_upto(c, place.first, level.delivered)};
    }
    for (const auto& view : history_.views()) {
      const auto* c = reference_.find(view.conversation);
      if (!c || view.left || c->members.size() > model::listed_marks_max) continue;
      const auto levels = levels_of(view, *c);
      for (const auto& [user, shown] : levels) {
        const auto found = due.find({user, view.conversation});
        if (found == due.end()) continue;
        if (shown.read >= found->second.read && shown.delivered >= found->second.delivered) continue;
        blame_(Law::marks,
               fmt::format("{} shows in the end {} messages as read, {} as delivered by {} in {}, "
                           "where {} were read and {} are held",
                           device(view.device).name, shown.read, shown.delivered, user.value,
                           model::to_text(view.conversation), found->second.read, found->second.delivered));
      }
    }
  }

  // A mark counted in messages of others: what one says oneself moves it, too, which nobody is told.
  static uint64_t messages_upto(const Reference::Conversation& c, UserId user, uint64_t seq) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < std::min<uint64_t>(seq, c.head()); ++i) {
      count += c.events[i].is_message && c.events[i].seq.value && c.events[i].from != user;
    }
    return count;
  }
  // So counted. Who joins has read and received what was before.
  static std::map<UserId, Levels> levels_of(const View& view, const Reference::Conversation& c) {
    std::map<UserId, Levels> out;
    if (c.members.size() > model::listed_marks_max) return out;
    for (const auto& [user, member] : c.members) {
      if (member.in()) out[user] = {member.intervals.back().since, member.intervals.back().since};
    }
    for (const auto& mark : view.marks) {
      auto& level = out[mark.user];
      level = {std::max(level.read, mark.read.value), std::max(level.delivered, mark.delivered.value)};
    }
    for (auto& [user, level] : out) {
      level = {messages_upto(c, user, level.read), messages_upto(c, user, level.delivered)};
    }
    return out;
  }

  static bool is_member(const Reference::Conversation& c, UserId user) {
    const auto member = c.members.find(user);
    return member != c.members.end() && member->second.in();
  }

  void judge_unread() {
    std::map<Place, uint64_t> read;
    for (const auto& view : history_.views()) {
      const UserId user = device(view.device).user;
      if (has_restore_ && !view.fresh) continue;  // marks that a restore took away stay on a display
      for (const auto& mark : view.marks) {
        auto& level = read[{user, view.conversation}];
        if (mark.user == user) level = std::max(level, mark.read.value);
      }
    }
    auto seen = history_.unread();
    for (const auto& view : history_.views()) {
      if (has_restore_ && !view.fresh) continue;
      seen.push_back({view.device, view.conversation, view.unread});
    }
    for (const auto& one : seen) {
      const UserId user = device(one.device).user;
      const auto* c = reference_.find(one.conversation);
      if (!c || !is_member(*c, user) || c->kind == model::ConversationKind::self) continue;
      const auto& member = c->members.at(user);
      uint64_t own = 0, others = 0;
      const uint64_t mark = read[{user, one.conversation}];
      for (uint64_t seq = mark + 1; seq <= c->head(); ++seq) {
        const auto& event = c->events[seq - 1];
        if (event.is_message && event.seq.value && member.may_read(seq))
          ++(event.from == user ? own : others);
      }
      // Above so many own messages the oldest of them moves the mark for counting.
      if (one.unread == others || (own > own_after_read_max && one.unread < others)) continue;
      blame_(
          Law::unread,
          fmt::format("{} is told of {} unread messages in {}, where {} of others are above the "
                      "read mark {}",
                      device(one.device).name, one.unread, model::to_text(one.conversation), others, mark));
    }
  }

  void judge_private() {
    const bool restored = has_restore_;
    collect_lost_joins();
    // What was seen while it was allowed may stay: `time_ns` is when; nullopt: of a copy at the end.
    const auto tell = [&](const std::string& who, UserId user, const Observed& event,
                          std::optional<int64_t> time_ns, bool fresh) {
      if (!reference_.find(event.conversation)) return;  // other laws tell
      const auto* stored = reference_.at(event.conversation, event.seq);
      if (restored && !(stored && stored->id == event.id)) return;
      if (reference_.may_read(user, event.conversation, event.seq)) return;
      if (!fresh && reference_.might_read(user, event.conversation, event.seq)) return;
      if (time_ns && in_lost_branch(*time_ns) && lost_joins_.contains({user, event.conversation})) return;
      blame_(Law::is_private, fmt::format("{} has {}, but is no member there", who, describe(event)));
    };
    for (const auto& record : history_.records()) {
      if (record.what == What::show) {
        tell(device(record.device).name, device(record.device).user, record.event, record.time_ns, false);
      }
    }
    for (const auto& page : history_.pages()) {
      for (const auto& event : page.events) {
        tell("a page for " + device(page.device).name, device(page.device).user, event, page.time_ns, false);
      }
    }
    for (const auto& copy : history_.copies()) {
      for (const auto& event : copy.events) tell(copy.holder, copy.user, event, std::nullopt, copy.fresh);
    }
  }

  // Who became a member in a branch that a restore took away could read there what both branches have.
  void collect_lost_joins() {
    std::map<uint64_t, int64_t> copied;
    for (const auto& record : history_.records()) {
      if (record.what == What::copy) copied[record.number] = record.time_ns;
      if (record.what == What::restore)
        lost_.push_back({copied[record.number], record.time_ns + in_flight_ns});
    }
    for (const auto& record : history_.records()) {
      if (record.what != What::show || !record.event.body || !in_lost_branch(record.time_ns)) continue;
      const auto* stored = reference_.at(record.event.conversation, record.event.seq);
      if (stored && stored->id == record.event.id) continue;
      for (const auto& person : history_.devices()) {
        if (joins(*record.event.body, person.user))
          lost_joins_.insert({person.user, record.event.conversation});
      }
    }
  }
  bool in_lost_branch(int64_t time_ns) const {
    return std::any_of(lost_.begin(), lost_.end(), [time_ns](const auto& window) {
      return window.first <= time_ns && time_ns <= window.second;
    });
  }

  // --- same state

  void judge_devices_agree() {
    std::map<Place, std::pair<const View*, size_t>> views;
    std::map<UserId, std::set<Device>> devices;
    for (const auto& view : history_.views()) {
      const UserId user = device(view.device).user;
      devices[user].insert(view.device);
      auto& [first, count] = views[{user, view.conversation}];
      ++count;
      if (!first) {
        first = &view;
        judge_view(view);
      } else {
        compare(*first, view);
      }
    }
    for (const auto& [place, seen] : views) {
      if (seen.second != devices[place.first].size()) {
        blame_(Law::same_state,
               fmt::format("{} of {} devices of {} know {}", seen.second, devices[place.first].size(),
                           place.first.value, model::to_text(place.second)));
      }
    }
    std::map<UserId, const BlocksSeen*> blocks;
    for (const auto& seen : history_.blocks()) {
      const auto* first = blocks.try_emplace(device(seen.device).user, &seen).first->second;
      if (first->blocked != seen.blocked) {
        blame_(Law::same_state, fmt::format("{} and {} block different people", device(first->device).name,
                                            device(seen.device).name));
      }
    }
  }

  void compare(const View& a, const View& b) {
    const auto tell = [&](const std::string& what) {
      blame_(Law::same_state, fmt::format("{} and {} show {}: {}", device(a.device).name,
                                          device(b.device).name, model::to_text(a.conversation), what));
    };
    // What is told of who left depends on what was told before.
    const bool in = !a.left || !b.left;
    if (in && a.title != b.title) tell(fmt::format("titles {} and {}", a.title, b.title));
    if (a.left != b.left) tell(fmt::format("left {} and {}", a.left, b.left));
    if (a.role != b.role)
      tell(fmt::format("roles {} and {}", static_cast<int>(a.role), static_cast<int>(b.role)));
    if (in && a.member_count != b.member_count) {
      tell(fmt::format("{} and {} members", a.member_count, b.member_count));
    }
    const auto* stored = reference_.find(a.conversation);
    const bool lists_all = stored && stored->members.size() <= model::listed_marks_max && !a.left;
    if (lists_all && a.members != b.members) {
      std::string members;
      for (const auto* view : {&a, &b}) {
        for (const auto user : view->members) members += fmt::format(" {}", user.value % 1000);
        if (view == &a) members += " and";
      }
      tell("members" + members);
    }
    // A mark that did not get there before its person left is taken by nobody any more; its device goes by
    // it.
    const auto& read_more = a.unread < b.unread ? a : b;
    const bool in_vain =
        !in && told_.contains({read_more.device, {device(read_more.device).user, a.conversation}});
    if (a.unread != b.unread && !has_restore_ && !in_vain)
      tell(fmt::format("{} and {} unread", a.unread, b.unread));
    const auto* c = reference_.find(a.conversation);
    if (!c || a.left || has_restore_) return;
    const auto of_a = levels_of(a, *c), of_b = levels_of(b, *c);
    if (of_a == of_b) return;
    std::string marks;
    for (const auto* levels : {&of_a, &of_b}) {
      for (const auto& [user, level] : *levels) {
        marks += fmt::format(" {}:{}/{}", user.value % 1000, level.read, level.delivered);
      }
      if (levels == &of_a) marks += " and";
    }
    tell("marks" + marks);
  }

  // Against what is stored.
  void judge_view(const View& view) {
    const auto* c = reference_.find(view.conversation);
    const UserId user = device(view.device).user;
    if (!c || !c->members.contains(user)) {
      blame_(Law::is_private, fmt::format("{} shows {}, of which that person never was a member",
                                          device(view.device).name, model::to_text(view.conversation)));
      return;
    }
    const bool in = is_member(*c, user);
    const auto tell = [&](const std::string& what) {
      blame_(Law::same_state, fmt::format("{} shows {} {}", device(view.device).name,
                                          model::to_text(view.conversation), what));
    };
    if (view.left == in) tell(in ? "as left" : "as if still a member");
    if (!in) return;
    if (view.title != c->title) tell(fmt::format("as {}, its title is {}", view.title, c->title));
    const auto count = static_cast<uint64_t>(
        std::count_if(c->members.begin(), c->members.end(), [](const auto& m) { return m.second.in(); }));
    if (view.member_count != count) tell(fmt::format("with {} members, it has {}", view.member_count, count));
  }

  // Every membership is told in the person's own log.
  void judge_lists() {
    std::map<Place, bool> listed;
    for (const auto& [log, c] : reference_.all()) {
      if (c.kind != model::ConversationKind::self || c.members.empty()) continue;
      for (const auto& event : c.events) {
        const auto* told = event.body ? std::get_if<model::ConversationListed>(event.body.get()) : nullptr;
        if (told) listed[{c.members.begin()->first, told->conversation}] = told->listed;
      }
    }
    std::set<UserId> with_log;
    for (const auto& copy : history_.copies()) {
      if (copy.fresh && copy.conversation == model::self_conversation(copy.user)) with_log.insert(copy.user);
    }
    for (const auto& [conversation, c] : reference_.all()) {
      if (c.kind == model::ConversationKind::self) continue;
      for (const auto& [user, member] : c.members) {
        if (!with_log.contains(user)) continue;
        const auto told = listed.find({user, conversation});
        if ((told != listed.end() && told->second) == member.in()) continue;
        blame_(Law::same_state, fmt::format("the own log of {} says {} of {}", user.value,
                                            told == listed.end() ? "nothing"
                                            : told->second       ? "listed"
                                                                 : "not listed",
                                            model::to_text(conversation)));
      }
    }
  }

  const History& history_;
  const Reference& reference_;
  const Blame& blame_;
  const bool has_restore_;
  struct Held {
    uint64_t shown = 0;        // the highest
    std::set<uint64_t> waits;  // held, and not shown when it came
  };
  std::map<std::pair<Device, ConversationId>, Held> held_;
  std::map<Place, uint64_t> marked_;  // the highest that any device of the person has marked
  std::map<Sight, Levels> levels_;
  std::set<Sight> fell_;            // since the last restore
  std::map<Sight, uint64_t> told_;  // read marks that are not hidden, of processes that still run
  std::optional<int64_t> restored_ns_;
  std::vector<std::pair<int64_t, int64_t>> lost_;  // from when to when a branch was seen that a restore left
  std::set<Place> lost_joins_;
};

}  // namespace

void judge_people(const History& history, const Reference& reference, const Blame& blame) {
  People(history, reference, blame).judge();
}

}  // namespace tidings::checker
