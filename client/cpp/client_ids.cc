#include "client/cpp/client_ids.h"

namespace tidings::client {

namespace {

// The server refuses ids more than 24 h ahead of its time; growing from an id that is half of that ahead
// would end there.
constexpr auto ahead_max = std::chrono::hours(12);

uint64_t low_word(const model::ClientId& id) {
  uint64_t low = 0;
  for (size_t i = 8; i < 16; ++i) low = low << 8 | id.bytes[i];
  return low & 0x3FFFFFFFFFFFFFFFull;
}

uint64_t high_word(const model::ClientId& id) {
  return static_cast<uint64_t>(id.bytes[6] & 0x0f) << 8 | id.bytes[7];
}

}  // namespace

void ClientIds::told(base::WallTime server_now) {
  told_ = Told{server_now, clock_.monotonic()};
}

base::WallTime ClientIds::now() const {
  if (!told_) return clock_.wall();
  return told_->server + std::chrono::duration_cast<base::milliseconds>(clock_.monotonic() - told_->at);
}

void ClientIds::seen(const model::ClientId& id) {
  if (id.version() == 7 && (!last_ || *last_ < id)) last_ = id;
}

model::ClientId ClientIds::mint() {
  const base::WallTime time = now();
  if (last_ && told_ && model::uuid_v7_time(last_->bytes) > time + ahead_max) last_.reset();
  model::ClientId id{model::uuid_v7(time, random_.u64(), random_.u64())};
  if (last_ && id <= *last_) {
    const base::WallTime last_time = model::uuid_v7_time(last_->bytes);
    const uint64_t step = 1 + random_.below(1u << 20);
    id = {model::uuid_v7(last_time, high_word(*last_), low_word(*last_) + step)};
    if (id <= *last_) id = {model::uuid_v7(last_time + base::milliseconds(1), random_.u64(), random_.u64())};
  }
  last_ = id;
  return id;
}

}  // namespace tidings::client
