"""`tidings chat`: two people talk, in JSON for scripts and in lines for people."""

import json
import os
import pty
import queue
import re
import select
import signal
import socket
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


class Relay:
    """Stands between a client and the server; swallows the answer of the first connection."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.to, self.swallowed = (host, int(port)), False
        self.door = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.door.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.door.accept()
            except OSError:
                return
            server = socket.create_connection(self.to)
            threading.Thread(target=self.pump, args=(client, server), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client), daemon=True).start()

    def pump(self, source, sink):
        try:
            while chunk := source.recv(65536):
                if not self.swallowed and b"HTTP/1.1 " in chunk[:16]:
                    self.swallowed = True
                    break
                sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


class Terminal:
    """One `tidings chat` for a person, at a terminal of its own."""

    def __init__(self, test, *arguments, password=None):
        environment = dict(os.environ, HOME=test.home, XDG_CONFIG_HOME=test.home, TERM="xterm")
        environment.pop("TIDINGS_PASSWORD", None)
        if password is not None:
            environment["TIDINGS_PASSWORD"] = password
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [harness.BINARY, "chat", "--server", test.server.address, *arguments],
            env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        test.addCleanup(os.close, self.master)
        test.addCleanup(lambda: (self.process.kill(), self.process.wait()))
        self.test, self.screen, self.all = test, "", ""

    def wait(self, pattern):
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, self.screen):
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            self.test.assertTrue(ready, f"no {pattern} on the screen:\n{self.screen}")
            came = os.read(self.master, 65536).decode(errors="replace")
            self.screen += came
            self.all += came
        self.screen = self.screen[re.search(pattern, self.screen).end():]

    def type(self, line):
        os.write(self.master, (line + "\n").encode())


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

    def server_down(self):
        self.server.kill()
        self.addCleanup(lambda: self.server.lives() or self.server.start())

    def piped(self, text, *arguments):
        environment = dict(os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home, TIDINGS_PASSWORD=harness.PASSWORD)
        return subprocess.run([harness.BINARY, "chat", "--server", self.server.address, *arguments], input=text,
                              env=environment, capture_output=True, text=True, timeout=2 * SECONDS)

    def test_what_is_written_while_the_server_is_down_from_the_start_is_kept(self):
        Person(self.server.address, "lea")
        kim = self.chat("kim", "lea")
        kim.wait("opened")
        self.assertEqual(kim.leave(), 0)
        self.server_down()
        kim = self.chat("kim", "lea")
        kim.say(send="at once")
        kim.wait("pending", text="at once")
        kim.process.kill()
        kim.process.wait()
        at_terminal = Terminal(self, "--as", "kim", "lea")
        at_terminal.type("typed")
        at_terminal.type("/quit")
        at_terminal.wait("2 messages are not sent yet; next time they will be")
        self.assertEqual(at_terminal.process.wait(timeout=SECONDS), 0)
        self.server.start()
        kim = self.chat("kim")
        kim.wait("sent")
        kim.wait("sent")
        self.assertEqual(self.messages("kim", "lea"), ["at once", "typed"])

    def test_a_line_that_cannot_be_kept_is_given_back_aloud(self):
        Person(self.server.address, "mia")
        ned = self.chat("ned")
        ned.wait("connected")
        self.assertEqual(ned.leave(), 0)
        self.server_down()
        at_terminal = Terminal(self, "--as", "ned", "mia")
        at_terminal.wait("nothing that you write is kept")
        at_terminal.type("hello mia")
        at_terminal.wait("Not sent and not kept: hello mia")
        at_terminal.type("/quit")
        self.assertEqual(at_terminal.process.wait(timeout=SECONDS), 1)
        self.assertNotIn("what you write is kept", at_terminal.all)
        ned = self.chat("ned", "mia")
        ned.say(send="hello mia")
        ned.wait("note")
        ned.process.send_signal(signal.SIGINT)
        ned.wait("error", message="Not sent and not kept: hello mia")
        self.assertEqual(ned.process.wait(timeout=SECONDS), 1)

    def test_a_script_whose_lines_were_lost_does_not_end_with_status_0(self):
        piped = self.piped("hi\n", "--as", "oda", "nobody_here")
        self.assertEqual(piped.returncode, 1)
        self.assertIn("nobody_here", piped.stderr)
        self.assertIn("not kept: hi", piped.stderr)
        oda = self.chat("oda", "nobody_here")
        oda.say(send="hi")
        oda.wait("error", message="Not sent and not kept: hi")
        self.assertEqual(oda.leave(), 1)
        Person(self.server.address, "pia")
        oda = self.chat("oda", "pia")
        oda.say(send="")
        oda.wait("failed", text="")
        self.assertEqual(oda.leave(), 1)
        self.assertEqual(self.piped("fine\n", "--as", "oda", "pia").returncode, 0)

    def test_a_lost_answer_to_the_sign_up_does_not_burn_the_name(self):
        relay = Relay(self.server.address)
        self.addCleanup(relay.door.close)

        def chat():
            started = Chat(relay.address, self.home, "quin", password="")
            self.addCleanup(started.end)
            return started
        self.assertEqual(chat().process.wait(timeout=SECONDS), 3)
        self.assertTrue(relay.swallowed)
        again = chat()
        password = again.wait("password")["password"]
        again.wait("connected")
        self.assertEqual(again.leave(), 0)
        answer = call(self.server.address, "POST", "/v1/tokens", {"handle": "quin", "password": password})
        self.assertIn("token", answer.json)
        for profile in os.scandir(os.path.join(self.home, "tidings")):
            with open(profile.path, encoding="utf-8") as kept:
                self.assertNotIn(password, kept.read())

    def test_what_is_typed_as_soon_as_the_password_prompt_is_seen_counts(self):
        for _ in range(5):
            terminal = Terminal(self, "--as", "rob")
            terminal.wait("Password for rob")
            self.assertFalse(termios.tcgetattr(terminal.master)[3] & termios.ECHO)
            terminal.type("short")
            terminal.wait("at least 8 characters")
            terminal.wait("Password for rob")
            os.write(terminal.master, b"\x03")
            self.assertEqual(terminal.process.wait(timeout=SECONDS), 1)

    def test_a_person_at_a_terminal(self):
        Person(self.server.address, "ida")
        hal = Terminal(self, "--as", "hal", "ida")
        hal.wait("Password for hal")
        hal.type("")
        hal.wait(r"Your password, shown only this once: \S+")
        hal.wait("ida")
        hal.type("hello ida")
        hal.wait("✓")
        hal.type("/quit")
        self.assertEqual(hal.process.wait(timeout=SECONDS), 0)
        self.assertEqual(self.messages("ida", "hal"), ["hello ida"])


if __name__ == "__main__":
    main()
