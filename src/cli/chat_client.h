// The client of a chat, which can be made anew with another token: the Core keeps the one it was built with.
#pragma once

#include <optional>
#include <string>

#include "client/cpp/client.h"

namespace tidings::cli {

class ChatClient {
 public:
  ChatClient(net::Reactor& reactor, client::Client::Options options, client::OutboxStore& outbox,
             client::Listener& listener)
      : reactor_(reactor), options_(std::move(options)), outbox_(outbox), listener_(listener) {
    client_.emplace(reactor_, options_, outbox_, listener_);
  }

  client::Core& core() { return client_->core(); }
  const client::Core& core() const { return client_->core(); }
  client::Rest& rest() { return client_->rest(); }
  ports::Clock& clock() { return clock_; }

  // Not connected then; calls that wait are not answered any more. Not from inside a callback of the core.
  void renew(const std::string& token) {
    options_.token = token;
    client_.reset();
    client_.emplace(reactor_, options_, outbox_, listener_);
  }

 private:
  net::Reactor& reactor_;
  client::Client::Options options_;
  client::OutboxStore& outbox_;
  client::Listener& listener_;
  client::SystemClock clock_;
  std::optional<client::Client> client_;
};

}  // namespace tidings::cli
