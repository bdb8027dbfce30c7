#include "net/tls.h"

#include <cerrno>
#include <map>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/mutex.h"

namespace tidings::net {

namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using Context = std::unique_ptr<SSL_CTX, Free>;
using Session = std::unique_ptr<SSL, Free>;

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL.
int bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::send(static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))), from,
                           static_cast<size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}
int bio_read(BIO* bio, char* to, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::recv(static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))), to,
                           static_cast<size_t>(size), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(n);
}
long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}
const BIO_METHOD* socket_bio() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

Session session_on(SSL_CTX* context, const FileDescriptor& socket) {
  Session session(SSL_new(context));
  BIO* const bio = session ? BIO_new(socket_bio()) : nullptr;
  if (!bio) return nullptr;
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(socket.get())));
  BIO_set_init(bio, 1);
  SSL_set_bio(session.get(), bio, bio);
  return session;
}

std::string openssl_reason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason ? reason : "it cannot be read";
}

Context make_context(const SSL_METHOD* method) {
  Context context(SSL_CTX_new(method));
  if (!context) return nullptr;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Without its buffers an idle session holds 16 KB less (performance.md).
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Of TLS 1.2 only what has forward secrecy and authenticates what it encrypts.
  SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  return context;
}

// Tells whether a file is another one than before.
struct Stamp {
  ino_t inode = 0;
  off_t size = 0;
  int64_t changed_ns = 0;
  bool operator==(const Stamp&) const = default;
};
Stamp stamp_of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_ino, found.st_size, found.st_mtim.tv_sec * 1'000'000'000ll + found.st_mtim.tv_nsec};
}

// A password is never asked for on a terminal.
int no_password(char*, int, int, void*) {
  return 0;
}

class Identity final : public TlsIdentity {
 public:
  Identity(std::string certificate_path, std::string key_path)
      : certificate_path_(std::move(certificate_path)), key_path_(std::move(key_path)) {}

  base::Result<bool> reload() override {
    const std::pair stamps(stamp_of(certificate_path_), stamp_of(key_path_));
    {
      base::MutexLock lock(mutex_);
      if (stamps == stamps_) return false;
      stamps_ = stamps;
    }
    auto context = read();
    if (!context) return base::fail(std::move(context.error()));
    base::MutexLock lock(mutex_);
    context_ = std::move(*context);
    return true;
  }

  Stream accept(FileDescriptor socket) override {
    Session session;
    {
      base::MutexLock lock(mutex_);
      session = session_on(context_.get(), socket);
    }
    if (!session) return {};
    SSL_set_accept_state(session.get());
    return {std::move(socket), session.release()};
  }

 private:
  base::Result<Context> read() const {
    ERR_clear_error();
    Context context = make_context(TLS_server_method());
    if (!context) return base::failure("TLS cannot be set up: " + openssl_reason());
    SSL_CTX* const c = context.get();
    SSL_CTX_set_default_passwd_cb(c, no_password);
    // Tickets keep what is needed to resume with the client; here nothing is remembered.
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(c, 1);
    SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    if (SSL_CTX_use_certificate_chain_file(c, certificate_path_.c_str()) != 1)
      return base::failure(fmt::format("the certificate {}: {}", certificate_path_, openssl_reason()));
    if (SSL_CTX_use_PrivateKey_file(c, key_path_.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(c) != 1)
      return base::failure(fmt::format("the key {}: {}", key_path_, openssl_reason()));
    return context;
  }

  const std::string certificate_path_;
  const std::string key_path_;
  base::Mutex mutex_;
  Context context_ TIDINGS_GUARDED_BY(mutex_);
  std::pair<Stamp, Stamp> stamps_ TIDINGS_GUARDED_BY(mutex_){{1, -1, 0}, {}};
};

// The newest ticket of each host. Belongs to the SSL_CTX, because connections may outlive whoever made it.
class Tickets {
 public:
  void put(const std::string& host, SSL_SESSION* ticket) {
    base::MutexLock lock(mutex_);
    if (tickets_.size() >= hosts_max && !tickets_.contains(host)) tickets_.erase(tickets_.begin());
    tickets_[host].reset(ticket);
  }
  // Once only: whoever sees a ticket twice could tell that it is the same client.
  std::unique_ptr<SSL_SESSION, Free> take(const std::string& host) {
    base::MutexLock lock(mutex_);
    const auto found = tickets_.extract(host);
    return found ? std::move(found.mapped()) : nullptr;
  }
  static Tickets& of(SSL_CTX* context) {
    return *static_cast<Tickets*>(SSL_CTX_get_ex_data(context, place()));
  }
  static bool give(SSL_CTX* context) {
    auto tickets = std::make_unique<Tickets>();
    if (SSL_CTX_set_ex_data(context, place(), tickets.get()) != 1) return false;
    tickets.release();
    return true;
  }

