"""Bad input for everything about people and groups: each field of each frame and body, wrong in every way of its type."""

import json
import random
import re

import harness
from harness import EFFS, ZEROS, SystemTest, main, v4, v7


class Raw(str):
    """Stands in the JSON as it is."""


def dumps(value):
    text = json.dumps(value, default=str)
    return re.sub(r'"raw:([^"]*)"', r"\1", text)


HUGE = "raw:1e400"
UUID = [7, "x", "", True, [], {}, ZEROS[:-1] + "g", ZEROS + "0"]
NUMBER = ["1", "", -1, 1.5, 2**53, 2**63, 2**64, 10**30, HUGE, "raw:-1e400", "raw:1e-400", True, [], {}]
TEXT = [7, True, [], {}, 1.5, HUGE]
BAD = {
    "uuid": UUID,
    "client_id": UUID + [ZEROS],
    "user": [7, "x", "", "-1", "1.5", " 1", "1e3", str(2**64), "9" * 400, True, [], {}, HUGE],
    "users": ["x", "1", 7, {}, True, [7], ["x"], [None], [["1"]], ["1", {}], [str(2**64)], HUGE],
    "number": NUMBER,
    "flag": [0, 1, "true", "", [], {}, HUGE],
    "text": TEXT,
    "kind": TEXT,
    "role": TEXT + ["king", "", "OWNER", "owner ", "x" * 10_000],
    "history": TEXT + ["some", "", "ALL", "x" * 10_000],
    "cursor": [7, "x", True, [], {}, [1, "1"], {"seq": 1}, {"id": "1"}, {"seq": "1", "id": "1"}, {"seq": -1, "id": "1"},
               {"seq": 1, "id": 1}, {"seq": 1, "id": "x"}, {"seq": 2**63, "id": "1"}, {"seq": 1, "id": str(2**64)}],
    "vector": [7, "x", {}, True, [7], [[]], [{}], [["x", 1, "1"]], [[v4(), 1]], [[v4(), 1, "1", "0"]],
               [[v4(), 1, "1", -1]], [[v4(), -1, "1"]], [[v4(), 1, 1]], [[v4(), 2**63, "1"]]],
    "message": [7, "x", [], {}, {"kind": "text"}, {"text": "x"}, {"kind": 7, "text": "x"}, {"kind": "text", "text": 7},
                {"kind": "text", "text": ""}],
    "position": [7, "x", "", "-1", str(2**64), True, [], {}],
}

# field: (type, a good value or the name of one, needed)
COMMAND = {"conversation": ("uuid", "$group", True), "client_id": ("client_id", "$new", True)}
FRAMES = {
    "conversation.create": {"client_id": ("client_id", "$new", True), "kind": ("kind", "group", True),
                            "members": ("users", [], True), "title": ("text", "x", False),
                            "history": ("history", "all", False)},
    "conversation.update": COMMAND | {"title": ("text", "x", False), "history": ("history", "all", False)},
    "conversation.leave": COMMAND,
    "member.add": COMMAND | {"users": ("users", ["$other"], True)},
    "member.role": COMMAND | {"user": ("user", "$other", True), "role": ("role", "member", True)},
    "member.remove": COMMAND | {"user": ("user", "$other", True)},
    "block.set": {"client_id": ("client_id", "$new", True), "user": ("user", "$other", True),
                  "blocked": ("flag", True, True)},
    "mark": {"conversation": ("uuid", "$group", True), "read": ("cursor", {"seq": 1, "id": "$id"}, False),
             "read_ord": ("number", 0, True), "delivered": ("number", 1, False), "private": ("flag", False, False)},
    "history": {"conversation": ("uuid", "$group", True), "before": ("number", 5, True), "have": ("cursor", None, False),
                "limit": ("number", 5, False)},
    "pull": {"conversation": ("uuid", "$group", True), "after": ("number", 0, True), "check": ("cursor", None, False),
             "limit": ("number", 5, False)},
    "sync": {"from": ("uuid", ZEROS, True), "to": ("uuid", EFFS, True), "vector": ("vector", [], True),
             "activity": ("position", "1", False)},
    "message.send": COMMAND | {"message": ("message", {"kind": "text", "text": "x"}, True),
                               "previous": ("uuid", None, False), "until": ("number", None, False)},
}
TALK = "/v1/conversations/$group"
BODIES = {
    ("POST", "/v1/conversations"): {"kind": ("kind", "group", True), "members": ("users", [], True),
                                    "title": ("text", "x", False), "history": ("history", "all", False)},
    ("PATCH", TALK): {"title": ("text", "x", False), "history": ("history", "all", False)},
    ("POST", f"{TALK}/members"): {"users": ("users", ["$other"], True)},
    ("PATCH", f"{TALK}/members/$other"): {"role": ("role", "member", True)},
    ("POST", f"{TALK}/read"): {"seq": ("number", 1, True), "id": ("user", "$id", True), "ord": ("number", 0, True),
                               "private": ("flag", False, False)},
    ("POST", f"{TALK}/messages"): {"message": ("message", {"kind": "text", "text": "x"}, True)},
    ("PATCH", "/v1/me"): {"display_name": ("text", "x", True)},
    ("PATCH", "/v1/devices/$device"): {"name": ("text", "x", True)},
}
QUERIES = {
    "/v1/conversations": {"limit": "number", "cursor": "uuid"},
    f"{TALK}/members": {"limit": "number", "cursor": "user"},
    f"{TALK}/messages": {"limit": "number", "after": "number", "before": "number", "around": "number"},
    f"{TALK}/messages/$id/reads": {"seq": "number"},
    "/v1/sync": {"limit": "number", "cursor": "uuid"},
    "/v1/unread": {"cursor": "uuid"},
}
QUERY_WORDS = ["x", "", "-1", "1.5", "1e3", "+1", " 1", str(2**64), "9" * 500, "%00", "%ff", "%"]


