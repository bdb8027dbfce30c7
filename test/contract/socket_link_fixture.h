// A Link over a real Unix socket, on two reactors that the test turns by hand.
#pragma once

#include <gtest/gtest.h>

#include "engine/socket/core_socket.h"
#include "engine/socket/gateway_end.h"
#include "net/reactor.h"
#include "net/unix_stream.h"
#include "test/contract/fakes.h"

namespace tidings::contract {

struct SocketLinkFixture {
  static constexpr uint64_t gateway_id = 99;
  static constexpr size_t core_index = 1;

  // Nobody wants a link to it.
  struct NoShard : ports::CoreShard {
    void on_link(uint64_t, ports::LinkToGateway&) override { ADD_FAILURE(); }
    void on_unlink(uint64_t) override { ADD_FAILURE(); }
    void on_up(uint64_t, std::vector<ports::UpFrame>) override { ADD_FAILURE(); }
    ports::LinkStamp stamp() const override { return {}; }
  };

  SocketLinkFixture(ports::GatewayShard& gateway, ports::CoreShard& core, size_t queue_bytes_max)
      : limits_{.link_queue_bytes_max = queue_bytes_max} {
    auto listening = socket::CoreSocket::listen({path(),
                                                 net::listen_at(core_reactor_, path()),
                                                 {{core_reactor_, no_shard_}, {core_reactor_, core}},
                                                 limits_,
                                                 [](const socket::ControlHello&, net::MessageSocket) {},
                                                 &links,
                                                 &guests,
                                                 &down_bytes});
    EXPECT_TRUE(listening.ok()) << listening.error().sentence;
    core_socket_ = std::move(*listening);
    gateway_end_ = std::make_unique<socket::GatewayEnd>(
        socket::GatewayEnd::Parts{gateway_reactor_, gateway, gateway_id, core_index, limits_,
                                  [this] { ++opened; }, [this] { ++closed; }, &up_bytes});
  }
  std::string path() const { return directory_.path() + "/core"; }
  void open() {
    auto connected = net::connect_at(path())();
    ASSERT_TRUE(connected.ok()) << connected.error().sentence;
    // On its reactor: what is sent goes out when the turn ends.
    gateway_reactor_.post(
        [this, socket = std::move(*connected)]() mutable { gateway_end_->open(std::move(socket)); });
  }
  ports::LinkToCore& to_core() { return *gateway_end_; }
  socket::GatewayEnd& gateway_end() { return *gateway_end_; }
  net::Reactor& gateway_executor() { return gateway_reactor_; }
  net::Reactor& core_executor() { return core_reactor_; }
  void run() {
    for (bool any = true; any;) {
      any = gateway_reactor_.turn();
      any = core_reactor_.turn() || any;
    }
  }
  void run_core() {
    while (core_reactor_.turn()) {
    }
  }
  void run_gateway() {
    while (gateway_reactor_.turn()) {
    }
  }
  void cut() {
    cut_gateway();
    cut_core();
  }
  socket::CoreSocket& core_socket() { return *core_socket_; }
  void cut_gateway() { gateway_end_.reset(); }
  void cut_core() { core_socket_.reset(); }

  int opened = 0, closed = 0;
  base::Gauge up_bytes, down_bytes, links, guests;

 private:
  TemporaryDirectory directory_;
  base::Limits limits_;
  NoShard no_shard_;
  net::Reactor gateway_reactor_{"gateway"}, core_reactor_{"core"};
  std::unique_ptr<socket::CoreSocket> core_socket_;
  std::unique_ptr<socket::GatewayEnd> gateway_end_;
};

}  // namespace tidings::contract
