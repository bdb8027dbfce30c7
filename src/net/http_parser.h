// HTTP/1.1 (RFC 9112) from bytes to values, without sockets. Boost.Beast does it, inside http_parser.cc.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/limits.h"
#include "net/http.h"

namespace tidings::net {

// Reads one request; make a new one for the next.
class HttpRequestParser {
 public:
  enum class Progress { more, complete, refused };

  explicit HttpRequestParser(const base::Limits& limits);
  ~HttpRequestParser();

  // Looks at `in`, which begins at the first byte not taken yet, and says in `taken` how much of it is done
  // with. What is left of the input must be given again, with more behind it.
  Progress feed(std::string_view in, size_t& taken);
  // When refused: 400, 413, 417, 431, 501 or 505.
  int status() const { return status_; }

  // The header is complete, the body is not, and the client waits to be told to send it (RFC 9110, 10.1.1).
  // True once.
  bool wants_continue();

  // When complete: all but `peer`.
  HttpRequest take() { return std::move(request_); }
  // The connection may be used again.
  bool keep_alive() const { return keep_alive_; }

 private:
  struct Beast;
  Progress refuse(int status);
  // What the header alone tells to refuse, or 0.
  int check_header();

  const base::Limits& limits_;
  std::unique_ptr<Beast> beast_;
  HttpRequest request_;
  int status_ = 0;
  bool keep_alive_ = false;
  bool continue_ = false;
  bool header_done_ = false;
};

// Reads one response to our own request.
class HttpResponseParser {
 public:
  enum class Progress { more, complete, refused };

  // `without_body`: the request was HEAD.
  explicit HttpResponseParser(bool without_body);
  ~HttpResponseParser();

  // As above. A 101 is complete with its header.
  Progress feed(std::string_view in, size_t& taken);
  // The peer has closed: complete if the body was to last until then.
  Progress feed_end();
  HttpResponse take();

 private:
  struct Beast;
  std::unique_ptr<Beast> beast_;
};

// Decodes %XX; nullopt if an escape is broken or the result is not UTF-8 or holds a NUL. A '+' means a space
// in a query and itself in a path.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

// The bytes of a response. `head`: to a HEAD request; `close`: the connection ends after it.
void append_response(std::string& out, const HttpResponse& response, bool head, bool close);
// The bytes of a request, with Host and content-length; keeps no connection alive.
std::string request_bytes(const HttpRequest& request, std::string_view host);

}  // namespace tidings::net
