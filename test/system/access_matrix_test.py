"""A generated matrix: every endpoint and every frame, asked by everybody from nobody to the owner (access_matrix.py)."""

import json
import pathlib
import re
import secrets

import harness
from access_matrix import FRAMES, REST, ROLES
from harness import PASSWORD, Client, SystemTest, main, v4, v7

ROOT = pathlib.Path(__file__).parents[2]
PROTOCOL = ROOT / "docs/protocol"
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
NOBODY = "1"


# --- what there is, by the documentation

def endpoints_of_table(text):
    """(method, path) of the first column of the first table of a page."""
    table = re.search(r"^\| \| \| token \|\n(.*?)\n\n", text, re.S | re.M)[1]
    found = set()
    for line in table.splitlines()[1:]:
        cell = line.split("|")[1]
        if "accounts.md" in line:
            continue  # has a table of its own
        methods, path = [], None
        for word in re.findall(r"`([^`]+)`", cell):
            if word.startswith("?"):
                continue  # another question to the endpoint before
            *method, rest = word.split()
            if rest in METHODS:
                methods.append(rest)
                continue
            rest = rest.split("?")[0]
            path = path + rest[1:] if rest.startswith("…") else rest
            for name in methods + method or ["GET"]:
                found.add((name, path))
            methods = []
        assert not methods, line
    return found


def documented_endpoints():
    return endpoints_of_table((PROTOCOL / "rest.md").read_text()) | endpoints_of_table((PROTOCOL / "accounts.md").read_text())


def documented_frames():
    page = (PROTOCOL / "frames.md").read_text()
    return set(re.findall(r"^## ([a-z.]+)$", page.split("# From the client")[1].split("# From the server")[0], re.M))


def documented_codes():
    return {code: int(status) for code, status in
            re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", (PROTOCOL / "codes.md").read_text(), re.M)}


def routes_of_the_server():
    found = set()
    for source in (ROOT / "src/api").glob("*.cc"):
        if not source.name.endswith("_test.cc"):
            found |= set(re.findall(r'\badd\(\s*"([A-Z]+)",\s*"([^"]+)"', source.read_text()))
    return found


def frames_of_the_server():
    return set(re.findall(r'type == "([a-z.]+)"', (ROOT / "src/wire/client_frames.cc").read_text()))


def bare(endpoint):
    return endpoint[0], re.sub(r"\{\w*\}", "{}", endpoint[1])


def filled(value, values):
    """`value` with its {words} filled in; a text that is nothing but a {word} takes the type of what stands there."""
    if isinstance(value, dict):
        return {key: filled(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, values) for inner in value]
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"\{\w+\}", value):
        return values[value[1:-1]]
    return re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), value)


class Recording(Client):
    """Keeps every text that came, as it came."""

    def __init__(self, socket):
        super().__init__(socket)
        self.heard = []

    async def receive(self, seconds=harness.ANSWER_SECONDS):
        frame = await super().receive(seconds)
        self.heard.append(json.dumps(frame, ensure_ascii=False))
        return frame


class Complete(harness.unittest.TestCase):
    def test_every_endpoint_has_a_row_and_every_row_an_endpoint(self):
        documented, rows = documented_endpoints(), {(row.method, row.path) for row in REST}
        self.assertGreater(len(documented), 30)
        self.assertEqual(documented, rows)
        self.assertEqual({bare(e) for e in documented}, routes_of_the_server())

    def test_every_frame_has_a_row_and_every_row_a_frame(self):
        self.assertGreater(len(documented_frames()), 15)
        self.assertEqual(documented_frames(), {row.method for row in FRAMES})
        self.assertEqual(documented_frames(), frames_of_the_server())

    def test_every_row_has_a_word_for_each_role_that_is_known(self):
        known = set(documented_codes()) | {"ok", "page", "sync", "none", "pong", "welcome", "bye", "200", "201", "204"}
        for row in REST + FRAMES:
            self.assertEqual(set(row.cells.values()) - known, set(), row.name)


