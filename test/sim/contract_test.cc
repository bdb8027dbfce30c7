// The simulated executor, transport, clock and randomness under the suites that the real ones pass.
#include "test/contract/clock_random_contract.h"
#include "test/contract/executor_contract.h"
#include "test/contract/transport_contract.h"
#include "test/sim/machine.h"
#include "test/sim/network.h"

namespace tidings::contract {
namespace {

struct SimWorld {
  sim::Scheduler scheduler{7};
  sim::Process& process = scheduler.make_process("p");
  sim::SimExecutor& executor = process.make_executor();
};

struct SimExecutorFixture {
  static constexpr bool takes_posts_from_any_thread = false;
  base::Executor& executor() { return world.executor; }
  base::MonotonicTime now() { return world.scheduler.now(); }
  bool run_until(const std::function<bool()>& done) {
    return world.scheduler.run_until(done, base::seconds(60));
  }
  void end() { world.process.kill(); }
  SimWorld world;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, ExecutorContract, SimExecutorFixture);

struct SimTransportFixture {
  struct Pair {
    std::unique_ptr<ports::Transport> a, b;
  };
  Pair connect() {
    auto [a, b] = network.make_pair(world.executor, world.executor);
    return {std::move(a), std::move(b)};
  }
  void on_loop(const std::function<void()>& call) {
    bool ran = false;
    world.executor.post([&] {
      call();
      ran = true;
    });
    world.scheduler.run_until([&] { return ran; }, base::seconds(1));
  }
  bool run_until(const std::function<bool()>& done) {
    return world.scheduler.run_until(done, base::seconds(60));
  }
  SimWorld world;
  sim::Network network{world.scheduler, sim::Prng(9)};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, TransportContract, SimTransportFixture);

struct SimClockFixture {
  ports::Clock& clock() { return clock_; }
  void let_time_pass() { world.scheduler.run_for(base::milliseconds(3)); }
  SimWorld world;
  sim::SimClock clock_{world.scheduler, base::wall_from_ms(1'800'000'000'000)};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, ClockContract, SimClockFixture);

struct SimRandomFixture {
  ports::Random& random() { return random_; }
  sim::SimRandom random_{sim::Prng(11)};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, RandomContract, SimRandomFixture);

}  // namespace
}  // namespace tidings::contract
