#include "api/parameters.h"

#include <algorithm>

namespace tidings::api {

using wire::Code;

namespace {

constexpr size_t idempotency_key_bytes_max = 255;

template <class Id>
std::optional<Id> decimal_parameter(const CallPtr& call, size_t index) {
  const auto number = model::parse_decimal(call->parameter(index));
  if (number) return Id{*number};
  call->refuse({Code::not_found, ""});
  return std::nullopt;
}

}  // namespace

std::optional<model::ClientId> client_id_of(const Api::Parts& parts, const CallPtr& call) {
  const auto* key = net::find_header(call->request().headers, "Idempotency-Key");
  if (!key) {
    const uint64_t high = parts.random.u64();
    return model::ClientId{model::uuid_v7(parts.clock.wall(), high, parts.random.u64())};
  }
  if (key->empty() || key->size() > idempotency_key_bytes_max) {
    call->refuse({Code::bad_request, "An Idempotency-Key has 1 to 255 bytes."});
    return std::nullopt;
  }
  if (const auto uuid = model::parse_uuid(*key)) return model::ClientId{*uuid};
  return model::ClientId{model::uuid_v8(*key)};
}

std::optional<model::ConversationId> conversation_of(const CallPtr& call, size_t index) {
  const auto uuid = model::parse_uuid(call->parameter(index));
  if (uuid) return model::ConversationId{*uuid};
  call->refuse({Code::not_found, ""});
  return std::nullopt;
}

std::optional<model::UserId> user_of(const CallPtr& call, size_t index) {
  return decimal_parameter<model::UserId>(call, index);
}

std::optional<model::MessageId> message_of(const CallPtr& call, size_t index) {
  return decimal_parameter<model::MessageId>(call, index);
}

std::optional<uint64_t> query_number(const CallPtr& call, std::string_view name, uint64_t min,
                                     uint64_t otherwise) {
  const auto text = net::query_value(call->request().query, name);
  if (!text) return otherwise;
  const auto number = model::parse_decimal(*text);
  if (number && *number >= min && *number < wire::json_number_end) return number;
  call->refuse({Code::bad_request, std::string(name) + " is not a whole number in its range."});
  return std::nullopt;
}

std::optional<size_t> limit_of(const CallPtr& call, size_t max) {
  const auto limit = query_number(call, "limit", 1, max);
  if (!limit) return std::nullopt;
  return static_cast<size_t>(std::min<uint64_t>(*limit, max));
}

std::vector<model::UserId> users_of(wire::Fields& body, std::string_view name) {
  std::vector<model::UserId> users;
  const auto array = body.array(name);
  if (!array) return users;
  for (const wire::JsonValue value : *array) {
    const auto user = wire::decimal_of<model::UserId>(value);
    if (!user) body.complain(name, "has something that is not a person's id");
    users.push_back(user.value_or(model::UserId{}));
  }
  return users;
}

}  // namespace tidings::api
