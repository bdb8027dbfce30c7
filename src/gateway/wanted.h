// Commands as people ask for them, by frame or by REST, made into what the core is told. Checked here is what
// needs no conversation: shapes, sizes, and who must exist. Everything else the fold decides.
#pragma once

#include <vector>

#include "base/limits.h"
#include "model/record.h"
#include "wire/frames.h"

namespace tidings::gateway {

struct Wanted {
  model::ConversationId conversation;
  model::ClientId client_id;
  decltype(model::Command::body) body;
  std::vector<model::UserId> must_exist;  // looked up in accounts before the command is handed over
};

wire::Answer<Wanted> want(const base::Limits& limits, model::UserId who, wire::ConversationCreate&& create);
wire::Answer<Wanted> want(const base::Limits& limits, model::UserId who, wire::ConversationUpdate&& update);
wire::Answer<Wanted> want(const base::Limits& limits, model::UserId who, wire::ConversationLeave&& leave);
wire::Answer<Wanted> want(const base::Limits& limits, model::UserId who, wire::MemberAdd&& add);
wire::Answer<Wanted> want(const base::Limits& limits, model::UserId who, wire::MemberRemove&& remove);
wire::Answer<Wanted> want(const base::Limits& limits, model::UserId who, wire::MemberRole&& role);
wire::Answer<Wanted> want(const base::Limits& limits, model::UserId who, wire::BlockFrame&& block);

}  // namespace tidings::gateway
