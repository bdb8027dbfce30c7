#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace tidings::net {

TimerWheel::TimerWheel() = default;

base::TimerId TimerWheel::set(Tick due, base::Task task) {
  constexpr Tick last_tick = (Tick{1} << (levels * level_bits)) - 1;
  uint32_t index = free_;
  if (index == none) {
    index = static_cast<uint32_t>(timers_.size());
    timers_.emplace_back();
  } else {
    free_ = timers_[index].after;
  }
  Timer& timer = timers_[index];
  timer.task = std::move(task);
  timer.due = std::clamp(due, now_ + 1, std::max(last_tick, now_ + 1));
  place(index);
  ++size_;
  return base::TimerId{timer.generation} << 32 | index;
}

base::Task TimerWheel::cancel(base::TimerId timer) {
  const auto index = static_cast<uint32_t>(timer);
  if (index >= timers_.size() || timers_[index].generation != timer >> 32 || timers_[index].list == no_list)
    return {};
  unlink(index);
  return free(index);
}

void TimerWheel::advance(Tick to) {
  for (auto step = next_slot(); step && *step <= to; step = next_slot()) {
    now_ = *step;
    for (unsigned level = levels - 1; level > 0; --level) {
      const unsigned shift = level * level_bits;
      if (now_ % (Tick{1} << shift) == 0)
        replace_all(level * slots + static_cast<uint32_t>(now_ >> shift) % slots);
    }
    replace_all(static_cast<uint32_t>(now_) % slots);
  }
  now_ = std::max(now_, to);
}

bool TimerWheel::pop_due(base::Task& task) {
  const uint32_t index = lists_[due_list].first;
  if (index == none) return false;
  unlink(index);
  task = free(index);
  return true;
}

std::optional<TimerWheel::Tick> TimerWheel::next() const {
  if (lists_[due_list].first != none) return now_;
  return next_slot();
}

std::optional<TimerWheel::Tick> TimerWheel::next_slot() const {
  for (unsigned level = 0; level < levels; ++level) {
    const unsigned shift = level * level_bits;
    if (const auto slot = occupied_after(level, static_cast<uint32_t>(now_ >> shift) % slots)) {
      return (now_ >> (shift + level_bits) << (shift + level_bits)) | Tick{*slot} << shift;
    }
  }
  return std::nullopt;
}

std::vector<base::Task> TimerWheel::clear() {
  std::vector<base::Task> tasks;
  for (uint32_t index = 0; index < timers_.size(); ++index) {
    if (timers_[index].list == no_list) continue;
    unlink(index);
    tasks.push_back(free(index));
  }
  return tasks;
}

void TimerWheel::place(uint32_t index) {
  const Tick due = timers_[index].due;
  if (due <= now_) return link(index, due_list);
  const auto level = static_cast<unsigned>(std::bit_width(due ^ now_) - 1) / level_bits;
  const uint32_t slot = static_cast<uint32_t>(due >> (level * level_bits)) % slots;
  occupied_[level][slot / 64] |= uint64_t{1} << (slot % 64);
  link(index, level * slots + slot);
}

void TimerWheel::link(uint32_t index, uint32_t list) {
  Timer& timer = timers_[index];
  timer.list = list;
  timer.before = lists_[list].last;
  timer.after = none;
  (timer.before == none ? lists_[list].first : timers_[timer.before].after) = index;
  lists_[list].last = index;
}

void TimerWheel::unlink(uint32_t index) {
  Timer& timer = timers_[index];
  List& list = lists_[timer.list];
  (timer.before == none ? list.first : timers_[timer.before].after) = timer.after;
  (timer.after == none ? list.last : timers_[timer.after].before) = timer.before;
  if (list.first == none && timer.list < due_list) {
    const uint32_t slot = timer.list % slots;
    occupied_[timer.list / slots][slot / 64] &= ~(uint64_t{1} << (slot % 64));
  }
  timer.list = no_list;
}

base::Task TimerWheel::free(uint32_t index) {
  Timer& timer = timers_[index];
  base::Task task = std::move(timer.task);
  if (++timer.generation == 0) timer.generation = 1;
  timer.after = free_;
  free_ = index;
  --size_;
  return task;
}

void TimerWheel::replace_all(uint32_t list) {
  while (lists_[list].first != none) {
    const uint32_t index = lists_[list].first;
    unlink(index);
    place(index);
  }
}

std::optional<uint32_t> TimerWheel::occupied_after(unsigned level, uint32_t slot) const {
  for (uint32_t word = (slot + 1) / 64; word < slots / 64; ++word) {
    uint64_t bits = occupied_[level][word];
    if (word == (slot + 1) / 64) bits &= ~uint64_t{0} << ((slot + 1) % 64);
    if (bits != 0) return word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
  }
  return std::nullopt;
}

}  // namespace tidings::net
