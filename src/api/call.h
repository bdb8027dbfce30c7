// One HTTP request on its way to its answer.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "account/service.h"
#include "net/http.h"
#include "wire/codes.h"
#include "wire/json_reader.h"

namespace tidings::api {

// problem+json; `status` 0: the code's own. `detail` "": the code's sentence.
net::HttpResponse problem_response(const wire::Problem& problem, int status = 0);

class Call {
 public:
  Call(net::HttpRequest request, net::HttpReply reply, std::string request_id)
      : request_(std::move(request)), reply_(std::move(reply)), request_id_(std::move(request_id)) {}

  const net::HttpRequest& request() const { return request_; }
  // What stood for the {…} of the route, in order.
  const std::string& parameter(size_t index) const { return parameters_[index]; }
  void set_parameters(std::vector<std::string> parameters) { parameters_ = std::move(parameters); }
  // Who asks; on routes that need a log-in.
  const account::Identity& who() const { return who_; }
  void set_who(account::Identity who) { who_ = who; }
  // Behind "Bearer"; "" if there is none.
  std::string token() const;

  // The body as an object; nullopt: it was none, and the call is refused. The fields live until the next JSON
  // is parsed on this thread.
  std::optional<wire::Fields> body(size_t depth_max);

  // Each call is answered once; a second answer is dropped.
  void answer(int status, std::string json);
  void answer_empty(int status);
  void refuse(const wire::Problem& problem, int status = 0, net::HttpHeaders headers = {});

 private:
  void reply(net::HttpResponse response);

  net::HttpRequest request_;
  net::HttpReply reply_;
  std::string request_id_;
  std::vector<std::string> parameters_;
  account::Identity who_;
};
// Shared by the callbacks that may answer it.
using CallPtr = std::shared_ptr<Call>;

}  // namespace tidings::api
