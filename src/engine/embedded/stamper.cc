#include "engine/embedded/stamper.h"

#include <algorithm>

namespace tidings::embedded {
namespace {

using base::MonotonicTime;
using base::nanoseconds;
using base::WallTime;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr nanoseconds lead_max = seconds(2);
constexpr nanoseconds disagreement_min = seconds(60);
constexpr nanoseconds steady_for = minutes(10);
constexpr nanoseconds steady_within = seconds(2);
constexpr nanoseconds ahead_at_start_max = hours(24 * 90);
constexpr int64_t belief_follows_one_in = 1000;

// 2025..2200: what a clock may sensibly show and what fits into ns since 1970.
constexpr WallTime latest = base::wall_from_ms(7'258'118'400'000);
nanoseconds since_1970(WallTime time) {
  return std::clamp(time, base::epoch, latest).time_since_epoch();
}

nanoseconds passed(MonotonicTime from, MonotonicTime to) {
  return std::max(to - from, nanoseconds(0));
}

}  // namespace

Stamper::Stamper(std::optional<WallTime> last, WallTime wall_time, MonotonicTime monotonic,
                 bool wall_is_trusted)
    : last_at_(monotonic), belief_at_(monotonic) {
  const nanoseconds wall = since_1970(wall_time);
  last_ = last ? since_1970(*last) : wall;
  const nanoseconds ahead = wall - last_;
  too_far_at_start_ = ahead > ahead_at_start_max && !wall_is_trusted;
  const bool believed = ahead >= -disagreement_min && !too_far_at_start_;
  belief_ = believed ? wall : last_;
  if (believed) last_ = std::max(last_, wall);
}

Stamper::Stamp Stamper::stamp(WallTime wall_time, MonotonicTime monotonic) {
  const nanoseconds wall = since_1970(wall_time);
  const nanoseconds counted = last_ + passed(last_at_, monotonic);
  const nanoseconds elapsed = passed(belief_at_, monotonic);
  const nanoseconds ahead = wall - (belief_ + elapsed);

  if (std::chrono::abs(ahead) <= disagreement_min) {
    const Notice notice = disagreement_ ? Notice::agrees : Notice::none;
    disagreement_.reset();
    too_far_at_start_ = false;
    const nanoseconds follow = elapsed / belief_follows_one_in;
    belief_ += elapsed + std::clamp(ahead, -follow, follow);
    belief_at_ = monotonic;
    return grow_to(std::min(wall, counted + lead_max), monotonic, notice);
  }

  const bool is_new = !disagreement_;
  const bool barred = too_far_at_start_ && ahead > ahead_at_start_max;
  if (is_new || std::chrono::abs(ahead - disagreement_->ahead) > steady_within) {
    disagreement_ = {monotonic, ahead};
  } else if (ahead > nanoseconds(0) && !barred && monotonic - disagreement_->since >= steady_for) {
    disagreement_.reset();
    belief_ = wall;
    belief_at_ = monotonic;
    return grow_to(std::max(wall, counted), monotonic, Notice::believed);
  }
  return grow_to(counted, monotonic, is_new ? Notice::alarm : Notice::none);
}

Stamper::Stamp Stamper::grow_to(nanoseconds time, MonotonicTime monotonic, Notice notice) {
  if (time > last_) {
    last_ = time;
    last_at_ = monotonic;
  }
  return {WallTime(std::chrono::duration_cast<base::milliseconds>(last_)), notice};
}

}  // namespace tidings::embedded
