#include "net/reactor.h"
#include "test/contract/executor_contract.h"

namespace tidings::contract {
namespace {

struct ReactorFixture {
  static constexpr bool takes_posts_from_any_thread = true;
  ReactorFixture() { reactor_->start(); }
  base::Executor& executor() { return *reactor_; }
  base::MonotonicTime now() {
    return base::MonotonicTime(std::chrono::steady_clock::now().time_since_epoch());
  }
  bool run_until(const std::function<bool()>& done) {
    const auto deadline = now() + std::chrono::seconds(60);
    while (!done() && now() < deadline) std::this_thread::yield();
    return done();
  }
  void end() { reactor_.reset(); }

 private:
  std::unique_ptr<net::Reactor> reactor_ = std::make_unique<net::Reactor>("contract");
};

INSTANTIATE_TYPED_TEST_SUITE_P(Reactor, ExecutorContract, ReactorFixture);

}  // namespace
}  // namespace tidings::contract
