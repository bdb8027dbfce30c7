#include "test/contract/link_contract.h"

#include "base/thread_executor.h"
#include "engine/embedded/local_link.h"
#include "test/contract/hand_executor.h"

namespace tidings::contract {
namespace {

struct LocalFixture {
  static constexpr uint64_t gateway_id = 99;
  static constexpr size_t core_index = 1;

  LocalFixture(ports::GatewayShard& gateway, ports::CoreShard& core, size_t queue_bytes_max)
      : limits_{.link_queue_bytes_max = queue_bytes_max},
        link_(std::make_unique<embedded::LocalLink>(
            embedded::LocalLink::Parts{gateway_executor_, gateway, gateway_id, core_executor_, core,
                                       core_index, limits_, &up_bytes, &down_bytes})) {}
  void open() { link_->open(); }
  ports::LinkToCore& to_core() { return link_->to_core(); }
  base::Executor& gateway_executor() { return gateway_executor_; }
  base::Executor& core_executor() { return core_executor_; }
  void run() {
    while (gateway_executor_.run() + core_executor_.run() > 0) {
    }
  }
  void run_core() { core_executor_.run(); }
  void run_gateway() { gateway_executor_.run(); }
  void cut() { link_.reset(); }

  base::Gauge up_bytes, down_bytes;

 private:
  base::Limits limits_;
  HandExecutor gateway_executor_, core_executor_;
  std::unique_ptr<embedded::LocalLink> link_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Local, LinkContract, LocalFixture);

// Two real threads, so that a thread sanitizer has something to see.
TEST(LocalLinkOnThreads, AllFramesArriveInOrderBothWays) {
  struct Echo : RecordingCore {
    void on_up(uint64_t, std::vector<ports::UpFrame> frames) override {
      for (const auto& frame : frames) {
        to_gateway->send(ports::MemberOut{std::get<ports::AskMember>(frame).query, true});
      }
    }
  } core;
  struct Count : ports::GatewayShard {
    void on_down(size_t, ports::DownBatch batch) override {
      for (const auto& frame : batch.frames) {
        if (std::get<ports::MemberOut>(frame).query != ++last) ++wrong;
      }
      if (last == 5000) done = true;
    }
    uint64_t last = 0;
    std::atomic<int> wrong = 0;
    std::atomic<bool> done = false;
  } gateway;
  const base::Limits limits;
  base::ThreadExecutor gateway_executor("gateway"), core_executor("core");
  embedded::LocalLink link({gateway_executor, gateway, 1, core_executor, core, 0, limits});
  link.open();
  for (uint64_t turn = 0; turn < 500; ++turn) {
    gateway_executor.post([&, turn] {
      for (uint64_t n = 1; n <= 10; ++n) {
        if (!link.to_core().send(ports::AskMember{.query = turn * 10 + n})) ++gateway.wrong;
      }
    });
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!gateway.done && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(gateway.done);
  EXPECT_EQ(gateway.wrong, 0);
  gateway_executor.stop();
  core_executor.stop();
}

}  // namespace
}  // namespace tidings::contract
