#include "net/http.h"

#include <algorithm>

#include <fmt/format.h>
#include <simdjson.h>

#include "net/http_parser.h"

namespace tidings::net {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string_view phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

// Neither may end its line early; length and connection are ours to say.
bool may_be_sent(const std::string& name, const std::string& value) {
  constexpr std::string_view line_ends("\r\n\0", 3);
  return !name.empty() && name.find_first_of(line_ends) == name.npos &&
         value.find_first_of(line_ends) == value.npos && !same_name(name, "content-length") &&
         !same_name(name, "connection") && !same_name(name, "transfer-encoding");
}

}  // namespace

const std::string* find_header(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (same_name(key, name)) return &value;
  }
  return nullptr;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
        return std::nullopt;
      c = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0') return std::nullopt;
    out.push_back(c);
  }
  if (!simdjson::validate_utf8(out.data(), out.size())) return std::nullopt;
  return out;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    if (percent_decode(pair.substr(0, equals), true) != name) continue;
    return percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
  }
  return std::nullopt;
}

void append_response(std::string& out, const HttpResponse& response, bool head, bool close) {
  const bool bodiless = response.status < 200 || response.status == 204 || response.status == 304;
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status, phrase(response.status));
  for (const auto& [name, value] : response.headers) {
    if (may_be_sent(name, value)) fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
  }
  if (!bodiless) fmt::format_to(std::back_inserter(out), "content-length: {}\r\n", response.body.size());
  if (close) out += "connection: close\r\n";
  out += "\r\n";
  if (!bodiless && !head) out += response.body;
}

std::string request_bytes(const HttpRequest& request, std::string_view host) {
  std::string target;
  for (const char c : request.path.empty() ? std::string("/") : request.path) {
    const bool plain = (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
                       std::string_view("/-._~!$&'()*+,;=:@").find(c) != std::string_view::npos;
    if (plain) {
      target.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(target), "%{:02X}", static_cast<uint8_t>(c));
    }
  }
  if (!request.query.empty()) target += "?" + request.query;
  std::erase_if(target, [](char c) { return static_cast<uint8_t>(c) <= ' '; });
  std::string out = fmt::format("{} {} HTTP/1.1\r\nhost: {}\r\n", request.method, target, host);
  for (const auto& [name, value] : request.headers) {
    if (may_be_sent(name, value)) fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
  }
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
      request.method == "PATCH") {
    fmt::format_to(std::back_inserter(out), "content-length: {}\r\n", request.body.size());
  }
  return out + "connection: close\r\n\r\n" + request.body;
}

}  // namespace tidings::net
