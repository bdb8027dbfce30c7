// Messages between processes of one machine, over a Unix stream socket: each is a length of four bytes
// (little-endian) and so many bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/executor.h"
#include "base/result.h"
#include "net/file_descriptor.h"
#include "net/message_stream.h"
#include "net/outbox.h"
#include "net/poller.h"
#include "net/stream.h"

namespace tidings::net {

class Reactor;

class UnixStream : public MessageStream, private Pollable {
 public:
  // One that is connected. Thread: the reactor's. `handler` outlives it.
  UnixStream(Reactor& reactor, FileDescriptor socket, MessageHandler& handler, size_t message_bytes_max);
  ~UnixStream() override;
  UnixStream(const UnixStream&) = delete;

  void send(std::string_view message) override;
  void flush() override;
  size_t unsent_bytes() const override { return outbox_.bytes(); }
  void at_turn_end() override;
  MessageSocket release() override;

 private:
  void on_ready(uint32_t events) override;
  void on_turn_end() override;
  void write();
  void listen_for(uint32_t events);
  void read();
  // Tells whole messages and takes them off; false: destroyed or closed meanwhile.
  bool take_messages(std::string_view& bytes);
  // Tells the handler; false: it destroyed the stream.
  template <class Call>
  bool tell(Call call);
  void close();
  void fail();

  Reactor& reactor_;
  Stream socket_;
  MessageHandler& handler_;
  const size_t message_bytes_max_;
  Outbox outbox_;
  std::string received_;  // the beginning of a message
  size_t behind_ = 0;     // bytes behind the message that is being told
  uint32_t events_ = 0;
  bool wants_turn_end_ = false;
  bool* gone_ = nullptr;  // set while the handler is told something
};

// A connected one, for whichever Reactor it is given to.
MessageSocket message_socket(FileDescriptor socket);

// Connects at once or not at all: the queue of a listener on the same machine is either there or not.
base::Result<FileDescriptor> connect_unix(const std::string& path);
// The same, as what is given to whom it does not matter.
Connect connect_at(std::string path);
Listen listen_at(Reactor& reactor, std::string path);

class UnixListener : public MessageListener, private Pollable {
 public:
  // A socket file that only its owner may use (0600). One that nobody listens at any more is replaced; one
  // that somebody does is a failure. `on_accept` runs on the reactor's thread.
  static base::Result<std::unique_ptr<UnixListener>> listen(Reactor& reactor, const std::string& path,
                                                            std::function<void(FileDescriptor)> on_accept);
  // Removes the file, if it still is its own.
  ~UnixListener() override;

 private:
  UnixListener(Reactor& reactor, std::string path, FileDescriptor socket, FileDescriptor lock,
               std::function<void(FileDescriptor)> on_accept);
  void on_ready(uint32_t events) override;
  void pause(int error);

  Reactor& reactor_;
  const std::string path_;
  FileDescriptor socket_;
  FileDescriptor lock_;  // PATH.lock: two that start at once do not both replace
  uint64_t inode_ = 0;
  base::TimerId timer_ = 0;
  std::function<void(FileDescriptor)> on_accept_;
};

}  // namespace tidings::net
