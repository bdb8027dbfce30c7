// What requests carry beside their bodies. Each function refuses the call when it gives nothing.
#pragma once

#include <optional>
#include <string_view>

#include "api/api.h"

namespace tidings::api {

// The client id of a mutation: its Idempotency-Key, or a new one, told in the answer.
std::optional<model::ClientId> client_id_of(const Api::Parts& parts, const CallPtr& call);

// The route's {…} of that index: not_found, since nothing of that name can exist.
std::optional<model::ConversationId> conversation_of(const CallPtr& call, size_t index = 0);
std::optional<model::UserId> user_of(const CallPtr& call, size_t index);
std::optional<model::MessageId> message_of(const CallPtr& call, size_t index);

// The query's number in min..2^53-1, else `otherwise` if it is not there.
std::optional<uint64_t> query_number(const CallPtr& call, std::string_view name, uint64_t min,
                                     uint64_t otherwise);
// `limit`: at most `max`, and that without one.
std::optional<size_t> limit_of(const CallPtr& call, size_t max);

// The people of an array of ids in a body; complains there.
std::vector<model::UserId> users_of(wire::Fields& body, std::string_view name);

}  // namespace tidings::api
