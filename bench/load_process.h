// A load in processes of its own: one has 20,000 files and one busy thread. Orders go one way, figures the
// other, in memory that both see. They are forked while the bench has one thread only.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <sys/types.h>

namespace tidings::bench {

struct Board {
  static constexpr size_t counts_max = 16, times_max = 1 << 17;
  std::atomic<uint32_t> ordered{0}, done{0};
  std::array<std::atomic<uint64_t>, counts_max> counts{};
  std::atomic<size_t> times{0};  // how many of times_ms
  std::array<float, times_max> times_ms{};

  // The load's. More than fit are not told.
  void add_time(double ms) {
    const size_t at = times;
    if (at == times_max) return;
    times_ms[at] = static_cast<float>(ms);
    times = at + 1;
  }
};

class LoadProcess {
 public:
  // Told each order once; `rest` runs again and again between them.
  struct Work {
    std::function<void(uint32_t order)> obey;
    std::function<void()> rest;
  };
  // `begin` runs in the new process and must not return before it can obey.
  explicit LoadProcess(const std::function<Work(Board&)>& begin);
  ~LoadProcess();
  LoadProcess(const LoadProcess&) = delete;

  Board& board() const { return *board_; }
  void order(uint32_t what) { board_->ordered = what; }
  // Ends the program if the process has ended.
  bool is_done() const;
  double cpu_seconds() const;

 private:
  pid_t pid_ = 0;
  Board* board_ = nullptr;
};

using Loads = std::vector<std::unique_ptr<LoadProcess>>;
// Orders all the same and waits until all have done it; `meanwhile` runs about each millisecond.
void order_all(const Loads& loads, uint32_t what, const std::function<void()>& meanwhile = {});
void wait_for_all(const Loads& loads, const std::function<void()>& meanwhile = {});
uint64_t sum(const Loads& loads, size_t count);
double cpu_seconds(const Loads& loads);
std::vector<double> times_ms(const Loads& loads);

}  // namespace tidings::bench
