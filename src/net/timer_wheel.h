// Timers in whole ticks, without a clock: a hierarchical wheel (Varghese and Lauck, 1987). Setting,
// cancelling and firing cost O(1) each, however many timers stand.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/executor.h"
#include "base/task.h"

namespace tidings::net {

// Five levels of 256 slots. A timer stands on the level of the highest byte in which its due tick differs
// from now; when now reaches the start of a slot of a higher level, the slot's timers move down. So a slot of
// level 0 holds one tick only, whatever stands on a lower level is due earlier than all above it, and timers
// of one tick fire in the order they were set. Not thread-safe.
class TimerWheel {
 public:
  using Tick = uint64_t;

  TimerWheel();

  // `due` at or before now() counts as the tick after now().
  base::TimerId set(Tick due, base::Task task);
  // The timer's task, to be destroyed by the caller; empty if it fired or never was.
  base::Task cancel(base::TimerId timer);

  // Moves now forward; what is due by then waits in due order for pop_due() and may still be cancelled.
  void advance(Tick now);
  // The next due timer's task; false if none is due.
  bool pop_due(base::Task& task);

  Tick now() const { return now_; }
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // When advance() has something to do next (fire, or move timers down); nullopt on an empty wheel.
  std::optional<Tick> next() const;
  // All tasks, in no order; the wheel is empty afterwards.
  std::vector<base::Task> clear();

 private:
  static constexpr unsigned level_bits = 8;
  static constexpr unsigned levels = 5;
  static constexpr uint32_t slots = 1u << level_bits;
  static constexpr uint32_t due_list = levels * slots;
  static constexpr uint32_t no_list = due_list + 1;
  static constexpr uint32_t none = ~0u;

  struct Timer {
    base::Task task;
    Tick due = 0;
    uint32_t generation = 1;
    uint32_t list = no_list;
    uint32_t before = none;
    uint32_t after = none;
  };
  struct List {
    uint32_t first = none;
    uint32_t last = none;
  };

  std::optional<Tick> next_slot() const;
  void place(uint32_t index);
  void link(uint32_t index, uint32_t list);
  void unlink(uint32_t index);
  base::Task free(uint32_t index);
  void replace_all(uint32_t list);
  std::optional<uint32_t> occupied_after(unsigned level, uint32_t slot) const;

  Tick now_ = 0;
  size_t size_ = 0;
  std::vector<Timer> timers_;
  uint32_t free_ = none;  // chained by `after`
  std::array<List, due_list + 1> lists_;
  std::array<std::array<uint64_t, slots / 64>, levels> occupied_{};
};

}  // namespace tidings::net
