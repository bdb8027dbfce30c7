#include "api/answers.h"

#include "api/time_text.h"
#include "gateway/answers.h"
#include "wire/frame_words.h"
#include "wire/page_json.h"

namespace tidings::api {

using gateway::SendAnswer;

std::function<void(wire::Answer<SendAnswer>)> answer_with(const CallPtr& call, Outcome outcome) {
  return [call, outcome](wire::Answer<SendAnswer> made) {
    if (!made) return call->refuse(made.error());
    std::string out;
    wire::JsonWriter json(out);
    json.begin_object().key("conversation").string(model::to_text(made->conversation));
    json.key("seq").number(made->seq.value).key("ord").number(made->ord.value);
    json.key("id").string(model::to_text(made->id));
    if (outcome != Outcome::created) json.key("time").string(time_text(made->time));
    json.key("client_id").string(model::to_text(made->client_id));
    if (made->duplicate) json.key("duplicate").boolean(true);
    json.end_object();
    call->answer(made->duplicate || outcome == Outcome::changed ? 200 : 201, std::move(out));
  };
}

std::function<void(wire::Answer<SendAnswer>)> answer_empty_with(const CallPtr& call) {
  return [call](wire::Answer<SendAnswer> done) {
    if (!done) return call->refuse(done.error());
    call->answer_empty(204);
  };
}

std::function<void(wire::Answer<ports::Page>)> answer_page_with(const CallPtr& call) {
  return [call](wire::Answer<ports::Page> page) {
    if (!page) return call->refuse(page.error());
    std::string out;
    wire::JsonWriter json(out);
    json.begin_object();
    wire::write_page(json, gateway::page_frame(*page), page->events);
    json.end_object();
    call->answer(200, std::move(out));
  };
}

void write_conversation(wire::JsonWriter& json, const ports::SyncRow& row) {
  json.begin_object().key("conversation").string(model::to_text(row.conversation));
  json.key("kind").string(wire::word(row.kind)).key("title").string(row.title);
  json.key("head").number(row.head.value).key("head_id").string(model::to_text(row.head_id));
  json.key("ord").number(row.ord.value).key("role").string(wire::word(row.role));
  json.key("left").boolean(row.left).key("members").number(row.members);
  json.key("read_ord").number(row.read_ord.value).key("unread").number(row.unread).end_object();
}

void write_conversations(wire::JsonWriter& json, const std::vector<ports::SyncRow>& rows) {
  json.key("conversations").begin_array();
  for (const auto& row : rows) write_conversation(json, row);
  json.end_array();
}

}  // namespace tidings::api
