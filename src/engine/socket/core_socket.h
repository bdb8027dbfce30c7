// Where gateway processes come in and say which core shard they want a Link to, or that they want the control
// connection. The first shard's executor accepts; a Link lives on the executor of its core shard.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "engine/socket/core_end.h"
#include "net/message_stream.h"

namespace tidings::socket {

// Destroyed after its executors stopped, or on their one thread.
class CoreSocket {
 public:
  struct Shard {
    base::Executor& executor;
    ports::CoreShard& core;
  };
  struct Parts {
    std::string path;  // for log lines
    net::Listen listen;
    std::vector<Shard> shards;  // connections are accepted on the first one's executor
    const base::Limits& limits;
    // A gateway process wants its control connection; on the first shard's executor.
    std::function<void(const ControlHello&, net::MessageSocket)> on_control;
    // Open Links, and connections that owe their hello; bytes under way to gateways. May be null.
    base::Gauge* links = nullptr;
    base::Gauge* guests = nullptr;
    base::Gauge* queue_bytes = nullptr;
  };
  // Thread: the first shard's, or before it runs.
  static base::Result<std::unique_ptr<CoreSocket>> listen(Parts parts);
  ~CoreSocket();

  // Ends the Links of these gateways, whose process does not turn any more. Thread: the first shard's
  // executor.
  void close_links(const std::vector<uint64_t>& gateways);

 private:
  // A connection whose hello is awaited.
  struct Guest;
  // What one shard has; touched on its executor.
  struct Room {
    std::map<uint64_t, std::unique_ptr<CoreEnd>> links;  // by gateway
  };

  explicit CoreSocket(Parts parts);
  void accept(net::MessageSocket socket);
  void on_hello(uint64_t number, std::string_view message);
  void link(const LinkHello& hello, net::MessageSocket socket);
  void forget(uint64_t number);
  void count_links(int change);
  void count_guests();

  const Parts parts_;
  std::unique_ptr<net::MessageListener> listener_;
  std::map<uint64_t, std::unique_ptr<Guest>> guests_;
  uint64_t last_guest_ = 0;
  std::vector<Room> rooms_;
  std::atomic<size_t> links_ = 0;
  // Expires with this: what was posted and comes later is dropped.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidings::socket
