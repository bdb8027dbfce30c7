#include "api/sync_api.h"

#include <array>

#include "api/answers.h"
#include "api/parameters.h"

namespace tidings::api {

using wire::Code;

namespace {

constexpr model::ConversationId last_conversation = [] {
  model::ConversationId id;
  id.bytes.fill(0xff);
  return id;
}();

// Where a sync by REST goes on; clients see it as one word. Valid within one start of the server: whether an
// older one still fits needs the newest event of the client, which REST does not tell.
struct SyncCursor {
  std::string branch;
  std::optional<model::Position> since;      // absent: everything
  std::optional<model::Position> following;  // in the middle of a list: the cursor for after it
  model::ConversationId from;                // and where the list goes on
};

std::string text_of(const SyncCursor& cursor) {
  std::string text = cursor.branch + "." + (cursor.since ? model::to_text(*cursor.since) : "");
  if (cursor.following) text += "." + model::to_text(*cursor.following) + "." + model::to_text(cursor.from);
  return text;
}

std::optional<SyncCursor> parse(std::string_view text) {
  std::array<std::string_view, 4> parts;
  size_t count = 0;
  while (count < parts.size()) {
    const size_t dot = text.find('.');
    parts[count++] = text.substr(0, dot);
    if (dot == text.npos) break;
    if (count == parts.size()) return std::nullopt;
    text.remove_prefix(dot + 1);
  }
  if (count != 2 && count != 4) return std::nullopt;
  SyncCursor cursor{std::string(parts[0]), {}, {}, {}};
  if (!parts[1].empty()) {
    const auto since = model::parse_decimal(parts[1]);
    if (!since) return std::nullopt;
    cursor.since = model::Position{*since};
  }
  if (count == 2) return cursor;
  const auto following = model::parse_decimal(parts[2]);
  const auto from = model::parse_uuid(parts[3]);
  if (!following || !from) return std::nullopt;
  cursor.following = model::Position{*following};
  cursor.from.bytes = *from;
  return cursor;
}

void sync(const Api::Parts& parts, const CallPtr& call) {
  SyncCursor cursor{parts.gateway.branch(), {}, {}, {}};
  if (const auto text = net::query_value(call->request().query, "cursor")) {
    auto given = parse(*text);
    if (!given) return call->refuse({Code::bad_request, "This is no cursor of a sync."});
    if (given->branch != cursor.branch) return call->refuse({Code::reset, ""});
    cursor = std::move(*given);
  }
  const auto limit = limit_of(call, parts.limits.sync_rows_max);
  if (!limit) return;
  parts.gateway.list(call->who().user, cursor.from, last_conversation, cursor.since, *limit,
                     [call, cursor](wire::Answer<ports::SyncRows> rows) {
                       if (!rows) return call->refuse(rows.error());
                       const auto following = cursor.following.value_or(rows->activity);
                       SyncCursor next{cursor.branch, following, {}, {}};
                       if (rows->next) next = {cursor.branch, cursor.since, following, *rows->next};
                       std::string out;
                       wire::JsonWriter json(out);
                       json.begin_object();
                       write_conversations(json, rows->rows);
                       json.key("more").boolean(rows->next.has_value());
                       json.key("next").string(text_of(next)).end_object();
                       call->answer(200, std::move(out));
                     });
}

void show_unread(const Api::Parts& parts, const CallPtr& call) {
  model::ConversationId from;
  if (const auto cursor = net::query_value(call->request().query, "cursor")) {
    const auto uuid = model::parse_uuid(*cursor);
    if (!uuid) return call->refuse({Code::bad_request, "This is no cursor of this list."});
    from.bytes = *uuid;
  }
  parts.gateway.list(call->who().user, from, last_conversation, std::nullopt, parts.limits.sync_rows_max,
                     [call](wire::Answer<ports::SyncRows> rows) {
                       if (!rows) return call->refuse(rows.error());
                       std::string out;
                       wire::JsonWriter json(out);
                       json.begin_object().key("conversations").begin_array();
                       for (const auto& row : rows->rows) {
                         if (row.unread == 0) continue;
                         json.begin_object().key("conversation").string(model::to_text(row.conversation));
                         json.key("unread").number(row.unread).end_object();
                       }
                       json.end_array();
                       if (rows->next) json.key("next_cursor").string(model::to_text(*rows->next));
                       json.end_object();
                       call->answer(200, std::move(out));
                     });
}

}  // namespace

void add_sync_routes(Router& router, const Api::Parts& parts) {
  const auto* p = &parts;
  router.add("GET", "/v1/sync", Login::needed, [p](const CallPtr& call) { sync(*p, call); });
  router.add("GET", "/v1/unread", Login::needed, [p](const CallPtr& call) { show_unread(*p, call); });
}

}  // namespace tidings::api
