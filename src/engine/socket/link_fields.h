// Of how many fields the values of Link frames are made (value_bytes.h).
#pragma once

#include "engine/socket/value_bytes.h"
#include "ports/link.h"

namespace tidings::socket {

template <>
inline constexpr std::pair<uint8_t, uint8_t> enum_range<model::ConversationKind>{1, 3};
template <>
inline constexpr std::pair<uint8_t, uint8_t> enum_range<model::MessageKind>{1, 1};
template <>
inline constexpr std::pair<uint8_t, uint8_t> enum_range<model::Role>{1, 3};
template <>
inline constexpr std::pair<uint8_t, uint8_t> enum_range<model::History>{1, 2};
template <>
inline constexpr std::pair<uint8_t, uint8_t> enum_range<model::HoleReason>{0, 4};
template <>
inline constexpr std::pair<uint8_t, uint8_t> enum_range<model::Lineage::Reason>{1, 3};
template <>
inline constexpr std::pair<uint8_t, uint8_t> enum_range<ports::History::Where>{0, 2};
template <>
inline constexpr std::pair<uint8_t, uint8_t> enum_range<wire::Code>{0, wire::codes.size() - 1};

#define TIDINGS_FIELDS(type, count) \
  template <>                       \
  inline constexpr size_t field_count<type> = count

TIDINGS_FIELDS(wire::Problem, 3);
TIDINGS_FIELDS(model::Lineage, 4);

TIDINGS_FIELDS(model::ReplyTo, 4);
TIDINGS_FIELDS(model::Message, 2);
TIDINGS_FIELDS(model::Cursor, 2);
TIDINGS_FIELDS(model::CreateConversation, 4);
TIDINGS_FIELDS(model::SendMessage, 2);
TIDINGS_FIELDS(model::UpdateConversation, 2);
TIDINGS_FIELDS(model::AddMembers, 1);
TIDINGS_FIELDS(model::RemoveMember, 1);
TIDINGS_FIELDS(model::LeaveConversation, 0);
TIDINGS_FIELDS(model::SetRole, 2);
TIDINGS_FIELDS(model::SetBlock, 2);
TIDINGS_FIELDS(model::Command, 7);
TIDINGS_FIELDS(model::Marking, 7);
TIDINGS_FIELDS(model::Hole, 3);
TIDINGS_FIELDS(model::Mark, 3);
TIDINGS_FIELDS(model::ReadCount, 3);
TIDINGS_FIELDS(model::MemberRow, 2);

TIDINGS_FIELDS(ports::Attach, 1);
TIDINGS_FIELDS(ports::Detach, 1);
TIDINGS_FIELDS(ports::Commands, 1);
TIDINGS_FIELDS(ports::Mark, 2);
TIDINGS_FIELDS(ports::Focus, 3);
TIDINGS_FIELDS(ports::Pull, 6);
TIDINGS_FIELDS(ports::History, 7);
TIDINGS_FIELDS(ports::VectorRow, 4);
TIDINGS_FIELDS(ports::Sync, 7);
TIDINGS_FIELDS(ports::AskMember, 3);
TIDINGS_FIELDS(ports::AskMembers, 5);
TIDINGS_FIELDS(ports::AskBlocks, 2);
TIDINGS_FIELDS(ports::AskReads, 4);
TIDINGS_FIELDS(ports::AskEvent, 4);

TIDINGS_FIELDS(ports::Reply, 12);
TIDINGS_FIELDS(ports::EventOut, 8);
TIDINGS_FIELDS(ports::ReceiptOut, 4);
TIDINGS_FIELDS(ports::Page, 13);
TIDINGS_FIELDS(ports::PageOut, 2);
TIDINGS_FIELDS(ports::SyncRow, 13);
TIDINGS_FIELDS(ports::SyncRows, 3);
TIDINGS_FIELDS(ports::SyncOut, 2);
TIDINGS_FIELDS(ports::MemberOut, 2);
TIDINGS_FIELDS(ports::Members, 3);
TIDINGS_FIELDS(ports::MembersOut, 2);
TIDINGS_FIELDS(ports::ReadRow, 5);
TIDINGS_FIELDS(ports::ReadsOut, 2);
TIDINGS_FIELDS(ports::BlocksOut, 2);
TIDINGS_FIELDS(ports::EventThereOut, 2);
TIDINGS_FIELDS(ports::LinkStamp, 3);

}  // namespace tidings::socket
