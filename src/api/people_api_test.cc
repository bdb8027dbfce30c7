// REST for conversations, members, marks, sync and blocks.
#include "api/api_for_test.h"
#include "fold/fold.h"

namespace tidings::api {
namespace {

using wire::Code;

class PeopleApiTest : public ApiTest {
 protected:
  std::string conversation(std::string_view rest = "") {
    return "/v1/conversations/" + model::to_text(talk()) + std::string(rest);
  }
  static model::ConversationId id(uint8_t n) {
    model::ConversationId out;
    out.bytes[0] = n;
    return out;
  }
  // Answers the newest list on every shard that was asked since the last call, these rows at their owners.
  void answer_list(std::vector<ports::SyncRow> rows, std::optional<model::ConversationId> next = {},
                   uint64_t activity = 70) {
    for (size_t shard = 0; shard < 2; ++shard) {
      const auto questions = links_[shard].all<ports::Sync>();
      if (questions.empty()) continue;
      ports::SyncRows mine{{}, next, {activity}};
      for (const auto& row : rows) {
        if (shard_of(row.conversation) == shard) mine.rows.push_back(row);
      }
      down_one(shard, ports::SyncOut{questions.back().query, std::move(mine)});
    }
  }
  static ports::SyncRow row(uint8_t n, uint64_t unread = 0) {
    ports::SyncRow out{id(n)};
    out.kind = model::ConversationKind::group;
    out.title = "hikers";
    out.head = {9};
    out.head_id = {900};
    out.ord = {7};
    out.role = model::Role::admin;
    out.members = 3;
    out.read_ord = {2};
    out.unread = unread;
    return out;
  }
  static std::string row_json(uint8_t n, const std::string& unread) {
    return R"({"conversation":")" + model::to_text(id(n)) +
           R"(","kind":"group","title":"hikers","head":9,"head_id":"900","ord":7,"role":"admin",)"
           R"("left":false,"members":3,"read_ord":2,"unread":)" +
           unread + "}";
  }
  // The body of the newest command in talk(); it is answered, with this status.
  template <class Body>
  Body becomes(const std::shared_ptr<Answered>& call, int status) {
    const auto commands = last_commands();
    EXPECT_EQ(commands.size(), 1u);
    if (commands.empty()) return {};
    EXPECT_EQ(commands[0].user, ann);
    EXPECT_EQ(commands[0].conversation, talk());
    EXPECT_EQ(commands[0].client_id.bytes, model::uuid_v8("key"));
    down(ok(commands[0], 9));
    EXPECT_EQ(call->count, 1);
    EXPECT_EQ(call->response.status, status);
    EXPECT_EQ(text(call, "client_id"), model::to_text(commands[0].client_id));
    const auto* body = std::get_if<Body>(&commands[0].body);
    EXPECT_NE(body, nullptr);
    return body ? *body : Body{};
  }
  const net::HttpHeaders key_{{"Idempotency-Key", "key"}};
};

TEST_F(PeopleApiTest, AGroupIsMadeWithItsTitleAndHistory) {
  auto made = ask("POST", "/v1/conversations",
                  R"({"kind":"group","members":["2","3","2"],"title":"hikers","history":"all"})", key_);
  const auto group = model::group_conversation(ann, {model::uuid_v8("key")});
  const auto commands = last_commands_to(group);
  ASSERT_EQ(commands.size(), 1u);
  const auto& body = std::get<model::CreateConversation>(commands[0].body);
  EXPECT_EQ(body.members.size(), 3u);
  EXPECT_EQ(body.title, "hikers");
  EXPECT_EQ(body.history, model::History::all);
  down_one(shard_of(group), ok(commands[0], 1));
  EXPECT_EQ(made->response.status, 201);
  EXPECT_EQ(text(made, "conversation"), model::to_text(group));
  expect_problem(ask("POST", "/v1/conversations", R"({"kind":"group","members":["999"]})"), 404, "not_found");
  expect_problem(ask("POST", "/v1/conversations", R"({"kind":"group","members":[],"history":"some"})"), 400,
                 "bad_request");
  expect_problem(ask("POST", "/v1/conversations",
                     R"({"kind":"group","members":[],"title":")" +
                         std::string(limits_.title_bytes_max + 1, 'x') + "\"}"),
                 413, "too_large");
  std::string crowd = "\"2\"";
  for (size_t n = 0; n < fold::members_max; ++n) crowd += ",\"" + std::to_string(1000 + n) + "\"";
  expect_problem(ask("POST", "/v1/conversations", R"({"kind":"group","members":[)" + crowd + "]}"), 422,
                 "limit");
}

