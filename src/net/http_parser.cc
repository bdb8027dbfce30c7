#include "net/http_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "net/handshake.h"

namespace tidings::net {

namespace http = boost::beast::http;
using boost::beast::error_code;

namespace {

std::string text(boost::beast::string_view view) {
  return {view.data(), view.size()};
}

template <class Message>
HttpHeaders headers_of(const Message& message) {
  HttpHeaders headers;
  for (const auto& field : message) headers.emplace_back(text(field.name_string()), text(field.value()));
  return headers;
}

size_t count_header(const HttpHeaders& headers, std::string_view name) {
  size_t n = 0;
  for (const auto& header : headers) {
    const HttpHeaders one = {header};
    n += find_header(one, name) != nullptr;
  }
  return n;
}

// A bare line feed, or a line that goes on in the next one (RFC 9112, 5.2).
bool has_odd_line_end(std::string_view bytes) {
  for (size_t at = bytes.find('\n'); at != bytes.npos; at = bytes.find('\n', at + 1)) {
    if (at == 0 || bytes[at - 1] != '\r') return true;
    const char next = at + 1 < bytes.size() ? bytes[at + 1] : 'x';
    if (next == ' ' || next == '\t') return true;
  }
  return false;
}

// Beast 1.81 asserts that a last chunk's header is looked at again only with 5 bytes or more, which a client
// can break by sending "0\r\n" and a byte. Less than 5 bytes never end a chunked body, so they may wait for
// more.
template <class Parser>
bool too_short_a_chunk(const Parser& parser, std::string_view rest) {
  constexpr size_t last_chunk_bytes = 5;
  return parser.is_header_done() && parser.chunked() && rest.size() < last_chunk_bytes;
}

int status_of(error_code error) {
  if (error == http::error::header_limit) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::bad_version) return 505;
  return 400;
}

}  // namespace

struct HttpRequestParser::Beast {
  http::request_parser<http::string_body> parser;
};

HttpRequestParser::HttpRequestParser(const base::Limits& limits)
    : limits_(limits), beast_(std::make_unique<Beast>()) {
  beast_->parser.header_limit(static_cast<uint32_t>(limits.http_header_bytes_max));
  beast_->parser.body_limit(limits.http_body_bytes_max);
}

HttpRequestParser::~HttpRequestParser() = default;

HttpRequestParser::Progress HttpRequestParser::feed(std::string_view in, size_t& taken) try {
  auto& parser = beast_->parser;
  taken = 0;
  while (!parser.is_done()) {
    error_code error;
    const std::string_view rest = in.substr(taken);
    if (too_short_a_chunk(parser, rest)) return Progress::more;
    const size_t n = parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    if (!header_done_) {
      // Beast takes the lines of a header one by one; what it has taken or refused is looked at for line ends
      // it lets pass.
      const size_t end = std::min(rest.find("\r\n\r\n"), rest.size());
      if (has_odd_line_end(rest.substr(0, end))) return refuse(400);
    }
    taken += n;
    const bool was_in_body = header_done_;
    if (error == http::error::need_more) {
      // Beast bounds the header; a chunk's extension or a trailer waits for its end without a bound.
      if (in.size() - taken > limits_.http_header_bytes_max) return refuse(header_done_ ? 400 : 431);
      return Progress::more;
    }
    if (error) return refuse(status_of(error));
    if (!header_done_ && parser.is_header_done()) {
      header_done_ = true;
      if (const int status = check_header()) return refuse(status);
      parser.eager(true);
    }
    if ((taken == in.size() || (n == 0 && was_in_body)) && !parser.is_done()) return Progress::more;
  }
  request_.body = std::move(parser.get().body());
  return Progress::complete;
} catch (const std::exception&) {
  return refuse(400);
}

HttpRequestParser::Progress HttpRequestParser::refuse(int status) {
  status_ = status;
  return Progress::refused;
}