 private:
  static constexpr size_t hosts_max = 64;
  static int place() {
    static const int index = SSL_CTX_get_ex_new_index(
        0, nullptr, nullptr, nullptr, [](void*, void* tickets, CRYPTO_EX_DATA*, int, long, void*) {
          delete static_cast<Tickets*>(tickets);
        });
    return index;
  }
  base::Mutex mutex_;
  std::map<std::string, std::unique_ptr<SSL_SESSION, Free>> tickets_ TIDINGS_GUARDED_BY(mutex_);
};

// What the certificate of this session's peer has to bear.
std::string host_of(SSL* session) {
  if (const char* const name = X509_VERIFY_PARAM_get0_host(SSL_get0_param(session), 0)) return name;
  char* const address = X509_VERIFY_PARAM_get1_ip_asc(SSL_get0_param(session));
  std::string text = address ? address : "";
  OPENSSL_free(address);
  return text;
}

class Trust final : public TlsTrust {
 public:
  // The context has its Tickets.
  explicit Trust(Context context) : context_(std::move(context)) {
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* session, SSL_SESSION* ticket) {
      Tickets::of(SSL_get_SSL_CTX(session)).put(host_of(session), ticket);
      return 1;
    });
  }

  Stream connect(FileDescriptor socket, const std::string& host) override {
    Session session = session_on(context_.get(), socket);
    if (!session) return {};
    SSL* const s = session.get();
    unsigned char address[16];
    const bool is_address =
        ::inet_pton(AF_INET, host.c_str(), address) == 1 || ::inet_pton(AF_INET6, host.c_str(), address) == 1;
    if (is_address) {
      if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s), host.c_str()) != 1) return {};
    } else {
      SSL_set_hostflags(s, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      if (SSL_set1_host(s, host.c_str()) != 1 || SSL_set_tlsext_host_name(s, host.c_str()) != 1) return {};
    }
    SSL_set_connect_state(s);
    if (const auto ticket = Tickets::of(context_.get()).take(host_of(s))) SSL_set_session(s, ticket.get());
    return {std::move(socket), session.release()};
  }

 private:
  Context context_;
};

}  // namespace

base::Result<std::shared_ptr<TlsIdentity>> TlsIdentity::load(std::string certificate_path,
                                                             std::string key_path) {
  auto identity = std::make_shared<Identity>(std::move(certificate_path), std::move(key_path));
  if (auto loaded = identity->reload(); !loaded) return base::fail(std::move(loaded.error()));
  return std::shared_ptr<TlsIdentity>(std::move(identity));
}

base::Result<std::shared_ptr<TlsTrust>> TlsTrust::load(const std::string& roots_path) {
  ERR_clear_error();
  Context context = make_context(TLS_client_method());
  if (!context || !Tickets::give(context.get()))
    return base::failure("TLS cannot be set up: " + openssl_reason());
  const bool loaded = roots_path.empty() ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                                         : SSL_CTX_load_verify_file(context.get(), roots_path.c_str()) == 1;
  if (!loaded) {
    return base::failure(
        fmt::format("the roots {}: {}", roots_path.empty() ? "of the system" : roots_path, openssl_reason()));
  }
  return std::shared_ptr<TlsTrust>(std::make_shared<Trust>(std::move(context)));
}

}  // namespace tidings::net
