// Log lines for operators: one line, plain words, never content, never a token. As text, or one JSON object
// each for programs. Beside the sentence a line may have fields: request_id, code.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

namespace tidings::base {

enum class LogFormat { text, json };
enum class LogLevel { debug, info, warning, error };

// How lines of this process look from now on, and which are written. Without it text, from info on. Call it
// before there are threads.
void start_log(LogFormat format, LogLevel level);
bool logs(LogLevel level);

struct LogField {
  std::string_view name;
  std::string_view value;  // what is not printable in it becomes '?'
};
void log_fields(LogLevel level, std::string_view sentence, std::initializer_list<LogField> fields);

template <class... Args>
void log_info(spdlog::format_string_t<Args...> format, Args&&... args) {
  spdlog::info(format, std::forward<Args>(args)...);
}
template <class... Args>
void log_warning(spdlog::format_string_t<Args...> format, Args&&... args) {
  spdlog::warn(format, std::forward<Args>(args)...);
}
template <class... Args>
void log_error(spdlog::format_string_t<Args...> format, Args&&... args) {
  spdlog::error(format, std::forward<Args>(args)...);
}

// A line without its end, for tests of it: `payload` is the sentence, then "\tname=value" for each field.
std::string log_line(LogFormat format, LogLevel level, int64_t time_ms, std::string_view payload);

}  // namespace tidings::base
