// The Link's contract over a Unix socket, and what only a socket has: ends that go and come.
#include <fstream>

#include <sys/socket.h>
#include <sys/stat.h>

#include "test/contract/link_contract.h"
#include "test/contract/socket_link_fixture.h"

namespace tidings::contract {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(Socket, LinkContract, SocketLinkFixture);

class SocketLink : public testing::Test {
 protected:
  void open() {
    fixture.open();
    fixture.run();
  }
  RecordingGateway gateway;
  RecordingCore core;
  SocketLinkFixture fixture{gateway, core, 100'000};
};

TEST_F(SocketLink, NothingIsTakenBeforeTheCoreTookTheLink) {
  EXPECT_FALSE(fixture.to_core().send(ports::Attach{{7}}));
  fixture.open();
  EXPECT_FALSE(fixture.to_core().send(ports::Attach{{7}}));
  fixture.run();
  EXPECT_EQ(fixture.opened, 1);
  EXPECT_TRUE(fixture.to_core().send(ports::Attach{{7}}));
}

TEST_F(SocketLink, TheShardHearsThatTheGatewayIsGone) {
  open();
  ASSERT_NE(core.to_gateway, nullptr);
  fixture.cut_gateway();
  fixture.run();
  EXPECT_EQ(core.to_gateway, nullptr);
}

TEST_F(SocketLink, TheGatewayHearsThatTheCoreIsGone) {
  open();
  EXPECT_EQ(fixture.closed, 0);
  fixture.cut_core();
  fixture.run();
  EXPECT_EQ(fixture.closed, 1);
  EXPECT_FALSE(fixture.to_core().send(ports::Attach{{7}}));
}

TEST_F(SocketLink, TheLinksOfAProcessThatDoesNotTurnEnd) {
  fixture.open();
  fixture.run_core();
  EXPECT_EQ(fixture.guests.value(), 1);
  fixture.run();
  EXPECT_EQ(fixture.guests.value(), 0);
  EXPECT_EQ(fixture.links.value(), 1);
  fixture.core_socket().close_links({SocketLinkFixture::gateway_id + 1});
  fixture.run_core();
  EXPECT_NE(core.to_gateway, nullptr) << "another one's";
  fixture.core_socket().close_links({SocketLinkFixture::gateway_id});
  fixture.run_core();
  EXPECT_EQ(core.to_gateway, nullptr);
  EXPECT_EQ(fixture.links.value(), 0);
  fixture.run();
  EXPECT_EQ(fixture.closed, 1);
}

TEST_F(SocketLink, AGatewayThatComesBackTakesThePlaceOfItsOldConnection) {
  open();
  // The core does not see the end of the old one before the new one is there.
  fixture.gateway_end().close();
  fixture.open();
  fixture.run();
  ASSERT_NE(core.to_gateway, nullptr);
  EXPECT_EQ(core.gateways.size(), 2u) << "linked twice";
  EXPECT_TRUE(fixture.to_core().send(ports::Attach{{7}}));
  fixture.gateway_executor().post([] {});
  fixture.run();
  EXPECT_EQ(core.turns.size(), 1u);
  // And the numbers of batches begin anew.
  fixture.core_executor().post([this] { core.to_gateway->send(ports::MemberOut{1, true}); });
  fixture.run();
  ASSERT_EQ(gateway.batches.size(), 1u);
  EXPECT_EQ(gateway.batches[0].previous, 0u);
}

TEST_F(SocketLink, WhoSpeaksAnotherLanguageIsClosed) {
  const std::string other_version =
      socket::encode(socket::LinkHello{.version = socket::link_version + 1, .gateway = 5});
  std::string longer = socket::encode(socket::LinkHello{.gateway = 5, .core_shard = 1});
  longer.push_back('x');
  for (const std::string& words :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100, '\0'), other_version, longer,
        socket::encode(socket::LinkHello{.gateway = 5, .core_shard = 2}),
        socket::encode(socket::LinkHello{.gateway = 0, .core_shard = 1})}) {
    auto connected = net::connect_unix(fixture.path());
    ASSERT_TRUE(connected.ok());
    std::string bytes;
    base::Writer(bytes).fixed(static_cast<uint32_t>(words.size()));
    bytes += words;
    ASSERT_EQ(::send(connected->get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    fixture.run_core();
    char answer[256];
    ssize_t n = 0;
    while ((n = ::recv(connected->get(), answer, sizeof answer, MSG_DONTWAIT)) > 0) {
    }
    EXPECT_TRUE(n == 0 || errno == ECONNRESET) << "open still: " << words.size();
  }
  EXPECT_EQ(core.to_gateway, nullptr);
}

TEST_F(SocketLink, BytesThatAreNoFramesCloseTheLink) {
  auto connected = net::connect_unix(fixture.path());
  ASSERT_TRUE(connected.ok());
  const auto say = [&](const std::string& words) {
    std::string bytes;
    base::Writer(bytes).fixed(static_cast<uint32_t>(words.size()));
    bytes += words;
    ASSERT_EQ(::send(connected->get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    fixture.run_core();
  };
  say(socket::encode(socket::LinkHello{.gateway = 5, .core_shard = 1}));
  ASSERT_NE(core.to_gateway, nullptr);
  say("\4\xff\xff");
  EXPECT_EQ(core.to_gateway, nullptr);
}

TEST_F(SocketLink, ALivingSocketIsRefusedAndAStaleOneReplaced) {
  struct stat file{};
  ASSERT_EQ(::lstat(fixture.path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  const auto ignore = [](net::FileDescriptor) {};
  auto& reactor = fixture.core_executor();
  EXPECT_FALSE(net::UnixListener::listen(reactor, fixture.path(), ignore).ok());
  // As after kill -9: the file is there, and nobody behind it.
  const std::string stale = fixture.path() + "2";
  ASSERT_EQ(::link(fixture.path().c_str(), stale.c_str()), 0);
  EXPECT_FALSE(net::UnixListener::listen(reactor, stale, ignore).ok()) << "somebody listens at it";
  fixture.cut_core();
  EXPECT_NE(::lstat(fixture.path().c_str(), &file), 0) << "a clean end leaves nothing";
  EXPECT_TRUE(net::UnixListener::listen(reactor, stale, ignore).ok());
  std::ofstream(fixture.path()) << "precious";
  EXPECT_FALSE(net::UnixListener::listen(reactor, fixture.path(), ignore).ok()) << "not a socket";
  EXPECT_EQ(::lstat(fixture.path().c_str(), &file), 0);
  EXPECT_FALSE(net::UnixListener::listen(reactor, std::string(200, 'x'), ignore).ok());
}

}  // namespace
}  // namespace tidings::contract
