"""One core, and gateways as processes of their own: people at both talk, and each of the processes may die (docs/configuration.md)."""

import asyncio
import os
import re
import secrets
import signal
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import Client, Person, Server, call, main, v7

BACK_SECONDS = 5  # everything is answered so soon after the core is back
SILENCE_SECONDS = 2  # who says nothing for so long is gone, where a test sets it
NOTICED_SECONDS = SILENCE_SECONDS + 4


class Process(Server):
    """`tidings serve` in one role. A core says no address."""

    def __init__(self, role, core, settings=None):
        super().__init__(settings)
        self.role, self.path = role, core

    def start(self):
        command = [harness.BINARY, "serve", "--role", self.role, "--core", self.path]
        if self.role == "core":
            command += ["--data", self.data]
        else:
            command += ["--listen", self.address or "127.0.0.1:0"]
        self.ended, self.lines = False, []
        if self.process:
            self.process.stdout.close()
        self.process = subprocess.Popen(command, env=dict(os.environ, **self.settings), stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        self.reader = threading.Thread(target=self.listen, args=(self.process.stdout, self.lines), daemon=True)
        self.reader.start()
        return self

    @staticmethod
    def listen(output, lines):
        for line in output:
            lines.append(line)

    def end(self):
        if self.process and self.lives():
            self.kill()
        self.reader.join()
        super().end()

    def says(self, words, seconds=harness.START_SECONDS):
        """Waits until it has said them since it was started; the match."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(words, "".join(self.lines))
            if found:
                return found
            if time.monotonic() > deadline or not self.lives():
                raise AssertionError(f"not said: {words!r} in {self.lines} {self.said()}")
            time.sleep(0.02)

    def wait(self):
        """Until it says that it is ready."""
        self.address = self.says(r"listening on (\S+:\d+)|the core is ready").group(1)
        return self


class Processes(unittest.IsolatedAsyncioTestCase):
    settings = {}

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="tidings-core-")
        self.addCleanup(directory.cleanup)
        self.path = directory.name + "/core"
        self.core = self.process("core").start().wait()
        self.one, self.two = [self.process("gateway").start() for _ in range(2)]
        self.one.wait()
        self.two.wait()

    def process(self, role):
        process = Process(role, self.path, self.settings)
        self.addCleanup(process.end)
        return process

    def person(self, name):
        return Person(self.one.address, f"{name}_{secrets.token_hex(4)}")

    async def client(self, person, gateway, token=None):
        client = await Client.log_on(gateway.address, token or person.token)
        self.addAsyncCleanup(client.close)
        return client

    async def back(self, person, gateway, seconds=BACK_SECONDS):
        """As a client that tries again: until it is welcomed."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                client = await Client.open(gateway.address)
                await client.send({"type": "hello", "versions": [1, 1], "token": person.token, "app": "system-test"})
                client.welcome = await client.next()
                if client.welcome["type"] == "welcome":
                    self.addAsyncCleanup(client.close)
                    return client
                await client.close()
            except Exception:  # whatever a connection does that is not welcomed
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"{person.handle} does not come back")
            await asyncio.sleep(0.05)

    @staticmethod
    async def text_of(client, text):
        while (await client.event())["message"]["text"] != text:
            pass
        return text


