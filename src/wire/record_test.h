// One of each kind, for the tests of records and of events.
#pragma once

#include <vector>

#include <gtest/gtest.h>

#include "wire/record.h"

namespace tidings::wire {

using namespace model;

inline ConversationId conversation() {
  return direct_conversation({7}, {9});
}

inline Command create_command() {
  return {.user = {7},
          .device = {~uint64_t{0} >> 1},
          .reply_to = {.gateway = 0xABCDEF0123456789, .session = 300, .request = 70000, .errors_only = true},
          .conversation = conversation(),
          .client_id = {uuid_v7(base::wall_from_ms(1795300000123), 11, 12)},
          .until = base::wall_from_ms(1795300030123),
          .body = CreateConversation{ConversationKind::direct, {{7}, {9}}}};
}
inline Command send_command() {
  Command command = create_command();
  command.reply_to.errors_only = false;
  command.body = SendMessage{{MessageKind::text, std::string("h\0llo, gr\xc3\xbc\xc3\x9f", 13)},
                             ClientId{uuid_v7(base::wall_from_ms(1795300000000), 1, 2)}};
  return command;
}
inline Command with_body(decltype(Command::body) body) {
  Command command = create_command();
  command.body = std::move(body);
  return command;
}
inline std::vector<UserId> people(size_t count) {
  std::vector<UserId> users;
  for (size_t i = 0; i < count; ++i) users.push_back({~uint64_t{0} - i});
  return users;
}
inline const CreateConversation group_create{
    ConversationKind::group, {{7}, {9}, {11}}, "Gr\xc3\xbc\xc3\x9f", History::all};
inline std::vector<Command> commands() {
  Command bare = send_command();
  std::get<SendMessage>(bare.body) = {{MessageKind::text, ""}, std::nullopt};
  return {create_command(),
          send_command(),
          bare,
          with_body(group_create),
          with_body(CreateConversation{ConversationKind::group, {}, "", History::joining}),
          with_body(UpdateConversation{"new", History::all}),
          with_body(UpdateConversation{"", std::nullopt}),
          with_body(UpdateConversation{std::nullopt, History::joining}),
          with_body(AddMembers{people(users_in_record_max)}),
          with_body(AddMembers{}),
          with_body(RemoveMember{{~uint64_t{0}}}),
          with_body(LeaveConversation{}),
          with_body(SetRole{{9}, Role::owner}),
          with_body(SetBlock{{9}, false})};
}
inline std::vector<Record> records() {
  const Marking marking{.user = {7},
                        .reply_to = {.gateway = 1, .session = 300, .request = 5, .errors_only = true},
                        .conversation = conversation(),
                        .read = {1u << 20},
                        .read_ord = {300},
                        .delivered = {~uint64_t{0}},
                        .hidden = true};
  const Effect listing{.conversation = self_conversation({9}),
                       .source = conversation(),
                       .source_position = {1u << 30},
                       .from = {7},
                       .body = Effect::Listing{{9}, ConversationKind::group, false}};
  Effect blocking = listing;
  blocking.body = Effect::Blocking{{9}, {7}, true};
  std::vector<Record> out{
      Lineage{~uint64_t{0}, {1u << 20}, base::wall_from_ms(-5), Lineage::Reason::promotion},
      FoldVersion{3},
      marking,
      Marking{.user = {7}, .conversation = conversation(), .delivered = {1}},
      listing,
      blocking,
      Quarantine{conversation()}};
  for (auto& command : commands()) out.emplace_back(std::move(command));
  return out;
}
inline std::vector<Event> events() {
  Event created{.conversation = conversation(),
                .seq = {1},
                .ord = {0},
                .id = message_id(base::wall_from_ms(1795300000123), {17}, {4097}),
                .time = base::wall_from_ms(1795300000123),
                .from = {7},
                .client_id = create_command().client_id,
                .body = ConversationCreated{ConversationKind::direct, {{7}, {9}}}};
  Event said = created;
  said.seq = {300};
  said.ord = {200};
  said.id = {~uint64_t{0}};
  said.time = base::wall_from_ms(INT64_MIN);  // far from its id: still kept as it is
  said.body = MessageCreated{{MessageKind::text, std::string(5000, 'x')}};
  std::vector<Event> out{created, said};
  for (decltype(Event::body) body : std::initializer_list<decltype(Event::body)>{
           ConversationCreated{ConversationKind::group, people(1024), "Gr\xc3\xbc\xc3\x9f", History::all},
           ConversationUpdated{"new", History::joining}, ConversationUpdated{std::nullopt, History::all},
           ConversationUpdated{"", std::nullopt}, MembersAdded{{{1}, {2}}}, MemberRemoved{{1}},
           MemberLeft{{1}, UserId{2}}, MemberLeft{{1}, std::nullopt}, RoleChanged{{1}, Role::admin},
           ConversationListed{conversation(), ConversationKind::group, true}, BlockSet{{1}, true}}) {
    Event event = created;
    event.seq = {out.back().seq.value + 1};
    event.client_id = {};
    event.body = std::move(body);
    out.push_back(std::move(event));
  }
  return out;
}
inline base::Bytes chunk_of(const std::vector<Event>& list) {
  base::Bytes bytes;
  for (const auto& event : list) append_event(bytes, event);
  return bytes;
}
inline std::vector<FeedRow> feed() {
  return {{{1u << 30}, conversation(), {300}, 1}, {{~uint64_t{0}}, self_conversation({9}), {1}, 9}};
}
inline constexpr Step step{base::wall_from_ms(1795300000123), {300}, {301}};
inline std::vector<Lineage> lineages() {
  return {{1, {0}, base::epoch, Lineage::Reason::start}, {2, {8192}, base::epoch, Lineage::Reason::restore}};
}

}  // namespace tidings::wire