int HttpRequestParser::check_header() {
  const auto& message = beast_->parser.get();
  // Now, so that trailers of a chunked body cannot pose as headers.
  request_.headers = headers_of(message);
  const HttpHeaders& headers = request_.headers;
  if (headers.size() > limits_.http_headers_max) return 431;
  if (message.version() != 10 && message.version() != 11) return 505;
  const bool modern = message.version() == 11;
  const size_t hosts = count_header(headers, "host");
  if (hosts > 1 || (hosts == 0 && modern)) return 400;
  const size_t lengths = count_header(headers, "content-length");
  const size_t encodings = count_header(headers, "transfer-encoding");
  // "5, 5" may be read as 5 or refused (RFC 9112, 6.3); a proxy in front of us may do the other.
  const std::string* length = find_header(headers, "content-length");
  if (length && length->find_first_not_of("0123456789") != length->npos) return 400;
  if (lengths > 1 || (encodings > 0 && (lengths > 0 || !modern))) return 400;
  if (encodings > 0) {
    const std::string* encoding = find_header(headers, "transfer-encoding");
    if (encodings > 1 || !names_token(*encoding, "chunked") || encoding->find(',') != encoding->npos)
      return 501;
  }
  if (const auto content = beast_->parser.content_length(); content && *content > limits_.http_body_bytes_max)
    return 413;
  if (const std::string* expect = find_header(headers, "expect"); expect && modern) {
    if (!names_token(*expect, "100-continue")) return 417;
    continue_ = !beast_->parser.is_done();
  }

  request_.method = text(message.method_string());
  std::string target = text(message.target());
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const size_t slash = target.find('/', scheme.size());
    target = slash == target.npos ? "/" : target.substr(slash);
  }
  if (!target.starts_with('/')) return 400;
  const size_t question = std::min(target.find('?'), target.size());
  auto path = percent_decode(std::string_view(target).substr(0, question), false);
  if (!path) return 400;
  request_.path = std::move(*path);
  if (question < target.size()) request_.query = target.substr(question + 1);
  // A parameter that cannot be read must not pass for one that is absent.
  if (!percent_decode(request_.query, true)) return 400;
  keep_alive_ = modern && message.keep_alive();
  return 0;
}

bool HttpRequestParser::wants_continue() {
  return std::exchange(continue_, false) && !beast_->parser.is_done();
}

struct HttpResponseParser::Beast {
  http::response_parser<http::string_body> parser;
};

namespace {
// Our own server's pages are far smaller; this only bounds a strange one's.
constexpr uint64_t response_body_bytes_max = 8u << 20;
}  // namespace

HttpResponseParser::HttpResponseParser(bool without_body) : beast_(std::make_unique<Beast>()) {
  beast_->parser.skip(without_body);
  beast_->parser.eager(true);
  beast_->parser.body_limit(response_body_bytes_max);
}

HttpResponseParser::~HttpResponseParser() = default;

HttpResponseParser::Progress HttpResponseParser::feed(std::string_view in, size_t& taken) try {
  taken = 0;
  while (!beast_->parser.is_done()) {
    error_code error;
    if (too_short_a_chunk(beast_->parser, in.substr(taken))) return Progress::more;
    taken += beast_->parser.put(boost::asio::buffer(in.data() + taken, in.size() - taken), error);
    if (error == http::error::need_more) return Progress::more;
    if (error) return Progress::refused;
    if (taken == in.size() && !beast_->parser.is_done()) return Progress::more;
  }
  return Progress::complete;
} catch (const std::exception&) {
  return Progress::refused;
}

HttpResponseParser::Progress HttpResponseParser::feed_end() try {
  if (!beast_->parser.got_some()) return Progress::refused;
  if (beast_->parser.is_done()) return Progress::complete;
  error_code error;
  beast_->parser.put_eof(error);
  return error ? Progress::refused : Progress::complete;
} catch (const std::exception&) {
  return Progress::refused;
}

HttpResponse HttpResponseParser::take() {
  auto& message = beast_->parser.get();
  return {static_cast<int>(message.result_int()), headers_of(message), std::move(message.body())};
}

}  // namespace tidings::net
