// The fault runs against the real program. Each works in a temporary directory of its own, starts and ends
// only processes of its own, and leaves the directory behind only if it failed.
#pragma once

#include <cstdint>
#include <string>

namespace tidings::faults {

struct Options {
  std::string binary;
  uint64_t count = 10;
  uint64_t seed = 1;
  bool json = false;
};

// Each prints its figure as the last line and returns the process's status: 0 if no law was broken.
int run_kill(const Options& options);
int run_copy_back(const Options& options);
int run_duplicates(const Options& options);
// `amount`: quick, usual or full. `only`: names of families between commas, "" for all.
int run_disk(const Options& options, const std::string& amount, const std::string& only);
int run_net(const Options& options, const std::string& amount);
// `count`: so many clients that stop reading.
int run_slow(const Options& options, const std::string& amount);
int run_clock(const Options& options, const std::string& amount);

}  // namespace tidings::faults
