#include "net/http_parser.h"

#include <gtest/gtest.h>

namespace tidings::net {
namespace {

using Progress = HttpRequestParser::Progress;

struct Parsed {
  int status = 0;  // 0 complete, -1 wants more, else refused
  HttpRequest request;
  bool keep_alive = false;
  std::string rest;
};

// As a connection feeds it: what was not taken is given again with the next piece behind it.
Parsed parse(const std::string& bytes, size_t piece = 1 << 20, const base::Limits& limits = {}) {
  HttpRequestParser parser(limits);
  std::string input;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    input += bytes.substr(at, piece);
    size_t taken = 0;
    const auto progress = parser.feed(input, taken);
    input.erase(0, taken);
    if (progress == Progress::refused) return {parser.status(), {}, false, {}};
    if (progress == Progress::complete) return {0, parser.take(), parser.keep_alive(), input};
  }
  return {-1, {}, false, input};
}

int status(const std::string& bytes, const base::Limits& limits = {}) {
  const int whole = parse(bytes, 1 << 20, limits).status;
  EXPECT_EQ(parse(bytes, 1, limits).status, whole) << bytes.substr(0, 100);
  return whole;
}

TEST(HttpParser, a_request_comes_out_the_same_whatever_the_pieces_are) {
  const std::string bytes =
      "POST /v1/users/%C3%A9%20x?handle=a%2Bb+c&n=1 HTTP/1.1\r\nHost: h\r\nX-A:  padded \r\nContent-Length: "
      "4\r\n\r\nbodyGET";
  for (const size_t piece : {1, 2, 7, 1000}) {
    const auto parsed = parse(bytes, piece);
    ASSERT_EQ(parsed.status, 0) << piece;
    EXPECT_EQ(parsed.request.method, "POST");
    EXPECT_EQ(parsed.request.path, "/v1/users/\xc3\xa9 x");
    EXPECT_EQ(parsed.request.query, "handle=a%2Bb+c&n=1");
    EXPECT_EQ(query_value(parsed.request.query, "handle"), "a+b c");
    EXPECT_EQ(query_value(parsed.request.query, "n"), "1");
    EXPECT_EQ(query_value(parsed.request.query, "m"), std::nullopt);
    EXPECT_EQ(*find_header(parsed.request.headers, "x-a"), "padded");
    EXPECT_EQ(parsed.request.body, "body");
    EXPECT_TRUE(parsed.keep_alive);
    if (piece == 1000) EXPECT_EQ(parsed.rest, "GET");
  }
}

TEST(HttpParser, chunked_bodies_are_joined_and_their_trailers_are_no_headers) {
  const std::string bytes =
      "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nAuthorization: evil\r\n\r\n";
  for (const size_t piece : {1, 3, 1000}) {
    const auto parsed = parse(bytes, piece);
    ASSERT_EQ(parsed.status, 0);
    EXPECT_EQ(parsed.request.body, "abcde");
    EXPECT_EQ(find_header(parsed.request.headers, "authorization"), nullptr);
  }
}

TEST(HttpParser, what_could_be_read_in_two_ways_is_400) {
  const std::string host = "Host: h\r\n";
  EXPECT_EQ(status("POST / HTTP/1.1\r\n" + host +
                   "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\n" + host +
                   "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
            400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\n" + host + "Content-Length: -3\r\n\r\nabcd"), 400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\n" + host + "Content-Length: 3, 3\r\n\r\nabc"), 400);
  EXPECT_EQ(status("POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\n" + host + "\r\n"), 400) << "bare LF after the request line";
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"), 400) << "bare LF between headers";
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: h\r\nX: y\n\n"), 400) << "bare LF at the end";
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost : h\r\n\r\n"), 400) << "space before the colon";
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n"), 400) << "a folded line";
  EXPECT_EQ(status("GET / HTTP/1.1\r\n\r\n"), 400) << "no host";
  EXPECT_EQ(status(std::string("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 29)), 400);
}

TEST(HttpParser, bad_targets_are_400) {
  for (const std::string target :
       {"/%", "/%zz", "/%00", "/%ff", "/?a=%", "/?a=%zz", "/?%00=1", "/?a=%ff", "relative", "*"}) {
    EXPECT_EQ(status("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"), 400) << target;
  }
  EXPECT_EQ(parse("GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n").request.path, "/a");
}

TEST(HttpParser, limits_have_their_codes) {
  base::Limits limits;
  limits.http_header_bytes_max = 1000;
  limits.http_headers_max = 5;
  limits.http_body_bytes_max = 10;
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(status(start + "X: " + std::string(2000, 'x'), limits), 431) << "before its end came";
  EXPECT_EQ(status("GET /" + std::string(2000, 'x'), limits), 431);
  EXPECT_EQ(status(start + "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\n\r\n", limits), 431);
  EXPECT_EQ(status(start + "Content-Length: 11\r\n\r\n", limits), 413) << "before the body came";
  EXPECT_EQ(status(start + "Content-Length: 10\r\n\r\n0123456789", limits), 0);
  EXPECT_EQ(status(start + "Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n", limits), 413);
  EXPECT_EQ(status(start + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(2000, 'x'), limits), 400)
      << "endless extension";
  EXPECT_EQ(status(start + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + std::string(2000, 'x'), limits),
            400)
      << "endless trailer";
  EXPECT_EQ(status(start + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", limits), 501);
  EXPECT_EQ(status(start + "Expect: magic\r\n\r\n", limits), 417);
}

TEST(HttpParser, connection_close_and_http_1_0_end_the_connection) {
  EXPECT_FALSE(parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").keep_alive);
}

TEST(HttpParser, garbage_is_refused_or_wants_more_and_never_crashes) {
  const std::string good =
      "POST /a?b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char c : {'\0', '\n', '\r', ' ', ':', '\xff', '9'}) {
      std::string bad = good;
      bad[at] = c;
      parse(bad);
      for (const size_t piece : {1, 3, 4}) parse(bad, piece);
    }
  }
}

TEST(HttpParser, a_response_is_written_without_what_would_break_its_lines) {
  std::string out;
  append_response(out, {200, {{"x", "a\r\nevil: 1"}, {"content-length", "7"}, {"y", "z"}}, "body"}, false,
                  true);
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\ny: z\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody");
  out.clear();
  append_response(out, {200, {}, "body"}, true, false);
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
  out.clear();
  append_response(out, {204, {}, "body"}, false, false);
  EXPECT_EQ(out, "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(HttpParser, a_response_ends_by_length_by_chunks_or_by_the_end_of_the_connection) {
  size_t taken = 0;
  HttpResponseParser length(false);
  EXPECT_EQ(length.feed("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nokrest", taken),
            HttpResponseParser::Progress::complete);
  EXPECT_EQ(length.take().body, "ok");
  HttpResponseParser end(false);
  EXPECT_EQ(end.feed("HTTP/1.1 200 OK\r\n\r\nuntil", taken), HttpResponseParser::Progress::more);
  EXPECT_EQ(end.feed_end(), HttpResponseParser::Progress::complete);
  EXPECT_EQ(end.take().body, "until");
  HttpResponseParser cut(false);
  EXPECT_EQ(cut.feed("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut", taken),
            HttpResponseParser::Progress::more);
  EXPECT_EQ(cut.feed_end(), HttpResponseParser::Progress::refused);
  HttpResponseParser head(true);
  EXPECT_EQ(head.feed("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", taken),
            HttpResponseParser::Progress::complete);
  HttpResponseParser upgrade(false);
  const std::string bytes = "HTTP/1.1 101 Switching\r\nupgrade: websocket\r\n\r\nframes";
  EXPECT_EQ(upgrade.feed(bytes, taken), HttpResponseParser::Progress::complete);
  EXPECT_EQ(bytes.substr(taken), "frames");
}

}  // namespace
}  // namespace tidings::net
