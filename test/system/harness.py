"""What the system tests share: a server of their own, a REST caller and a WebSocket client.

Everything here is written from docs/protocol alone. A test ends only processes that it started.
"""

import asyncio
import collections
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

import websockets

BINARY = ""  # set by main() from the command line
IN_TWO = False  # likewise: a server is a core and a gateway process
START_SECONDS = 30
ANSWER_SECONDS = 10
PASSWORD = "correct horse battery"
ZEROS = "00000000-0000-0000-0000-000000000000"
EFFS = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def v7(ms=None):
    """A version-7 UUID (RFC 9562) of this time."""
    ms = int(time.time() * 1000) if ms is None else ms
    return str(uuid.UUID(int=ms << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)))


def v4():
    return str(uuid.uuid4())


def is_sanitized():
    """Whether the program was built with AddressSanitizer."""
    with open(BINARY, "rb") as program:
        return b"__asan_init" in program.read()


class Server:
    """`tidings serve` on a port of the system's choice. Keeps its data directory when it is started again.

    Its rates are lifted, because tests say more than people may; those of rates set limits.profile to normal.
    """

    def __init__(self, settings=None, data=None):
        self.settings = settings or {}
        self.data = data or tempfile.mkdtemp(prefix="tidings-system-")
        self.process, self.address, self.ended = None, None, False
        self.core = None  # its process, if it is one of its own
        self.log = tempfile.TemporaryFile(mode="w+")
        self.printed = []  # lines of stdout; all of them once stop() is back
        self.reader = None

    def start(self):
        """Comes back at the address that it had, if it had one."""
        command = [BINARY, "serve", "--listen", self.address or "127.0.0.1:0"]
        environment = dict(os.environ, **{"TIDINGS_LIMITS__PROFILE": "bench", "TIDINGS_LIMITS__DRAIN_WINDOW": "0s", **self.settings})
        self.ended = False
        if IN_TWO:
            path = self.data + "/core"
            self.core = subprocess.Popen([BINARY, "serve", "--role", "core", "--core", path, "--data", self.data],
                                         env=environment, stdout=subprocess.DEVNULL, stderr=self.log, text=True)
            command += ["--role", "gateway", "--core", path]
        else:
            command += ["--data", self.data]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True)
        watchdog = threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        self.address = None
        for line in self.process.stdout:
            found = re.search(r"listening on (\S+:\d+)", line)
            if found:
                self.address = found.group(1)
                break
        watchdog.cancel()
        if not self.address:
            raise AssertionError(f"the server did not start: {self.said()}")
        # What it prints later must never fill the pipe.
        self.reader = threading.Thread(target=self.printed.extend, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        return self

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        """SIGTERM; the exit status."""
        self.ended = True
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=START_SECONDS)
        self.reader.join(ANSWER_SECONDS)
        if self.core:
            self.core.send_signal(signal.SIGTERM)
            status = status or self.core.wait(timeout=START_SECONDS)
        return status

    def kill(self):
        self.ended = True
        for process in filter(None, (self.core, self.process)):
            process.kill()
            process.wait()

    def lives(self):
        return self.process.poll() is None and (not self.core or self.core.poll() is None)

    def end(self):
        if self.process and not self.ended and not self.lives():
            print(f"the server ended by itself with {self.process.returncode}:\n{self.said()}", file=sys.stderr)
        if self.process and not self.ended:
            self.kill()
        if self.process:
            self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.data, ignore_errors=True)


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def call(address, method, path, body=None, token=None, headers=None):
    """One REST call. A `body` that is no str or bytes is sent as JSON."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=ANSWER_SECONDS)
    headers = {"X-Request-Id": "system-test", **(headers or {})}  # so that refusals can be compared
    if token:
        headers["Authorization"] = "Bearer " + token
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Person:
    def __init__(self, address, handle):
        made = call(address, "POST", "/v1/accounts",
                    {"handle": handle, "password": PASSWORD, "display_name": handle.title()})
        assert made.status == 201, made.body
        self.handle, self.user = handle, made.json["user"]
        self.token = self.log_in(address)

    def log_in(self, address, device_name="test"):
        made = call(address, "POST", "/v1/tokens",
                    {"handle": self.handle, "password": PASSWORD, "device_name": device_name})
        assert made.status == 201, made.body
        return made.json["token"]


class Client:
    """One WebSocket connection. What is not asked for waits in `inbox`, in order."""

    def __init__(self, socket):
        self.socket, self.welcome, self.requests = socket, None, 0
        self.counted = 0  # frames that an ack counts
        self.acked, self.unacked_bytes = 0, 0
        self.inbox = collections.deque()

    @classmethod
    async def open(cls, address, **options):
        socket = await websockets.connect(f"ws://{address}/v1/ws", subprotocols=["tidings.v1.json"], compression=None,
                                          max_size=2**21, max_queue=None, ping_interval=None, close_timeout=2, **options)
        return cls(socket)

    @classmethod
    async def log_on(cls, address, token, **options):
        client = await cls.open(address, **options)
        await client.send({"type": "hello", "versions": [1, 1], "token": token, "app": "system-test"})
        client.welcome = await client.next()
        assert client.welcome["type"] == "welcome", client.welcome
        return client

    async def send(self, frame):
        await self.socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def send_bytes(self, opcode, payload, fin=True):
        """A WebSocket frame as it is, for bytes that no honest client sends."""
        await self.socket.write_frame(fin, opcode, payload)

    async def receive(self, seconds=ANSWER_SECONDS):
        text = await asyncio.wait_for(self.socket.recv(), seconds)
        frame = json.loads(text)
        self.counted += frame["type"] not in ("welcome", "kick") and not frame.get("ephemeral")
        self.unacked_bytes += len(text)
        # Not after 1 s, as clients should: tests of marks ack by themselves.
        if self.counted - self.acked >= 128 or self.unacked_bytes >= 64 * 1024:
            self.acked, self.unacked_bytes = self.counted, 0
            await self.send({"type": "ack", "received": self.counted})
        return frame

    async def next(self, seconds=ANSWER_SECONDS):
        return self.inbox.popleft() if self.inbox else await self.receive(seconds)

    async def event(self, name="message.created", seconds=ANSWER_SECONDS):
        """The next event of that name; others before it are dropped."""
        while True:
            frame = await self.next(seconds)
            if frame["type"] == "event" and frame["event"] == name:
                return frame

    async def answer(self, request, seconds=ANSWER_SECONDS):
        for frame in list(self.inbox):
            if frame["type"] != "event" and frame.get("request") == request:
                self.inbox.remove(frame)
                return frame
        while True:
            frame = await self.receive(seconds)
            if frame["type"] != "event" and frame.get("request") == request:
                return frame
            self.inbox.append(frame)

    async def ask(self, type_, **fields):
        self.requests += 1
        await self.send(dict(fields, type=type_, request=self.requests))
        return await self.answer(self.requests)

    async def say(self, conversation, text, client_id=None, **fields):
        return await self.ask("message.send", conversation=conversation, client_id=client_id or v7(),
                              message={"kind": "text", "text": text}, **fields)

    async def open_with(self, other_user):
        made = await self.ask("conversation.create", client_id=v7(), kind="direct", members=[other_user])
        assert made["type"] == "ok", made
        return made["conversation"]

    async def pull_all(self, conversation, after=0, check=None, limit=200):
        """Every event after the cursor; fails where a page does not go on from it."""
        events, have = [], after
        while True:
            page = await self.ask("pull", conversation=conversation, after=have, check=check, limit=limit)
            assert page["type"] == "page", page
            covered = {e["seq"] for e in page["events"]}
            for first, last, _ in page["holes"]:
                covered |= set(range(first, last + 1))
            assert covered == set(range(have + 1, page["upto"] + 1)), (have, page["upto"], covered)
            events += page["events"]
            have = page["upto"]
            check = {"seq": events[-1]["seq"], "id": events[-1]["id"]} if events else check
            if not page["more"]:
                return events

    async def silence(self, seconds=0.3):
        """Nothing comes in this time, but what follows from something earlier a moment later: the own log and receipts."""
        async def heard():
            while True:
                frame = await self.next(None)
                if frame["type"] != "receipt" and frame.get("event") != "conversation.listed":
                    return frame
        try:
            frame = await asyncio.wait_for(heard(), seconds)
        except asyncio.TimeoutError:
            return
        raise AssertionError(f"unexpected {frame}")

    async def end(self, seconds=ANSWER_SECONDS):
        """Waits for the server's close: its code, reason and the error frame before it, if there was one."""
        error = None
        try:
            while True:
                frame = await self.receive(seconds)
                if frame["type"] == "error" and "request" not in frame:
                    error = frame["code"]
        except websockets.ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason, error

    async def drop(self):
        """The line breaks: no bye, no close frame."""
        self.socket.transport.abort()
        await self.socket.wait_closed()

    async def close(self):
        await self.socket.close()


