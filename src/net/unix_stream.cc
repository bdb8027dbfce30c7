#include "net/unix_stream.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "base/log_line.h"
#include "net/reactor.h"

namespace tidings::net {

namespace {

constexpr size_t length_bytes = 4;
constexpr base::nanoseconds accept_pause = std::chrono::milliseconds(100);
constexpr int accepts_per_turn_max = 64;
constexpr size_t kept_capacity_max = 1u << 20;  // of the buffer for large messages, between two of them

base::Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return base::failure("the path of a socket is 1 to " + std::to_string(sizeof address.sun_path - 1) +
                         " bytes: \"" + path + "\"");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

FileDescriptor make_socket() {
  return FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

base::Fail<base::Failure> failed(const std::string& path) {
  return base::failure(path + ": " + std::strerror(errno));
}

}  // namespace

// --- streams

UnixStream::UnixStream(Reactor& reactor, FileDescriptor socket, MessageHandler& handler,
                       size_t message_bytes_max)
    : reactor_(reactor),
      socket_(std::move(socket)),
      handler_(handler),
      message_bytes_max_(message_bytes_max),
      events_(EPOLLIN) {
  reactor_.poller().add(socket_.fd(), *this, events_);
}

UnixStream::~UnixStream() {
  if (gone_) *gone_ = true;
  close();
  reactor_.poller().forget(*this);
}

void UnixStream::close() {
  if (!socket_) return;
  reactor_.poller().remove(socket_.fd(), *this);
  socket_.reset();
  outbox_.drop(reactor_.buffers());
}

template <class Call>
bool UnixStream::tell(Call call) {
  bool gone = false;
  bool* const outer = std::exchange(gone_, &gone);
  call();
  if (gone) {
    if (outer) *outer = true;
    return false;
  }
  gone_ = outer;
  return true;
}

void UnixStream::fail() {
  if (!socket_) return;
  close();
  tell([this] { handler_.on_closed(); });
}

void UnixStream::send(std::string_view message) {
  if (!socket_) return;
  auto& buffer = outbox_.buffer(reactor_.buffers());
  base::Writer(buffer).fixed(static_cast<uint32_t>(message.size()));
  buffer.append(message);
  reactor_.poller().at_turn_end(*this);
}

void UnixStream::flush() {
  if (socket_) outbox_.write(socket_, reactor_.buffers());
}

void UnixStream::at_turn_end() {
  wants_turn_end_ = true;
  reactor_.poller().at_turn_end(*this);
}

MessageSocket UnixStream::release() {
  if (!socket_) return {};
  if (behind_ > 0 || outbox_.bytes() > 0) return close(), MessageSocket();
  reactor_.poller().remove(socket_.fd(), *this);
  return message_socket(socket_.take());
}

void UnixStream::on_turn_end() {
  if (std::exchange(wants_turn_end_, false) && !tell([this] { handler_.on_turn_end(); })) return;
  if (socket_ && !(events_ & EPOLLOUT)) write();
}

void UnixStream::write() {
  if (outbox_.bytes() == 0) return;
  switch (outbox_.write(socket_, reactor_.buffers())) {
    case Outbox::Written::all:
      return listen_for(EPOLLIN);
    case Outbox::Written::some:
      return listen_for(EPOLLIN | EPOLLOUT);
    case Outbox::Written::broken:
      return fail();
  }
}

void UnixStream::listen_for(uint32_t events) {
  if (events == events_) return;
  events_ = events;
  reactor_.poller().change(socket_.fd(), *this, events);
}

void UnixStream::on_ready(uint32_t events) {
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !tell([this] { read(); })) return;
  if ((events & EPOLLOUT) && socket_) {
    listen_for(EPOLLIN);
    write();
  }
}

// One recv per readiness, at most the shared buffer: a peer that floods does not starve the others.
void UnixStream::read() {
  char* const buffer = reactor_.receive_buffer();
  const ssize_t n = ::recv(socket_.fd(), buffer, reactor_.receive_buffer_bytes(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
  if (n <= 0) return fail();
  std::string_view bytes(buffer, static_cast<size_t>(n));
  if (received_.empty()) {
    if (take_messages(bytes)) received_.assign(bytes);
    return;
  }
  received_.append(bytes);
  bytes = received_;
  if (!take_messages(bytes)) return;
  received_.erase(0, received_.size() - bytes.size());
  if (received_.empty() && received_.capacity() > kept_capacity_max) received_ = {};
}

bool UnixStream::take_messages(std::string_view& bytes) {
  while (bytes.size() >= length_bytes) {
    uint32_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof size);
    if (size > message_bytes_max_) return fail(), false;
    if (bytes.size() - length_bytes < size) return true;
    const auto message = bytes.substr(length_bytes, size);
    bytes.remove_prefix(length_bytes + size);
    behind_ = bytes.size();
    if (!tell([&] { handler_.on_message(message); }) || !socket_) return false;
  }
  return true;
}

base::Result<FileDescriptor> connect_unix(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return base::fail(address.error());
  auto socket = make_socket();
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return failed(path);
  return socket;
}

MessageSocket message_socket(FileDescriptor socket) {
  return [socket = std::move(socket)](base::Executor& on, MessageHandler& handler,
                                      size_t message_bytes_max) mutable -> std::unique_ptr<MessageStream> {
    return std::make_unique<UnixStream>(static_cast<Reactor&>(on), std::move(socket), handler,
                                        message_bytes_max);
  };
}

Connect connect_at(std::string path) {
  return [path = std::move(path)]() -> base::Result<MessageSocket> {
    auto socket = connect_unix(path);
    if (!socket) return base::fail(socket.error());
    return message_socket(std::move(*socket));
  };
}

// --- listeners

Listen listen_at(Reactor& reactor, std::string path) {
  return [&reactor, path = std::move(path)](
             std::function<void(MessageSocket)> on_accept) -> base::Result<std::unique_ptr<MessageListener>> {
    auto listener =
        UnixListener::listen(reactor, path, [on_accept = std::move(on_accept)](FileDescriptor socket) {
          on_accept(message_socket(std::move(socket)));
        });
    if (!listener) return base::fail(listener.error());
    return std::unique_ptr<MessageListener>(std::move(*listener));
  };
}

base::Result<std::unique_ptr<UnixListener>> UnixListener::listen(
    Reactor& reactor, const std::string& path, std::function<void(FileDescriptor)> on_accept) {
  const auto address = address_of(path);
  if (!address) return base::fail(address.error());
  const std::string lock_path = path + ".lock";
  FileDescriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return failed(lock_path);
  const std::string taken = "somebody already listens at " + path;
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return base::failure(taken);
  struct stat file{};
  if (::lstat(path.c_str(), &file) == 0) {
    if (!S_ISSOCK(file.st_mode)) return base::failure(path + " is there and is no socket");
    if (connect_unix(path)) return base::failure(taken);
    if (::unlink(path.c_str()) != 0) return failed(path);
  }
  auto socket = make_socket();
  // Nobody can connect before listen(), so the mode holds from the first connection on.
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(socket.get(), SOMAXCONN) != 0 ||
      ::lstat(path.c_str(), &file) != 0)
    return failed(path);
  std::unique_ptr<UnixListener> listener(
      new UnixListener(reactor, path, std::move(socket), std::move(lock), std::move(on_accept)));
  listener->inode_ = file.st_ino;
  return listener;
}

UnixListener::UnixListener(Reactor& reactor, std::string path, FileDescriptor socket, FileDescriptor lock,
                           std::function<void(FileDescriptor)> on_accept)
    : reactor_(reactor),
      path_(std::move(path)),
      socket_(std::move(socket)),
      lock_(std::move(lock)),
      on_accept_(std::move(on_accept)) {
  reactor_.poller().add(socket_.get(), *this, EPOLLIN);
}

UnixListener::~UnixListener() {
  reactor_.cancel(timer_);
  reactor_.poller().remove(socket_.get(), *this);
  struct stat file{};
  if (::lstat(path_.c_str(), &file) == 0 && file.st_ino == inode_) ::unlink(path_.c_str());
}

void UnixListener::on_ready(uint32_t) {
  for (int i = 0; i < accepts_per_turn_max; ++i) {
    FileDescriptor socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      on_accept_(std::move(socket));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return pause(errno);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

// The connection that cannot be accepted stays ready: without a pause the loop would spin.
void UnixListener::pause(int error) {
  base::log_warning("cannot accept connections at {}: {}; trying again", path_, std::strerror(error));
  reactor_.poller().change(socket_.get(), *this, 0);
  timer_ = reactor_.after(accept_pause, [this] {
    timer_ = 0;
    reactor_.poller().change(socket_.get(), *this, EPOLLIN);
  });
}

}  // namespace tidings::net
