// What the gateway answers, as the JSON of REST.
#pragma once

#include <functional>

#include "api/api.h"
#include "wire/json_writer.h"

namespace tidings::api {

// What becomes of a command: 201 for something `made`, 200 if it was there already and for everything else.
// The time stands in answers of all but a create.
enum class Outcome { created, sent, changed };
std::function<void(wire::Answer<gateway::SendAnswer>)> answer_with(const CallPtr& call, Outcome outcome);
// 204, for what has nothing to tell.
std::function<void(wire::Answer<gateway::SendAnswer>)> answer_empty_with(const CallPtr& call);
// The page as frames have it.
std::function<void(wire::Answer<ports::Page>)> answer_page_with(const CallPtr& call);

// A conversation as lists and syncs show it, into an array or object that is open.
void write_conversation(wire::JsonWriter& json, const ports::SyncRow& row);
void write_conversations(wire::JsonWriter& json, const std::vector<ports::SyncRow>& rows);

}  // namespace tidings::api
