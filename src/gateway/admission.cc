#include "gateway/admission.h"

namespace tidings::gateway {

Admission::Verdict Admission::admit(uint64_t connection) {
  if (in_flight_ < limits_.hellos_in_flight_max && waiting_.empty()) {
    ++in_flight_;
    return Verdict::now;
  }
  if (waiting_.size() >= limits_.hellos_waiting_max) return Verdict::busy;
  waiting_.push_back(connection);
  return Verdict::later;
}

void Admission::finished(base::MonotonicTime now) {
  if (in_flight_ > 0) --in_flight_;
  if (was_full_) per_hello_ = (7 * per_hello_ + (now - last_finished_)) / 8;
  last_finished_ = now;
  was_full_ = !waiting_.empty();
}

std::optional<uint64_t> Admission::next() {
  if (waiting_.empty() || in_flight_ >= limits_.hellos_in_flight_max) return std::nullopt;
  const uint64_t connection = waiting_.front();
  waiting_.pop_front();
  ++in_flight_;
  return connection;
}

}  // namespace tidings::gateway