TEST_F(PeopleApiTest, TheListHasPages) {
  auto list = ask("GET", "/v1/conversations?limit=2&cursor=" + model::to_text(id(1)));
  for (const auto& link : links_) {
    const auto question = link.all<ports::Sync>().at(0);
    EXPECT_EQ(question.user, ann);
    EXPECT_EQ(question.from, id(1));
    EXPECT_EQ(question.to, last_id());
    EXPECT_EQ(question.limit, 2u);
    EXPECT_FALSE(question.activity);
    EXPECT_TRUE(question.vector.empty());
  }
  answer_list({row(1), row(2, 4), row(3)});
  EXPECT_EQ(list->response.status, 200);
  EXPECT_EQ(list->response.body, R"({"conversations":[)" + row_json(1, "0") + "," + row_json(2, "4") +
                                     R"(],"next_cursor":")" + model::to_text(id(3)) + "\"}");
  auto last = ask("GET", "/v1/conversations");
  answer_list({});
  EXPECT_EQ(last->response.body, R"({"conversations":[]})");
  expect_problem(ask("GET", "/v1/conversations?cursor=7"), 400, "bad_request");
  expect_problem(ask("GET", "/v1/conversations?limit=0"), 400, "bad_request");
}

TEST_F(PeopleApiTest, OneConversationIsAskedOfItsOwnerAlone) {
  auto shown = ask("GET", conversation());
  EXPECT_EQ(asked<ports::Sync>().size(), 1u);
  auto mine = row(1);
  mine.conversation = talk();
  answer_list({mine});
  EXPECT_EQ(shown->response.status, 200);
  EXPECT_EQ(text(shown, "conversation"), model::to_text(talk()));
  auto strange = ask("GET", conversation());
  answer_list({});
  expect_problem(strange, 404, "not_found");
  expect_problem(ask("GET", "/v1/conversations/no-uuid"), 404, "not_found");
}

TEST_F(PeopleApiTest, EachChangeBecomesItsCommand) {
  const auto update =
      becomes<model::UpdateConversation>(ask("PATCH", conversation(), R"({"title":"new"})", key_), 200);
  EXPECT_EQ(update.title, "new");
  EXPECT_FALSE(update.history);
  becomes<model::LeaveConversation>(ask("POST", conversation("/leave"), "", key_), 200);
  const auto add =
      becomes<model::AddMembers>(ask("POST", conversation("/members"), R"({"users":["2","3"]})", key_), 200);
  EXPECT_EQ(add.users, (std::vector{bob, gateway::eve}));
  const auto remove = becomes<model::RemoveMember>(ask("DELETE", conversation("/members/2"), "", key_), 200);
  EXPECT_EQ(remove.user, bob);
  becomes<model::LeaveConversation>(ask("DELETE", conversation("/members/1"), "", key_), 200);
  const auto role =
      becomes<model::SetRole>(ask("PATCH", conversation("/members/2"), R"({"role":"owner"})", key_), 200);
  EXPECT_EQ(role.role, model::Role::owner);

  expect_problem(ask("PATCH", conversation(), "{}"), 400, "bad_request");
  expect_problem(ask("PATCH", conversation("/members/2"), R"({"role":"king"})"), 400, "bad_request");
  expect_problem(ask("POST", conversation("/members"), R"({"users":["999"]})"), 404, "not_found");
  expect_problem(ask("POST", conversation("/members"), R"({"users":[]})"), 400, "bad_request");
  expect_problem(ask("DELETE", conversation("/members/bob")), 404, "not_found");
  expect_problem(ask("POST", "/v1/conversations/no-uuid/leave"), 404, "not_found");
}

TEST_F(PeopleApiTest, MembersHaveTheirRolesAndNames) {
  auto list = ask("GET", conversation("/members?limit=2&cursor=0"));
  const auto question = link().all<ports::AskMembers>().at(0);
  EXPECT_EQ(question.user, ann);
  EXPECT_EQ(question.limit, 2u);
  ports::Members members{{{ann, model::Role::owner}, {bob, model::Role::member}}, true, 3};
  down(ports::MembersOut{question.query, members});
  executor_.run();
  EXPECT_EQ(
      list->response.body,
      R"({"members":[{"user":"1","role":"owner","handle":"ann","display_name":"ann"},)"
      R"({"user":"2","role":"member","handle":"bob","display_name":"bob"}],"count":3,"next_cursor":"2"})");
  auto strange = ask("GET", conversation("/members"));
  EXPECT_EQ(link().all<ports::AskMembers>().at(1).limit, 200u);
  down(ports::MembersOut{link().all<ports::AskMembers>().at(1).query, wire::problem(Code::not_found)});
  expect_problem(strange, 404, "not_found");
}

