"""Whatever a client sends gets its code; nothing is lost, the others feel nothing, the server lives."""

import asyncio
import http.client
import json
import socket

import websockets

from harness import EFFS, PASSWORD, ZEROS, Client, SystemTest, main, v4, v7

TEXT, BINARY = 1, 2
DAY_MS = 86_400_000


def nested(depth):
    """An object in which objects stand `depth` deep, itself included."""
    return '{"type":"x","a":' + '{"a":' * (depth - 1) + "1" + "}" * depth


class BadInput(SystemTest):
    """Around each test two bystanders talk: before, and again after it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ann, cls.bob, cls.carls = cls.person("ann"), cls.person("bob"), cls.person("carl")

    async def asyncSetUp(self):
        self.bystanders = [await self.client(self.ann), await self.client(self.bob)]
        self.conversation = await self.bystanders[0].open_with(self.bob.user)
        page = await self.bystanders[1].ask("pull", conversation=self.conversation, after=0, limit=1)
        self.head = page["head"]
        await self.bystanders_talk()

    async def asyncTearDown(self):
        await self.bystanders_talk()
        self.assertTrue(self.server.lives(), self.server.said())

    async def bystanders_talk(self):
        one, other = self.bystanders
        self.head += 1
        ok = await one.say(self.conversation, f"all is well at {self.head}")
        self.assertEqual((ok["type"], ok.get("seq")), ("ok", self.head), ok)
        event = await other.event()
        while event["conversation"] != self.conversation:
            event = await other.event()
        self.assertEqual((event["seq"], event["message"]["text"]), (self.head, f"all is well at {self.head}"))

    async def carl(self, new=True):
        """Somebody else, connected, with a conversation with bob; of a new person it is empty."""
        client = await self.client(self.person("carl") if new else self.carls)
        return client, await client.open_with(self.bob.user)

    # --- before the welcome

    async def test_tokens_that_are_unknown_or_missing(self):
        for token in ("", "foreign", self.ann.token[:-1] + "~", "x" * 10_000):
            with self.subTest(token=token[:20]):
                client = await self.stranger()
                await client.send({"type": "hello", "token": token})
                self.assertEqual(await client.end(), (4401, "unauthenticated", "unauthenticated"))
        client = await self.stranger()
        await client.send({"type": "hello"})
        self.assertEqual(await client.end(), (4401, "unauthenticated", "unauthenticated"))

    async def test_a_hello_that_is_none(self):
        for frame in ({"type": "hello", "token": 7}, {"type": "hello", "token": self.ann.token, "versions": "1"},
                      {"type": "ping"}, {"type": "message.send", "request": 1}, {"type": "surprise"}, "hello", "[]",
                      "7", "null", "", "{", '{"type":7}', '{"no":"type"}', '["hello"]'):
            with self.subTest(frame=frame):
                client = await self.stranger()
                await client.send(frame)
                if frame == "[]":  # no frame at all
                    await client.send({"type": "ping"})
                self.assertEqual(await client.end(), (4400, "bad_frame", "bad_frame"))

    async def test_versions_that_the_server_does_not_speak(self):
        client = await self.stranger()
        await client.send({"type": "hello", "token": self.ann.token, "versions": [2, 9]})
        self.assertEqual(await client.end(), (4426, "version", "version"))

    async def test_too_much_before_the_welcome(self):
        client = await self.stranger()
        await client.send("[" + ",".join([json.dumps({"type": "hello", "token": self.person("dora").token})]
                                         + ['{"type":"ping"}'] * 200) + "]")
        self.assertEqual(await client.end(), (4400, "bad_frame", "bad_frame"))

    async def test_an_upgrade_elsewhere_or_without_the_subprotocol(self):
        host, port = self.address.rsplit(":", 1)
        for path, protocol, status in (("/v1/nowhere", "tidings.v1.json", 404), ("/v1/ws", "soap", 400),
                                       ("/v1/ws", None, 400)):
            with self.subTest(path=path, protocol=protocol):
                connection = http.client.HTTPConnection(host, int(port), timeout=10)
                headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
                if protocol:
                    headers["Sec-WebSocket-Protocol"] = protocol
                connection.request("GET", path, headers=headers)
                self.assertEqual(connection.getresponse().status, status)
                connection.close()

    # --- what ends a session

    async def ends_with(self, send, end):
        client, _ = await self.carl(new=False)
        try:
            await send(client)
        except websockets.ConnectionClosed:
            pass  # closed before the last byte was out
        self.assertEqual((await client.end())[:len(end)], end)

    async def test_what_is_no_frame_ends_the_session(self):
        for text in ("{", "[1]", "7", '"hello"', '{"type":null}', '[{"type":"ping"},7]', nested(17), "[" * 60_000,
                     '{"type":"ping"} x'):
            with self.subTest(text=text[:30]):
                await self.ends_with(lambda client: client.send(text), (4400, "bad_frame", "bad_frame"))

    async def test_a_second_hello(self):
        await self.ends_with(lambda client: client.send({"type": "hello", "token": "x"}),
                             (4400, "bad_frame", "bad_frame"))

    async def test_a_binary_message(self):
        await self.ends_with(lambda client: client.send_bytes(BINARY, b'{"type":"ping"}'), (4400, "bad_frame"))

    async def test_text_that_is_not_utf_8(self):
        for payload in (b'{"type":"\xff"}', b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f"):
            with self.subTest(payload=payload):
                await self.ends_with(lambda client: client.send_bytes(TEXT, payload), (1007,))

    async def test_a_frame_above_the_limit(self):
        fits = json.dumps({"type": "ping", "pad": "x" * 65_000})
        client, _ = await self.carl(new=False)
        await client.send(fits + " " * (65_536 - len(fits)))
        self.assertEqual((await client.next())["type"], "pong")
        await client.send(fits + " " * (65_537 - len(fits)))
        self.assertEqual((await client.end())[0], 1009)

    async def test_a_long_message_in_many_fragments(self):
        async def fragments(client):
            for n in range(100):
                await client.send_bytes(TEXT if n == 0 else 0, b"x" * 1000, fin=False)
        await self.ends_with(fragments, (1009,))

    async def test_broken_websocket_framing(self):
        mask = b"\0\0\0\0"
        for broken in (b"\x80\x83" + mask + b"abc",  # a continuation of nothing
                       b"\x81\x03abc",  # not masked
                       b"\xc1\x83" + mask + b"abc",  # a reserved bit
                       b"\x83\x80" + mask,  # an unknown opcode
                       b"\x89\xfe\x00\x7e" + mask + b"x" * 126,  # a ping of 126 bytes
                       b"\x88\x81" + mask + b"x"):  # half a close code
            async def send(client, broken=broken):
                client.socket.transport.write(broken)
            with self.subTest(broken=broken[:2]):
                await self.ends_with(send, (1002,))

    # --- what the session survives

    async def test_wrong_types_are_answered_under_their_request(self):
        client, conversation = await self.carl()
        send = {"type": "message.send", "conversation": conversation, "client_id": v7(),
                "message": {"kind": "text", "text": "x"}}
        create = {"type": "conversation.create", "client_id": v7(), "kind": "direct", "members": [self.bob.user]}
        pull = {"type": "pull", "conversation": conversation, "after": 0}
        sync = {"type": "sync", "from": v4(), "to": EFFS, "vector": []}
        wrong = [
            (send, {"client_id": "not-a-uuid"}), (send, {"client_id": None}), (send, {"client_id": 7}),
            (send, {"message": "x"}), (send, {"message": {"kind": "text"}}), (send, {"message": {"text": "x"}}),
            (send, {"message": {"kind": "text", "text": ["x"]}}), (send, {"message": {"kind": "text", "text": ""}}),
            (send, {"conversation": "here"}), (send, {"conversation": None}), (send, {"to": self.bob.user}),
            (send, {"conversation": None, "to": int(self.bob.user)}), (send, {"conversation": None, "to": "-1"}),
            (send, {"previous": "x"}), (send, {"until": "soon"}), (send, {"until": -1}), (send, {"until": 2**53}),
            (create, {"members": []}), (create, {"members": ["x"]}), (create, {"members": None}), (create, {"kind": 1}),
            (create, {"members": [self.ann.user, self.bob.user]}), (create, {"client_id": "x"}),
            (pull, {"after": None}), (pull, {"after": -1}), (pull, {"after": 1.5}), (pull, {"after": "0"}),
            (pull, {"check": 1}), (pull, {"check": {"seq": 1}}), (pull, {"check": {"seq": 1, "id": 1}}),
            (pull, {"limit": 0}), (pull, {"conversation": 7}),
            (sync, {"from": "x"}), (sync, {"vector": None}), (sync, {"vector": [[v4(), 1]]}),
            (sync, {"vector": [[v4(), "1", "1"]]}), (sync, {"from": EFFS, "to": v4()}),
        ]
        for frame, change in wrong:
            with self.subTest(type=frame["type"], **change):
                fields = dict(frame, **change)
                self.assert_error(await client.ask(fields.pop("type"), **fields), "bad_request")
        self.assertEqual([e["seq"] for e in await client.pull_all(conversation)], [1])

    async def test_frames_without_a_readable_request_are_dropped(self):
        client, conversation = await self.carl()
        for request in (None, "5", 0, -1, 1.5, 2**53):
            await client.send({"type": "message.send", "request": request, "conversation": conversation,
                               "client_id": v7(), "message": {"kind": "text", "text": "x"}})
        await client.send({"type": "ack", "received": "many"})
        await client.send({"type": "ping"})
        self.assertEqual((await client.next())["type"], "pong")
        self.assertEqual(len(await client.pull_all(conversation)), 1)

    async def test_unknown_fields_are_ignored_and_unknown_types_answered(self):
        client, conversation = await self.carl()
        ok = await client.say(conversation, "plain", color="red", nested={"a": [1, {"b": None}]})
        self.assertEqual(ok["type"], "ok")
        event = (await client.pull_all(conversation))[-1]
        self.assertNotIn("color", event)
        self.assert_error(await client.ask("message.teleport"), "unsupported")
        self.assert_error(await client.ask("message.send", conversation=conversation, client_id=v7(),
                                           message={"kind": "hologram", "text": "x"}), "unsupported")
        self.assert_error(await client.ask("conversation.create", client_id=v7(), kind="choir",
                                           members=[self.bob.user]), "unsupported")
        await client.send({"type": "message.teleport"})
        await client.send(nested(16))
        await client.silence()

    async def test_half_a_surrogate_pair(self):
        client, conversation = await self.carl()
        good = json.dumps({"type": "message.send", "request": 2, "conversation": conversation, "client_id": v7(),
                           "message": {"kind": "text", "text": "\U0001f54a"}})
        bad = good.replace('"request": 2', '"request": 1').replace("\\udd4a", "")
        self.assertIn("\\ud83d", bad)
        await client.send(f"[{bad},{good}]")
        self.assert_error(await client.answer(1), "bad_request")
        self.assertEqual((await client.answer(2))["type"], "ok")
        self.assertEqual((await client.pull_all(conversation))[-1]["message"]["text"], "\U0001f54a")

    async def test_text_has_a_limit_in_bytes(self):
        client, conversation = await self.carl()
        self.assertEqual((await client.say(conversation, "ä" * 8192))["type"], "ok")
        self.assert_error(await client.say(conversation, "ä" * 8192 + "x"), "too_large")

    async def test_text_comes_back_as_it_was_sent(self):
        client, conversation = await self.carl()
        texts = ['"quoted" \\ and / more', "tab\tnew\nline\r\u0000\u001f\u007f", "\u2028\ufeff\ufffd", "\U0010ffff é",
                 "</script>", " "]
        for text in texts:
            self.assertEqual((await client.say(conversation, text))["type"], "ok")
        self.assertEqual([e["message"]["text"] for e in (await client.pull_all(conversation))[1:]], texts)

    async def test_an_array_is_taken_up_to_its_first_bad_frame(self):
        client, conversation = await self.carl()
        await client.send('[{"type":"message.send","request":1,"conversation":"%s","client_id":"%s",'
                          '"message":{"kind":"text","text":"good"}},7]' % (conversation, v7()))
        self.assertEqual((await client.end())[0], 4400)
        bob = self.bystanders[1]
        for _ in range(100):
            if len(await bob.pull_all(conversation)) == 2:
                return
            await asyncio.sleep(0.02)
        self.fail("the frame before the bad one was not taken")

    # --- what is not theirs

    async def test_a_stranger_gets_the_same_answer_for_what_exists_and_what_does_not(self):
        client, _ = await self.carl(new=False)
        for conversation in (self.conversation, v4()):
            with self.subTest(exists=conversation == self.conversation):
                self.assert_error(await client.say(conversation, "let me in"), "not_found")
                self.assert_error(await client.ask("pull", conversation=conversation, after=0), "not_found")
                self.assert_error(await client.ask("pull", conversation=conversation, after=10**6), "not_found")
        first, second = [await client.say(c, "let me in") for c in (self.conversation, v4())]
        self.assertEqual(dict(first, request=0), dict(second, request=0))
        self.assert_error(await client.ask("message.send", to="1", client_id=v7(),
                                           message={"kind": "text", "text": "x"}), "not_found")
        self.assert_error(await client.ask("message.send", to=client.welcome["user"], client_id=v7(),
                                           message={"kind": "text", "text": "x"}), "bad_request")
        self.assert_error(await client.ask("conversation.create", client_id=v7(), kind="direct", members=["1"]),
                          "not_found")
        row = await client.ask("sync", **{"from": ZEROS},
                               to=EFFS, vector=[[self.conversation, 1, "1"]])
        self.assertNotIn(self.conversation, [r["conversation"] for r in row["conversations"]])

    async def test_cursors_beyond_the_head_or_under_a_foreign_id(self):
        ann = self.bystanders[0]
        events = await ann.pull_all(self.conversation)
        head, foreign = events[-1]["seq"], str(int(events[-1]["id"]) + 1)
        for after, check in ((head + 1, None), (head + 1, {"seq": head, "id": events[-1]["id"]}),
                             (head, {"seq": head, "id": foreign}), (head, {"seq": 1, "id": foreign}),
                             (1, {"seq": head, "id": events[-1]["id"]}), (2**53 - 1, None)):
            with self.subTest(after=after, check=check):
                self.assert_error(await ann.ask("pull", conversation=self.conversation, after=after, check=check),
                                  "diverged")
        good = await ann.ask("pull", conversation=self.conversation, after=head,
                             check={"seq": head, "id": events[-1]["id"]})
        self.assertEqual((good["type"], good["events"]), ("page", []))

    async def test_too_many_rows_in_a_vector(self):
        client, _ = await self.carl(new=False)
        rows = sorted([v4(), 1, "1"] for _ in range(501))
        everything = {"from": ZEROS, "to": EFFS}
        self.assert_error(await client.ask("sync", **everything, vector=rows), "limit")
        self.assertEqual((await client.ask("sync", **everything, vector=rows[:500]))["type"], "sync")

    # --- client ids

    async def test_a_client_id_used_again_for_something_else(self):
        client, conversation = await self.carl()
        for client_id in (v7(), v4()):
            self.assertEqual((await client.say(conversation, "first", client_id))["type"], "ok")
            self.assert_error(await client.say(conversation, "second", client_id), "client_id_conflict")
            self.assertTrue((await client.say(conversation, "first", client_id))["duplicate"])

    async def test_clocks_that_are_days_wrong(self):
        client, conversation = await self.carl()
        now = client.welcome["now"]
        self.assert_error(await client.say(conversation, "tomorrow", v7(now + 2 * DAY_MS)), "client_id_ahead")
        behind = v7(now - 40 * DAY_MS)
        self.assertEqual((await client.say(conversation, "long ago", behind))["seq"], 2)
        self.assertEqual((await client.say(conversation, "now", v7(now)))["seq"], 3)
        self.assertTrue((await client.say(conversation, "long ago", behind))["duplicate"])
        self.assertEqual((await client.say(conversation, "two days", v7(now - 2 * DAY_MS)))["seq"], 4)
        self.assert_error(await client.say(conversation, "too old", v7(now - 40 * DAY_MS)), "expired")

    async def test_more_requests_at_once_than_allowed_hear_busy_and_may_come_again(self):
        client, conversation = await self.carl()
        ids = [v7() for _ in range(300)]

        async def send_all(first_request, wanted):
            await client.send("[" + ",".join(json.dumps(
                {"type": "message.send", "request": first_request + n, "conversation": conversation, "client_id": i,
                 "message": {"kind": "text", "text": i}}) for n, i in wanted) + "]")
            return {ids[n]: await client.answer(first_request + n) for n, _ in wanted}

        answers, request = {}, 1000
        waiting = list(enumerate(ids))
        for _ in range(300):
            answers.update(await send_all(request, waiting[:200]))
            request += 1000
            waiting = [(n, i) for n, i in enumerate(ids) if answers.get(i, {}).get("type") != "ok"]
            self.assertLessEqual({a["code"] for a in answers.values() if a["type"] == "error"}, {"busy"})
            if not waiting:
                break
        self.assertEqual(sorted(a["seq"] for a in answers.values()), list(range(2, 302)))

    # --- HTTP

    def accounts(self, body, headers=None):
        return self.call("POST", "/v1/accounts", body, headers=headers)

    async def test_bodies_that_are_no_good(self):
        for body in ("", "{", "[]", "7", "null", '"x"', b'{"handle":"\xff"}', '{"handle":"\\ud83d"}', nested(17),
                     "[" * 60_000, json.dumps({"handle": ["ann"], "password": PASSWORD, "display_name": "x"})):
            with self.subTest(body=body[:30]):
                self.assert_problem(self.accounts(body), 400, "bad_request")
        self.assert_problem(self.accounts("x" * 70_000), 413, "too_large")

    async def test_headers_that_are_too_much(self):
        self.assertEqual(self.accounts("{}", {"X-Long": "x" * 20_000}).status, 431)
        self.assertEqual(self.accounts("{}", {f"X-{n}": "x" for n in range(120)}).status, 431)

    async def test_what_is_no_http(self):
        host, port = self.address.rsplit(":", 1)
        for start in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"hello\r\n\r\n",
                      b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                      b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"):
            with self.subTest(start=start[:12]):
                with socket.create_connection((host, int(port)), timeout=5) as raw:
                    raw.sendall(start)
                    answer = raw.recv(4096)
                    self.assertIn(answer[:13], (b"", b"HTTP/1.1 400 "), answer)

    async def test_bad_rest_calls(self):
        carl = self.person("carl")
        for token in (None, "foreign", "", "x" * 10_000):
            self.assert_problem(self.call("GET", "/v1/users?handle=ann", token=token), 401, "unauthenticated")
        self.assertEqual(self.call("GET", "/v1/users?handle=ann",
                                   headers={"Authorization": "Basic eDp5"}).status, 401)
        send = {"message": {"kind": "text", "text": "x"}}
        path = f"/v1/conversations/{self.conversation}/messages"
        self.assert_problem(self.call("POST", path, send, carl.token), 404, "not_found")
        self.assert_problem(self.call("POST", path, {"message": {"kind": "text", "text": "x" * 16_385}},
                                      self.ann.token), 413, "too_large")
        self.assert_problem(self.call("POST", path, {"message": {"kind": "text", "text": ""}}, self.ann.token), 400,
                            "bad_request")
        self.assert_problem(self.call("GET", "/v1/conversations/nowhere/messages", token=self.ann.token), 404,
                            "not_found")
        for query in ("?after=x", "?after=-1", "?limit=0", "?limit=x"):
            self.assert_problem(self.call("GET", path + query, token=self.ann.token), 400, "bad_request")
        beyond = self.call("GET", path + "?after=1000000", token=self.ann.token)
        self.assert_problem(beyond, 409, "diverged")

    async def test_a_reader_who_does_not_read(self):
        lazy_person, (sender, _) = self.person("lazy"), await self.carl()
        host, port = self.address.rsplit(":", 1)
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect((host, int(port)))
        lazy = await Client.log_on(self.address, lazy_person.token, sock=narrow)
        conversation = await sender.open_with(lazy_person.user)
        lazy.socket.transport.pause_reading()
        count = 450  # more than the kernel keeps for a sender (4 MiB) and the bound of the session
        for n in range(0, count, 3):
            await sender.send(json.dumps([
                {"type": "message.send", "request": 1000 + i, "conversation": conversation, "client_id": v7(),
                 "message": {"kind": "text", "text": "x" * 16_000}} for i in range(n, n + 3)]))
            for i in range(n, n + 3):
                self.assertEqual((await sender.answer(1000 + i))["type"], "ok")
        lazy.socket.transport.resume_reading()
        dirty = await lazy.next()
        while dirty["type"] != "dirty":
            await lazy.send({"type": "ack", "received": lazy.counted})
            dirty = await lazy.next()
        self.assertIn([conversation, count + 1], dirty["conversations"])
        self.assertEqual(len(await lazy.pull_all(conversation)), count + 1)


if __name__ == "__main__":
    main()
