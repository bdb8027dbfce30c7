// A core shard's end of a Link between processes.
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

// Thread: the executor's. It is the link while it exists: the core shard hears on_link() in the constructor
// and on_unlink() in the destructor.
//
// As in process: beyond the bound frames are dropped until the next turn; the number of the lost batch is
// skipped, and if no frame follows an empty batch shows the gap.
class CoreEnd : public ports::LinkToGateway, private net::MessageHandler {
 public:
  struct Parts {
    base::Executor& executor;
    ports::CoreShard& core;
    uint64_t gateway_id = 0;
    const base::Limits& limits;
    std::function<void()> on_closed;     // may destroy this
    base::Gauge* queue_bytes = nullptr;  // of all that share it; may be null
  };
  // `socket`: whose hello was read.
  CoreEnd(Parts parts, net::MessageSocket socket);
  ~CoreEnd() override;
  CoreEnd(const CoreEnd&) = delete;

  void send(ports::DownFrame frame) override;

 private:
  void on_message(std::string_view message) override;
  void on_turn_end() override;
  void on_closed() override;
  void send_batch(base::BytesView frames);

  const Parts parts_;
  const std::unique_ptr<net::MessageStream> stream_;
  base::Bytes frames_;                    // of this turn
  uint64_t outstanding_ = 0;              // bytes of frames that the gateway has not worked off
  std::optional<base::GaugePart> gauge_;  // outstanding_, as of the last turn
  Taken taken_;                           // not told yet
  uint64_t number_ = 0;                   // of the last batch, sent or lost
  bool dropping_ = false;
  bool notice_under_way_ = false;
};

}  // namespace tidings::socket