class Gateways(Processes):
    async def test_people_at_two_gateways_talk_over_sockets_and_rest(self):
        ann, bob = self.person("ann"), self.person("bob")
        at_one, at_two = await self.client(ann, self.one), await self.client(bob, self.two)
        conversation = await at_one.open_with(bob.user)
        await at_two.event("conversation.created")
        for n in range(20):
            self.assertEqual((await at_one.say(conversation, f"to two {n}"))["type"], "ok")
            self.assertEqual((await at_two.event())["message"]["text"], f"to two {n}")
            self.assertEqual((await at_two.say(conversation, f"to one {n}"))["type"], "ok")
            self.assertEqual((await at_one.event())["message"]["text"], f"to one {n}")
        sent = call(self.two.address, "POST", f"/v1/conversations/{conversation}/messages",
                    {"message": {"kind": "text", "text": "by REST"}}, bob.token)
        self.assertEqual(sent.status, 201, sent.body)
        self.assertEqual((await at_one.event())["message"]["text"], "by REST")
        read = call(self.one.address, "GET", f"/v1/conversations/{conversation}/messages", None, ann.token).json
        self.assertEqual([e["message"]["text"] for e in read["events"] if e["event"] == "message.created"],
                         [f"to {side} {n}" for n in range(20) for side in ("two", "one")] + ["by REST"])
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    async def test_the_later_hello_of_a_device_wins_and_a_log_out_ends_it_wherever_it_is(self):
        ann = self.person("ann")
        first = await self.client(ann, self.one)
        second = await self.client(ann, self.two)
        self.assertEqual((await first.end())[0], 4409)
        third = await self.client(ann, self.one)
        self.assertEqual((await second.end())[0], 4409)
        self.assertEqual(call(self.two.address, "DELETE", "/v1/tokens", None, ann.token).status, 204)
        self.assertEqual((await third.end())[0], 4403)

    async def test_people_of_a_killed_gateway_come_back_at_the_other_one(self):
        ann, bob = self.person("ann"), self.person("bob")
        at_one, at_two = await self.client(ann, self.one), await self.client(bob, self.two)
        conversation = await at_one.open_with(bob.user)
        # Sends in flight, of which nobody knows what became of them.
        ids = [v7() for _ in range(24)]
        for n, client_id in enumerate(ids):
            await at_one.send({"type": "message.send", "request": 100 + n, "conversation": conversation,
                               "client_id": client_id, "message": {"kind": "text", "text": f"{n}"}})
        self.one.kill()
        at_two_too = await self.back(ann, self.two)
        seqs = []
        for n, client_id in enumerate(ids):
            ok = await at_two_too.say(conversation, f"{n}", client_id)
            self.assertEqual(ok["type"], "ok", ok)
            seqs.append(ok["seq"])
        self.assertEqual(len(set(seqs)), len(ids))
        texts = [e["message"]["text"] for e in await at_two.pull_all(conversation) if e["event"] == "message.created"]
        self.assertEqual(sorted(texts, key=int), [f"{n}" for n in range(24)])
        # The core has forgotten the dead gateway, and a new one at its place is as good.
        self.one.start().wait()
        again = await self.back(ann, self.one)
        await at_two.say(conversation, "hello again")
        self.assertEqual((await again.event())["message"]["text"], "hello again")

    async def test_all_is_answered_soon_after_a_killed_core_is_back(self):
        people = [self.person(f"p{n}") for n in range(6)]
        gateways = [self.one, self.two] * 3
        clients = [await self.client(p, g) for p, g in zip(people, gateways)]
        talks = []
        for n in range(0, 6, 2):
            talks.append(await clients[n].open_with(people[n + 1].user))
        outbox = {n: [] for n in range(6)}
        for n, client in enumerate(clients):
            for k in range(16):
                outbox[n].append((v7(), f"{n}/{k}"))
                await client.send({"type": "message.send", "request": 1000 + k, "conversation": talks[n // 2],
                                   "client_id": outbox[n][-1][0], "message": {"kind": "text", "text": f"{n}/{k}"}})
        self.core.kill()
        for gateway in (self.one, self.two):
            gateway.says("is gone")
        # Without a core: refused at once, and by the right code.
        refused = call(self.one.address, "POST", "/v1/tokens",
                       {"handle": people[0].handle, "password": harness.PASSWORD, "device_name": "x"})
        self.assertEqual((refused.status, refused.json["code"]), (503, "busy"))
        refused = call(self.two.address, "GET", "/v1/conversations", None, people[1].token)
        self.assertEqual((refused.status, refused.json["code"]), (503, "busy"))
        self.core.start().wait()
        since = time.monotonic()
        clients = await asyncio.gather(*[self.back(p, g) for p, g in zip(people, gateways)])

        async def send_again(n):
            for client_id, text in outbox[n]:
                while True:
                    answer = await clients[n].say(talks[n // 2], text, client_id)
                    if answer["type"] == "ok":
                        break
                    self.assertEqual(answer["code"], "busy", answer)
        await asyncio.gather(*[send_again(n) for n in range(6)])
        self.assertLess(time.monotonic() - since, BACK_SECONDS)
        for n, talk in enumerate(talks):
            texts = [e["message"]["text"] for e in await clients[2 * n].pull_all(talk)
                     if e["event"] == "message.created"]
            self.assertEqual(sorted(texts), sorted(t for m in (2 * n, 2 * n + 1) for _, t in outbox[m]))
        # Live again, both ways, and REST too.
        await clients[0].say(talks[0], "live")
        self.assertEqual((await asyncio.wait_for(self.text_of(clients[1], "live"), 5)), "live")
        sent = call(self.two.address, "POST", f"/v1/conversations/{talks[0]}/messages",
                    {"message": {"kind": "text", "text": "REST"}}, people[1].token)
        self.assertEqual(sent.status, 201, sent.body)
        await asyncio.wait_for(self.text_of(clients[0], "REST"), 5)

    async def test_who_was_logged_out_while_the_core_was_away_does_not_stay(self):
        ann, bob = self.person("ann"), self.person("bob")
        out, stays = await self.client(ann, self.one), await self.client(bob, self.one)
        self.core.kill()
        self.one.says("is gone")
        accounts = sqlite3.connect(self.core.data + "/accounts.sqlite")
        with accounts:
            gone = accounts.execute("DELETE FROM device WHERE user = ?", (int(ann.user),)).rowcount
        accounts.close()
        self.assertEqual(gone, 1)
        self.core.start().wait()
        self.assertEqual((await asyncio.wait_for(out.end(), BACK_SECONDS))[0], 4403)
        self.assertTrue(await stays.open_with(ann.user), "the other session stands")

    async def test_a_gateway_waits_for_its_core_with_plain_words(self):
        self.core.kill()
        late = self.process("gateway").start()
        late.says("waiting for the core")
        self.core.start().wait()
        late.wait()
        ann = self.person_at(late)
        self.assertTrue(ann.token)

    def person_at(self, gateway):
        return Person(gateway.address, f"late_{secrets.token_hex(4)}")

    async def test_a_second_core_at_the_same_socket_is_refused(self):
        other = self.process("core").start()
        self.assertEqual(other.process.wait(harness.START_SECONDS), 1)
        self.assertIn("somebody already listens", other.said())
        other.ended = True
        self.assertTrue(self.person("ann").token)

    async def test_a_stopped_core_and_a_stopped_gateway_end_cleanly(self):
        ann = self.person("ann")
        at_one = await self.client(ann, self.one)
        self.assertEqual(self.one.stop(), 0)
        self.assertEqual((await at_one.end())[0], 4503)
        self.assertEqual(self.core.stop(), 0)
        self.assertFalse(os.path.exists(self.path))
        self.two.says("is gone")
        self.assertEqual(self.two.stop(), 0)


class Frozen(Processes):
    """Processes that are stopped, so that their connections stand and nobody answers."""

    settings = {"TIDINGS_LIMITS__CORE_SILENCE": f"{SILENCE_SECONDS}s"}

    async def test_a_frozen_core_is_as_good_as_none_until_it_goes_on(self):
        ann, bob = self.person("ann"), self.person("bob")
        at_one, at_two = await self.client(ann, self.one), await self.client(bob, self.two)
        conversation = await at_one.open_with(bob.user)
        self.core.process.send_signal(signal.SIGSTOP)
        try:
            for gateway in (self.one, self.two):
                gateway.says("is gone", NOTICED_SECONDS)
            since = time.monotonic()
            refused = call(self.one.address, "GET", "/v1/conversations", None, ann.token)
            self.assertEqual((refused.status, refused.json["code"]), (503, "busy"))
            answer = await at_one.say(conversation, "who hears me?")
            self.assertEqual(answer.get("code"), "busy", answer)
            self.assertLess(time.monotonic() - since, 2, "not after a time-out of its own")
            self.one.says("says nothing", NOTICED_SECONDS)
        finally:
            self.core.process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + BACK_SECONDS
        # Bob's gateway first: what is said before it is back, he would have to pull.
        for client in (at_two, at_one):
            while (await client.say(conversation, "back"))["type"] != "ok":
                self.assertLess(time.monotonic(), deadline)
                await asyncio.sleep(0.05)
        await asyncio.wait_for(self.text_of(at_two, "back"), BACK_SECONDS)

    async def test_a_hello_that_a_frozen_gateway_did_not_hear_is_told_when_it_goes_on(self):
        ann, bob = self.person("ann"), self.person("bob")
        old, talker = await self.client(ann, self.one), await self.client(bob, self.two)
        conversation = await talker.open_with(ann.user)
        self.one.process.send_signal(signal.SIGSTOP)
        try:
            self.core.says("a gateway process says nothing", NOTICED_SECONDS)
            new = await self.client(ann, self.two)
            await talker.say(conversation, "meanwhile")
        finally:
            self.one.process.send_signal(signal.SIGCONT)
        code, _, error = await old.end()
        self.assertEqual((code, error), (4409, "replaced"))
        await asyncio.wait_for(self.text_of(new, "meanwhile"), BACK_SECONDS)
        await talker.say(conversation, "still there")
        await asyncio.wait_for(self.text_of(new, "still there"), BACK_SECONDS)


class Mixed(unittest.IsolatedAsyncioTestCase):
    """A core with gateways of its own, and one more process."""

    async def test_people_at_both_talk(self):
        with tempfile.TemporaryDirectory(prefix="tidings-core-") as directory:
            core = Server({"TIDINGS_SERVER__CORE": directory + "/core"})
            self.addCleanup(core.end)
            core.start()
            gateway = Process("gateway", directory + "/core")
            self.addCleanup(gateway.end)
            gateway.start().wait()
            ann, bob = Person(core.address, f"ann_{secrets.token_hex(4)}"), Person(gateway.address,
                                                                                   f"bob_{secrets.token_hex(4)}")
            here, there = await Client.log_on(core.address, ann.token), await Client.log_on(gateway.address, bob.token)
            conversation = await here.open_with(bob.user)
            await there.event("conversation.created")
            await there.say(conversation, "hello")
            self.assertEqual((await here.event())["message"]["text"], "hello")
            # The later hello wins in both directions.
            moved = await Client.log_on(gateway.address, ann.token)
            self.assertEqual((await here.end())[0], 4409)
            back = await Client.log_on(core.address, ann.token)
            self.assertEqual((await moved.end())[0], 4409)
            for client in (there, back):
                await client.close()


class Operators(Processes):
    settings = {"TIDINGS_SERVER__OPERATORS": "127.0.0.1:0"}

    async def test_each_process_tells_its_own_metrics(self):
        ann, bob = self.person("ann"), self.person("bob")
        session = await self.client(ann, self.one)
        await session.open_with(bob.user)
        told = {}
        for name, process in (("core", self.core), ("one", self.one)):
            address = process.says(r"operators are answered at (\S+:\d+)").group(1)
            self.assertEqual(call(address, "GET", "/readyz").status, 200)
            self.assertEqual(call(address, "GET", "/v1/version").status, 404)
            body = call(address, "GET", "/metrics").body.decode()
            told[name] = dict(line.rsplit(" ", 1) for line in body.splitlines() if line[0] != "#")
        self.assertGreater(int(told["core"]["tidings_embedded_log_records_total"]), 0)
        self.assertGreater(int(told["core"]["tidings_delivery_records_folded_total"]), 0)
        self.assertEqual(told["one"]["tidings_gateway_sessions"], "1")
        self.assertNotIn("tidings_gateway_sessions", told["core"])


if __name__ == "__main__":
    main()
