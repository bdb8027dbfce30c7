"""A server's life: it stops cleanly, comes back with everything, and shares its directory with nobody."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

import harness
from harness import Client, Person, Server, call, main, v4, v7


class Life(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.end)
        self.server.start()

    async def talk(self, count=20):
        """Ann's messages to bob, by client id, and what was answered."""
        self.ann, self.bob = Person(self.server.address, "ann"), Person(self.server.address, "bob")
        ann = await Client.log_on(self.server.address, self.ann.token)
        self.conversation = await ann.open_with(self.bob.user)
        ids = [v7() if n % 2 else v4() for n in range(count)]
        return ann, {i: await ann.say(self.conversation, f"message {i}", i) for i in ids}

    async def check_everything_is_there(self, answered):
        bob = await Client.log_on(self.server.address, self.bob.token)
        events = await bob.pull_all(self.conversation)
        self.assertEqual([e["seq"] for e in events], list(range(1, len(answered) + 2)))
        self.assertEqual({e["client_id"]: e["id"] for e in events[1:]}, {i: a["id"] for i, a in answered.items()})
        ann = await Client.log_on(self.server.address, self.ann.token)
        again = list(answered)
        random.Random(3).shuffle(again)
        for client_id in again:
            ok = await ann.say(self.conversation, f"message {client_id}", client_id)
            self.assertEqual((ok.get("duplicate"), ok["seq"], ok["id"]),
                             (True, answered[client_id]["seq"], answered[client_id]["id"]))
        self.assertEqual((await ann.say(self.conversation, "one more"))["seq"], len(answered) + 2)
        await bob.close()
        await ann.close()

    async def test_sigterm_says_goodbye_and_a_restart_has_everything(self):
        ann, answered = await self.talk()
        ended = asyncio.create_task(ann.end())
        began = time.monotonic()
        self.assertEqual(await asyncio.to_thread(self.server.stop), 0)
        self.assertLess(time.monotonic() - began, 6)
        self.assertEqual(await ended, (4503, "draining", "draining"))
        self.server.start()
        await self.check_everything_is_there(answered)

    async def test_sessions_are_asked_to_move_and_a_second_signal_hurries(self):
        server = Server({"TIDINGS_LIMITS__DRAIN_WINDOW": "60s"})
        self.addCleanup(server.end)
        server.start()
        ann = Person(server.address, "ann")
        client = await Client.log_on(server.address, ann.token)
        server.process.send_signal(signal.SIGTERM)
        moved = await client.next()
        self.assertEqual(moved["type"], "moved")
        self.assertTrue(0 <= moved["retry_ms"] <= 60_000, moved)
        self.assertTrue(moved["ephemeral"])
        ended = asyncio.create_task(client.end())
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual((await asyncio.wait_for(ended, 10))[0], 4503)
        self.assertEqual(await asyncio.to_thread(server.process.wait, 10), 0)
        self.assertLess(time.monotonic() - began, 20, "not the 60 s of the window")

    async def test_kill_9_loses_nothing_that_was_ticked(self):
        ann, answered = await self.talk()
        branch = ann.welcome["branch"]
        self.server.kill()
        self.server.start()
        await self.check_everything_is_there(answered)
        ann = await Client.log_on(self.server.address, self.ann.token)
        self.assertNotEqual(ann.welcome["branch"], branch)
        await ann.close()

    async def test_a_directory_copied_back_is_found_out(self):
        ann, answered = await self.talk(5)
        self.server.stop()
        copied = tempfile.mkdtemp(prefix="tidings-copy-")
        subprocess.run(["cp", "-a", self.server.data + "/.", copied], check=True)
        older = Server(data=copied)
        self.addCleanup(older.end)
        self.server.start()
        ann = await Client.log_on(self.server.address, self.ann.token)
        newest = [await ann.say(self.conversation, f"lost {n}") for n in range(3)][-1]
        await ann.close()

        older.start()
        ann = await Client.log_on(older.address, self.ann.token)
        for _ in range(2):  # below the client's head, and then above it with other messages
            cursor = {"seq": newest["seq"], "id": newest["id"]}
            answer = await ann.ask("pull", conversation=self.conversation, after=cursor["seq"], check=cursor)
            self.assertEqual((answer["type"], answer.get("code")), ("error", "diverged"), answer)
            for n in range(4):
                await ann.say(self.conversation, f"instead {n}")
        self.assertEqual([e["seq"] for e in await ann.pull_all(self.conversation)], list(range(1, 15)))
        await ann.close()

    async def test_a_second_server_on_the_directory_is_refused_in_a_sentence(self):
        _, answered = await self.talk(3)
        second = subprocess.run([harness.BINARY, "serve", "--listen", "127.0.0.1:0", "--data", self.server.data],
                                capture_output=True, text=True, timeout=20)
        self.assertGreater(second.returncode, 0)
        self.assertNotIn("listening", second.stdout)
        self.assertRegex(second.stderr, r"(?s)tidings: .*(in use|another|already|locked)")
        await self.check_everything_is_there(answered)

    async def test_a_token_that_has_expired(self):
        await self.talk(1)
        self.server.stop()
        with sqlite3.connect(os.path.join(self.server.data, "accounts.sqlite")) as accounts:
            self.assertEqual(accounts.execute("UPDATE device SET expires_ms = 1000 WHERE user = ?",
                                              (int(self.ann.user),)).rowcount, 1)
        accounts.close()
        self.server.start()
        client = await Client.open(self.server.address)
        await client.send({"type": "hello", "token": self.ann.token})
        self.assertEqual(await client.end(), (4401, "token_expired", "token_expired"))
        answer = call(self.server.address, "GET", "/v1/users?handle=bob", token=self.ann.token)
        self.assertEqual((answer.status, answer.json["code"]), (401, "token_expired"))
        bob = await Client.log_on(self.server.address, self.bob.token)
        await bob.close()


class Settings(unittest.TestCase):
    def refused(self, *arguments, **environment):
        ran = subprocess.run([harness.BINARY, "serve", *arguments], env=dict(os.environ, **environment),
                             capture_output=True, text=True, timeout=20)
        self.assertGreater(ran.returncode, 0)
        return ran.stderr

    def test_an_unknown_setting_is_an_error_with_the_one_that_was_perhaps_meant(self):
        self.assertIn('did you mean "limits.hello_timeout"?', self.refused(TIDINGS_LIMITS__HELO_TIMEOUT="1s"))
        self.assertIn('did you mean "server.listen"?', self.refused("--set", "server.lisen=127.0.0.1:0"))

    def test_an_address_that_is_taken_or_none_is_refused_in_a_sentence(self):
        self.assertIn("HOST:PORT", self.refused("--listen", "nowhere"))
        server = Server()
        self.addCleanup(server.end)
        server.start()
        with tempfile.TemporaryDirectory() as data:
            self.assertRegex(self.refused("--listen", server.address, "--data", data), r"tidings: .*\d+")
        self.assertTrue(server.lives())


if __name__ == "__main__":
    main()
