"""The REST endpoints, as curl would call them (docs/protocol/rest.md)."""

import datetime
import time
import uuid

from harness import PASSWORD, SystemTest, main, v4, v7

RFC_3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Rest(SystemTest):
    def setUp(self):
        self.ann, self.bob = self.person("ann"), self.person("bob")

    def open(self, who=None, other=None):
        return self.call("POST", "/v1/conversations", {"kind": "direct", "members": [(other or self.bob).user]},
                         (who or self.ann).token)

    def send(self, conversation, text, key=None, who=None):
        return self.call("POST", f"/v1/conversations/{conversation}/messages",
                         {"message": {"kind": "text", "text": text}}, (who or self.ann).token,
                         {"Idempotency-Key": key} if key else {})

    def read(self, conversation, query="", who=None):
        return self.call("GET", f"/v1/conversations/{conversation}/messages{query}", token=(who or self.ann).token)

    def test_health_and_version(self):
        for path in ("/livez", "/readyz"):
            self.assertEqual(self.call("GET", path).status, 200)
        version = self.call("GET", "/v1/version")
        self.assertEqual(version.status, 200)
        self.assertRegex(version.json["version"], r"^\d+\.\d+\.\d+")
        self.assertEqual(version.json["protocol"], 1)

    def test_a_handle_is_taken_once(self):
        again = self.call("POST", "/v1/accounts",
                          {"handle": self.ann.handle, "password": PASSWORD, "display_name": "Other"})
        self.assert_problem(again, 409, "exists")

    def test_handles_passwords_and_names_have_rules(self):
        good = {"handle": "good_handle", "password": PASSWORD, "display_name": "Good"}
        named = self.call("POST", "/v1/accounts", {"handle": f"plain_{self.ann.handle}"[:32], "password": PASSWORD})
        self.assertEqual((named.status, named.json["display_name"]), (201, named.json["handle"]))
        for field, value in (("handle", "Ann"), ("handle", "ab"), ("handle", "a" * 33), ("handle", 7),
                             ("password", "short"), ("password", "x" * 1025), ("display_name", ""),
                             ("display_name", "x" * 101)):
            with self.subTest(**{field: value}):
                self.assert_problem(self.call("POST", "/v1/accounts", dict(good, **{field: value})), 400, "bad_request")
        self.assert_problem(self.call("POST", "/v1/accounts", {"handle": "good_handle"}), 400, "bad_request")

    def test_a_wrong_password_and_an_unknown_handle_are_the_same(self):
        answers = [self.call("POST", "/v1/tokens", {"handle": handle, "password": "wrong password"})
                   for handle in (self.ann.handle, "nobody_" + self.ann.handle)]
        for answer in answers:
            self.assert_problem(answer, 401, "unauthenticated")
        self.assertEqual(answers[0].body, answers[1].body)

    def test_each_log_in_is_a_new_device(self):
        made = [self.call("POST", "/v1/tokens", {"handle": self.ann.handle, "password": PASSWORD,
                                                 "device_name": "phone"}) for _ in range(2)]
        self.assertEqual([m.status for m in made], [201, 201])
        self.assertNotEqual(made[0].json["device"], made[1].json["device"])
        self.assertEqual(made[0].json["user"], self.ann.user)
        self.assertRegex(made[0].json["expires"], f"^{RFC_3339}$")

    def test_people_are_found_by_handle_and_by_id(self):
        bob = {"user": self.bob.user, "handle": self.bob.handle, "display_name": self.bob.handle.title()}
        by_handle = self.call("GET", f"/v1/users?handle={self.bob.handle}", token=self.ann.token)
        self.assertEqual((by_handle.status, by_handle.json), (200, {"users": [bob]}))
        def by_ids(*users):
            return [u["user"] for u in self.call("GET", f"/v1/users?ids={','.join(users)}", token=self.ann.token).json["users"]]
        self.assertEqual(by_ids(self.bob.user, self.ann.user, "1"), [self.ann.user])
        self.open()
        self.assertEqual(by_ids(self.bob.user, self.ann.user, "1"), [self.bob.user, self.ann.user])
        many = ",".join(str(n) for n in range(1, 52))
        self.assert_problem(self.call("GET", "/v1/users?ids=" + many, token=self.ann.token), 422, "limit")
        nobody = self.call("GET", "/v1/users?handle=nobody_here", token=self.ann.token)
        self.assertEqual((nobody.status, nobody.json), (200, {"users": []}))
        self.assert_problem(self.call("GET", f"/v1/users?handle={self.bob.handle}"), 401, "unauthenticated")
        self.assert_problem(self.call("GET", "/v1/users", token=self.ann.token), 400, "bad_request")
        self.assert_problem(self.call("GET", "/v1/users?ids=x", token=self.ann.token), 400, "bad_request")

    def test_who_am_i(self):
        me = self.call("GET", "/v1/me", token=self.ann.token, headers={"X-Request-Id": "from-a-test.1"})
        self.assertEqual((me.status, me.json["user"], me.json["handle"]), (200, self.ann.user, self.ann.handle))
        self.assertEqual(me.headers["X-Request-Id"], "from-a-test.1")
        self.assertTrue(self.call("GET", "/livez").headers["X-Request-Id"])

    def test_a_conversation_is_made_once(self):
        made, again = self.open(), self.open(self.bob, self.ann)
        self.assertEqual((made.status, again.status), (201, 200), again.body)
        self.assertEqual((made.json["seq"], made.json["ord"]), (1, 0))
        self.assertEqual((made.json["conversation"], made.json["id"]), (again.json["conversation"], again.json["id"]))

    def test_send_and_read(self):
        conversation = self.open().json["conversation"]
        sent = [self.send(conversation, f"message {n}") for n in range(3)]
        self.assertEqual([(s.status, s.json["seq"], s.json["ord"]) for s in sent],
                         [(201, 2, 1), (201, 3, 2), (201, 4, 3)])
        self.assertRegex(sent[0].json["time"], f"^{RFC_3339}$")
        page = self.read(conversation, "?after=2&limit=1", self.bob)
        self.assertEqual(page.status, 200)
        self.assertEqual((page.json["upto"], page.json["head"], page.json["more"]), (3, 4, True))
        event = page.json["events"][0]
        self.assertEqual((event["seq"], event["message"], event["from"]),
                         (3, {"kind": "text", "text": "message 1"}, self.ann.user))
        self.assertEqual((event["id"], event["client_id"]), tuple(sent[1].json[k] for k in ("id", "client_id")))
        told = datetime.datetime.strptime(sent[1].json["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
        self.assertEqual(event["time"], round(told.timestamp() * 1000))
        whole = self.read(conversation).json
        self.assertEqual([e["event"] for e in whole["events"]], ["conversation.created"] + ["message.created"] * 3)

    def test_a_repeat_under_the_same_key_is_stored_once(self):
        conversation = self.open().json["conversation"]
        for key in (v7(), v4(), "order 66, line 3"):
            with self.subTest(key=key):
                first, again = self.send(conversation, "once", key), self.send(conversation, "once", key)
                self.assertEqual((first.status, again.status, again.json["duplicate"]), (201, 200, True))
                self.assertEqual([again.json[k] for k in ("seq", "ord", "id", "time", "client_id")],
                                 [first.json[k] for k in ("seq", "ord", "id", "time", "client_id")])
                self.assert_problem(self.send(conversation, "something else", key), 409, "client_id_conflict")
        self.assertEqual(self.read(conversation).json["head"], 4)

    def test_without_a_key_the_server_makes_one_and_tells_it(self):
        conversation = self.open().json["conversation"]
        first = self.send(conversation, "no key").json
        self.assertEqual(uuid.UUID(first["client_id"]).version, 7)
        again = self.send(conversation, "no key", first["client_id"])
        self.assertEqual((again.status, again.json["seq"]), (200, first["seq"]))

    async def test_what_is_sent_by_rest_reaches_every_session(self):
        conversation = self.open().json["conversation"]
        bob, ann = await self.client(self.bob), await self.client(self.ann)
        sent = self.send(conversation, "by REST").json
        for client in (bob, ann):
            event = await client.event()
            self.assertEqual((event["id"], event["message"]["text"]), (sent["id"], "by REST"))

    async def test_log_out_ends_token_and_session(self):
        phone = self.ann.log_in(self.address, "phone")
        session = await self.client(self.ann, phone)
        other = await self.client(self.ann)
        began = time.monotonic()
        self.assertEqual(self.call("DELETE", "/v1/tokens", token=phone).status, 204)
        self.assertEqual(await session.end(), (4403, "device_revoked", "device_revoked"))
        self.assertLess(time.monotonic() - began, 2)
        self.assert_problem(self.call("GET", "/v1/users?handle=x_x", token=phone), 401, "unauthenticated")
        self.assert_problem(self.call("DELETE", "/v1/tokens", token=phone), 401, "unauthenticated")
        await other.send({"type": "ping"})
        self.assertEqual((await other.next())["type"], "pong")

    def tokens(self, person, name="test"):
        made = self.call("POST", "/v1/tokens", {"handle": person.handle, "password": PASSWORD, "device_name": name})
        self.assertEqual(made.status, 201, made.body)
        return made.json

    def refresh(self, token):
        return self.call("POST", "/v1/tokens/refresh", {"refresh": token})

    async def test_a_refresh_gives_the_next_pair_and_the_session_stays(self):
        first = self.tokens(self.ann)
        session = await self.client(self.ann, first["token"])
        second = self.refresh(first["refresh"])
        self.assertEqual(second.status, 200, second.body)
        self.assertEqual(set(second.json), {"token", "user", "device", "expires", "refresh", "refresh_expires"})
        self.assertEqual((second.json["user"], second.json["device"]), (first["user"], first["device"]))
        for field in ("expires", "refresh_expires"):
            self.assertRegex(second.json[field], f"^{RFC_3339}$")
        self.assertEqual(self.call("GET", "/v1/me", token=first["token"]).status, 200)
        again = self.refresh(first["refresh"]).json  # as if the answer had been lost
        self.assert_problem(self.call("GET", "/v1/me", token=second.json["token"]), 401, "unauthenticated")
        self.assertEqual(self.call("GET", "/v1/me", token=again["token"]).status, 200)
        await session.send({"type": "ping"})
        self.assertEqual((await session.next())["type"], "pong")

    async def test_a_spent_refresh_token_ends_the_device_and_its_session(self):
        first = self.tokens(self.ann)
        second = self.refresh(first["refresh"]).json
        session = await self.client(self.ann, second["token"])
        began = time.monotonic()
        self.assert_problem(self.refresh(first["refresh"]), 401, "unauthenticated")
        self.assertEqual(await session.end(), (4403, "device_revoked", "device_revoked"))
        self.assertLess(time.monotonic() - began, 2)
        self.assert_problem(self.refresh(second["refresh"]), 401, "unauthenticated")
        self.assert_problem(self.call("GET", "/v1/me", token=second["token"]), 401, "unauthenticated")
        self.assertEqual(self.call("GET", "/v1/me", token=self.ann.token).status, 200)

    async def test_devices_are_listed_named_and_logged_out(self):
        phone = self.tokens(self.ann, "phone")
        session = await self.client(self.ann, phone["token"])
        devices = self.call("GET", "/v1/devices", token=self.ann.token).json["devices"]
        self.assertEqual([(d["name"], d["current"]) for d in devices], [("test", True), ("phone", False)])
        path = "/v1/devices/" + phone["device"]
        self.assertEqual(self.call("PATCH", path, {"name": "old phone"}, self.ann.token).status, 204)
        bobs = self.call("DELETE", path, token=self.bob.token)
        self.assert_problem(bobs, 404, "not_found")
        self.assertEqual(self.call("PATCH", path, {"name": "mine"}, self.bob.token).body, bobs.body)
        self.assertEqual(self.call("DELETE", "/v1/devices/7", token=self.bob.token).body, bobs.body)
        devices = self.call("GET", "/v1/devices", token=phone["token"]).json["devices"]
        self.assertEqual([(d["name"], d["current"]) for d in devices], [("test", False), ("old phone", True)])
        began = time.monotonic()
        self.assertEqual(self.call("DELETE", path, token=self.ann.token).status, 204)
        self.assertEqual(await session.end(), (4403, "device_revoked", "device_revoked"))
        self.assertLess(time.monotonic() - began, 2)
        self.assert_problem(self.refresh(phone["refresh"]), 401, "unauthenticated")

    async def test_a_new_password_logs_the_other_devices_out(self):
        phone = self.tokens(self.ann)
        session, own = await self.client(self.ann, phone["token"]), await self.client(self.ann)
        def change(old):
            return self.call("PUT", "/v1/me/password", {"old": old, "new": "a new password"}, self.ann.token)
        self.assert_problem(change("not the old one"), 403, "forbidden")
        self.assertEqual(self.call("GET", "/v1/me", token=phone["token"]).status, 200)
        self.assertEqual(change(PASSWORD).status, 204)
        self.assertEqual(await session.end(), (4403, "device_revoked", "device_revoked"))
        await own.send({"type": "ping"})
        self.assertEqual((await own.next())["type"], "pong")
        self.assert_problem(self.call("POST", "/v1/tokens", {"handle": self.ann.handle, "password": PASSWORD}), 401,
                            "unauthenticated")
        again = self.call("POST", "/v1/tokens", {"handle": self.ann.handle, "password": "a new password"})
        self.assertEqual(again.status, 201)

    def test_a_display_name_changes(self):
        changed = self.call("PATCH", "/v1/me", {"display_name": "Änn"}, self.ann.token)
        self.assertEqual((changed.status, changed.json["display_name"]), (200, "Änn"))
        found = self.call("GET", f"/v1/users?handle={self.ann.handle}", token=self.bob.token).json["users"]
        self.assertEqual(found[0]["display_name"], "Änn")

    def test_wrong_passwords_have_to_wait_and_then_the_right_one_works(self):
        def log_in(password):
            return self.call("POST", "/v1/tokens", {"handle": self.ann.handle, "password": password})
        for _ in range(5):
            self.assert_problem(log_in("wrong password"), 401, "unauthenticated")
        refused = log_in(PASSWORD)
        self.assert_problem(refused, 429, "rate_limited")
        self.assertEqual(refused.headers["Retry-After"], "1")
        time.sleep(refused.json["retry_ms"] / 1000)
        self.assertEqual(log_in(PASSWORD).status, 201)

    def test_the_eleventh_device_logs_out_the_first(self):
        first = self.ann.token
        for n in range(10):
            self.ann.log_in(self.address, f"device {n}")
        self.assert_problem(self.call("GET", "/v1/users?handle=x_x", token=first), 401, "unauthenticated")

    def test_strangers_learn_nothing(self):
        conversation, carl = self.open().json["conversation"], self.person("carl")
        self.send(conversation, "private")
        for target in (conversation, v4()):
            with self.subTest(exists=target == conversation):
                self.assert_problem(self.read(target, who=carl), 404, "not_found")
                self.assert_problem(self.send(target, "let me in", who=carl), 404, "not_found")
        answers = [self.send(target, "let me in", who=carl).body for target in (conversation, v4())]
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(self.read(conversation).json["head"], 2)

    def test_a_conversation_needs_another_person_who_exists(self):
        def ask(members, kind="direct"):
            return self.call("POST", "/v1/conversations", {"kind": kind, "members": members}, self.ann.token)
        self.assert_problem(ask(["1"]), 404, "not_found")
        self.assert_problem(ask([self.ann.user]), 400, "bad_request")
        self.assert_problem(ask([]), 400, "bad_request")
        self.assert_problem(ask([self.bob.user], "choir"), 400, "unsupported")
        self.assert_problem(ask([int(self.bob.user)]), 400, "bad_request")

    def test_unknown_paths_and_methods(self):
        self.assertEqual(self.call("GET", "/v1/nothing", token=self.ann.token).status, 404)
        self.assertEqual(self.call("PUT", "/v1/accounts", {}).status, 405)
        form = self.call("POST", "/v1/tokens", "handle=ann", headers={"Content-Type": "application/x-www-form-urlencoded"})
        self.assert_problem(form, 415, "unsupported")


if __name__ == "__main__":
    main()
