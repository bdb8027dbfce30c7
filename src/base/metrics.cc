#include "base/metrics.h"

#include <algorithm>

#include <fmt/format.h>

namespace tidings::base {

namespace {

std::string_view family_of(std::string_view name) {
  return name.substr(0, name.find('{'));
}

void write_head(std::string& out, std::string_view family, std::string_view help, std::string_view type) {
  if (!help.empty()) fmt::format_to(std::back_inserter(out), "# HELP {} {}\n", family, help);
  fmt::format_to(std::back_inserter(out), "# TYPE {} {}\n", family, type);
}

// `labels` with one more: {a="b"} and c="d" → {a="b",c="d"}.
std::string labels_and(std::string_view labels, const std::string& more) {
  if (labels.empty()) return "{" + more + "}";
  return std::string(labels.substr(0, labels.size() - 1)) + "," + more + "}";
}

void write_histogram(std::string& out, std::string_view family, std::string_view labels,
                     const Histogram& histogram) {
  auto to = std::back_inserter(out);
  uint64_t below = 0;  // a sum of its own: what is observed meanwhile must not make it inconsistent
  for (size_t i = 0; i < Histogram::bucket_count; ++i) {
    below += histogram.in_bucket(i);
    const bool last = i + 1 == Histogram::bucket_count;
    const std::string bound =
        last ? "+Inf" : fmt::format("{}", static_cast<double>(Histogram::upper_us(i)) / 1e6);
    fmt::format_to(to, "{}_bucket{} {}\n", family, labels_and(labels, "le=\"" + bound + "\""), below);
  }
  fmt::format_to(to, "{}_sum{} {}\n", family, labels, static_cast<double>(histogram.sum().count()) / 1e9);
  fmt::format_to(to, "{}_count{} {}\n", family, labels, below);
}

}  // namespace

uint64_t Histogram::count() const {
  uint64_t n = 0;
  for (const auto& bucket : buckets_) n += bucket.load(std::memory_order_relaxed);
  return n;
}

template <class Metric>
Metric& Registry::get(Families<Metric>& families, std::string_view name, std::string_view help) {
  const auto family_name = family_of(name);
  auto& family = families[std::string(family_name)];
  if (family.help.empty()) family.help = help;
  return family.members[std::string(name.substr(family_name.size()))];
}

Counter& Registry::counter(std::string_view name, std::string_view help) {
  MutexLock lock(mutex_);
  return get(counters_, name, help);
}

Gauge& Registry::gauge(std::string_view name, std::string_view help) {
  MutexLock lock(mutex_);
  return get(gauges_, name, help);
}

Histogram& Registry::histogram(std::string_view name, std::string_view help) {
  MutexLock lock(mutex_);
  return get(histograms_, name, help);
}

std::map<std::string, int64_t> Registry::values() const {
  MutexLock lock(mutex_);
  std::map<std::string, int64_t> out;
  const auto add = [&out](const auto& families, const auto& value) {
    for (const auto& [name, family] : families) {
      for (const auto& [labels, metric] : family.members)
        out[name + labels] = static_cast<int64_t>(value(metric));
    }
  };
  add(counters_, [](const Counter& counter) { return counter.value(); });
  add(gauges_, [](const Gauge& gauge) { return gauge.value(); });
  add(histograms_, [](const Histogram& histogram) { return histogram.count(); });
  return out;
}

std::string Registry::exposition() const {
  MutexLock lock(mutex_);
  std::map<std::string_view, std::string> texts;  // by family
  const auto add = [&texts](const auto& families, std::string_view type, const auto& write) {
    for (const auto& [name, family] : families) {
      auto& text = texts[name];
      write_head(text, name, family.help, type);
      for (const auto& [labels, metric] : family.members) write(text, name, labels, metric);
    }
  };
  const auto write_value = [](std::string& out, const std::string& name, const std::string& labels,
                              const auto& metric) {
    fmt::format_to(std::back_inserter(out), "{}{} {}\n", name, labels, metric.value());
  };
  add(counters_, "counter", write_value);
  add(gauges_, "gauge", write_value);
  add(histograms_, "histogram", write_histogram);
  std::string out;
  for (const auto& [name, text] : texts) out += text;
  return out;
}

}  // namespace tidings::base