TEST_F(PeopleApiTest, MessagesAroundAPlaceAreAHistory) {
  const auto where = [&](const std::string& query) {
    ask("GET", conversation("/messages?" + query));
    return link().all<ports::History>().back();
  };
  EXPECT_EQ(where("before=40&limit=7").where, ports::History::Where::before);
  EXPECT_EQ(link().all<ports::History>().back().limit, 7u);
  EXPECT_EQ(where("around=40").where, ports::History::Where::around);
  EXPECT_EQ(link().all<ports::History>().back().seq.value, 40u);
  EXPECT_TRUE(link().all<ports::Pull>().empty());
  ask("GET", conversation("/messages?after=40"));
  EXPECT_EQ(link().all<ports::Pull>().at(0).after.value, 40u);
  expect_problem(ask("GET", conversation("/messages?after=1&before=9")), 400, "bad_request");
}

TEST_F(PeopleApiTest, AReadIsAMark) {
  auto read = ask("POST", conversation("/read"), R"({"seq":7,"id":"70","ord":6,"private":true})");
  const auto mark = link().all<ports::Mark>().at(0);
  EXPECT_EQ(mark.marking.user, ann);
  EXPECT_EQ(mark.marking.read.value, 7u);
  EXPECT_EQ(mark.marking.read_ord.value, 6u);
  EXPECT_TRUE(mark.marking.hidden);
  EXPECT_EQ(mark.read_id->value, 70u);
  down(answer(mark));
  EXPECT_EQ(read->response.status, 204);
  auto other = ask("POST", conversation("/read"), R"({"seq":7,"id":"71","ord":6})");
  down(answer(link().all<ports::Mark>().at(1), Code::diverged));
  expect_problem(other, 409, "diverged");
  expect_problem(ask("POST", conversation("/read"), R"({"seq":7})"), 400, "bad_request");
}

TEST_F(PeopleApiTest, WhoHasAMessageIsToldToWhoMayReadIt) {
  auto reads = ask("GET", conversation("/messages/70/reads?seq=7"));
  const auto question = link().all<ports::AskEvent>().at(0);
  EXPECT_EQ(question.event, (model::Cursor{{7}, {70}}));
  EXPECT_TRUE(link().all<ports::AskReads>().empty()) << "first the id is compared";
  down(ports::EventThereOut{question.query, true});
  const auto second = link().all<ports::AskReads>().at(0);
  EXPECT_EQ(second.seq.value, 7u);
  std::vector<ports::ReadRow> rows{{bob, true, true, {}, base::wall_from_ms(0)},
                                   {gateway::eve, true, false, {}, {}}};
  down(ports::ReadsOut{second.query, rows});
  EXPECT_EQ(reads->response.body,
            R"({"conversation":")" + model::to_text(talk()) +
                R"(","seq":7,"id":"70","people":[{"user":"2","delivered":true,"read":true,)"
                R"("read_at":"1970-01-01T00:00:00.000Z"},{"user":"3","delivered":true,"read":false}]})");
  auto strange = ask("GET", conversation("/messages/70/reads?seq=7"));
  down(ports::EventThereOut{link().all<ports::AskEvent>().at(1).query, false});
  expect_problem(strange, 404, "not_found");
  expect_problem(ask("GET", conversation("/messages/70/reads")), 400, "bad_request");
  expect_problem(ask("GET", conversation("/messages/x/reads?seq=7")), 404, "not_found");
}

TEST_F(PeopleApiTest, ASyncGoesOnWhereItsCursorSays) {
  auto first = ask("GET", "/v1/sync?limit=2");
  EXPECT_FALSE(links_[0].all<ports::Sync>().back().activity);
  answer_list({row(1), row(2), row(3)}, {}, 70);
  const std::string middle = text(first, "next");
  EXPECT_NE(first->response.body.find(R"("more":true)"), std::string::npos);
  auto second = ask("GET", "/v1/sync?cursor=" + middle);
  EXPECT_EQ(links_[0].all<ports::Sync>().back().from, id(3));
  EXPECT_FALSE(links_[0].all<ports::Sync>().back().activity) << "still the first list";
  answer_list({row(3)}, {}, 90);
  EXPECT_NE(second->response.body.find(R"("more":false)"), std::string::npos);
  auto third = ask("GET", "/v1/sync?cursor=" + text(second, "next"));
  EXPECT_EQ(links_[0].all<ports::Sync>().back().from, model::ConversationId{});
  EXPECT_EQ(links_[0].all<ports::Sync>().back().activity->value, 70u)
      << "what changed while the list was read comes again";
  answer_list({}, {}, 95);
  EXPECT_EQ(third->response.status, 200);
  expect_problem(ask("GET", "/v1/sync?cursor=other.70"), 410, "reset");
  for (const char* bad : {"", "x", "00ab", "00ab.x", "00ab.1.2", "00ab.1.2.3", "00ab.1.2.3.4"}) {
    expect_problem(ask("GET", std::string("/v1/sync?cursor=") + bad), 400, "bad_request");
  }
}

