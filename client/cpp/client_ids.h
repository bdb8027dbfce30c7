// Mints this device's client ids: version 7, growing, with the server's time in them once it was told
// (protocol.md §6). One thread.
#pragma once

#include <optional>

#include "model/ids.h"
#include "ports/clock.h"
#include "ports/random.h"

namespace tidings::client {

class ClientIds {
 public:
  ClientIds(ports::Clock& clock, ports::Random& random) : clock_(clock), random_(random) {}

  // The server said what time it is (welcome, pong).
  void told(base::WallTime server_now);
  // The server's time as far as it is known, else this machine's.
  base::WallTime now() const;
  // An id that was minted before, in this process or an earlier one: the next ones are larger.
  void seen(const model::ClientId& id);
  model::ClientId mint();

 private:
  ports::Clock& clock_;
  ports::Random& random_;
  struct Told {
    base::WallTime server;
    base::MonotonicTime at;
  };
  std::optional<Told> told_;
  std::optional<model::ClientId> last_;
};

}  // namespace tidings::client
