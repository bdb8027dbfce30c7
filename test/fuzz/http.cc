// HTTP requests and responses (net/http_parser.h), whole and in pieces.
#include "net/http_parser.h"
#include "test/fuzz/target.h"

namespace tidings::fuzz {
namespace {

using namespace net;

constexpr size_t header_bytes_max = 1024;

// Reads requests as HttpConnection does, and tells what it took.
class Reading {
 public:
  void give(std::string_view piece) {
    if (ended_) return;
    input_.append(piece);
    size_t used = 0;
    while (used < input_.size() && !ended_) {
      size_t taken = 0;
      const auto progress = parser_->feed(std::string_view(input_).substr(used), taken);
      must(taken <= input_.size() - used, "no more is taken than there is");
      used += taken;
      if (progress == HttpRequestParser::Progress::more) break;
      if (progress == HttpRequestParser::Progress::refused) {
        must(parser_->status() >= 400 && parser_->status() < 600, "a refusal has a status");
        ended_ = true;
      } else {
        const bool keep_alive = parser_->keep_alive();
        tell(parser_->take(), keep_alive);
        if (!keep_alive) ended_ = true;
        parser_.emplace(limits_);
      }
    }
    input_.erase(0, used);
    must(ended_ || input_.size() <= 2 * limits_.http_header_bytes_max + piece.size(),
         "what waits is bounded");
  }
  const std::string& told() const { return told_; }

 private:
  void tell(const HttpRequest& request, bool keep_alive) {
    must(request.path.starts_with('/'), "a path begins with a slash");
    must(request.path.find('\0') == request.path.npos, "a path holds no NUL");
    must(request.headers.size() <= limits_.http_headers_max, "headers are few");
    must(request.body.size() <= limits_.http_body_bytes_max, "a body has a limit");
    told_ += request.method + " " + request.path + " ? " + request.query + (keep_alive ? " +\n" : " -\n");
    for (const auto& [name, value] : request.headers) {
      must(name.find_first_of("\r\n: ") == name.npos, "a header's name is a token");
      must(value.find_first_of("\r\n") == value.npos, "a header's value is one line");
      told_ += name + ": " + value + "\n";
    }
    told_ += request.body + "\n";
  }

  base::Limits limits_ = [] {
    base::Limits limits;
    limits.http_header_bytes_max = header_bytes_max;
    limits.http_body_bytes_max = 2048;
    limits.http_headers_max = 10;
    return limits;
  }();
  std::optional<HttpRequestParser> parser_{limits_};
  std::string input_, told_;
  bool ended_ = false;
};

// One response, and whether it came whole.
std::string told_of_response(std::string_view bytes, uint8_t way, bool pieces) {
  HttpResponseParser parser(false);
  using Progress = HttpResponseParser::Progress;
  std::string input;
  auto progress = Progress::more;
  const auto give = [&](std::string_view piece) {
    if (progress != Progress::more) return;
    input.append(piece);
    size_t taken = 0;
    progress = parser.feed(input, taken);
    must(taken <= input.size(), "no more is taken than there is");
    input.erase(0, taken);
  };
  if (pieces) {
    in_pieces(bytes, way, give);
  } else {
    give(bytes);
  }
  if (progress == Progress::more) progress = parser.feed_end();
  if (progress != Progress::complete) return "refused";
  const auto response = parser.take();
  return std::to_string(response.status) + "\n" + response.body;
}

}  // namespace

void feed(std::string_view bytes) {
  Dice dice(bytes);
  const uint8_t kind = dice.byte(), way = dice.byte();
  if (kind % 4 == 1) {
    must(told_of_response(dice.rest(), way, false) == told_of_response(dice.rest(), way, true),
         "a response is the same whole and in pieces");
    return;
  }
  if (kind % 4 == 2) {
    // What we answer is read as we meant it.
    const int status = 200 + dice.byte();
    if (status == 204 || status == 304) return;
    std::string text;
    append_response(text, {status, {{"X-Kind", "x"}}, std::string(dice.rest())}, false, way % 2 != 0);
    must(told_of_response(text, way, true) == std::to_string(status) + "\n" + std::string(dice.rest()),
         "a response that is written is read as the same");
    return;
  }
  Reading whole, pieces;
  whole.give(dice.rest());
  in_pieces(dice.rest(), way, [&](std::string_view piece) { pieces.give(piece); });
  // A header that comes in pieces is refused a little below its limit, one in a single piece just at it.
  if (dice.rest().size() < header_bytes_max)
    must(whole.told() == pieces.told(), "requests are the same whole and in pieces");
  const auto decoded = percent_decode(dice.rest().substr(0, 200), way % 2 != 0);
  must(!decoded || decoded->find('\0') == decoded->npos, "nothing decodes to a NUL");
}

std::vector<std::string> seeds() {
  const std::string post = "POST /v1/accounts?a=b%20c HTTP/1.1\r\nHost: x\r\n";
  std::vector<std::string> out;
  for (const std::string& request :
       {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), std::string("GET / HTTP/1.0\r\n\r\n"),
        std::string("GET http://x/y HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        post + "Content-Length: 5\r\n\r\nhello" + post + "Content-Length: 0\r\n\r\n",
        post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
        post + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\n",
        post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", post + "Content-Length: -5\r\n\r\n",
        post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        post + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        std::string("GET / HTTP/1.1\nHost: x\n\n"), post + "X:  y \r\n z\r\n\r\n", post + "X : y\r\n\r\n",
        std::string("GET /%00%ff%zz HTTP/1.1\r\nHost: x\r\n\r\n"),
        "GET / HTTP/1.1\r\n" + std::string(1100, 'x'),
        std::string(
            "GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\x80")}) {
    out.push_back(std::string("\0\0", 2) + request);
    out.push_back(std::string("\0\3", 2) + request);
  }
  for (const std::string& response :
       {std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        std::string("HTTP/1.1 204 No Content\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        std::string("HTTP/1.0 200 OK\r\n\r\nuntil the end"),
        std::string("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x01x")}) {
    out.push_back(std::string("\1\0", 2) + response);
  }
  out.push_back(std::string("\2\1\0", 3) + "{\"a\":1}");
  return out;
}

}  // namespace tidings::fuzz
