// Who is attached where: the links to gateways and, per person, the gateways where that person has a session.
// Turns the fold's output into Link frames.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "fold/state.h"
#include "model/conversation.h"
#include "ports/link.h"

namespace tidings::delivery {

class Registry {
 public:
  void add_link(uint64_t gateway, ports::LinkToGateway& link);
  void attach(uint64_t gateway, model::UserId user);
  void detach(uint64_t gateway, model::UserId user);

  // To the gateway that asked, if it still is there.
  void send(uint64_t gateway, ports::DownFrame frame);
  // To every gateway with a session of one of these people, once each. The session in `except` gets the reply
  // instead.
  void send_event(const model::Event& event, const std::vector<fold::Member>& members,
                  const model::ReplyTo& except);

 private:
  struct Gateway {
    uint64_t id;
    ports::LinkToGateway* link;
  };
  std::vector<Gateway> gateways_;
  std::unordered_map<model::UserId, std::vector<uint32_t>> attached_;  // indices into gateways_
  std::vector<std::vector<model::UserId>> people_;  // scratch: per gateway, whom an event goes to
};

}  // namespace tidings::delivery
