"""The documentation is true: its snippets run, its examples are what the server says, its links lead somewhere."""

import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import Server, SystemTest, main, v4, v7

ROOT = pathlib.Path(__file__).parents[2]


def shape(value):
    """The names and types of a JSON value; of an array, those of its first element."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def json_blocks(path, begin="", end=None):
    """The JSON examples of a page, behind the line `begin` and before the line `end`."""
    text = path.read_text()
    text = text[text.index(begin):] if begin else text
    text = text[:text.index(end)] if end else text
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.S)]


async def first(client, wanted):
    """The first frame that is wanted; others before it are dropped."""
    while True:
        frame = await client.next()
        if wanted(frame):
            return frame


class Readme(unittest.TestCase):
    def test_curl_and_websocket_snippets_send_their_messages(self):
        server = Server()
        self.addCleanup(server.end)
        server.start()
        readme = (ROOT / "README.md").read_text().replace("127.0.0.1:65100", server.address)
        shell = re.search(r"<!-- test: curl -->\n```sh\n(.*?)```", readme, re.S).group(1)
        python = re.search(r"<!-- test: websocket -->\n```python\n(.*?)```", readme, re.S).group(1)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "snippet.py")
            pathlib.Path(path).write_text(python)
            script = f"set -e\n{shell}\necho\n{sys.executable} {path}\ncurl -s $T/v1/conversations/$TALK/messages " \
                     '-H "Authorization: Bearer $TOKEN"'
            ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        lines = ran.stdout.splitlines()
        self.assertEqual([json.loads(line)["type"] for line in lines[-3:-1]], ["welcome", "ok"])
        events = json.loads(lines[-1])["events"]
        self.assertEqual([e["message"]["text"] for e in events[1:]], ["hello by curl", "hello by WebSocket"])


class Examples(SystemTest):
    async def test_frames_are_as_documented(self):
        ann, bob, eve = self.person("ann"), self.person("bob"), self.person("eve")
        page = ROOT / "docs/protocol/frames.md"
        asked = [b for b in json_blocks(page, "# From the client", "# From the server") if b["type"] not in ("hello", "bye")]
        said = json_blocks(page, "# From the server") + [b for b in json_blocks(ROOT / "docs/protocol/connection.md")
                                                         if b["type"] != "hello"]
        self.assertGreater(len(asked), 15)
        session, other = await self.client(ann), await self.client(bob)
        conversation = await session.open_with(bob.user)
        created = await other.event("conversation.created")
        values = {"$CONVERSATION": conversation, "$OTHER_USER": bob.user, "$THIRD_USER": eve.user, "$EVENT_ID": created["id"]}

        def value(word):
            if word.startswith("$CLIENT_ID"):
                return values.setdefault(word, v7())
            return values[word]

        spoken = {}  # what the server says, by type, event and the fields that are not always there

        def name(frame):
            return (frame["type"], frame.get("event"), "duplicate" in frame, "retry_ms" in frame, "missing" in frame,
                    "replayed" in frame)

        for example in asked:
            text = re.sub(r"\$[A-Z_0-9]+", lambda found: value(found[0]), json.dumps(example))
            if example["type"] == "sync":
                await session.say(conversation, "so that there is something to list")
            await session.send(text)
            if "request" in example:
                answer = await session.answer(example["request"])
                self.assertNotEqual(answer["type"], "error", (example, answer))
                spoken[name(answer)] = answer
                if example.get("kind") == "group":
                    values["$GROUP"] = answer["conversation"]
                if answer["type"] == "sync":
                    values["$ACTIVITY"] = answer["activity"]
            elif example["type"] == "ping":
                pong = await first(session, lambda frame: frame["type"] == "pong")
                spoken[name(pong)] = pong
        client_id = v4()
        for _ in range(2):
            again = await session.say(conversation, "x", client_id)
            spoken[name(again)] = again
        for error in (await session.say(v4(), "x"), await session.say(conversation, "y", previous=v7())):
            spoken[name(error)] = error
        spoken[name(session.welcome)] = session.welcome
        resumed = self.call("POST", "/v1/poll", {"session": other.welcome["session"], "resume": other.welcome["resume"],
                                                 "received": other.counted}, bob.token).json["frames"][0]
        spoken[name(resumed)] = resumed
        other = await self.client(bob)
        listed = await first(session, lambda frame: frame.get("event") == "conversation.listed")
        for place in (values["$GROUP"], listed["conversation"], conversation):
            for event in await session.pull_all(place):
                spoken[name(event)] = event
        newest = spoken["event", "message.created", False, False, False, False]
        await other.ask("mark", conversation=conversation, read={"seq": newest["seq"], "id": newest["id"]},
                        read_ord=newest["ord"])
        receipt = await first(session, lambda frame: frame["type"] == "receipt" and frame["conversation"] == conversation)
        spoken[name(receipt)] = receipt

        checked = set()
        for frame in said:
            if name(frame) in spoken:
                real = spoken[name(frame)]
                if frame["type"] == "page":  # which event stands first differs
                    frame, real = dict(frame, events=[]), dict(real, events=[])
                if frame["type"] == "sync":  # and which conversation
                    rows = [row for row in real["conversations"] if row["conversation"] == conversation]
                    self.assertEqual(len(rows), 1)
                    real = dict(real, conversations=rows)
                self.assertEqual(shape(frame), shape(real), name(frame))
                checked.add(name(frame))
        self.assertEqual({c[0] for c in checked},
                         {"welcome", "pong", "ok", "error", "event", "receipt", "page", "sync"})
        self.assertEqual({c[1] for c in checked if c[1]}, {frame["event"] for frame in said if "event" in frame})
        self.assertGreaterEqual(len(checked), 18, checked)

    def test_rest_answers_are_as_documented(self):
        ann, bob = self.person("ann"), self.person("bob")
        body = {"handle": f"new_{ann.handle}", "password": harness.PASSWORD}
        self.call("POST", "/v1/accounts", body)
        again = self.call("POST", "/v1/accounts", body)
        users = self.call("GET", f"/v1/users?handle={bob.handle}", token=ann.token)
        opened = self.call("POST", "/v1/conversations", {"kind": "direct", "members": [bob.user]}, ann.token)
        path = f"/v1/conversations/{opened.json['conversation']}/messages"
        sent = self.call("POST", path, {"message": {"kind": "text", "text": "x"}}, ann.token)
        page = self.call("GET", path + "?after=1", token=ann.token)
        version = self.call("GET", "/v1/version")
        group = self.call("POST", "/v1/conversations", {"kind": "group", "members": [bob.user], "title": "x"}, ann.token).json
        here = f"/v1/conversations/{group['conversation']}"
        said = self.call("POST", here + "/messages", {"message": {"kind": "text", "text": "x"}}, ann.token).json
        read = self.call("POST", here + "/read", {name: said[name] for name in ("seq", "id", "ord")}, bob.token)
        self.assertEqual(read.status, 204)
        listed = self.call("GET", "/v1/conversations?limit=1", token=ann.token)
        members = self.call("GET", here + "/members", token=ann.token)
        end = time.monotonic() + 10
        while True:  # the times come with the next flush
            reads = self.call("GET", f"{here}/messages/{said['id']}/reads?seq={said['seq']}", token=ann.token)
            if b"read_at" in reads.body:
                break
            self.assertLess(time.monotonic(), end, reads.body)
        sync = self.call("GET", "/v1/sync", token=ann.token)
        real = [shape(r.json) for r in (again, users, opened, listed, members, sent, page, reads, sync, version)]
        for answer in real:
            if "more" in answer and "next" in answer:
                answer["conversations"] = []  # as documented
        self.assertEqual([shape(b) for b in json_blocks(ROOT / "docs/protocol/rest.md")], real)

    def test_answers_about_accounts_are_as_documented(self):
        body = {"handle": f"doc_{secrets.token_hex(4)}", "password": harness.PASSWORD}
        made = self.call("POST", "/v1/accounts", body)
        tokens = self.call("POST", "/v1/tokens", body)
        token = tokens.json["token"]
        invite = self.call("POST", "/v1/invites", token=token)
        refreshed = self.call("POST", "/v1/tokens/refresh", {"refresh": tokens.json["refresh"]})
        devices = self.call("GET", "/v1/devices", token=token)
        me = self.call("GET", "/v1/me", token=token)
        real = [shape(r.json) for r in (made, invite, tokens, refreshed, devices, me)]
        self.assertEqual([shape(b) for b in json_blocks(ROOT / "docs/protocol/accounts.md")], real)

    async def test_the_documented_hello_is_welcome(self):
        hello = next(f for f in json_blocks(ROOT / "docs/protocol/frames.md") if f["type"] == "hello")
        person = self.person("ann")
        client = await self.stranger()
        await client.send(json.dumps(hello).replace("$TOKEN", person.token))
        self.assertEqual((await client.next())["type"], "welcome")


class Pages(unittest.TestCase):
    def test_links_lead_somewhere(self):
        pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
        self.assertGreater(len(pages), 8)
        for page in pages:
            for target in re.findall(r"\]\(([^)#:]*)(#[^)]*)?\)", page.read_text()):
                path, anchor = (page.parent / target[0]).resolve() if target[0] else page, target[1][1:]
                with self.subTest(page=page.name, link=target):
                    self.assertTrue(path.exists())
                    if anchor:
                        headings = [re.sub(r"[^a-z0-9 _-]", "", h.lower()).replace(" ", "-")
                                    for h in re.findall(r"^#+ (.*)$", path.read_text(), re.M)]
                        self.assertIn(anchor, headings)

    def test_the_table_of_settings_is_the_programs(self):
        documented = dict(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (?:`([^`]+)`|none) \|", (ROOT / "docs/configuration.md").read_text(),
                                     re.M))
        source = (ROOT / "src/server/config.cc").read_text()
        known = dict(re.findall(r'"((?:server|storage|accounts|limits)\.[a-z_]+)",\s*"([^"]*)"', source))
        self.assertEqual(documented, known)
        self.assertGreater(len(known), 10)

    def test_every_limit_is_in_the_table_of_limits(self):
        text = (ROOT / "docs/operating.md").read_text()
        table = text[text.index("## Every limit"):]
        documented = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.M))))
        source = (ROOT / "src/base/limits.h").read_text()
        fields = set(re.findall(r"^  (?:size_t|nanoseconds|Rate) ([a-z_]+) *=|^  Rate ([a-z_]+)\{", source, re.M))
        fields = {one or other for one, other in fields}
        self.assertEqual({name for name in documented if not name.startswith("tidings_")}, fields)
        self.assertGreater(len(fields), 60)

    def test_every_metric_is_documented(self):
        server = Server()
        self.addCleanup(server.end)
        server.start()
        text = harness.call(server.address, "GET", "/metrics").body.decode()
        metrics = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        helped = set(re.findall(r"^# HELP (\S+) \S", text, re.M))
        self.assertEqual(set(metrics), helped)
        documented = set(re.findall(r"`(tidings_[a-z_]+)(?:\{[a-z]+\})?`", (ROOT / "docs/operating.md").read_text()))
        self.assertEqual(documented, set(metrics))
        self.assertGreater(len(metrics), 50)


if __name__ == "__main__":
    main()
