// A whole client: the Core with real sockets, clock and randomness. To embed it: make a net::Reactor, an
// OutboxFile and a Listener, and on the reactor's thread make a Client with a token from Rest::log_in, then
// core().connect().
//
//   net::Reactor reactor("chat");
//   reactor.start();
//   auto outbox = client::OutboxFile::open("ann.outbox");          // survives the process
//   reactor.post([&] {
//     chat = std::make_unique<client::Client>(reactor, client::Client::Options{address, token, "bot/1"},
//     **outbox, me); chat->core().connect(); chat->core().open_direct(bob, [&](auto conversation) {
//     chat->core().send(*conversation, {.text = "hello"}); });
//   });
//
// All calls and callbacks on the reactor's thread, the destructor too (or after its stop()).
#pragma once

#include <string>

#include "client/cpp/core.h"
#include "client/cpp/rest.h"
#include "client/cpp/system.h"
#include "client/cpp/websocket_transport.h"
#include "net/reactor.h"

namespace tidings::client {

class Client {
 public:
  struct Options {
    Address address;
    std::string token;
    std::string app;  // "chat/0.1"
    CatchUp catch_up = CatchUp::everything;
  };
  Client(net::Reactor& reactor, const Options& options, OutboxStore& outbox, Listener& listener)
      : rest_(reactor, options.address, options.token),
        core_(Core::Parts{reactor, clock_, random_, outbox, listener, options.token, options.app,
                          [&reactor, address = options.address](auto done) {
                            open_websocket(reactor, address, std::move(done));
                          },
                          options.catch_up}) {}

  Core& core() { return core_; }
  const Core& core() const { return core_; }
  Rest& rest() { return rest_; }
  ports::Clock& clock() { return clock_; }

 private:
  SystemClock clock_;
  SystemRandom random_;
  Rest rest_;
  Core core_;
};

}  // namespace tidings::client
