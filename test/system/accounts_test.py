"""Who gets in and stays in: sign-up, `tidings account`, log-ins that outlive restarts, a chat that refreshes."""

import pathlib
import subprocess
import tempfile
import time
import unittest

import harness
from chat_test import Chat
from harness import PASSWORD, Person, Server, call, main


class SignUp(unittest.TestCase):
    """Servers that do not take everybody, and `tidings account`."""

    def serve(self, sign_up, data=None):
        server = Server({"TIDINGS_ACCOUNTS__SIGN_UP": sign_up}, data)
        self.addCleanup(server.end)
        return server

    def account(self, server, *arguments, password=PASSWORD):
        return subprocess.run([harness.BINARY, "account", *arguments, "--data", server.data], input=password + "\n",
                              capture_output=True, text=True, timeout=30)

    def register(self, server, handle, **more):
        return call(server.address, "POST", "/v1/accounts", {"handle": handle, "password": PASSWORD, **more})

    def log_in(self, server, handle):
        return call(server.address, "POST", "/v1/tokens", {"handle": handle, "password": PASSWORD})

    def test_by_invite(self):
        server = self.serve("invite").start()
        self.assertEqual(self.register(server, "ann").status, 201)
        token = self.log_in(server, "ann").json["token"]
        for invite in ({}, {"invite": "guessed"}):
            refused = self.register(server, "bob", **invite)
            self.assertEqual((refused.status, refused.json["code"]), (403, "forbidden"))
        invite = call(server.address, "POST", "/v1/invites", token=token).json["invite"]
        server.kill()
        server.start()
        self.assertEqual(self.register(server, "bob", invite=invite).status, 201)
        self.assertEqual(self.register(server, "eve", invite=invite).status, 403)
        made = [call(server.address, "POST", "/v1/invites", token=token) for _ in range(21)]
        self.assertEqual([m.status for m in made], [201] * 20 + [422])

    def test_closed_and_accounts_made_by_hand(self):
        server = self.serve("closed")
        self.assertNotEqual(self.account(server, "list").returncode, 0)
        self.assertEqual(self.account(server, "add", "ann", "--name", "Ann O.").returncode, 0)
        server.start()
        refused = self.register(server, "bob")
        self.assertEqual((refused.status, refused.json["code"]), (403, "forbidden"))
        self.assertEqual(self.log_in(server, "ann").status, 201)
        self.assertEqual(self.log_in(server, "bob").status, 401)
        self.assertEqual(self.account(server, "add", "bob").returncode, 0)
        self.assertEqual(self.log_in(server, "bob").status, 201)
        again = self.account(server, "add", "bob")
        self.assertEqual((again.returncode, again.stderr), (4, "There is a bob already.\n"))
        self.assertEqual(self.account(server, "add", "No Handle").returncode, 2)
        self.assertEqual(self.account(server, "add", "eve", password="short").returncode, 2)
        rows = [line.split("\t") for line in self.account(server, "list").stdout.splitlines()]
        self.assertEqual([(row[0], row[2]) for row in rows], [("ann", "Ann O."), ("bob", "bob")])

    def test_a_log_out_and_a_rotation_outlive_kill_9(self):
        server = self.serve("open").start()
        self.assertEqual(self.register(server, "ann").status, 201)
        kept, gone = (self.log_in(server, "ann").json for _ in range(2))
        self.assertEqual(call(server.address, "DELETE", "/v1/tokens", token=gone["token"]).status, 204)
        rotated = call(server.address, "POST", "/v1/tokens/refresh", {"refresh": kept["refresh"]}).json
        server.kill()
        server.start()
        self.assertEqual(call(server.address, "GET", "/v1/me", token=rotated["token"]).status, 200)
        for token in (gone["refresh"], kept["refresh"]):
            self.assertEqual(call(server.address, "POST", "/v1/tokens/refresh", {"refresh": token}).status, 401)
        self.assertEqual(call(server.address, "GET", "/v1/me", token=gone["token"]).status, 401)


class ChatRefreshes(unittest.TestCase):
    def setUp(self):
        self.server = Server({"TIDINGS_ACCOUNTS__TOKEN_LIFETIME": "2s"})
        self.addCleanup(self.server.end)
        self.server.start()
        home = tempfile.TemporaryDirectory(prefix="tidings-chat-")
        self.addCleanup(home.cleanup)
        self.home = home.name

    def chat(self, *arguments, **options):
        started = Chat(self.server.address, self.home, "ann", *arguments, **options)
        self.addCleanup(started.end)
        return started

    def kept(self):
        (profile,) = pathlib.Path(self.home, "tidings").glob("*.profile")
        return dict(line.split(" = ") for line in profile.read_text().splitlines() if " = " in line)

    def devices(self):
        token = call(self.server.address, "POST", "/v1/tokens", {"handle": "ann", "password": PASSWORD}).json["token"]
        devices = call(self.server.address, "GET", "/v1/devices", token=token).json["devices"]
        return [d for d in devices if d["name"] == "tidings chat"]

    def test_at_its_start_and_when_it_comes_back_with_an_expired_token(self):
        Person(self.server.address, "bob")
        ann = self.chat("bob")
        ann.wait("connected")
        ann.say(send="one")
        ann.wait("sent")
        first = self.kept()
        # The session lives on; the connection after it needs a new token.
        self.server.kill()
        time.sleep(2.1)
        self.server.start()
        ann.say(send="two")
        ann.wait("sent")
        second = self.kept()
        self.assertNotEqual((first["token"], first["refresh"]), (second["token"], second["refresh"]))
        self.assertEqual(ann.leave(), 0)
        told = [line["text"] for line in ann.seen if line["event"] == "message"]
        self.assertEqual(len(told), len(set(told)), "nothing is told twice")
        # No password any more.
        again = self.chat("bob", password="not the password")
        again.wait("connected")
        again.say(send="three")
        again.wait("sent")
        self.assertEqual(again.leave(), 0)
        self.assertEqual(len(self.devices()), 1, "still the same device")

    def test_one_that_was_logged_out_asks_for_the_password(self):
        ann = self.chat()
        ann.wait("connected")
        self.assertEqual(ann.leave(), 0)
        (device,) = self.devices()
        token = call(self.server.address, "POST", "/v1/tokens", {"handle": "ann", "password": PASSWORD}).json["token"]
        gone = call(self.server.address, "DELETE", "/v1/devices/" + device["device"], token=token)
        self.assertEqual(gone.status, 204)
        refused = self.chat(password="not the password")
        self.assertEqual(refused.process.wait(timeout=15), 4)
        self.assertNotIn("refresh", self.kept())
        back = self.chat()
        back.wait("connected")
        self.assertEqual(back.leave(), 0)


if __name__ == "__main__":
    main()
