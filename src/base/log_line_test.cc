#include "base/log_line.h"

#include <sstream>

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

namespace tidings::base {
namespace {

constexpr int64_t time_ms = 1'795'300'000'123;

TEST(LogLine, TextIsOneLineWithItsFields) {
  EXPECT_EQ(
      log_line(LogFormat::text, LogLevel::warning, time_ms, "the disk is slow\tcode=busy\trequest_id=a-1"),
      "2026-11-21T22:26:40.123Z warning the disk is slow code=busy request_id=a-1");
  EXPECT_EQ(log_line(LogFormat::text, LogLevel::info, time_ms, "two\nlines\rin one"),
            "2026-11-21T22:26:40.123Z info two lines in one");
}

TEST(LogLine, JsonIsOneObjectWithItsFields) {
  EXPECT_EQ(
      log_line(LogFormat::json, LogLevel::error, time_ms, "it says \"no\" \\\n\tcode=busy"),
      R"({"time":"2026-11-21T22:26:40.123Z","level":"error","message":"it says \"no\" \\ ","code":"busy"})");
  EXPECT_EQ(log_line(LogFormat::json, LogLevel::debug, time_ms, ""),
            R"({"time":"2026-11-21T22:26:40.123Z","level":"debug","message":""})");
}

TEST(LogLine, ATabInASentenceMakesNoField) {
  EXPECT_EQ(log_line(LogFormat::json, LogLevel::info, time_ms, "a\tb"),
            R"({"time":"2026-11-21T22:26:40.123Z","level":"info","message":"a b"})");
}

class LogTest : public testing::Test {
 protected:
  LogTest() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_st>(out_)));
  }
  ~LogTest() override { spdlog::set_default_logger(before_); }

  std::ostringstream out_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST_F(LogTest, WhatAClientNamesMakesNoSecondLine) {
  start_log(LogFormat::json, LogLevel::info);
  log_fields(LogLevel::info, "refused", {{"method", "GET\n{\"level\":\"error\"}\tcode=x"}});
  EXPECT_NE(out_.str().find(R"("message":"refused","method":"GET?{\"level\":\"error\"}?code=x"})"),
            std::string::npos)
      << out_.str();
}

TEST_F(LogTest, TheLevelDecides) {
  start_log(LogFormat::text, LogLevel::warning);
  log_info("not {}", "this");
  log_fields(LogLevel::debug, "nor this", {});
  EXPECT_FALSE(logs(LogLevel::info));
  EXPECT_EQ(out_.str(), "");
  log_warning("but {}", "this");
  EXPECT_NE(out_.str().find(" warning but this\n"), std::string::npos) << out_.str();
  start_log(LogFormat::text, LogLevel::debug);
  log_fields(LogLevel::debug, "and this", {{"code", "busy"}});
  EXPECT_NE(out_.str().find(" debug and this code=busy\n"), std::string::npos) << out_.str();
}

}  // namespace
}  // namespace tidings::base
