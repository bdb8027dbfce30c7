"""`tidings chat`: two people talk, in JSON for scripts and in lines for people."""

import json
import os
import pty
import queue
import re
import select
import subprocess
import tempfile
import termios
import threading
import time
import unittest

import harness
from harness import Person, Server, call, main

SECONDS = 15


class Chat:
    """One `tidings chat --json`. Its profiles lie in `home`."""

    def __init__(self, address, home, handle, *arguments, password=harness.PASSWORD):
        environment = dict(os.environ, HOME=home, XDG_CONFIG_HOME=home, TIDINGS_PASSWORD=password)
        self.process = subprocess.Popen(
            [harness.BINARY, "chat", "--json", "--server", address, "--as", handle, *arguments], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.seen = queue.Queue(), []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def say(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def wait(self, event, **fields):
        """The next line of that event with these fields; what comes before it is only remembered."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {event} {fields} in {self.seen}, {self.process.poll()}") from None
            self.seen.append(line)
            if line["event"] == event and all(line.get(k) == v for k, v in fields.items()):
                return line

    def leave(self):
        self.say(quit=True)
        return self.process.wait(timeout=SECONDS)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass


class ChatTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.end)
        cls.server.start()

    def setUp(self):
        home = tempfile.TemporaryDirectory(prefix="tidings-chat-")
        self.addCleanup(home.cleanup)
        self.home = home.name

    def chat(self, handle, *arguments, **options):
        chat = Chat(self.server.address, self.home, handle, *arguments, **options)
        self.addCleanup(chat.end)
        return chat

    def messages(self, handle, other):
        """What the server has of their talk, read by REST."""
        token = call(self.server.address, "POST", "/v1/tokens",
                     {"handle": handle, "password": harness.PASSWORD}).json["token"]
        user = call(self.server.address, "GET", f"/v1/users?handle={other}", token=token).json["users"][0]["user"]
        conversation = call(self.server.address, "POST", "/v1/conversations", {"kind": "direct", "members": [user]},
                            token).json["conversation"]
        page = call(self.server.address, "GET", f"/v1/conversations/{conversation}/messages", token=token).json
        return [e["message"]["text"] for e in page["events"] if e["event"] == "message.created"]

    def test_two_people_talk(self):
        ann = self.chat("ann")
        ann.wait("connected")
        bob = self.chat("bob", "ann")
        bob.wait("opened", **{"with": "ann"})
        bob.say(send="hello ann")
        sent = bob.wait("sent", text="hello ann")
        heard = ann.wait("message", text="hello ann")
        self.assertEqual((heard["from"], heard["own"], heard["seq"], heard["id"]), ("bob", False, sent["seq"], sent["id"]))
        ann.say(open="bob")
        ann.wait("opened", **{"with": "bob"})
        for n in range(20):
            ann.say(send=f"answer {n}")
        heard = [bob.wait("message", text=f"answer {n}") for n in range(20)]
        self.assertEqual([h["seq"] for h in heard], list(range(heard[0]["seq"], heard[0]["seq"] + 20)))
        ann.wait("sent", text="answer 19")
        ann.say(list=True)
        listed = ann.wait("list")["conversations"]
        self.assertEqual([(c["with"], c["head"]) for c in listed], [("bob", heard[-1]["seq"])])
        self.assertEqual((ann.leave(), bob.leave()), (0, 0))

    def test_what_is_written_offline_is_sent_later_also_by_a_new_process(self):
        eve, fay = self.chat("eve"), self.chat("fay")
        fay.wait("connected")
        eve.wait("connected")
        eve.say(open="fay")
        eve.wait("opened", **{"with": "fay"})
        eve.say(send="before")
        eve.wait("sent", text="before")
        self.server.kill()
        eve.wait("connection", state="offline")
        texts = [f"written offline {n}" for n in range(5)]
        for text in texts:
            eve.say(send=text)
        for text in texts:
            eve.wait("pending", text=text)
        eve.process.kill()
        self.server.start()
        again = self.chat("eve")
        for _ in texts:
            again.wait("sent")
        for text in texts:
            fay.wait("message", text=text)
        self.assertEqual(self.messages("eve", "fay"), ["before", *texts])

    def test_a_wrong_password_is_refused_in_a_sentence(self):
        Person(self.server.address, "gus")
        chat = self.chat("gus", password="not the password")
        self.assertNotEqual(chat.process.wait(timeout=SECONDS), 0)
        self.assertIn("password", chat.process.stderr.read() + json.dumps(list(chat.lines.queue)))

    def test_a_person_at_a_terminal(self):
        Person(self.server.address, "ida")
        environment = dict(os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home, TERM="xterm")
        environment.pop("TIDINGS_PASSWORD", None)
        master, slave = pty.openpty()
        process = subprocess.Popen([harness.BINARY, "chat", "--server", self.server.address, "--as", "hal", "ida"],
                                   env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.addCleanup(os.close, master)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        screen = ""

        def wait(pattern):
            nonlocal screen
            deadline = time.monotonic() + SECONDS
            while not re.search(pattern, screen):
                ready, _, _ = select.select([master], [], [], max(0, deadline - time.monotonic()))
                self.assertTrue(ready, f"no {pattern} on the screen:\n{screen}")
                screen += os.read(master, 65536).decode(errors="replace")
            screen = screen[re.search(pattern, screen).end():]

        wait("Password for hal")
        while termios.tcgetattr(master)[3] & termios.ECHO:  # what is typed before is thrown away
            self.assertIsNone(process.poll())
        os.write(master, b"\n")
        wait(r"Your password, shown only this once: \S+")
        wait("ida")
        os.write(master, b"hello ida\n")
        wait("✓")
        os.write(master, "/quit\n".encode())
        self.assertEqual(process.wait(timeout=SECONDS), 0)
        self.assertEqual(self.messages("ida", "hal"), ["hello ida"])


if __name__ == "__main__":
    main()
