#include "engine/socket/core_socket.h"

#include "base/log_line.h"

namespace tidings::socket {

struct CoreSocket::Guest : net::MessageHandler {
  Guest(CoreSocket& owner, uint64_t own_number, net::MessageSocket socket)
      : core_socket(owner),
        number(own_number),
        executor(owner.parts_.shards.front().executor),
        stream(socket(executor, *this, hello_bytes_max)),
        timer(executor.after(owner.parts_.limits.hello_timeout, [this] { core_socket.forget(number); })) {}
  ~Guest() override { executor.cancel(timer); }

  void on_message(std::string_view message) override { core_socket.on_hello(number, message); }
  void on_closed() override { core_socket.forget(number); }

  static constexpr size_t hello_bytes_max = 64;
  CoreSocket& core_socket;
  const uint64_t number;
  base::Executor& executor;
  const std::unique_ptr<net::MessageStream> stream;
  const base::TimerId timer;
};

base::Result<std::unique_ptr<CoreSocket>> CoreSocket::listen(Parts parts) {
  std::unique_ptr<CoreSocket> core_socket(new CoreSocket(std::move(parts)));
  auto* const self = core_socket.get();
  auto listener = self->parts_.listen([self](net::MessageSocket socket) { self->accept(std::move(socket)); });
  if (!listener) return base::fail(listener.error());
  self->listener_ = std::move(*listener);
  return core_socket;
}

CoreSocket::CoreSocket(Parts parts) : parts_(std::move(parts)), rooms_(parts_.shards.size()) {}
CoreSocket::~CoreSocket() = default;

void CoreSocket::accept(net::MessageSocket socket) {
  if (guests_.size() + links_.load() >= parts_.limits.gateway_links_max) {
    base::log_warning("a gateway's connection is refused: {} are open", parts_.limits.gateway_links_max);
    return;
  }
  const uint64_t number = ++last_guest_;
  guests_.emplace(number, std::make_unique<Guest>(*this, number, std::move(socket)));
  count_guests();
}

void CoreSocket::count_links(int change) {
  links_ += static_cast<size_t>(change);
  if (parts_.links) parts_.links->add(change);
}

void CoreSocket::count_guests() {
  if (parts_.guests) parts_.guests->set(static_cast<int64_t>(guests_.size()));
}

void CoreSocket::forget(uint64_t number) {
  guests_.erase(number);
  count_guests();
}

void CoreSocket::on_hello(uint64_t number, std::string_view message) {
  const auto found = guests_.find(number);
  if (found == guests_.end()) return;
  const auto wants_link = decode_link_hello(message);
  const auto wants_control = decode_control_hello(message);
  const auto guest = std::move(found->second);
  guests_.erase(found);
  count_guests();
  const uint32_t version = wants_link ? wants_link->version : wants_control ? wants_control->version : 0;
  if (version != link_version) {
    base::log_warning("somebody who is no gateway of this version connected to {}; closed", parts_.path);
    // So that a gateway of another version can say why.
    guest->stream->send(encode(Welcome{}));
    guest->stream->flush();
    return;
  }
  // Whoever says more before the welcome is closed.
  auto socket = guest->stream->release();
  if (!socket) return;
  wants_link ? link(*wants_link, std::move(socket)) : parts_.on_control(*wants_control, std::move(socket));
}

void CoreSocket::link(const LinkHello& hello, net::MessageSocket socket) {
  const size_t index = hello.core_shard;
  if (hello.gateway == 0 || index >= rooms_.size()) return;
  auto& executor = parts_.shards[index].executor;
  count_links(1);
  executor.post([this, alive = std::weak_ptr(alive_), index, gateway = hello.gateway,
                 socket = std::move(socket)]() mutable {
    if (alive.expired()) return;
    auto& links = rooms_[index].links;
    // A gateway that came back before its old connection was seen to break: the old one ends first.
    if (links.erase(gateway) > 0) count_links(-1);
    CoreEnd::Parts parts{parts_.shards[index].executor,
                         parts_.shards[index].core,
                         gateway,
                         parts_.limits,
                         [this, index, gateway] {
                           if (rooms_[index].links.erase(gateway) > 0) count_links(-1);
                         },
                         parts_.queue_bytes};
    links.emplace(gateway, std::make_unique<CoreEnd>(std::move(parts), std::move(socket)));
  });
}

void CoreSocket::close_links(const std::vector<uint64_t>& gateways) {
  for (size_t index = 0; index < rooms_.size(); ++index) {
    parts_.shards[index].executor.post([this, alive = std::weak_ptr(alive_), index, gateways] {
      if (alive.expired()) return;
      for (const auto gateway : gateways) {
        if (rooms_[index].links.erase(gateway) > 0) count_links(-1);
      }
    });
  }
}

}  // namespace tidings::socket
