#include "base/metrics.h"

#include <gtest/gtest.h>

namespace tidings::base {
namespace {

using std::chrono::microseconds;

TEST(Histogram, EveryTimeStandsInTheFirstBucketThatIsNotBelowIt) {
  for (uint64_t us = 0; us < 200'000; us += 1 + us / 500) {
    for (const uint64_t ns : {us * 1000, us * 1000 + 1, us * 1000 + 999}) {
      const size_t bucket = Histogram::bucket_of(ns);
      ASSERT_LE(ns, Histogram::upper_us(bucket) * 1000) << ns;
      if (bucket > 0) ASSERT_GT(ns, Histogram::upper_us(bucket - 1) * 1000) << ns;
    }
  }
  EXPECT_EQ(Histogram::bucket_of(16'000), 0u);
  EXPECT_EQ(Histogram::bucket_of(16'001), 1u);
  EXPECT_EQ(Histogram::bucket_of(UINT64_MAX), Histogram::bucket_count - 1);
}

TEST(Histogram, CountsAndSums) {
  Histogram histogram;
  histogram.observe(microseconds(20));
  histogram.observe(microseconds(20));
  histogram.observe(seconds(100));
  histogram.observe(nanoseconds(-5));
  EXPECT_EQ(histogram.count(), 4u);
  EXPECT_EQ(histogram.sum(), seconds(100) + microseconds(40));
  EXPECT_EQ(histogram.in_bucket(1), 2u);
  EXPECT_EQ(histogram.in_bucket(Histogram::bucket_count - 1), 1u);
}

TEST(GaugePart, AddsUpAndGoesBack) {
  Gauge gauge;
  GaugePart one(gauge);
  one.set(5);
  {
    GaugePart other(gauge);
    other.set(7);
    one.set(2);
    EXPECT_EQ(gauge.value(), 9);
  }
  EXPECT_EQ(gauge.value(), 2);
}

TEST(Registry, TheSameNameIsTheSameMetric) {
  Registry registry;
  registry.counter("a_total", "What a is.").add(2);
  EXPECT_EQ(registry.counter("a_total").value(), 2u);
  registry.counter("b_total{code=\"busy\"}").add();
  EXPECT_EQ(registry.values().at("b_total{code=\"busy\"}"), 1);
}

TEST(Registry, TheExpositionHasEachFamilyOnce) {
  Registry registry;
  registry.counter("t_refused_total{code=\"busy\"}", "Refused.").add(3);
  registry.counter("t_refused_total{code=\"limit\"}", "Refused.");
  registry.gauge("t_refused", "Not the same family.").set(-1);
  EXPECT_EQ(registry.exposition(),
            "# HELP t_refused Not the same family.\n# TYPE t_refused gauge\nt_refused -1\n"
            "# HELP t_refused_total Refused.\n# TYPE t_refused_total counter\n"
            "t_refused_total{code=\"busy\"} 3\nt_refused_total{code=\"limit\"} 0\n");
}

TEST(Registry, AHistogramIsCumulativeAndEndsWithInf) {
  Registry registry;
  auto& took = registry.histogram("t_seconds", "How long.");
  took.observe(microseconds(10));
  took.observe(microseconds(30));
  took.observe(seconds(60));
  const std::string text = registry.exposition();
  EXPECT_NE(text.find("# TYPE t_seconds histogram\nt_seconds_bucket{le=\"1.6e-05\"} 1\n"
                      "t_seconds_bucket{le=\"2.4e-05\"} 1\nt_seconds_bucket{le=\"3.2e-05\"} 2\n"),
            text.npos)
      << text;
  EXPECT_NE(text.find("t_seconds_bucket{le=\"+Inf\"} 3\nt_seconds_sum 60.00004\nt_seconds_count 3\n"),
            text.npos)
      << text;
}

}  // namespace
}  // namespace tidings::base
