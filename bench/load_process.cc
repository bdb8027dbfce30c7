#include "bench/load_process.h"

#include <chrono>
#include <cstdio>
#include <new>
#include <thread>

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/real_server.h"

namespace tidings::bench {

LoadProcess::LoadProcess(const std::function<Work(Board&)>& begin) {
  void* const shared =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) give_up("no memory for a load");
  board_ = new (shared) Board;
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ < 0) give_up("no process for a load");
  if (pid_ > 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Work work = begin(*board_);
  for (;;) {
    const uint32_t ordered = board_->ordered;
    if (ordered == board_->done) {
      work.rest();
    } else {
      work.obey(ordered);
      board_->done = ordered;
    }
  }
}

LoadProcess::~LoadProcess() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  munmap(board_, sizeof(Board));
}

bool LoadProcess::is_done() const {
  if (board_->done == board_->ordered) return true;
  siginfo_t about{};
  if (waitid(P_PID, static_cast<id_t>(pid_), &about, WEXITED | WNOHANG | WNOWAIT) != 0 || about.si_pid != 0)
    give_up("a load has ended");
  return false;
}

double LoadProcess::cpu_seconds() const {
  return cpu_seconds_of(pid_);
}

void order_all(const Loads& loads, uint32_t what, const std::function<void()>& meanwhile) {
  for (const auto& load : loads) load->order(what);
  wait_for_all(loads, meanwhile);
}

void wait_for_all(const Loads& loads, const std::function<void()>& meanwhile) {
  for (const auto& load : loads) {
    while (!load->is_done()) {
      if (meanwhile) meanwhile();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

uint64_t sum(const Loads& loads, size_t count) {
  uint64_t all = 0;
  for (const auto& load : loads) all += load->board().counts[count];
  return all;
}

double cpu_seconds(const Loads& loads) {
  double all = 0;
  for (const auto& load : loads) all += load->cpu_seconds();
  return all;
}

std::vector<double> times_ms(const Loads& loads) {
  std::vector<double> all;
  for (const auto& load : loads) {
    const Board& board = load->board();
    all.insert(all.end(), board.times_ms.begin(),
               board.times_ms.begin() + static_cast<ptrdiff_t>(board.times));
  }
  return all;
}

}  // namespace tidings::bench
