// What every workload prints: a table for people with the figure in its last line, or with --json one object
// on one line.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <sys/utsname.h>

namespace tidings::bench {

// The fields of one JSON object, in the order in which they were added.
class Object {
 public:
  Object& text(std::string_view name, std::string_view value) {
    std::string quoted = "\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') quoted.push_back('\\');
      quoted.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
    }
    return raw(name, quoted + '"');
  }
  Object& number(std::string_view name, double value) {
    return raw(name, std::isfinite(value) ? fmt::format("{:.6g}", value) : "null");
  }
  Object& count(std::string_view name, uint64_t value) { return raw(name, std::to_string(value)); }
  Object& list(std::string_view name, const std::vector<Object>& objects) {
    std::string all;
    for (const Object& object : objects) all += (all.empty() ? "" : ",") + object.json();
    return raw(name, "[" + all + "]");
  }
  std::string json() const { return "{" + fields_ + "}"; }

 private:
  Object& raw(std::string_view name, const std::string& value) {
    fields_ += fmt::format("{}\"{}\":{}", fields_.empty() ? "" : ",", name, value);
    return *this;
  }
  std::string fields_;
};

// "x86_64, 2 cores, Linux 6.1.0"
inline std::string machine() {
  utsname about{};
  ::uname(&about);
  return fmt::format("{}, {} cores, {} {}", about.machine, std::thread::hardware_concurrency(), about.sysname,
                     about.release);
}

// NaN of nothing.
inline double percentile(std::vector<double>& values, double percent) {
  if (values.empty()) return std::nan("");
  const auto at = static_cast<size_t>(static_cast<double>(values.size() - 1) * percent / 100);
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(at), values.end());
  return values[at];
}

// The object that a workload ends with: its figure, the raw reference of the same run, and their ratio.
inline Object figure(std::string_view workload, double value, std::string_view unit, double reference) {
  Object out;
  out.text("workload", workload).number("value", value).text("unit", unit).number("reference", reference);
  out.number("ratio", value / reference).text("machine", machine());
  return out;
}

}  // namespace tidings::bench
