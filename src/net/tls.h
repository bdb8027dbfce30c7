// TLS by OpenSSL, directly on the socket: who we are (a server) and whom we believe (a client). At least
// TLS 1.2, no renegotiation, no compression, no early data.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "net/file_descriptor.h"
#include "net/stream.h"

namespace tidings::net {

// The certificate and key that listeners show. Thread: any.
class TlsIdentity {
 public:
  // PEM files; the certificate may be followed by those that vouch for it.
  static base::Result<std::shared_ptr<TlsIdentity>> load(std::string certificate_path, std::string key_path);
  virtual ~TlsIdentity() = default;

  // Looks whether the files are others than at the last look, and takes them: connections that are there go
  // on, new ones see the new certificate. True if it was exchanged; a failure says what is wrong with the new
  // files: the old certificate stays, and the same files are not tried again. Blocks on the disk.
  virtual base::Result<bool> reload() = 0;
  // The server's side of a connection that was accepted.
  virtual Stream accept(FileDescriptor socket) = 0;
};

// Whose certificates a client believes.
class TlsTrust {
 public:
  // A PEM file of roots; "": those of the system.
  static base::Result<std::shared_ptr<TlsTrust>> load(const std::string& roots_path);
  virtual ~TlsTrust() = default;

  // The client's side of a connection to `host`, a name or an address, which the certificate has to bear.
  // Sessions are resumed by ticket where the server lets.
  virtual Stream connect(FileDescriptor socket, const std::string& host) = 0;
};

}  // namespace tidings::net
