// One HTTP request on its way to its answer.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "account/service.h"
#include "api/metrics.h"
#include "gateway/rates.h"
#include "net/http.h"
#include "wire/codes.h"
#include "wire/json_reader.h"

namespace tidings::api {

// problem+json; `status` 0: the code's own. `detail` "": the code's sentence. X-Request-Id is not in it.
net::HttpResponse problem_response(const wire::Problem& problem, std::string_view request_id, int status = 0);

// Behind "Bearer" in the header Authorization; "" if there is none.
std::string bearer_of(const net::HttpRequest& request);

class Call {
 public:
  // The asker's own X-Request-Id is kept if it is one (1 to 64 of A-Z a-z 0-9 - _ .), else `request_id`.
  Call(net::HttpRequest request, net::HttpReply reply, std::string request_id, Metrics& metrics,
       std::weak_ptr<bool> api);
  ~Call();

  const net::HttpRequest& request() const { return request_; }
  // What stood for the {…} of the route, in order.
  const std::string& parameter(size_t index) const { return parameters_[index]; }
  void set_parameters(std::vector<std::string> parameters) { parameters_ = std::move(parameters); }
  // Who asks; on routes that need a log-in.
  const account::Identity& who() const { return who_; }
  void set_who(account::Identity who) { who_ = who; }
  // The pattern of its route, for log lines: the path itself may name somebody.
  void set_route(std::string_view pattern) { route_ = pattern; }
  // What a rate said: the answer will tell it. False: it is refused. Budgets of addresses are told until
  // there is one of the asker's own.
  bool admit(const gateway::Rates::Asked& asked);
  void tell(const gateway::Budget& budget) { budgets_.push_back(budget); }
  void forget_budgets() { budgets_.clear(); }
  std::string token() const { return bearer_of(request_); }

  // The body as an object; nullopt: it was none, and the call is refused. The fields live until the next JSON
  // is parsed on this thread.
  std::optional<wire::Fields> body(size_t depth_max);

  // Each call is answered once; a second answer is dropped.
  void answer(int status, std::string json);
  void answer_text(std::string content_type, std::string text);
  void answer_empty(int status);
  void refuse(const wire::Problem& problem, int status = 0, net::HttpHeaders headers = {});

 private:
  void reply(net::HttpResponse response);

  net::HttpRequest request_;
  net::HttpReply reply_;
  const std::string request_id_;
  Metrics& metrics_;
  const std::weak_ptr<bool> api_;  // whose metrics they are; who waits for a gateway may outlive it
  std::string route_ = "-";
  std::vector<gateway::Budget> budgets_;
  std::vector<std::string> parameters_;
  account::Identity who_;
};
// Shared by the callbacks that may answer it.
using CallPtr = std::shared_ptr<Call>;

}  // namespace tidings::api
