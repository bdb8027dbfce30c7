// Who is attached where: the links to gateways and, per person, the gateways where that person has a session.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "base/metrics.h"
#include "fold/state.h"
#include "model/conversation.h"
#include "ports/link.h"

namespace tidings::delivery {

class Registry {
 public:
  Registry(const base::Limits& limits, base::Registry& metrics);

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
  // Who hears the messages of a group, and up to which one that is known.
  struct Audience {
    model::ConversationId conversation;
    model::Seq upto;
    uint64_t version = 0;
    std::vector<std::vector<model::UserId>> people;  // per gateway
  };
  bool gather(model::UserId user);
  // Into people_; false: nobody.
  bool gather_members(const model::Event& event, const fold::ConversationState& state);
  bool gather_known(const model::Event& event);
  void remember(const model::Event& event);

  const base::Limits& limits_;
  std::vector<Gateway> gateways_;
  std::unordered_map<model::UserId, std::vector<uint32_t>> attached_;  // indices into gateways_
  uint64_t version_ = 1;  // another one whenever anybody was attached or detached
  std::vector<Audience> audiences_;
  base::GaugePart audiences_gauge_;
  size_t audience_next_ = 0;                        // to be forgotten
  std::vector<std::vector<model::UserId>> people_;  // scratch: per gateway, whom a frame goes to
};

}  // namespace tidings::delivery
