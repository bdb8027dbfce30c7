#include "test/faults/world.h"

#include <algorithm>

#include <fmt/format.h>

namespace tidings::faults {
namespace {

using base::seconds;

std::string handle(size_t person) {
  return fmt::format("person{}", person);
}

}  // namespace

World::World(const Options& options, Setting setting)
    : setting_(std::move(setting)),
      server_(std::make_unique<ServerProcess>(options.binary,
                                              setting_.data.empty() ? scratch_.data() : setting_.data)),
      crowd_(std::make_unique<Crowd>(client::Address{"127.0.0.1", server_->port()})) {
  server_->give(setting_.settings, setting_.environment);
}

World::~World() {
  talk(false);
}

base::Status World::begin() {
  if (auto started = server_->start(); !started.ok()) return started;
  if (auto ready = server_->wait_until_ready(seconds(20)); !ready.ok()) return ready;
  for (size_t i = 0; i < setting_.people; ++i) {
    auto device = crowd_->add(handle(i), "phone");
    if (!device.ok()) return base::fail(device.error());
    devices_.push_back(*device);
  }
  const auto online = [&] {
    return std::all_of(devices_.begin(), devices_.end(), [](const auto* d) { return d->online(); });
  };
  if (!crowd_->wait_for(online, seconds(20))) return base::failure("the clients do not come online");
  for (size_t i = 0; i < devices_.size(); ++i) {
    if (auto opened = crowd_->open(*devices_[i], devices_[i ^ 1]->user()); !opened.ok()) return opened;
  }
  talk(true);
  if (!wait_for_tick(0, seconds(20))) return base::failure("nobody is ticked");
  return {};
}

base::Status World::start_again(base::nanoseconds at_most) {
  const int64_t begun = now_ns();
  if (auto started = server_->start(); !started.ok()) return started;
  if (auto ready = server_->wait_until_ready(at_most); !ready.ok()) {
    const std::string said = server_->said();
    return base::failure(ready.error().sentence + "\n" + said);
  }
  if (!wait_for_tick(begun, at_most)) return base::failure("nobody is ticked after a start");
  return {};
}

bool World::wait_for_tick(int64_t since_ns, base::nanoseconds at_most) {
  return crowd_->wait_for(
      [&] {
        return std::any_of(devices_.begin(), devices_.end(),
                           [&](const auto* d) { return d->last_tick_ns() > since_ns; });
      },
      at_most);
}

void World::talk(bool on) {
  crowd_->run([&] {
    talking_ = on;
    next_ns_ = now_ns();
    if (on && !timer_) go_on();
  });
}

void World::go_on() {
  timer_ = talking_;
  if (!talking_) return;
  // A machine that stood still is not punished by a burst.
  next_ns_ = std::max(next_ns_, now_ns() - base::nanoseconds(setting_.tick * 5).count());
  for (; next_ns_ <= now_ns(); next_ns_ += setting_.tick.count()) {
    ++number_;
    for (size_t i = 0; i < devices_.size(); ++i) {
      std::string text = fmt::format("{} {} ", devices_[i]->name(), number_);
      text.resize(std::max(text.size(), setting_.text_bytes), '.');
      devices_[i]->say(devices_[i ^ 1]->user(), std::move(text));
    }
  }
  crowd_->reactor().after(setting_.tick, [this] { go_on(); });
}

const std::set<model::ClientId>& World::ticked() {
  crowd_->run([&] {
    const auto& records = crowd_->history().records();
    for (; records_seen_ < records.size(); ++records_seen_) {
      const auto& record = records[records_seen_];
      if (record.what == checker::What::ok) ticked_.insert(record.event.client_id);
    }
  });
  return ticked_;
}

int64_t World::last_tick_ns() {
  return crowd_->run([&] {
    int64_t last = 0;
    for (const auto* device : devices_) last = std::max(last, device->last_tick_ns());
    return last;
  });
}

checker::Verdict World::end() {
  talk(false);
  auto& history = crowd_->history();
  const auto settled = [&] {
    return std::all_of(crowd_->devices().begin(), crowd_->devices().end(),
                       [](const auto& device) { return device->settled(); });
  };
  const auto stuck = [&](const std::string& sentence) { crowd_->run([&] { history.stuck(sentence); }); };
  if (!crowd_->wait_for(settled, seconds(60))) stuck("the clients do not come to rest");
  std::vector<CrowdDevice*> fresh;
  for (size_t i = 0; i < devices_.size(); ++i) {
    auto device = crowd_->add(handle(i), "fresh device");
    if (device.ok()) fresh.push_back(*device);
    if (!device.ok()) stuck(device.error().sentence);
  }
  if (!crowd_->wait_for(settled, seconds(60))) stuck("the fresh devices do not come to rest");
  auto stopped = server_->stop();
  if (!stopped.ok()) stuck(stopped.error().sentence);
  auto verdict = crowd_->run([&] {
    for (auto* device : fresh) device->give_copies(true);
    for (auto* device : devices_) device->give_copies(false);
    return checker::check(history);
  });
  if (verdict.violations()) scratch_.keep();
  return verdict;
}

}  // namespace tidings::faults
