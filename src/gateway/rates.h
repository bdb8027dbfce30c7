// How fast a person, a device, an address and everybody together may ask at this gateway (Limits, "rates").
// Each is drawn before anything is done; who is refused is told how long to wait. A person at several
// gateways has several buckets. (A conversation's bucket is at its core shard.)
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "account/service.h"
#include "base/limits.h"
#include "base/token_bucket.h"
#include "gateway/wanted.h"
#include "wire/codes.h"

namespace tidings::gateway {

// What a caller may be told of a bucket. A rate that is not limited says nothing.
struct Budget {
  std::string_view policy;
  base::Rate rate;
  base::Drawn drawn;
};

class Rates {
 public:
  struct Asked {
    std::optional<wire::Problem> refused;  // rate_limited
    Budget budget;
  };

  // `gateways` share what a process may do.
  Rates(const base::Limits& limits, base::Registry& metrics, size_t gateways);
  ~Rates();

  // Anything that a device asks but acks, pings and marks.
  Asked request(const account::Identity& who, base::MonotonicTime now);
  // Besides, a message: one sent again, too.
  Asked send(const account::Identity& who, base::MonotonicTime now);
  // What send() would leave.
  Budget sends_after_one(const account::Identity& who, base::MonotonicTime now) const;
  // Besides, what makes groups or puts people into them. Others pass.
  Asked command(const account::Identity& who, const Wanted& wanted, base::MonotonicTime now);

  // --- by address. Those of this machine and unknown ones pass, because a proxy may bring everybody.
  // Whoever connects and says hello; refused, the connection is to be closed.
  Asked hello(const std::string& address, base::MonotonicTime now);
  // A REST call, before anybody knows who asks.
  Asked call(const std::string& address, base::MonotonicTime now);
  // What hashes a password.
  Asked log_in(const std::string& address, base::MonotonicTime now);

  // Forgets what is full; about once a second.
  void settle(base::MonotonicTime now);

 private:
  template <class Key>
  struct Bucket;
  struct Buckets;
  std::unique_ptr<Buckets> buckets_;
};

// The refusal of a command as the core said it. That of a conversation's bucket does not say how long.
wire::Problem refused_by_core(wire::Code code);

}  // namespace tidings::gateway