TEST_F(PeopleApiTest, UnreadShowsOnlyWhereSomethingIs) {
  auto unread = ask("GET", "/v1/unread");
  answer_list({row(1), row(2, 4)});
  EXPECT_EQ(unread->response.body,
            R"({"conversations":[{"conversation":")" + model::to_text(id(2)) + R"(","unread":4}]})");
}

TEST_F(PeopleApiTest, BlocksStandInOnesOwnLog) {
  const auto own = model::self_conversation(ann);
  for (const bool blocked : {true, false}) {
    auto set = ask(blocked ? "PUT" : "DELETE", "/v1/blocks/2");
    const auto commands = last_commands_to(own);
    ASSERT_EQ(commands.size(), 1u);
    EXPECT_EQ(std::get<model::SetBlock>(commands[0].body).user, bob);
    EXPECT_EQ(std::get<model::SetBlock>(commands[0].body).blocked, blocked);
    down_one(shard_of(own), ok(commands[0], 1));
    EXPECT_EQ(set->response.status, 204);
  }
  expect_problem(ask("PUT", "/v1/blocks/999"), 404, "not_found");
  expect_problem(ask("PUT", "/v1/blocks/1"), 400, "bad_request");
  const auto answered = [&](const std::string& path) {
    auto call = ask("GET", path);
    down_one(shard_of(own),
             ports::BlocksOut{links_[shard_of(own)].all<ports::AskBlocks>().back().query, std::vector{bob}});
    return call;
  };
  EXPECT_EQ(answered("/v1/blocks")->response.body, R"({"users":["2"]})");
  EXPECT_EQ(answered("/v1/blocks/2")->response.body, R"({"user":"2"})");
  expect_problem(answered("/v1/blocks/3"), 404, "not_found");
}

TEST_F(PeopleApiTest, AStrangersAnswerIsTheCoresNotFound) {
  const std::vector<std::shared_ptr<Answered>> changes{
      ask("PATCH", conversation(), R"({"title":"x"})"), ask("POST", conversation("/leave")),
      ask("POST", conversation("/members"), R"({"users":["2"]})"), ask("DELETE", conversation("/members/2")),
      ask("PATCH", conversation("/members/2"), R"({"role":"admin"})")};
  const auto commands = link().all<ports::Commands>();
  ASSERT_EQ(commands.size(), changes.size());
  for (size_t i = 0; i < changes.size(); ++i) {
    down(refused(commands[i].commands[0], Code::not_found, true));
    expect_problem(changes[i], 404, "not_found");
    EXPECT_EQ(changes[i]->response.body, changes[0]->response.body);
  }
}

TEST_F(PeopleApiTest, EverythingNeedsALogIn) {
  const std::pair<const char*, std::string> routes[] = {{"GET", "/v1/conversations"},
                                                        {"POST", "/v1/conversations"},
                                                        {"GET", conversation()},
                                                        {"PATCH", conversation()},
                                                        {"POST", conversation("/leave")},
                                                        {"GET", conversation("/members")},
                                                        {"POST", conversation("/members")},
                                                        {"DELETE", conversation("/members/2")},
                                                        {"PATCH", conversation("/members/2")},
                                                        {"GET", conversation("/messages")},
                                                        {"POST", conversation("/messages")},
                                                        {"POST", conversation("/read")},
                                                        {"GET", conversation("/messages/7/reads?seq=1")},
                                                        {"GET", "/v1/sync"},
                                                        {"GET", "/v1/unread"},
                                                        {"GET", "/v1/blocks"},
                                                        {"GET", "/v1/blocks/2"},
                                                        {"PUT", "/v1/blocks/2"},
                                                        {"DELETE", "/v1/blocks/2"}};
  for (const auto& [method, path] : routes) {
    expect_problem(ask(method, path, "{}", {}, ""), 401, "unauthenticated");
  }
  EXPECT_TRUE(links_[0].frames.empty() && links_[1].frames.empty());
}

}  // namespace
}  // namespace tidings::api
