#include "base/log_line.h"

#include <ctime>
#include <iterator>

#include <spdlog/formatter.h>

namespace tidings::base {

namespace {

constexpr size_t value_bytes_max = 200;

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

LogLevel level_of(spdlog::level::level_enum level) {
  if (level <= spdlog::level::debug) return LogLevel::debug;
  if (level == spdlog::level::info) return LogLevel::info;
  return level == spdlog::level::warn ? LogLevel::warning : LogLevel::error;
}

std::string_view name(LogLevel level) {
  constexpr std::string_view names[] = {"debug", "info", "warning", "error"};
  return names[static_cast<size_t>(level)];
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string time_text(int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, ms % 1000);
}

void append_json(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += is_control(c) ? ' ' : c;
  }
  out += '"';
}

// One field after the other; the sentence has no name.
template <class Take>
void split(std::string_view payload, Take take) {
  bool first = true;
  while (first || !payload.empty()) {
    const size_t end = payload.find('\t');
    const auto part = payload.substr(0, end);
    const size_t equals = first ? part.npos : part.find('=');
    if (equals == part.npos) {
      take(std::string_view(), part);
    } else {
      take(part.substr(0, equals), part.substr(equals + 1));
    }
    first = false;
    payload.remove_prefix(end == payload.npos ? payload.size() : end + 1);
  }
}

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}
  void format(const spdlog::details::log_msg& line, spdlog::memory_buf_t& out) override {
    const auto since = line.time.time_since_epoch();
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
    const std::string text =
        log_line(format_, level_of(line.level), ms, {line.payload.data(), line.payload.size()}) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  const LogFormat format_;
};

}  // namespace

std::string log_line(LogFormat format, LogLevel level, int64_t time_ms, std::string_view payload) {
  std::string sentence, fields;
  split(payload, [&](std::string_view field, std::string_view value) {
    if (field.empty()) {
      if (!sentence.empty()) sentence += ' ';
      sentence += value;
    } else if (format == LogFormat::json) {
      fields += ',';
      append_json(fields, field);
      fields += ':';
      append_json(fields, value);
    } else {
      fields += fmt::format(" {}={}", field, value);
    }
  });
  if (format == LogFormat::json) {
    std::string out =
        fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"message\":", time_text(time_ms), name(level));
    append_json(out, sentence);
    return out + fields + "}";
  }
  for (auto& c : sentence) {
    if (is_control(c)) c = ' ';
  }
  return fmt::format("{} {} {}{}", time_text(time_ms), name(level), sentence, fields);
}

void start_log(LogFormat format, LogLevel level) {
  spdlog::set_formatter(std::make_unique<LineFormatter>(format));
  spdlog::set_level(spdlog_level(level));
}

bool logs(LogLevel level) {
  return spdlog::should_log(spdlog_level(level));
}

void log_fields(LogLevel level, std::string_view sentence, std::initializer_list<LogField> fields) {
  if (!logs(level)) return;
  std::string payload(sentence);
  for (const auto& field : fields) {
    payload += '\t';
    payload += field.name;
    payload += '=';
    for (const char c : field.value.substr(0, value_bytes_max)) {
      payload += c > 0x20 && c < 0x7f ? c : '?';
    }
  }
  spdlog::log(spdlog_level(level), "{}", payload);
}

}  // namespace tidings::base
