#include "client/cpp/outbox_file.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/hash.h"
#include "client/cpp/file.h"

namespace tidings::client {

namespace {

constexpr size_t useless_lines_min = 1000;

// A line is: eight hex digits of the crc32c of what follows the blank behind them, then
//   put CLIENT-ID CONVERSATION ORDER text TEXT   (TEXT with %XX for control characters and %)
//   replace OLD-CLIENT-ID and the rest of a put
//   remove CLIENT-ID
std::string hex(uint32_t n) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out(8, '0');
  for (size_t i = 8; i-- > 0; n >>= 4) out[i] = digits[n & 15];
  return out;
}

std::string line_of(const std::string& body) {
  return hex(base::crc32c(body)) + " " + body + "\n";
}

std::string escape(const std::string& text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || byte == 0x7f || c == '%') {
      out.push_back('%');
      out.push_back(digits[byte >> 4]);
      out.push_back(digits[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned byte = 0;
    if (i + 3 > text.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
    if (error != std::errc() || end != text.data() + i + 3) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

std::string text_of(const OutboxMessage& message) {
  return model::to_text(message.client_id) + " " + model::to_text(message.conversation) + " " +
         std::to_string(message.order) + " text " + escape(message.message.text);
}

std::string put_line(const OutboxMessage& message) {
  return line_of("put " + text_of(message));
}

std::string_view word(std::string_view& rest) {
  const size_t blank = std::min(rest.find(' '), rest.size());
  const std::string_view out = rest.substr(0, blank);
  rest.remove_prefix(std::min(blank + 1, rest.size()));
  return out;
}

std::optional<OutboxMessage> parse_put(std::string_view rest) {
  const auto client_id = model::parse_uuid(word(rest));
  const auto conversation = model::parse_uuid(word(rest));
  const auto order = model::parse_decimal(word(rest));
  const auto kind = word(rest);
  auto text = unescape(rest);
  if (!client_id || !conversation || !order || kind != "text" || !text) return std::nullopt;
  return OutboxMessage{{*client_id}, {*conversation}, {model::MessageKind::text, std::move(*text)}, *order};
}

}  // namespace

base::Result<std::unique_ptr<OutboxFile>> OutboxFile::open(const std::string& path) {
  std::unique_ptr<OutboxFile> outbox(new OutboxFile(path));
  // The lock stands on a file of its own: the outbox itself is replaced now and then.
  const std::string lock = path + ".lock";
  outbox->lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (outbox->lock_ < 0) return base::fail(system_failure("open", lock));
  if (::flock(outbox->lock_, LOCK_EX | LOCK_NB) != 0) {
    return base::failure("Another program is using " + path + "; close it first, or use another name.");
  }
  if (auto read = outbox->read(); !read) return base::fail(read.error());
  return outbox;
}

OutboxFile::~OutboxFile() {
  if (file_ >= 0) ::close(file_);
  if (lock_ >= 0) ::close(lock_);
}

base::Result<std::vector<OutboxMessage>> OutboxFile::load() {
  std::vector<OutboxMessage> out;
  for (const auto& [client_id, message] : messages_) out.push_back(message);
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.order < b.order; });
  return out;
}

base::Status OutboxFile::put(const OutboxMessage& message) {
  if (auto appended = append(put_line(message), true); !appended) return appended;
  messages_[message.client_id] = message;
  return {};
}

base::Status OutboxFile::replace(const model::ClientId& old, const OutboxMessage& message) {
  // One line, so that one checksum covers both halves.
  const std::string line = line_of("replace " + model::to_text(old) + " " + text_of(message));
  if (auto appended = append(line, true); !appended) return appended;
  messages_.erase(old);
  messages_[message.client_id] = message;
  return {};
}

base::Status OutboxFile::remove(const model::ClientId& client_id) {
  if (messages_.erase(client_id) == 0) return {};
  if (lines_ > 2 * messages_.size() + useless_lines_min) return rewrite();
  return append(line_of("remove " + model::to_text(client_id)), false);
}

base::Status OutboxFile::read() {
  auto content = read_file(path_);
  if (!content) return base::fail(content.error());
  bool torn = false;
  std::string_view rest = *content ? std::string_view(**content) : std::string_view();
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const bool whole = end != std::string_view::npos && line.size() > 9 && line[8] == ' ' &&
                       line.substr(0, 8) == hex(base::crc32c(line.substr(9)));
    std::string_view body = whole ? line.substr(9) : std::string_view();
    const std::string_view verb = word(body);
    if (verb == "put") {
      if (auto message = parse_put(body)) {
        messages_[message->client_id] = std::move(*message);
        continue;
      }
    } else if (verb == "replace") {
      const auto old = model::parse_uuid(word(body));
      auto message = parse_put(body);
      if (old && message) {
        messages_.erase({*old});
        messages_[message->client_id] = std::move(*message);
        continue;
      }
    } else if (verb == "remove") {
      if (const auto client_id = model::parse_uuid(body)) {
        messages_.erase({*client_id});
        continue;
      }
    }
    torn = true;  // its put() had not returned, or it is a removal, which may be lost
  }
  if (torn && *content) {
    // Should it be damage after all, somebody may want to read it.
    if (auto kept = replace_file(path_ + ".torn", **content); !kept) return kept;
  }
  return rewrite();
}

base::Status OutboxFile::append(const std::string& line, bool sync) {
  if (broken_) {
    if (auto rewritten = rewrite(); !rewritten) return rewritten;
  }
  const off_t end = ::lseek(file_, 0, SEEK_END);
  base::Status status;
  if (end < 0) status = base::fail(system_failure("seek", path_));
  if (status) status = write_all(file_, line, path_);
  if (status && sync && ::fdatasync(file_) != 0) status = base::fail(system_failure("sync", path_));
  if (!status) {
    broken_ = true;
    // The caller hears that nothing was kept: the line must not be there at the next start. Cutting it off
    // needs no room, which a rewrite does; but after a failed sync only a new file is sure.
    if (end >= 0) (void)!::ftruncate(file_, end);
    (void)rewrite();
    return status;
  }
  ++lines_;
  return {};
}

base::Status OutboxFile::rewrite() {
  std::string content;
  for (const auto& [client_id, message] : messages_) content += put_line(message);
  if (auto replaced = replace_file(path_, content); !replaced) {
    broken_ = true;
    return replaced;
  }
  if (file_ >= 0) ::close(file_);
  file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  broken_ = file_ < 0;
  if (broken_) return base::fail(system_failure("open", path_));
  lines_ = messages_.size();
  return {};
}

}  // namespace tidings::client
