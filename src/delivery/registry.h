// Who is attached where: the links to gateways and, per person, the gateways where that person has a session.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "fold/state.h"
#include "model/conversation.h"
#include "ports/link.h"

namespace tidings::delivery {

class Registry {
 public:
  void add_link(uint64_t gateway, ports::LinkToGateway& link);
  // With all who are attached there. Its place serves the next link.
  void remove_link(uint64_t gateway);
  void attach(uint64_t gateway, model::UserId user);
  void detach(uint64_t gateway, model::UserId user);
  bool is_attached(model::UserId user) const { return attached_.contains(user); }

  // To the gateway that asked, if it still is there.
  void send(uint64_t gateway, ports::DownFrame frame);
  // To every gateway with a session of a member, once each; and of those whom the event itself made none. The
  // session in `except` gets the reply instead.
  void send_event(const model::Event& event, const fold::ConversationState& state,
                  const model::ReplyTo& except, base::MonotonicTime folded);
  // To every gateway with a session of one of these people; `make` gives the frame without its people.
  void send_receipt(const std::vector<model::UserId>& people, const std::function<ports::ReceiptOut()>& make);

 private:
  struct Gateway {
    uint64_t id;
    ports::LinkToGateway* link;  // nullptr: a place that is free
  };
  bool gather(model::UserId user);

  std::vector<Gateway> gateways_;
  std::unordered_map<model::UserId, std::vector<uint32_t>> attached_;  // indices into gateways_
  std::vector<std::vector<model::UserId>> people_;  // scratch: per gateway, whom a frame goes to
};

}  // namespace tidings::delivery
