// What the tests of frames share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wire/frames.h"

namespace tidings::wire {

inline const model::ConversationId conversation{*model::parse_uuid("0198f000-0000-8000-8000-00000000abcd")};
inline const model::ClientId client_id{*model::parse_uuid("0198f0aa-0000-7000-8000-000000000001")};
inline const model::ClientId other_client_id{*model::parse_uuid("0198f0aa-0000-7000-8000-000000000002")};

inline const std::string send_head =
    R"({"type":"message.send","request":5,"conversation":"0198f000-0000-8000-8000-00000000abcd",)"
    R"("client_id":"0198f0aa-0000-7000-8000-000000000001",)";

template <class T>
T client_one(std::string_view text) {
  auto parsed = parse_client_frames(text);
  EXPECT_EQ(parsed.frames.size(), 1u) << text;
  if (parsed.frames.size() != 1 || !parsed.frames[0].ok() || !std::holds_alternative<T>(*parsed.frames[0])) {
    ADD_FAILURE() << text << (parsed.frames[0].ok() ? "" : parsed.frames[0].error().detail);
    return T{};
  }
  return std::get<T>(*parsed.frames[0]);
}

template <class T>
T server_one(std::string_view text) {
  auto parsed = parse_server_frames(text);
  EXPECT_EQ(parsed.frames.size(), 1u) << text;
  if (parsed.frames.size() != 1 || !parsed.frames[0].ok() || !std::holds_alternative<T>(*parsed.frames[0])) {
    ADD_FAILURE() << text << (parsed.frames[0].ok() ? "" : parsed.frames[0].error().detail);
    return T{};
  }
  return std::get<T>(*parsed.frames[0]);
}

inline FrameProblem problem_of(std::string_view text) {
  auto parsed = parse_client_frames(text);
  if (parsed.frames.empty() || parsed.frames.back().ok()) {
    ADD_FAILURE() << "taken: " << text.substr(0, 200);
    return {};
  }
  return parsed.frames.back().error();
}

inline model::Event event_with(decltype(model::Event::body) body) {
  return {conversation, {122},     {98},           {183746529384612864}, base::wall_from_ms(1795300000123),
          {42},         client_id, std::move(body)};
}
inline std::vector<model::Event> all_events() {
  std::vector<model::Event> events;
  for (decltype(model::Event::body) body : std::initializer_list<decltype(model::Event::body)>{
           model::ConversationCreated{model::ConversationKind::direct, {{42}, {43}}},
           model::ConversationCreated{
               model::ConversationKind::group, {{42}}, "Gr\"\xc3\xbc\xc3\x9f", model::History::all},
           model::MessageCreated{{model::MessageKind::text, "hel\"lo"}},
           model::ConversationUpdated{"new", model::History::joining},
           model::ConversationUpdated{"", std::nullopt},
           model::ConversationUpdated{std::nullopt, model::History::all}, model::MembersAdded{{{43}, {44}}},
           model::MemberRemoved{{43}}, model::MemberLeft{{42}, std::nullopt},
           model::MemberLeft{{42}, model::UserId{43}}, model::RoleChanged{{43}, model::Role::admin},
           model::ConversationListed{conversation, model::ConversationKind::group, false},
           model::BlockSet{{43}, true}, model::BlockSet{{43}, false}}) {
    events.push_back(event_with(std::move(body)));
    events.push_back(events.back());
    events.back().client_id = {};
  }
  return events;
}
inline PageFrame big_page() {
  PageFrame page;
  page.request = 6;
  page.conversation = conversation;
  page.holes = {{{3}, {4}, model::HoleReason::retention}};
  page.from = {2};
  page.upto = {4};
  page.head = {9};
  page.asof = {9};
  page.more = true;
  page.earlier = true;
  page.marks = {{{42}, {2}, {3}}};
  page.mark_count = 11;
  page.counts = {{{7}, 1, 30}, {{9}, 0, 2}};
  page.members = 40;
  return page;
}

}  // namespace tidings::wire
