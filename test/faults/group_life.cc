#include "test/faults/group_life.h"

#include <algorithm>
#include <future>
#include <memory>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "wire/codes.h"

namespace tidings::faults {
namespace {

constexpr auto tick = base::milliseconds(25);  // a message in each group, and a few reads
constexpr int reads_each_tick = 3;
constexpr int ticks_each_change = 6;
constexpr size_t movers_max = 4;
constexpr size_t rejoins_max = 7;  // one interval more is the most that a person has
constexpr auto create_timeout = std::chrono::seconds(30);

}  // namespace

GroupLife::GroupLife(Crowd& crowd, std::vector<CrowdDevice*> devices, uint64_t seed)
    : crowd_(crowd), devices_(std::move(devices)), random_(seed) {}

base::Status GroupLife::begin(const std::vector<model::UserId>& others) {
  for (const size_t size : {3u, 30u, 300u}) {
    Group group;
    group.size = size;
    group.in.resize(std::min(size, devices_.size()));
    std::iota(group.in.begin(), group.in.end(), 0);
    const size_t movers = std::min(movers_max, group.in.size() - 2);
    group.movers.assign(group.in.end() - static_cast<ptrdiff_t>(movers), group.in.end());
    group.mover_in.assign(movers, true);
    std::vector<model::UserId> members;
    for (const size_t i : group.in) members.push_back(devices_[i]->user());
    for (size_t i = 0; members.size() < size && i < others.size(); ++i) {
      members.push_back(others[i]);
      group.quiet.push_back(others[i]);
    }
    group.quiet_in.assign(group.quiet.size(), true);
    group.joined.assign(movers, 0);
    if (members.size() < size) return base::failure("there are not enough people for a group");
    // Somebody who joins reads everything here, and only what follows there.
    const auto history = size == 30 ? model::History::all : model::History::joining;
    auto answer = std::make_shared<std::promise<std::optional<model::ConversationId>>>();
    auto made = answer->get_future();
    crowd_.reactor().post([this, size, members, history, answer] {
      devices_.front()->core().create_group(
          fmt::format("group of {}", size), members, history, [answer](auto conversation) {
            answer->set_value(conversation.ok() ? std::optional(*conversation) : std::nullopt);
          });
    });
    if (made.wait_for(create_timeout) != std::future_status::ready)
      return base::failure("no answer to the creation of a group");
    const auto id = made.get();
    if (!id) return base::failure(fmt::format("a group of {} is refused", size));
    group.id = *id;
    groups_.push_back(std::move(group));
  }
  return {};
}

void GroupLife::start() {
  crowd_.run([this] { go_on(); });
}

void GroupLife::stop() {
  crowd_.run([this] { stopped_ = true; });
}

bool GroupLife::settled() const {
  return std::none_of(groups_.begin(), groups_.end(), [](const Group& group) { return group.busy; });
}

void GroupLife::go_on() {
  if (stopped_) return;
  ++number_;
  for (auto& group : groups_) {
    say(group);
    if (number_ % ticks_each_change == 0 && !group.busy) change(group);
  }
  for (int i = 0; i < reads_each_tick; ++i) read(*devices_[below(devices_.size())]);
  crowd_.reactor().after(tick, [this] { go_on(); });
}

void GroupLife::say(Group& group) {
  auto& device = *devices_[group.in[below(group.in.size())]];
  const auto* view = device.core().conversation(group.id);
  if (!view || view->left) return;
  if (device.say_in(group.id, fmt::format("{} to {}: {}", device.name(), group.size, number_)))
    ++tally_.sends;
}

void GroupLife::read(CrowdDevice& device) {
  const auto views = device.core().conversations();
  if (views.empty()) return;
  const auto& view = views[below(views.size())];
  if (view.have.seq.value == 0) return;
  const uint64_t back = std::min<uint64_t>(view.have.seq.value - 1, below(8));
  // Some hide always what they read in some conversations.
  const bool hidden = (device.user().value ^ view.conversation.bytes[5]) % 6 == 0;
  device.read(view.conversation, {view.have.seq.value - back}, hidden);
  ++tally_.reads;
}

void GroupLife::change(Group& group) {
  const size_t mover = below(group.movers.size());
  const double joins = static_cast<double>(rejoins_max) * progress_;
  if (below(2) == 0 || (!group.mover_in[mover] && static_cast<double>(group.joined[mover]) > joins))
    return change_quiet(group);
  auto& device = *devices_[group.movers[mover]];
  auto& owner = devices_.front()->core();
  const auto user = device.user();
  const auto moved = [&group, mover](uint64_t& counter, bool now_in) {
    return [&group, &counter, mover, now_in] {
      ++counter;
      group.mover_in[mover] = now_in;
      group.joined[mover] += now_in ? 1 : 0;
    };
  };
  if (!group.mover_in[mover]) {
    if (group.joined[mover] >= rejoins_max) return change_quiet(group);
    owner.add_members(group.id, {user}, answered(group, "add " + device.name(), moved(tally_.joined, true)));
    return;
  }
  // Only who knows that he is in it can leave.
  const auto* view = device.core().conversation(group.id);
  if (below(2) == 0 && view && !view->left) {
    device.core().leave(group.id, answered(group, device.name() + " leaves", moved(tally_.left, false)));
  } else {
    owner.remove_member(group.id, user,
                        answered(group, "remove " + device.name(), moved(tally_.removed, false)));
  }
}

void GroupLife::change_quiet(Group& group) {
  if (group.quiet.empty()) return;
  const size_t i = below(group.quiet.size());
  auto& owner = devices_.front()->core();
  if (group.quiet_in[i]) {
    owner.remove_member(group.id, group.quiet[i], answered(group, "remove somebody quiet", [this, &group, i] {
                          ++tally_.removed;
                          group.quiet_in[i] = false;
                        }));
  } else {
    owner.add_members(group.id, {group.quiet[i]}, answered(group, "add somebody quiet", [this, &group, i] {
                        ++tally_.joined;
                        group.quiet_in[i] = true;
                      }));
  }
}

client::Core::WhenDone GroupLife::answered(Group& group, std::string what, std::function<void()> then) {
  group.busy = true;
  return [this, &group, what = std::move(what),
          then = std::move(then)](const wire::Answer<client::Done>& answer) {
    group.busy = false;
    if (answer.ok()) return then();
    complaints_.push_back(fmt::format("in the group of {}, \"{}\" is refused: {} {}", group.size, what,
                                      wire::name(answer.error().code), answer.error().detail));
  };
}

}  // namespace tidings::faults
