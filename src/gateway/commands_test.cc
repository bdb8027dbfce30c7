#include "fold/fold.h"
#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

using wire::Code;

class CommandsTest : public GatewayTest {
 protected:
  static wire::ConversationCreate group(std::vector<model::UserId> members, std::string title = "hikers") {
    wire::ConversationCreate create;
    create.request = 4;
    create.client_id = client_id(1);
    create.kind = model::ConversationKind::group;
    create.members = std::move(members);
    create.title = std::move(title);
    create.history = model::History::all;
    return create;
  }
  // The error that answers it; nothing goes to the core.
  Code refusal(Peer& peer, const std::string& frame) {
    const size_t before = asked<ports::Commands>().size();
    peer.say(frame);
    executor_.run();
    const auto error = peer.one<wire::ErrorFrame>();
    EXPECT_EQ(error.request, 4u);
    EXPECT_FALSE(peer.closed);
    EXPECT_EQ(asked<ports::Commands>().size(), before);
    return error.code;
  }
  // The body of the only command that it becomes, in talk().
  template <class Body>
  Body becomes(Peer& peer, const std::string& frame) {
    peer.say(frame);
    executor_.run();
    EXPECT_EQ(last_commands().size(), 1u);
    const auto command = last_commands().at(0);
    EXPECT_EQ(command.user, ann);
    EXPECT_EQ(command.device, ann_phone);
    EXPECT_EQ(command.conversation, talk());
    EXPECT_EQ(command.client_id, client_id(7));
    EXPECT_EQ(command.until, log_time_ + base::seconds(30));
    down(ok(command, 9));
    const auto answer = peer.one<wire::Ok>();
    EXPECT_EQ(answer.request, 4u);
    EXPECT_EQ(answer.seq.value, 9u);
    return std::get<Body>(command.body);
  }
};

TEST_F(CommandsTest, AGroupIsNamedByItsCreatorAndItsCreate) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(group({bob, ann, eve, bob})));
  EXPECT_TRUE(asked<ports::Commands>().empty()) << "its people are looked up first";
  executor_.run();
  const auto id = model::group_conversation(ann, client_id(1));
  const auto commands = last_commands_to(id);
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands[0].conversation, id);
  const auto& body = std::get<model::CreateConversation>(commands[0].body);
  EXPECT_EQ(body.kind, model::ConversationKind::group);
  EXPECT_EQ(body.members, (std::vector{ann, bob, eve})) << "the creator first, everybody once";
  EXPECT_EQ(body.title, "hikers");
  EXPECT_EQ(body.history, model::History::all);
  down_one(shard_of(id), ok(commands[0], 1));
  EXPECT_EQ(peer->one<wire::Ok>().conversation, id);
}

TEST_F(CommandsTest, AGroupOfOneNeedsNoLookUp) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(group({}, "")));
  const auto commands = last_commands_to(model::group_conversation(ann, client_id(1)));
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(std::get<model::CreateConversation>(commands[0].body).members, std::vector{ann});
}

TEST_F(CommandsTest, AGroupThatCannotBeIsRefusedAndTheSessionLives) {
  auto peer = welcomed("ann-phone");
  EXPECT_EQ(refusal(*peer, wire::encode(group({bob, {999}}))), Code::not_found);
  EXPECT_EQ(refusal(*peer, wire::encode(group({bob}, std::string(limits_.title_bytes_max + 1, 'x')))),
            Code::too_large);
  std::vector<model::UserId> crowd;
  for (uint64_t n = 0; n < fold::members_max; ++n) crowd.push_back({1000 + n});
  EXPECT_EQ(refusal(*peer, wire::encode(group(crowd))), Code::limit);
  crowd.pop_back();
  EXPECT_EQ(refusal(*peer, wire::encode(group(crowd))), Code::not_found)
      << "with the creator as many as may be";
}

TEST_F(CommandsTest, EachFrameBecomesItsCommand) {
  auto peer = welcomed("ann-phone");
  down(0, {});
  const auto update = becomes<model::UpdateConversation>(
      *peer, wire::encode(wire::ConversationUpdate{4, talk(), client_id(7), "new", model::History::all}));
  EXPECT_EQ(update.title, "new");
  EXPECT_EQ(update.history, model::History::all);
  becomes<model::LeaveConversation>(*peer, wire::encode(wire::ConversationLeave{4, talk(), client_id(7)}));
  const auto add = becomes<model::AddMembers>(
      *peer, wire::encode(wire::MemberAdd{4, talk(), client_id(7), {bob, eve, bob}}));
  EXPECT_EQ(add.users, (std::vector{bob, eve}));
  const auto remove =
      becomes<model::RemoveMember>(*peer, wire::encode(wire::MemberRemove{4, talk(), client_id(7), {999}}));
  EXPECT_EQ(remove.user, model::UserId{999}) << "whether that is a member the fold knows";
  const auto role = becomes<model::SetRole>(
      *peer, wire::encode(wire::MemberRole{4, talk(), client_id(7), bob, model::Role::admin}));
  EXPECT_EQ(role.user, bob);
  EXPECT_EQ(role.role, model::Role::admin);
}

