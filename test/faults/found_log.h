// A log directory as another reader finds it: every group and record, walked with the functions of the format
// alone, so that what the server's recovery says can be compared.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "ports/log.h"

namespace tidings::faults {

struct FoundGroup {
  uint64_t offset = 0, bytes = 0;  // in its file
  std::vector<ports::LogRecord> records;
};
struct FoundSegment {
  std::string name;
  std::vector<FoundGroup> groups;
  uint64_t end = 0;      // behind the last group
  bool vouched = false;  // a trailer stands there and names the last group
};
using Files = std::map<std::string, base::Bytes>;  // by name, without the directory

Files read_files(const std::string& directory);
std::vector<FoundSegment> find_log(const Files& files);

}  // namespace tidings::faults
