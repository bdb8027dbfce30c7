#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

using wire::Code;

class RestTest : public GatewayTest {
 protected:
  std::function<void(wire::Answer<SendAnswer>)> keep() {
    return [this](wire::Answer<SendAnswer> answer) {
      EXPECT_FALSE(answer_) << "answered twice";
      answer_ = std::make_unique<wire::Answer<SendAnswer>>(std::move(answer));
    };
  }
  Code code() { return answer_ && !answer_->ok() ? answer_->error().code : Code::internal; }
  const account::Identity who_{ann, ann_phone};
  std::unique_ptr<wire::Answer<SendAnswer>> answer_;
};

TEST_F(RestTest, ASendIsTheSameCommandWithoutASession) {
  gateway_->send_message(who_, talk(), client_id(1), {model::MessageKind::text, "hi"}, keep());
  const auto command = last_commands().at(0);
  EXPECT_EQ(command.reply_to.session, 0u);
  auto reply = ok(command, 3);
  reply.duplicate = true;
  down(std::move(reply));
  ASSERT_TRUE(answer_ && answer_->ok());
  EXPECT_EQ((**answer_).seq.value, 3u);
  EXPECT_EQ((**answer_).client_id, client_id(1));
  EXPECT_TRUE((**answer_).duplicate);
}

TEST_F(RestTest, ARefusalOfTheFoldIsTheAnswer) {
  gateway_->send_message(who_, talk(), client_id(1), {model::MessageKind::text, "hi"}, keep());
  down(refused(last_commands().at(0), Code::not_found, true));
  EXPECT_EQ(code(), Code::not_found);
}

TEST_F(RestTest, ACallWithoutAnAnswerIsBusyAfterTenSeconds) {
  gateway_->send_message(who_, talk(), client_id(1), {model::MessageKind::text, "hi"}, keep());
  executor_.advance(base::seconds(9));
  EXPECT_FALSE(answer_);
  executor_.advance(base::seconds(2));
  EXPECT_EQ(code(), Code::busy);
  down(ok(last_commands().at(0), 3));
}

TEST_F(RestTest, ACreateChecksThePerson) {
  gateway_->create_direct(who_, {999}, client_id(1), keep());
  executor_.run();
  EXPECT_EQ(code(), Code::not_found);
  answer_.reset();
  gateway_->create_direct(who_, ann, client_id(1), keep());
  EXPECT_EQ(code(), Code::bad_request);
  answer_.reset();
  gateway_->create_direct(who_, bob, client_id(1), keep());
  executor_.run();
  down(ok(last_commands().at(0), 1));
  ASSERT_TRUE(answer_ && answer_->ok());
}

TEST_F(RestTest, AGapAFullLinkAndADrainRefuse) {
  gateway_->send_message(who_, talk(), client_id(1), {model::MessageKind::text, "hi"}, keep());
  ++numbers_[0];
  down(0, {});
  EXPECT_EQ(code(), Code::busy);
  answer_.reset();
  link().full = true;
  gateway_->send_message(who_, talk(), client_id(1), {model::MessageKind::text, "hi"}, keep());
  EXPECT_EQ(code(), Code::busy);
  answer_.reset();
  gateway_->drain([] {});
  gateway_->send_message(who_, talk(), client_id(1), {model::MessageKind::text, "hi"}, keep());
  EXPECT_EQ(code(), Code::draining);
}

TEST_F(RestTest, PagesAndMembershipAreAsked) {
  std::optional<uint64_t> head;
  gateway_->read_messages(who_, talk(), {2}, 1000, [&](wire::Answer<ports::Page> page) {
    if (page.ok()) head = page->head.value;
  });
  const auto pull = link().all<ports::Pull>().at(0);
  EXPECT_EQ(pull.limit, limits_.page_events_max);
  EXPECT_FALSE(pull.check);
  ports::Page page;
  page.head = {8};
  down(ports::PageOut{pull.query, page});
  EXPECT_EQ(head, 8u);
  std::optional<bool> member;
  gateway_->is_member(ann, talk(), [&](wire::Answer<bool> yes) {
    if (yes.ok()) member = *yes;
  });
  down(ports::MemberOut{link().all<ports::AskMember>().at(0).query, true});
  EXPECT_EQ(member, true);
}

}  // namespace
}  // namespace tidings::gateway