class Matrix(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.codes = documented_codes()
        cls.roles = {name: cls.person(name) for name in ROLES[1:]}
        cls.other, cls.other_admin, cls.other_owner, cls.witness, cls.spare, cls.foreigner = [
            cls.person(name) for name in ("other", "oadmin", "oowner", "witness", "spare", "foreign")]
        devices = harness.call(cls.address, "GET", "/v1/devices", token=cls.foreigner.token).json["devices"]
        cls.foreign_device = devices[0]["device"]
        cls.serial = 0
        # What must not be read, by those who must not: before, during and after the former member's time.
        cls.secret = {name: f"canary_{name}_{secrets.token_hex(6)}" for name in ("before", "during", "after", "title")}
        cls.forbidden = {"anonymous": list(cls.secret), "stranger": list(cls.secret), "former": ["before", "after", "title"]}

    async def asyncSetUp(self):
        self.sessions = {}
        for role, person in self.roles.items():
            self.sessions[role] = await self.recording(person.token)
        self.witness_session = await self.recording(self.witness.token)

    async def recording(self, token):
        client = await Recording.log_on(self.address, token)
        self.addAsyncCleanup(client.close)
        return client

    async def group(self):
        """A group in which the former member has been between `before` and `after`; the values of its {words}."""
        owner = self.sessions["owner"]
        people = [self.roles["admin"], self.roles["member"], self.other, self.other_admin, self.other_owner, self.witness]
        made = await owner.ask("conversation.create", client_id=v7(), kind="group", members=[p.user for p in people],
                               title="known to all")
        here = {"conversation": made["conversation"]}
        former = self.roles["former"].user
        wanted = [dict(type="member.role", user=self.roles["admin"].user, role="admin"),
                  dict(type="member.role", user=self.other_admin.user, role="admin"),
                  dict(type="member.role", user=self.other_owner.user, role="owner"),
                  self.message("before"), dict(type="member.add", users=[former]), self.message("during"),
                  dict(type="member.remove", user=former), self.message("after"),
                  dict(type="conversation.update", title=self.secret["title"])]
        frames = [dict(frame, **here, client_id=v7(), request=owner.requests + 1 + n) for n, frame in enumerate(wanted)]
        owner.requests += len(frames)
        await owner.send(json.dumps(frames))
        answers = [await owner.answer(frame["request"]) for frame in frames]
        self.assertEqual({answer["type"] for answer in answers}, {"ok"}, answers)
        during = answers[5]
        return dict(here, id=during["id"], seq=during["seq"], ord=during["ord"], head=answers[-1]["seq"])

    def message(self, name):
        return dict(type="message.send", message={"kind": "text", "text": self.secret[name]})

    def values(self, role, group):
        """What the {words} of a row stand for when this role asks."""
        type(self).serial += 1
        person = self.roles.get(role)
        return dict(group, password=PASSWORD, fresh_handle=f"fresh{self.serial}_{secrets.token_hex(3)}",
                    spare=self.spare.user, spare_handle=self.spare.handle, other=self.other.user,
                    other_admin=self.other_admin.user, other_owner=self.other_owner.user, never_blocked=self.other.user,
                    foreign_user=self.foreigner.user, foreign_device=self.foreign_device,
                    user=person.user if person else self.other.user, token=person.token if person else "",
                    device=self.sessions[role].welcome["device"] if person else "1", client_id=v7())

    def more_values(self, row, role, values):
        """What costs a log-in, for the rows that need it."""
        text = f"{row.path}{row.put}{row.body}"
        if "new_person" in text:
            values["new_person"] = self.person("new").user
        if "spare_refresh" in text:
            values["spare_refresh"] = self.call("POST", "/v1/tokens", {"handle": self.spare.handle,
                                                                      "password": PASSWORD}).json["refresh"]
        values["second_device"] = "1"
        if role != "anonymous" and ("second_device" in text or row.name in ("DELETE /v1/tokens", "hello", "bye")):
            person = self.roles[role]
            made = self.call("POST", "/v1/tokens", {"handle": person.handle, "password": PASSWORD}).json
            values["second_device"] = made["device"]
            values["token" if row.name in ("hello", "bye") else "second_token"] = made["token"]
        return values

    def rest(self, row, values, token):
        values = dict(values, **filled(row.put, values))
        body = filled(row.body, values)
        return self.call(row.method, filled(row.path + row.query, values), body, token)

    async def head(self, conversation):
        page = await self.witness_session.ask("pull", conversation=conversation, after=0, limit=200)
        return page["head"], "".join(json.dumps(e) for e in page["events"])

    async def check_the_group(self, row, group, accepted):
        """What was refused has changed nothing; what was accepted is one event."""
        head, _ = await self.head(group["conversation"])
        self.assertEqual(head, group["head"] + (1 if row.changes and accepted else 0), row.name)

    def assert_keeps_secrets(self, role, text, where):
        for name in self.forbidden.get(role, ()):
            self.assertNotIn(self.secret[name], text, f"{role} reads what was said {name}: {where}")

    # --- REST

    async def test_rest(self):
        group = None
        for row in REST:
            for role, word in row.cells.items():
                with self.subTest(row=row.name, put=row.put, body=row.body, role=role):
                    group = group or await self.group()
                    values = self.more_values(row, role, self.values(role, group))
                    token = values.get("second_token", values["token"])
                    answer = self.rest(row, values, token or None)
                    text = answer.body.decode()
                    if word.isdigit():
                        self.assertEqual(answer.status, int(word), text)
                    else:
                        self.assert_problem(answer, self.codes[word], word)
                    self.assert_keeps_secrets(role, text, row.name)
                    await self.check_the_group(row, group, word.isdigit())
                    if row.changes and word.isdigit():
                        group = None  # a new one for the next
        await self.assert_nothing_came_to_those_outside()

    # --- frames

    async def outcome(self, row, role, values):
        frame = dict(filled(row.body, values), type=row.method)
        if role == "anonymous" or row.method in ("hello", "bye"):
            client = await Recording.open(self.address)
            self.addAsyncCleanup(client.close)
            if row.method == "bye" and role != "anonymous":
                await client.send({"type": "hello", "token": values["token"]})
            await client.send(frame)
            if row.method == "hello" and role != "anonymous":
                return (await client.next())["type"], client.heard
            code, reason, error = await client.end()
            self.assertEqual(reason, error or "bye")
            return reason, client.heard
        client = self.sessions[role]
        if row.method in ("ping", "focus", "ack"):
            before = len(client.heard)
            await client.send(frame)
            await client.send({"type": "pull", "request": 2**53 - 1, "conversation": v4(), "after": 0})
            await client.answer(2**53 - 1)
            heard = [json.loads(text) for text in client.heard[before:]]
            self.assertNotIn("error", [f["type"] for f in heard if "request" not in f])
            return next((f["type"] for f in heard if f["type"] == "pong"), "none"), client.heard[before:]
        answer = await client.ask(frame.pop("type"), **frame)
        return answer.get("code", answer["type"]), [json.dumps(answer)]

    async def test_frames(self):
        group = None
        for row in FRAMES:
            for role, word in row.cells.items():
                with self.subTest(row=row.name, body=row.body, role=role):
                    group = group or await self.group()
                    values = self.more_values(row, role, self.values(role, group))
                    got, heard = await self.outcome(row, role, values)
                    self.assertEqual(got, word, heard)
                    self.assert_keeps_secrets(role, "".join(heard), row.name)
                    await self.check_the_group(row, group, word == "ok")
                    if row.changes and word == "ok":
                        group = None  # a new one for the next
        await self.assert_nothing_came_to_those_outside()

    async def assert_nothing_came_to_those_outside(self):
        """What was told live, and never asked for."""
        for role in ("stranger", "former"):
            await self.sessions[role].ask("pull", conversation=v4(), after=0)
            self.assert_keeps_secrets(role, "".join(self.sessions[role].heard), "live")
        heard = [json.loads(text) for text in self.sessions["stranger"].heard]
        own = {f["conversation"] for f in heard if f["type"] == "event" and f["event"] == "conversation.listed"}
        self.assertLessEqual(len(own), 1)
        listed = {f["about"] for f in heard if f.get("event") == "conversation.listed"} | own
        created = {f["conversation"] for f in heard if f["type"] in ("ok", "event", "receipt")}
        self.assertGreater(len(created), 0)
        for frame in heard:
            if frame["type"] == "event":
                self.assertIn(frame["conversation"], listed | {c for c in created if self.is_theirs(c)}, frame)

    def is_theirs(self, conversation):
        return self.call("GET", f"/v1/conversations/{conversation}", token=self.roles["stranger"].token).status == 200

    # --- who was never there cannot tell what exists

    async def test_a_stranger_cannot_tell_what_exists(self):
        group = await self.group()
        direct = await self.sessions["owner"].open_with(self.other.user)
        in_direct = await self.sessions["owner"].say(direct, self.secret["before"])
        own_log = (await self.sessions["owner"].event("conversation.listed"))["conversation"]
        real = self.values("stranger", group)
        person = dict(spare=NOBODY, other=NOBODY, other_admin=NOBODY, other_owner=NOBODY, foreign_user=NOBODY)
        worlds = [real, dict(real, conversation=v4()), dict(real, conversation=v4(), id="1", seq=77, **person),
                  dict(real, **person), dict(real, id=group["id"], seq=group["seq"] + 1), dict(real, seq=10**6),
                  dict(real, conversation=direct, id=in_direct["id"], seq=in_direct["seq"]),
                  dict(real, conversation=own_log, seq=1, id="1")]
        stranger, token = self.sessions["stranger"], self.roles["stranger"].token
        asked = 0
        for row in REST:
            if "{conversation}" not in row.path:
                continue
            for body in (row.body, {}, {"message": {"kind": "text", "text": "x" * 16_385}}, {"users": [NOBODY] * 2},
                         {"title": "x" * 201}):
                if row.body is None and body is not None:
                    continue
                row.body, kept = body, row.body
                answers = [self.rest(row, values, token) for values in worlds]
                row.body = kept
                with self.subTest(row=row.name, body=body):
                    self.assertEqual({(a.status, a.body, tuple(sorted(set(a.headers) - {"X-Request-Id"}))) for a in answers},
                                     {(answers[0].status, answers[0].body,
                                       tuple(sorted(set(answers[0].headers) - {"X-Request-Id"})))})
                asked += len(answers)
        for row in FRAMES:
            if "{conversation}" not in str(row.body) or row.cells["stranger"] in ("none", "sync"):
                continue
            more = [{}, {"client_id": v7(2**43)}, {"client_id": v4()}, {"client_id": v7(10**12)}, {"previous": v7()},
                    {"until": 1}, {"after": 10**6}, {"check": {"seq": 0, "id": "1"}}, {"title": "x" * 201},
                    {"users": [NOBODY] * 2}, {"delivered": 1}, {"have": {"seq": 1, "id": "1"}}]
            for change in more:
                answers = []
                for values in worlds:
                    frame = dict(filled(row.body, values), **change)
                    answer = await stranger.ask(row.method, **frame)
                    answers.append(json.dumps(dict(answer, request=0)))
                with self.subTest(row=row.name, change=change):
                    if not change:
                        self.assertIn('"not_found"', answers[0])
                    self.assertEqual(set(answers), {answers[0]})
                asked += len(answers)
        self.assertGreater(asked, 1000)
        unknown = [self.call("GET", f"/v1/users?ids={user}", token=token) for user in (self.foreigner.user, NOBODY)]
        self.assertEqual([a.body for a in unknown], [b'{"users":[]}'] * 2)
        devices = [self.call(method, f"/v1/devices/{device}", {"name": "x"} if method == "PATCH" else None, token)
                   for device in (self.foreign_device, NOBODY) for method in ("PATCH", "DELETE")]
        self.assertEqual({(a.status, a.body) for a in devices}, {(404, devices[0].body)})
        blocks = [self.call("GET", f"/v1/blocks/{user}", token=token) for user in (self.foreigner.user, NOBODY)]
        self.assertEqual(blocks[0].body, blocks[1].body)
        whole = {"from": harness.ZEROS, "to": harness.EFFS}
        syncs = [await stranger.ask("sync", **whole, vector=[[c, 1, "1", 0]]) for c in (group["conversation"], v4())]
        self.assertEqual(*[[row["conversation"] for row in answer["conversations"]] for answer in syncs])
        self.assert_keeps_secrets("stranger", "".join(stranger.heard), "anywhere")
        self.assertEqual((await self.head(group["conversation"]))[0], group["head"])

    # --- who was there sees that time, and nothing of before and after

    async def test_the_former_member_sees_that_time_only(self):
        group = await self.group()
        former, token = self.sessions["former"], self.roles["former"].token
        page = await former.ask("pull", conversation=group["conversation"], after=0)
        self.assertEqual([e["event"] for e in page["events"]], ["member.added", "message.created", "member.removed"])
        first, last = page["events"][0]["seq"], page["events"][-1]["seq"]
        self.assertEqual((page["holes"], page["upto"], page["head"], page["more"], page["marks"]),
                         ([[1, first - 1, "not_member"]], last, last, False, []))
        self.assertIn(self.secret["during"], json.dumps(page))
        path = f"/v1/conversations/{group['conversation']}"
        seen = [json.dumps(page)]
        for place in [f"{word}={seq}" for word in ("after", "before", "around") for seq in range(0, group["head"] + 3)]:
            answer = self.call("GET", f"{path}/messages?{place}&limit=2", token=token)
            seen.append(answer.body.decode())
            word, seq = place.split("=")
            if answer.status == 200:
                self.assertLessEqual({e["seq"] for e in answer.json["events"]}, set(range(first, last + 1)))
                self.assertEqual(answer.json["head"], last)
            else:
                self.assert_problem(answer, 409, "diverged")
                self.assertTrue(word == "after" and int(seq) > last)
            if place.startswith("after"):
                continue
            frame = await former.ask("history", conversation=group["conversation"], limit=2, **{word: int(seq)})
            self.assertLessEqual({e["seq"] for e in frame["events"]}, set(range(first, last + 1)))
        for listing in (path, "/v1/conversations", "/v1/sync", "/v1/unread"):
            seen.append(self.call("GET", listing, token=token).body.decode())
        row = self.call("GET", path, token=token).json
        self.assertEqual((row["left"], row["head"], row["head_id"], row["members"]), (True, last, page["events"][-1]["id"], 0))
        self.assertEqual(row["title"], "known to all")
        whole = {"from": harness.ZEROS, "to": harness.EFFS}
        await former.ask("sync", **whole, vector=[])
        self.assert_keeps_secrets("former", "".join(seen + former.heard), "anywhere")


if __name__ == "__main__":
    main()