TEST_F(CommandsTest, WhoIsAddedMustExist) {
  auto peer = welcomed("ann-phone");
  EXPECT_EQ(refusal(*peer, wire::encode(wire::MemberAdd{4, talk(), client_id(7), {bob, {999}}})),
            Code::not_found);
  EXPECT_EQ(refusal(*peer, wire::encode(wire::MemberAdd{4, talk(), client_id(7), {}})), Code::bad_request);
  std::vector<model::UserId> crowd;
  for (uint64_t n = 0; n <= fold::members_max; ++n) crowd.push_back({1000 + n});
  EXPECT_EQ(refusal(*peer, wire::encode(wire::MemberAdd{4, talk(), client_id(7), crowd})), Code::limit);
}

TEST_F(CommandsTest, ATitleIsBoundedInAnUpdateToo) {
  auto peer = welcomed("ann-phone");
  const auto update = [](size_t bytes) {
    return wire::encode(
        wire::ConversationUpdate{4, talk(), client_id(7), std::string(bytes, 'x'), std::nullopt});
  };
  EXPECT_EQ(refusal(*peer, update(limits_.title_bytes_max + 1)), Code::too_large);
  peer->say(update(limits_.title_bytes_max));
  EXPECT_EQ(last_commands().size(), 1u);
}

TEST_F(CommandsTest, ABlockGoesToOnesOwnLog) {
  auto peer = welcomed("ann-phone");
  const auto own = model::self_conversation(ann);
  for (const bool blocked : {true, false}) {
    peer->say(wire::encode(wire::BlockFrame{4, client_id(blocked ? 1 : 2), bob, blocked}));
    executor_.run();
    const auto commands = last_commands_to(own);
    ASSERT_EQ(commands.size(), 1u);
    EXPECT_EQ(commands[0].conversation, own);
    EXPECT_EQ(std::get<model::SetBlock>(commands[0].body).user, bob);
    EXPECT_EQ(std::get<model::SetBlock>(commands[0].body).blocked, blocked);
    down_one(shard_of(own), ok(commands[0], 3));
    EXPECT_EQ(peer->one<wire::Ok>().conversation, own);
  }
  EXPECT_EQ(refusal(*peer, wire::encode(wire::BlockFrame{4, client_id(3), ann, true})), Code::bad_request);
  EXPECT_EQ(refusal(*peer, wire::encode(wire::BlockFrame{4, client_id(3), {999}, true})), Code::not_found);
}

TEST_F(CommandsTest, CommandsKeepTheirOrderWhilePeopleAreLookedUp) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(wire::MemberAdd{1, talk(), client_id(1), {eve}}));
  peer->say(wire::encode(send_of(2, 2)));
  peer->say(wire::encode(wire::MemberAdd{3, talk(), client_id(3), {bob}}));
  peer->say(wire::encode(wire::MarkFrame{{}, talk(), {}, {}, model::Seq{3}}));
  EXPECT_TRUE(asked<ports::Commands>().empty());
  executor_.run();
  const auto all = link().all<ports::Commands>();
  ASSERT_EQ(all.size(), 3u);
  for (uint8_t n = 1; n <= 3; ++n) EXPECT_EQ(all[n - 1].commands[0].client_id, client_id(n));
  EXPECT_EQ(link().all<ports::Mark>().size(), 1u);
}

TEST_F(CommandsTest, AFullLinkAndTooManyUnansweredRequestsAreBusy) {
  auto peer = welcomed("ann-phone");
  link().full = true;
  EXPECT_EQ(refusal(*peer, wire::encode(wire::ConversationLeave{4, talk(), client_id(7)})), Code::busy);
  EXPECT_EQ(refusal(*peer, wire::encode(wire::MemberAdd{4, talk(), client_id(7), {bob}})), Code::busy);
  link().full = false;
  for (uint8_t n = 1; n <= 32; ++n) peer->say(wire::encode(send_of(n, n)));
  EXPECT_EQ(refusal(*peer, wire::encode(wire::ConversationLeave{4, talk(), client_id(70)})), Code::busy);
  EXPECT_EQ(gauge("tidings_gateway_requests_under_way"), 32);
}

TEST_F(CommandsTest, ASessionThatEndsWhilePeopleAreLookedUpAppendsNothing) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(group({bob})));
  auto later = announced_.back();
  later.time += base::nanoseconds(1);
  gateway_->on_device_hello(later);
  executor_.run();
  EXPECT_TRUE(asked<ports::Commands>().empty());
}

}  // namespace
}  // namespace tidings::gateway
