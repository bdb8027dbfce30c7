#include "account/log_in_pauses.h"

#include <algorithm>

#include <arpa/inet.h>

namespace tidings::account {

base::nanoseconds LogInPauses::pause(size_t failures, size_t free) const {
  base::nanoseconds out = limits_.log_in_pause_min;
  for (size_t n = free; n < failures && out < limits_.log_in_pause_max; ++n) out *= 2;
  return std::min(out, limits_.log_in_pause_max);
}

void LogInPauses::erase(Rows::iterator row) {
  by_age_.erase(row->second.place);
  rows_.erase(row);
}

base::nanoseconds LogInPauses::take(const std::string& key, size_t free, base::MonotonicTime now) {
  const auto found = rows_.find(key);
  if (found == rows_.end()) return {};
  Row& row = found->second;
  if (now - row.last >= limits_.log_in_failures_kept) {
    erase(found);
    return {};
  }
  if (now < row.until) return row.until - now;
  if (row.failures >= free) row.until = now + pause(row.failures, free);
  return {};
}

void LogInPauses::failed(const std::string& key, size_t free, base::MonotonicTime now) {
  if (key.empty()) return;
  const auto [found, added] = rows_.try_emplace(key);
  Row& row = found->second;
  if (!added) by_age_.erase(row.place);
  row.place = by_age_.insert(by_age_.end(), key);
  ++row.failures;
  row.last = now;
  if (row.failures >= free) row.until = now + pause(row.failures, free);
  if (rows_.size() > limits_.log_in_failures_max) erase(rows_.find(by_age_.front()));
}

void LogInPauses::forget(const std::string& key) {
  if (const auto found = rows_.find(key); found != rows_.end()) erase(found);
}

std::string address_block(const std::string& address) {
  in_addr four{};
  in6_addr six{};
  if (::inet_pton(AF_INET, address.c_str(), &four) == 1) {
    return address.starts_with("127.") ? "" : address;
  }
  const std::string plain = address.substr(0, address.find('%'));
  if (::inet_pton(AF_INET6, plain.c_str(), &six) != 1 || IN6_IS_ADDR_LOOPBACK(&six)) return "";
  char text[INET6_ADDRSTRLEN];
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    ::inet_ntop(AF_INET, &six.s6_addr[12], text, sizeof text);
    return address_block(text);
  }
  std::fill(six.s6_addr + 8, six.s6_addr + 16, uint8_t{0});
  ::inet_ntop(AF_INET6, &six, text, sizeof text);
  return text;
}

}  // namespace tidings::account
