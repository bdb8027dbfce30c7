// A bare session: shows the welcome, and the answer to one message as it is, code and all. A client would try
// again and say nothing.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "client/cpp/client.h"
#include "net/reactor.h"
#include "wire/frames.h"

namespace tidings::faults {

class Probe : ports::Transport::Handler {
 public:
  Probe(client::Address address, client::LogIn log_in);
  ~Probe() override;

  // Each blocks at most so long.
  std::optional<wire::Welcome> welcome(base::nanoseconds at_most);
  // "ok", the code's name, or "no answer".
  std::string send(model::UserId to, const std::string& text, base::nanoseconds at_most);

 private:
  void on_frame(std::string_view text) override;
  void on_closed(uint16_t code, std::string_view reason) override;

  const client::LogIn log_in_;
  net::Reactor reactor_;
  std::unique_ptr<ports::Transport> transport_;
  std::promise<wire::Welcome> welcome_;
  std::map<uint64_t, std::promise<std::string>> answers_;
  uint64_t request_ = 0;
  bool welcomed_ = false;
};

}  // namespace tidings::faults
