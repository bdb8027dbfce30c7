// Wrong passwords make the next try wait: a few cost nothing, then each one doubles the pause, up to a minute
// and never for ever.
#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "base/limits.h"
#include "base/time.h"

namespace tidings::account {

// Lives on one executor. A key is a handle or an address.
class LogInPauses {
 public:
  explicit LogInPauses(const base::Limits& limits) : limits_(limits) {}

  // How long `key` still has to wait; zero: it may try now. Where there were `free` failures or more only one
  // try may begin per pause, however many come at the same time.
  base::nanoseconds take(const std::string& key, size_t free, base::MonotonicTime now);
  void failed(const std::string& key, size_t free, base::MonotonicTime now);
  void forget(const std::string& key);
  size_t size() const { return rows_.size(); }

 private:
  struct Row {
    size_t failures = 0;
    base::MonotonicTime last{};
    base::MonotonicTime until{};
    std::list<std::string>::iterator place;
  };
  using Rows = std::unordered_map<std::string, Row>;

  base::nanoseconds pause(size_t failures, size_t free) const;
  void erase(Rows::iterator row);

  const base::Limits& limits_;
  Rows rows_;
  std::list<std::string> by_age_;  // the least recent failure first
};

// What an address counts as: an IPv4 address, or the /64 of an IPv6 one. "" for this machine, which is never
// made to wait: a proxy in front may bring everybody from there.
std::string address_block(const std::string& address);

}  // namespace tidings::account
