// What disks do to a log and a store (reliability.md, F2, F4, F5 and F6).
#include "test/faults/disk.h"

#include <chrono>
#include <sstream>

namespace tidings::faults {

int run_disk(const Options& options, const std::string& amount, const std::string& only) {
  struct Family {
    const char* name;
    const char* about;
    void (*run)(const DiskOptions&, Tally&);
  };
  constexpr Family families[] = {
      {"sync", "fdatasync answers EIO", sync_fails},
      {"calls", "killed at a system call under load", killed_at_calls},
      {"start", "killed at a system call of a start", killed_at_starts},
      {"full", "the disk is full", disk_full},
      {"cut", "the log is cut", log_cut},
      {"flip", "a bit of the log is flipped", log_flipped},
  };
  DiskOptions all{options};
  if (amount == "quick") all.amount = Amount::quick;
  if (amount == "full") all.amount = Amount::full;
  Tally tally;
  const auto begun = std::chrono::steady_clock::now();
  for (const auto& family : families) {
    if (!only.empty() && ("," + only + ",").find(std::string(",") + family.name + ",") == std::string::npos)
      continue;
    const uint64_t cases = tally.cases(), violations = tally.violations();
    family.run(all, tally);
    const auto passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    Tally::progress("{}: {} cases, {} violations; {:.0f} s in all", family.about, tally.cases() - cases,
                    tally.violations() - violations, passed);
  }
  const bool nothing = tally.cases() == 0 && tally.skipped().empty();
  if (nothing) tally.violation("there was no case");
  if (options.json) {
    std::string skipped;
    for (const auto& what : tally.skipped()) skipped += (skipped.empty() ? "\"" : ",\"") + what + "\"";
    fmt::print("{{\"cases\":{},\"lost\":{},\"violations\":{},\"void\":{},\"skipped\":[{}]}}\n", tally.cases(),
               tally.lost(), tally.violations(), tally.voids(), skipped);
  } else {
    fmt::print("{} cases, {} lost, {} violations, {} without their fault, {} skipped\n", tally.cases(),
               tally.lost(), tally.violations(), tally.voids(), tally.skipped().size());
  }
  return tally.violations() ? 1 : 0;
}

}  // namespace tidings::faults
