#include "test/contract/clock_random_contract.h"

#include "engine/embedded/system_clock.h"
#include "engine/embedded/system_random.h"

namespace tidings::contract {
namespace {

struct SystemClockFixture {
  ports::Clock& clock() { return clock_; }
  void let_time_pass() {}

 private:
  embedded::SystemClock clock_;
};
struct SystemRandomFixture {
  ports::Random& random() { return random_; }

 private:
  embedded::SystemRandom random_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(System, ClockContract, SystemClockFixture);
INSTANTIATE_TYPED_TEST_SUITE_P(System, RandomContract, SystemRandomFixture);

}  // namespace
}  // namespace tidings::contract