class SystemTest(unittest.IsolatedAsyncioTestCase):
    """One server for all tests of a class; each test has people of its own."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.settings)
        cls.addClassCleanup(cls.server.end)
        cls.server.start()
        cls.address = cls.server.address

    @classmethod
    def person(cls, name):
        return Person(cls.address, f"{name}_{secrets.token_hex(4)}")

    async def client(self, person, token=None):
        client = await Client.log_on(self.address, token or person.token)
        self.addAsyncCleanup(client.close)
        return client

    async def stranger(self):
        """Connected, and owes its hello."""
        client = await Client.open(self.address)
        self.addAsyncCleanup(client.close)
        return client

    def call(self, method, path, body=None, token=None, headers=None):
        return call(self.address, method, path, body, token, headers)

    def assert_problem(self, response, status, code):
        self.assertEqual((response.status, response.headers.get_content_type()), (status, "application/problem+json"),
                         response.body)
        self.assertEqual(response.json["code"], code)
        self.assertEqual(response.json["status"], status)
        for field in ("type", "title"):
            self.assertIsInstance(response.json[field], str)

    def assert_error(self, frame, code):
        self.assertEqual((frame["type"], frame.get("code")), ("error", code), frame)
        self.assertTrue(frame["message"])


def main():
    """python3 x_test.py BINARY [--in-two] [unittest arguments]"""
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} path/to/tidings [--in-two] [test]")
    sys.modules["harness"].BINARY = os.path.abspath(sys.argv.pop(1))
    if sys.argv[1:2] == ["--in-two"]:
        sys.modules["harness"].IN_TWO = bool(sys.argv.pop(1))
    unittest.main(module="__main__", verbosity=2)
