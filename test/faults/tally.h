// What a run of many cases counts, and how people see it go on.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "test/checker/checker.h"

namespace tidings::faults {

class Tally {
 public:
  // A case whose fault really happened and was judged.
  void judged() { ++cases_; }
  // One whose fault did not happen, so that it says nothing.
  void no_hit() { ++void_; }
  // Something that must not be. Said at once.
  void violation(const std::string& sentence) {
    ++violations_;
    if (++said_ <= said_max) std::fprintf(stderr, "VIOLATION: %s\n", sentence.c_str());
  }
  void add(const std::string& what, const checker::Verdict& verdict) {
    lost_ += verdict.count(checker::Law::kept);
    for (uint64_t i = 0; i < verdict.violations(); ++i) ++violations_;
    if (verdict.violations()) {
      std::fprintf(stderr, "VIOLATION: %s: %s (%s)\n", what.c_str(), verdict.first.c_str(),
                   verdict.counts_text().c_str());
    }
  }
  // What this machine does not allow: said loudly, and again in the figure.
  void skip(const std::string& what, const std::string& why) {
    std::fprintf(stderr, "SKIPPED: %s: %s\n", what.c_str(), why.c_str());
    skipped_.push_back(what);
  }
  template <class... Args>
  static void progress(fmt::format_string<Args...> format, Args&&... args) {
    std::fprintf(stderr, "%s\n", fmt::format(format, std::forward<Args>(args)...).c_str());
  }

  uint64_t cases() const { return cases_; }
  uint64_t violations() const { return violations_; }
  uint64_t lost() const { return lost_; }
  uint64_t voids() const { return void_; }
  const std::vector<std::string>& skipped() const { return skipped_; }

 private:
  static constexpr uint64_t said_max = 20;
  uint64_t cases_ = 0, void_ = 0, violations_ = 0, lost_ = 0, said_ = 0;
  std::vector<std::string> skipped_;
};

}  // namespace tidings::faults
