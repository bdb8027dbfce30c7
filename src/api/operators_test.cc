#include "api/operators.h"

#include <gtest/gtest.h>

namespace tidings::api {
namespace {

class OperatorsTest : public testing::Test {
 protected:
  net::HttpResponse ask(std::string method, std::string path, net::HttpHeaders headers = {},
                        std::string peer = "127.0.0.1") {
    net::HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.headers = std::move(headers);
    request.peer = std::move(peer);
    net::HttpResponse got;
    operators_.on_request(std::move(request),
                          [&got](net::HttpResponse response) { got = std::move(response); });
    return got;
  }

  base::Registry registry_;
  bool ready_ = true;
  Operators operators_{{registry_, "a token of operators", [this] { return ready_; }}};
};

TEST_F(OperatorsTest, TellsMetricsAndWhetherItIsWell) {
  registry_.counter("tidings_some_total", "Some.").add(3);
  const auto metrics = ask("GET", "/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_NE(metrics.body.find("tidings_some_total 3"), std::string::npos);
  EXPECT_EQ(ask("GET", "/livez").status, 200);
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
  ready_ = false;
  EXPECT_EQ(ask("GET", "/readyz").status, 503);
  EXPECT_EQ(ask("GET", "/livez").status, 200);
}

TEST_F(OperatorsTest, HasNothingElse) {
  EXPECT_EQ(ask("GET", "/v1/me").status, 404);
  EXPECT_EQ(ask("POST", "/metrics").status, 405);
}

TEST_F(OperatorsTest, OthersThanThisMachineNeedTheToken) {
  EXPECT_EQ(ask("GET", "/metrics", {}, "192.0.2.1").status, 403);
  EXPECT_EQ(ask("GET", "/metrics", {{"X-Forwarded-For", "192.0.2.1"}}).status, 403);
  EXPECT_EQ(ask("GET", "/metrics", {{"Authorization", "Bearer wrong"}}, "192.0.2.1").status, 403);
  EXPECT_EQ(ask("GET", "/metrics", {{"Authorization", "Bearer a token of operators"}}, "192.0.2.1").status,
            200);
}

}  // namespace
}  // namespace tidings::api
