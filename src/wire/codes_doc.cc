#include "wire/codes_doc.h"

#include "wire/codes.h"

namespace tidings::wire {

namespace {

std::string_view words(Retry retry) {
  switch (retry) {
    case Retry::as_is:
      return "the same again, after `retry_ms` if given";
    case Retry::change:
      return "correct something first";
    case Retry::never:
      return "final";
  }
  return "";
}

constexpr std::string_view head = R"(# Codes

One table, `src/wire/codes.h`; this page is made from it (`TIDINGS_WRITE_DOCS=1 build/asan/src/wire/wire_test
--gtest_filter='CodesDocument.*'`), and a test fails when it is not current.

A refused request is answered `error{request, code, message, retry_ms?, missing?}` over the WebSocket and problem+json
`{type, title, status, code, detail}` over REST, with the same `code`. When the server ends a connection it sends
`error{code, message}` first (not to a `slow_consumer`, who does not read), then closes with the close code; the reason of
the close is the code's word. A client whose connection ended with a terminal code does not reconnect by itself. Codes
without a close code never end a session that was welcomed; if one makes the hello fail, the close code is 1013 if the
same may be tried again and 4400 otherwise. A session that said nothing for 70 s is closed with 1001 `silence`.

In REST an unknown method is 405 and a body that is not JSON 415, both `unsupported`; headers that are too large are 431
`too_large`.

| code | HTTP | close | what to do | terminal | sentence |
|--|--|--|--|--|--|
)";

}  // namespace

std::string codes_document() {
  std::string out(head);
  for (const auto& row : codes) {
    out += "| `" + std::string(row.name) + "` | " + std::to_string(row.http_status) + " | ";
    out += (row.close_code ? std::to_string(row.close_code) : "–") + " | " + std::string(words(row.retry)) +
           " | ";
    out += std::string(row.terminal ? "yes" : "–") + " | " + std::string(row.sentence) + " |\n";
  }
  return out;
}

}  // namespace tidings::wire
