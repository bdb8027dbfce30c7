// A network namespace of this process alone, in which 127.0.0.1 loses, stalls and cuts as it is told. The
// kernel takes it down with the last process in it, so nothing needs to be put back, whatever way this one
// ends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidings::faults {

// Runs a program and waits for it; what it wrote to stdout. A status other than 0 is an error with what it
// wrote to stderr.
base::Result<std::string> run_program(const std::vector<std::string>& words);

class PrivateNetwork {
 public:
  // Moves this thread and all that it starts into a new namespace: to be called before anything else is
  // started. Packets carry at most `packet_bytes_max`, so that frames are made of several. Fails where the
  // machine does not permit that.
  static base::Result<PrivateNetwork> enter(uint64_t packet_bytes_max);

  // What arrives and matches is lost from now on ("tcp dport 65001"; "" is everything), with this chance in
  // 100.
  base::Status lose(const std::string& match, int chance = 100);
  // Loses nothing any more.
  base::Status heal();
  // The ports of this machine's connections to that port.
  base::Result<std::vector<uint16_t>> connected_to(uint16_t port) const;
  // Ends connections as if their process had reset them, at one end: "dport = 65001".
  base::Status reset(const std::string& match) const;

 private:
  PrivateNetwork() = default;
};

}  // namespace tidings::faults
