// The sessions of a gateway that are without a connection, the longest first, and how much they hold unacked.
// Two bounds: how many they are, and their bytes. Beyond one of them the longest goes; and who is parked
// collects no events that would pass the second.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/metrics.h"

namespace tidings::gateway {

class Parked {
 public:
  Parked(const base::Limits& limits, base::Gauge& sessions, base::Gauge& bytes)
      : limits_(limits), sessions_gauge_(sessions), bytes_gauge_(bytes) {}
  ~Parked() {
    sessions_gauge_.add(-static_cast<int64_t>(sessions_.size()));
    bytes_gauge_.add(-static_cast<int64_t>(bytes_));
  }

  void add(uint64_t session, base::MonotonicTime at, size_t bytes) {
    if (sessions_.emplace(at, session).second) sessions_gauge_.add(1);
    grow(bytes);
  }
  void remove(uint64_t session, base::MonotonicTime at, size_t bytes) {
    if (sessions_.erase({at, session}) > 0) sessions_gauge_.add(-1);
    bytes_ -= bytes;
    bytes_gauge_.add(-static_cast<int64_t>(bytes));
  }
  // One of them holds so much more.
  void grow(size_t bytes) {
    bytes_ += bytes;
    bytes_gauge_.add(static_cast<int64_t>(bytes));
  }
  bool is_full(size_t more_bytes) const { return bytes_ + more_bytes > limits_.parked_bytes_max; }

  // Who is to be forgotten: one too many, or one whose time is over.
  std::optional<uint64_t> overdue(base::MonotonicTime now) const {
    if (sessions_.empty()) return std::nullopt;
    const auto& [since, session] = *sessions_.begin();
    if (sessions_.size() <= limits_.parked_sessions_max && now - since < limits_.resume_timeout)
      return std::nullopt;
    return session;
  }
  std::optional<uint64_t> longest() const {
    return sessions_.empty() ? std::nullopt : std::optional(sessions_.begin()->second);
  }
  size_t size() const { return sessions_.size(); }

 private:
  const base::Limits& limits_;
  base::Gauge& sessions_gauge_;
  base::Gauge& bytes_gauge_;
  std::set<std::pair<base::MonotonicTime, uint64_t>> sessions_;
  size_t bytes_ = 0;
};

}  // namespace tidings::gateway
