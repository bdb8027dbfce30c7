// A gateway's end of a Link between processes: the same bounds and gaps as in one process (ports/link.h).
// What was sent counts until the core has worked it off.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/limits.h"
#include "base/metrics.h"
#include "engine/socket/link_bytes.h"
#include "net/message_stream.h"
#include "ports/link.h"

namespace tidings::socket {

// Thread: the executor's. Closed at first, and again when the other end goes; it may then be opened anew.
class GatewayEnd : public ports::LinkToCore, private net::MessageHandler {
 public:
  struct Parts {
    base::Executor& executor;
    ports::GatewayShard& gateway;
    uint64_t gateway_id = 0;
    size_t core_index = 0;
    const base::Limits& limits;
    // The core has taken the link; it has gone, or did not take it. Not for close().
    std::function<void()> on_open = [] {};
    std::function<void()> on_closed = [] {};
    base::Gauge* queue_bytes = nullptr;  // of all that share it; may be null
  };
  explicit GatewayEnd(Parts parts) : parts_(std::move(parts)) {
    if (parts_.queue_bytes) gauge_.emplace(*parts_.queue_bytes);
  }

  // Says hello; `socket` is connected to a core.
  void open(net::MessageSocket socket);
  void close();
  bool is_open() const { return open_; }

  // False while it is not open, too.
  [[nodiscard]] bool send(ports::UpFrame frame) override;

 private:
  void on_message(std::string_view message) override;
  void on_turn_end() override;
  void on_closed() override;
  bool take(std::string_view message);
  void set_outstanding(uint64_t bytes);

  const Parts parts_;
  std::unique_ptr<net::MessageStream> stream_;
  bool open_ = false;
  base::Bytes frames_;                    // of this turn
  uint64_t outstanding_ = 0;              // bytes of frames that the core has not worked off
  std::optional<base::GaugePart> gauge_;  // outstanding_, as of the last turn
  Taken taken_;                           // not told yet
};

}  // namespace tidings::socket