class BadGroups(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ann, cls.bob, cls.eve = cls.person("ann"), cls.person("bob"), cls.person("eve")

    async def asyncSetUp(self):
        self.session = await self.client(self.ann)
        made = await self.session.ask("conversation.create", client_id=v7(), kind="group", members=[self.bob.user], title="x")
        self.group = made["conversation"]
        await self.session.ask("member.add", conversation=self.group, client_id=v7(), users=[self.eve.user])
        self.names = {"$group": self.group, "$other": self.bob.user, "$id": made["id"],
                      "$device": self.session.welcome["device"]}

    async def asyncTearDown(self):
        self.assertTrue(self.server.lives(), self.server.said())
        page = await self.session.ask("pull", conversation=self.group, after=0)
        self.assertEqual(page["type"], "page", "the session lives")

    def filled(self, value):
        if isinstance(value, dict):
            return {key: self.filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner) for inner in value]
        return v7() if value == "$new" else self.names.get(value, value) if isinstance(value, str) else value

    def path(self, path):
        return re.sub(r"\$\w+", lambda found: self.names[found[0]], path)

    def wrong(self, fields):
        """(what is wrong, the fields with that) in every way."""
        for name, (type_, _, needed) in fields.items():
            for bad in BAD[type_] + ([None] if needed else []):
                yield f"{name}={bad!r:.60}", {key: bad if key == name else self.filled(good)
                                              for key, (_, good, _) in fields.items()}
            if needed:
                yield f"no {name}", {key: self.filled(good) for key, (_, good, _) in fields.items() if key != name}

    async def head(self):
        return (await self.session.ask("pull", conversation=self.group, after=0))["head"]

    # --- wrong types

    async def test_each_field_of_each_frame(self):
        head, tried = await self.head(), 0
        for type_, fields in FRAMES.items():
            for what, body in self.wrong(fields):
                tried += 1
                self.session.requests += 1
                await self.session.send(dumps(dict(body, type=type_, request=self.session.requests)))
                answer = await self.session.answer(self.session.requests)
                with self.subTest(type=type_, what=what):
                    self.assert_error(answer, "bad_request")
        self.assertGreater(tried, 400)
        self.assertEqual(await self.head(), head)

    async def test_frames_that_are_never_answered(self):
        for bad in UUID:
            await self.session.send(dumps({"type": "focus", "conversation": bad}))
        for bad in NUMBER + [None]:
            await self.session.send(dumps({"type": "ack", "received": bad}))
            await self.session.send(dumps({"type": "ping", "received": bad}))
        await self.session.send({"type": "mark", "conversation": self.group})
        await self.session.ask("pull", conversation=self.group, after=0)
        self.assertFalse([f for f in self.session.inbox if f["type"] == "error"])

    async def test_each_field_of_each_body(self):
        head = await self.head()
        for (method, path), fields in BODIES.items():
            for what, body in self.wrong(fields):
                with self.subTest(method=method, path=path, what=what):
                    self.assert_problem(self.call(method, self.path(path), dumps(body), self.ann.token), 400, "bad_request")
            for body in ("", "[]", "7", "null", '"x"', "{", "[" * 10_000):
                with self.subTest(method=method, path=path, body=body[:10]):
                    self.assert_problem(self.call(method, self.path(path), body, self.ann.token), 400, "bad_request")
        self.assertEqual(await self.head(), head)

    async def test_each_query(self):
        for path, parameters in QUERIES.items():
            for name in parameters:
                for word in QUERY_WORDS:
                    word = word.replace(" ", "%20")
                    url = f"{self.path(path)}?{name}={word}"
                    with self.subTest(url=url[:120]):
                        answer = self.call("GET", url, token=self.ann.token)
                        if url == "/v1/sync?cursor=1.5":  # has the form of one of another start
                            self.assert_problem(answer, 410, "reset")
                        else:
                            self.assert_problem(answer, 400, "bad_request")
        for path in ("?before=1&after=1", "?around=1&before=1"):
            self.assert_problem(self.call("GET", self.path(f"{TALK}/messages") + path, token=self.ann.token), 400,
                                "bad_request")

    async def test_ids_in_paths(self):
        for method, path, body in (("GET", "/v1/conversations/{}", None), ("PATCH", "/v1/conversations/{}", {"title": "x"}),
                                   ("POST", "/v1/conversations/{}/leave", None), ("GET", "/v1/conversations/{}/members", None),
                                   ("PATCH", TALK + "/members/{}", {"role": "admin"}), ("DELETE", TALK + "/members/{}", None),
                                   ("GET", "/v1/blocks/{}", None), ("PUT", "/v1/blocks/{}", None),
                                   ("DELETE", "/v1/blocks/{}", None), ("GET", TALK + "/messages/{}/reads?seq=1", None),
                                   ("PATCH", "/v1/devices/{}", {"name": "x"}), ("DELETE", "/v1/devices/{}", None)):
            for word in ("x", "-1", "1.5", str(2**64), "9" * 400, "%00", "%ff", "..", "%2e%2e", "0", v4()):
                with self.subTest(method=method, path=path, word=word[:20]):
                    answer = self.call(method, self.path(path).format(word), body, self.ann.token)
                    self.assertEqual(answer.status, 400 if word in ("%00", "%ff") else 404, answer.body)

    # --- the right types, and too much or not sensible

    async def test_what_is_not_sensible(self):
        group, client = self.group, self.session
        many = [str(2**50 + n) for n in range(1025)]
        new = v7
        for code, type_, fields in (
                ("too_large", "conversation.update", dict(conversation=group, title="x" * 201)),
                ("too_large", "conversation.update", dict(conversation=group, title="ä" * 101)),
                ("too_large", "conversation.create", dict(kind="group", members=[], title="x" * 201)),
                ("limit", "conversation.create", dict(kind="group", members=many)),
                ("limit", "member.add", dict(conversation=group, users=many)),
                ("bad_request", "member.add", dict(conversation=group, users=[])),
                ("bad_request", "conversation.update", dict(conversation=group)),
                ("bad_request", "conversation.create", dict(kind="direct", members=[self.ann.user])),
                ("bad_request", "conversation.create", dict(kind="direct", members=[self.bob.user, self.eve.user])),
                ("unsupported", "conversation.create", dict(kind="self", members=[])),
                ("unsupported", "conversation.create", dict(kind="choir", members=[])),
                ("not_found", "conversation.create", dict(kind="group", members=["1"])),
                ("not_found", "member.add", dict(conversation=group, users=["1"])),
                ("not_found", "member.remove", dict(conversation=group, user="1")),
                ("not_found", "member.role", dict(conversation=group, user="1", role="admin")),
                ("mode", "member.role", dict(conversation=group, user=self.ann.user, role="member")),
                ("bad_request", "block.set", dict(user=self.ann.user, blocked=True)),
                ("not_found", "block.set", dict(user="1", blocked=True)),
                ("bad_request", "sync", {"from": EFFS, "to": ZEROS, "vector": []}),
                ("limit", "sync", {"from": ZEROS, "to": EFFS, "vector": [[v4(), 1, "1"] for _ in range(501)]})):
            answer = await client.ask(type_, client_id=new(), **fields)
            with self.subTest(type=type_, fields=f"{fields!r:.80}"):
                self.assert_error(answer, code)
        self.assertEqual(await self.head(), 2)
        path = f"/v1/conversations/{group}"
        for status, code, method, where, body in (
                (413, "too_large", "PATCH", path, {"title": "x" * 201}),
                (413, "too_large", "POST", "/v1/conversations", {"kind": "group", "members": [], "title": "x" * 201}),
                (422, "limit", "POST", "/v1/conversations", {"kind": "group", "members": many}),
                (422, "limit", "POST", f"{path}/members", {"users": many}),
                (400, "bad_request", "POST", f"{path}/members", {"users": []}),
                (400, "bad_request", "PATCH", path, {}),
                (404, "not_found", "POST", f"{path}/members", {"users": ["1"]}),
                (400, "bad_request", "PUT", f"/v1/blocks/{self.ann.user}", None),
                (404, "not_found", "PUT", "/v1/blocks/1", None),
                (422, "limit", "GET", "/v1/users?ids=" + ",".join(many[:51]), None)):
            with self.subTest(method=method, where=where, body=f"{body!r:.80}"):
                self.assert_problem(self.call(method, where, body, self.ann.token), status, code)
        self.assertEqual(await self.head(), 2)

    async def test_who_stands_twice_counts_once(self):
        twice = [self.bob.user, self.bob.user, self.ann.user]
        made = await self.session.ask("conversation.create", client_id=v7(), kind="group", members=twice)
        self.assertEqual(made["type"], "ok", made)
        conversation = made["conversation"]
        created = (await self.session.pull_all(conversation))[0]
        self.assertEqual(created["members"], [self.ann.user, self.bob.user])
        await self.session.ask("member.add", conversation=conversation, client_id=v7(), users=[self.eve.user] * 3 + twice)
        added = (await self.session.pull_all(conversation))[-1]
        self.assertEqual(added["members"], [self.eve.user])
        again = await self.session.ask("member.add", conversation=conversation, client_id=v7(), users=[self.ann.user])
        self.assertTrue(again["duplicate"])
        removed = await self.session.ask("member.remove", conversation=conversation, client_id=v7(), user=self.ann.user)
        self.assert_error(removed, "mode")

    async def test_marks_and_places_far_away_change_nothing(self):
        far = 2**53 - 1
        for fields in (dict(delivered=far), dict(read={"seq": far, "id": "1"}, read_ord=far), dict(delivered=0),
                       dict(read={"seq": 0, "id": "0"}, read_ord=0)):
            answer = await self.session.ask("mark", conversation=self.group, **fields)
            self.assertEqual(answer["type"], "ok", (fields, answer))
        for word in ("before", "after", "around"):
            for seq in (0, far):
                page = await self.session.ask("history", conversation=self.group, **{word: seq})
                self.assertEqual((page["type"], page["head"]), ("page", 2), page)
        self.assert_error(await self.session.ask("pull", conversation=self.group, after=far), "diverged")

    # --- memory

    def resident_kib(self):
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

    async def test_memory_stays_flat_under_bad_frames(self):
        with open(harness.BINARY, "rb") as binary:
            if b"__asan_init" in binary.read():
                self.skipTest("AddressSanitizer keeps what was freed")
        rng = random.Random(3)
        every = [dict(body, type=type_) for type_, fields in FRAMES.items() for _, body in self.wrong(fields)]
        every += [{"type": "history", "conversation": v4(), "before": 9}, {"type": "focus", "conversation": v4()},
                  {"type": "mark", "conversation": v4(), "delivered": 7},
                  {"type": "member.add", "conversation": v4(), "client_id": v7(), "users": [self.bob.user]}]

        async def send(count):
            for _ in range(count):
                frames = rng.sample(every, 30)
                for frame in frames:
                    if "conversation" in frame and isinstance(frame["conversation"], str) and rng.random() < 0.5:
                        frame["conversation"] = v4()
                    self.session.requests += 1
                    frame["request"] = self.session.requests
                await self.session.send("[" + ",".join(dumps(f) for f in frames) + "]")
                for frame in frames:
                    if frame["type"] != "focus":
                        await self.session.answer(frame["request"])
            self.session.inbox.clear()

        await send(40)
        before = self.resident_kib()
        await send(300)
        self.assertLess(self.resident_kib() - before, 8 * 1024)


if __name__ == "__main__":
    main()
