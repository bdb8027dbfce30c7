#include "test/contract/executor_contract.h"

#include "base/thread_executor.h"

namespace tidings::contract {
namespace {

struct ThreadFixture {
  static constexpr bool takes_posts_from_any_thread = true;
  base::Executor& executor() { return *executor_; }
  base::MonotonicTime now() {
    return base::MonotonicTime(std::chrono::steady_clock::now().time_since_epoch());
  }
  bool run_until(const std::function<bool()>& done) {
    const auto deadline = now() + std::chrono::seconds(60);
    while (!done() && now() < deadline) std::this_thread::yield();
    return done();
  }
  void end() { executor_.reset(); }

 private:
  std::unique_ptr<base::ThreadExecutor> executor_ = std::make_unique<base::ThreadExecutor>("contract");
};

INSTANTIATE_TYPED_TEST_SUITE_P(Thread, ExecutorContract, ThreadFixture);

}  // namespace
}  // namespace tidings::contract
