"""Attacks on the door: HTTP and WebSocket from people who mean ill. Each has its answer, the server's memory stays flat,
and everybody else talks on meanwhile."""

import asyncio
import base64
import collections
import json
import multiprocessing
import os
import re
import socket
import struct
import time

import harness
from harness import Client, SystemTest, main, v7

KIB, MIB = 1024, 1024 * 1024
GOOD = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
REQUEST_SECONDS = 10  # from the connect to the end of the first request
SLOWEST_SECONDS = 5  # on a machine that others use, too
CONNECTS, CROWDS = 10_000, 2  # each crowd a process, from an address of its own


def frame(opcode, payload=b"", fin=True, mask=b"\x01\x02\x03\x04", announced=None):
    """A WebSocket frame; `announced`: a length that is not the payload's, in 8 bytes."""
    masked = 0x80 if mask else 0
    head = bytes([opcode | (0x80 if fin else 0)])
    if announced is not None:
        head += bytes([masked | 127]) + struct.pack(">Q", announced)
    elif len(payload) < 126:
        head += bytes([masked | len(payload)])
    elif len(payload) < 65536:
        head += bytes([masked | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([masked | 127]) + struct.pack(">Q", len(payload))
    if not mask:
        return head + payload
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


class Raw:
    """A connection whose bytes are our own."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, address, **options):
        host, port = address.rsplit(":", 1)
        where = options if "sock" in options else {"host": host, "port": int(port)}
        return cls(*await asyncio.open_connection(**where))

    @classmethod
    async def upgraded(cls, address, headers=b""):
        raw = await cls.open(address)
        raw.writer.write(b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tidings.v1.json\r\nSec-WebSocket-Key: " +
                         base64.b64encode(os.urandom(16)) + b"\r\n" + headers + b"\r\n")
        raw.answer = await asyncio.wait_for(raw.reader.readuntil(b"\r\n\r\n"), 10)
        return raw

    async def say(self, data):
        """False: nobody takes it any more."""
        try:
            self.writer.write(data)
            await asyncio.wait_for(self.writer.drain(), 20)
            return True
        except (ConnectionError, asyncio.TimeoutError):
            return False

    async def rest(self, seconds=20):
        """All until the server closes."""
        out = b""
        try:
            while True:
                more = await asyncio.wait_for(self.reader.read(65536), seconds)
                if not more:
                    return out
                out += more
        except ConnectionError:
            return out

    async def statuses(self, seconds=20):
        return [int(n) for n in re.findall(rb"HTTP/1\.1 (\d{3}) ", await self.rest(seconds))]

    async def close_code(self, seconds=20):
        """The code of the close frame that comes; what comes before it is dropped."""
        async def read():
            while True:
                first, length = await self.reader.readexactly(2)
                if length == 126:
                    length, = struct.unpack(">H", await self.reader.readexactly(2))
                elif length == 127:
                    length, = struct.unpack(">Q", await self.reader.readexactly(8))
                payload = await self.reader.readexactly(length)
                if first & 15 == CLOSE:
                    return struct.unpack(">H", payload[:2])[0]
        return await asyncio.wait_for(read(), seconds)

    def close(self):
        self.writer.transport.abort()


def talk_on(pipe, address, ann, bob):
    """Sends from one person to the other again and again, and tells how that goes when it is asked."""
    async def talk():
        one, other = await Client.log_on(address, ann.token), await Client.log_on(address, bob.token)
        conversation = await one.open_with(bob.user)
        messages, slowest, asked = 0, 0, False
        while True:
            began, text = time.monotonic(), v7()
            ok = await one.say(conversation, text)
            assert ok["type"] == "ok", ok
            while (await other.event(seconds=30))["message"]["text"] != text:
                pass
            messages, slowest = messages + 1, max(slowest, time.monotonic() - began)
            if asked:
                pipe.send((messages, slowest))
                messages, slowest, asked = 0, 0, False
            asked = asked or pipe.poll()
            if asked:
                pipe.recv()
            await other.send({"type": "ping"})  # or it would be closed for its silence
            await asyncio.sleep(0.02)
    asyncio.run(talk())


def be_silent(pipe, address, source, count):
    """Opens so many connections, every second one a WebSocket that owes its hello, and says how many; then how they ended."""
    host, port = address.rsplit(":", 1)
    upgrade = (b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Protocol: tidings.v1.json\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    silent = []
    for n in range(count):
        one = socket.socket()
        one.settimeout(30)
        one.bind((source, 0))
        one.connect((host, int(port)))
        if n % 2:
            one.sendall(upgrade)
        silent.append(one)
    pipe.send(len(silent))
    ends = collections.Counter()
    for n, one in enumerate(silent):
        heard = b""
        try:
            for more in iter(lambda: one.recv(4096), b""):
                heard += more
        except OSError as error:
            heard += repr(error).encode()
        if n % 2:
            end = "hello_timeout" if struct.pack(">H", 4408) + b"hello_timeout" in heard else repr(heard)
        else:
            end = "closed" if heard == b"" else repr(heard)
        ends[end] += 1
        one.close()
    pipe.send(ends)


class Attacks(SystemTest):
    settings = {"TIDINGS_SERVER__ORIGINS": "https://chat.example,http://localhost:8080"}
    growth_bytes_max = 8 * MIB  # of the server, by any one attack, measured when it is over

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Whoever talks does so in a process of its own, which the attacker's work does not slow down.
        ours, theirs = multiprocessing.Pipe()
        cls.talkers = multiprocessing.get_context("fork").Process(
            target=talk_on, args=(theirs, cls.address, cls.person("ann"), cls.person("bob")), daemon=True)
        cls.talkers.start()
        cls.addClassCleanup(cls.talkers.kill)
        cls.pipe = ours
        cls.talked()

    @classmethod
    def talked(cls):
        """How many messages went through since the last call, at least one after it, and the slowest in seconds."""
        cls.pipe.send("how many?")
        if not cls.pipe.poll(30):
            raise AssertionError("nobody can talk any more")
        return cls.pipe.recv()

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)
        self.talked()
        self.before = self.rss()

    async def asyncTearDown(self):
        messages, slowest = self.talked()
        await asyncio.sleep(0.2)
        grown = self.rss() - self.before
        print(f"  {self.id().rsplit('.', 1)[1]}: memory {grown / MIB:+.1f} MiB, {messages} messages of others, "
              f"the slowest {slowest * 1000:.0f} ms", flush=True)
        self.assertTrue(self.server.lives(), self.server.said())
        # A sanitizer keeps what was freed (256 MiB of it): there the bound would say nothing.
        if not harness.is_sanitized():
            self.assertLess(grown, self.growth_bytes_max)
        self.assertGreater(messages, 0)
        self.assertLess(slowest, SLOWEST_SECONDS)

    def rss(self):
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * KIB

    async def raw(self, **options):
        raw = await Raw.open(self.address, **options)
        self.addCleanup(raw.close)
        return raw

    async def websocket(self, headers=b""):
        raw = await Raw.upgraded(self.address, headers)
        self.addCleanup(raw.close)
        return raw

    async def answered(self, request):
        """The statuses of what the server answers before it closes."""
        raw = await self.raw()
        await raw.say(request)
        return await raw.statuses()

    # --- HTTP

    async def slowloris(self, beginning):
        began, raw = time.monotonic(), await self.raw()

        async def drip():
            for n in range(len(beginning) + 10_000):
                if not await raw.say(beginning[n:n + 1] or b"x"):
                    return
                await asyncio.sleep(0.2)
        drops = asyncio.create_task(drip())
        statuses = await raw.statuses()
        drops.cancel()
        return statuses, time.monotonic() - began

    async def test_slowloris(self):
        body = b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"

        async def body_byte_by_byte():
            began, raw = time.monotonic(), await self.raw()
            await raw.say(body)

            async def drip():
                while await raw.say(b"x"):
                    await asyncio.sleep(0.2)
            drops = asyncio.create_task(drip())
            statuses = await raw.statuses()
            drops.cancel()
            return statuses, time.monotonic() - began
        ends = await asyncio.gather(*(self.slowloris(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ") for _ in range(150)),
                                    *(body_byte_by_byte() for _ in range(150)))
        for statuses, seconds in ends:
            self.assertEqual(statuses, [408])
            self.assertGreater(seconds, REQUEST_SECONDS - 1)
            self.assertLess(seconds, REQUEST_SECONDS + 6)

    async def test_floods_of_headers(self):
        async def flood(piece):
            raw = await self.raw()
            await raw.say(b"GET / HTTP/1.1\r\nHost: x\r\n")
            sent = 0
            while sent < 64 * MIB and await raw.say(piece):
                sent += len(piece)
                if raw.reader.at_eof() or raw.reader._buffer:
                    break
            return await raw.statuses(), sent
        floods = [b"X-Flood: y\r\n" * 500, b"x" * 8192, b"X: " + b"y" * 4000 + b"\r\n"]
        for piece, (statuses, sent) in zip(floods, await asyncio.gather(*(flood(p) for p in floods))):
            with self.subTest(piece=piece[:12]):
                self.assertEqual(statuses, [431])
                self.assertLess(sent, 4 * MIB)

    async def test_limits_of_headers(self):
        def headers(count, size=0):
            lines = b"".join(b"X-%d: y\r\n" % n for n in range(count - 3))
            return b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: " + b"y" * size + b"\r\n" + lines + b"\r\n"
        self.assertEqual(await self.answered(headers(100)), [200])
        self.assertEqual(await self.answered(headers(101)), [431])
        self.assertEqual(await self.answered(headers(3, 15 * KIB)), [200])
        self.assertEqual(await self.answered(headers(3, 16 * KIB)), [431])

    async def test_requests_that_could_be_read_in_two_ways(self):
        post = b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\n"
        smuggled = b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        for request, status in (
                (post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled, 400),
                (post + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + smuggled, 400),
                (post + b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n" + smuggled, 400),
                (post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + GOOD, 400),
                (post + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" + GOOD, 400),
                (post + b"Content-Length: 5, 5\r\n\r\nhello" + GOOD, 400),
                (post + b"Content-Length: +5\r\n\r\nhello" + GOOD, 400),
                (post + b"Content-Length: 0x5\r\n\r\nhello" + GOOD, 400),
                (post + b"Content-Length: 99999999999999999999999\r\n\r\nhello" + GOOD, 400),
                (post + b"Content-Length : 5\r\n\r\nhello" + GOOD, 400),
                (post + b"Transfer-Encoding: chunked, identity\r\n\r\n" + smuggled, 501),
                (post + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + smuggled, 501),
                (post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled, 400),
                (post + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n" + smuggled, 400),
                (post + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n" + smuggled, 400),
                (post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX" + smuggled, 400),
                (b"GET /livez HTTP/1.1\nHost: x\n\n" + GOOD, 400),
                (b"GET /livez HTTP/1.1\r\nHost: x\nX: y\r\n\r\n" + GOOD, 400),
                (b"GET /livez HTTP/1.1\r\nHost: x\r\n\n" + GOOD, 400),
                (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n" + GOOD, None),
                (b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + GOOD, 400),
                (b"GET /livez HTTP/1.1\r\n\r\n" + GOOD, 400),
                (b"GET /livez\x00 HTTP/1.1\r\nHost: x\r\n\r\n" + GOOD, 400),
                (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n" + GOOD, 400),
                (b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n" + GOOD, 505)):
            with self.subTest(request=request[:110]):
                if status is None:  # a folded line may be unfolded (RFC 9112, 5.2), but is nothing else
                    raw = await self.raw()
                    await raw.say(request)
                    raw.writer.write_eof()
                    self.assertIn((await raw.statuses())[0], (200, 400))
                    continue
                self.assertEqual(await self.answered(request), [status])

    async def test_garbage_behind_a_good_request(self):
        for garbage, status in ((os.urandom(40_000).replace(b"\r", b"x").replace(b"\n", b"\n"), (400, 431)),
                                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (400,)),
                                (b"\x00" * 100 + b"\r\n\r\n", (400,)), (b"x" * 20_000, (400, 431))):
            with self.subTest(garbage=garbage[:12]):
                statuses = await self.answered(GOOD + garbage)
                self.assertEqual(statuses[0], 200)
                self.assertEqual(len(statuses), 2, statuses)
                self.assertIn(statuses[1], status)

    async def test_thousands_of_requests_in_one_piece_and_nobody_who_reads(self):
        lazy = socket.socket()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)
        host, port = self.address.rsplit(":", 1)
        await asyncio.get_running_loop().sock_connect(lazy, (host, int(port)))
        raw = await self.raw(sock=lazy)
        raw.writer.transport.pause_reading()
        taken = 0
        try:
            for _ in range(400):
                raw.writer.write(GOOD * 2000)
                await asyncio.wait_for(raw.writer.drain(), 1)
                taken += 2000
        except (asyncio.TimeoutError, ConnectionError):
            pass
        self.assertLess(taken, 400 * 2000, "the server reads on though nobody takes its answers")

    async def test_json_that_is_too_deep(self):
        for body in (b"[" * 60_000, b'{"a":' * 10_000, b'{"handle":' + b"[" * 17 + b"]" * 17 + b"}"):
            self.assertEqual(await self.answered(
                b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body),
                [400])
        for text in (b"[" * 60_000, b'{"type":' * 8_000, b'{"type":"ping","a":' + b"[" * 17 + b"]" * 17 + b"}"):
            raw = await self.websocket()
            await raw.say(frame(TEXT, text))
            self.assertEqual(await raw.close_code(), 4400)

    # --- WebSocket

    async def test_origins(self):
        for origin, status in ((b"https://chat.example", b"101"), (b"http://localhost:8080", b"101"),
                               (b"https://evil.example", b"403"), (b"null", b"403"), (b"", b"403"),
                               (b"https://chat.example.evil.example", b"403"), (b"https://chat.example:444", b"403"),
                               (b"http://chat.example", b"403"), (b"https://chat.example/", b"403")):
            with self.subTest(origin=origin):
                raw = await self.websocket(b"Origin: " + origin + b"\r\n")
                self.assertEqual(raw.answer[9:12], status)
        raw = await self.websocket(b"Origin: https://chat.example\r\nOrigin: https://evil.example\r\n")
        self.assertEqual(raw.answer[9:12], b"403")
        self.assertEqual((await self.websocket()).answer[9:12], b"101")

    async def test_frames_that_no_honest_client_sends(self):
        for data, code in ((frame(TEXT, b"{}", mask=None), 1002), (frame(PING, b"", mask=None), 1002),
                           (frame(TEXT, announced=2**62), 1009), (frame(TEXT, announced=2**63), 1002),
                           (frame(TEXT, announced=5), 1002), (frame(TEXT, announced=64 * KIB + 1), 1009),
                           (frame(PING, b"x" * 126), 1002), (frame(PING, b"x", fin=False), 1002),
                           (frame(CONTINUATION, b"x"), 1002), (frame(3, b"x"), 1002), (frame(11), 1002),
                           (bytes([0xc1]) + frame(TEXT, b"x")[1:], 1002), (frame(BINARY, b"x"), 4400),
                           (frame(TEXT, b"\xff"), 1007), (frame(TEXT, b"\xc3", fin=False) + frame(TEXT, b"x"), 1002),
                           (frame(TEXT, b"\xff", fin=False), 1007),
                           (frame(TEXT, b"x" * 40_000, fin=False) + frame(CONTINUATION, b"x" * 40_000), 1009),
                           (frame(CLOSE, b"\x03"), 1002), (frame(CLOSE, struct.pack(">H", 1005)), 1002),
                           (frame(CLOSE, struct.pack(">H", 1000) + b"\xff"), 1007)):
            with self.subTest(data=data[:16]):
                raw = await self.websocket()
                await raw.say(data)
                self.assertEqual(await raw.close_code(), code)

    async def test_a_message_in_one_byte_fragments(self):
        raw = await self.websocket()
        hello = json.dumps({"type": "hello", "token": self.person("carl").token}).encode()
        await raw.say(b"".join(frame(CONTINUATION if i else TEXT, hello[i:i + 1], fin=i == len(hello) - 1)
                               for i in range(len(hello))))
        self.assertIn(b'"type":"welcome"', await asyncio.wait_for(raw.reader.read(4096), 10))

    async def flood_until_closed(self, piece, begin=b"", seconds=REQUEST_SECONDS + 5):
        """Sends without end; the close code, or None for a line that just broke."""
        raw = await self.websocket()
        await raw.say(begin)

        async def flood():
            while await raw.say(piece):
                pass
        flooding = asyncio.create_task(flood())
        try:
            return await raw.close_code(seconds)
        except (ConnectionError, asyncio.IncompleteReadError):
            return None
        finally:
            flooding.cancel()

    async def test_floods_of_fragments(self):
        codes = await asyncio.gather(
            *(self.flood_until_closed(frame(CONTINUATION, b"", fin=False) * 2000, frame(TEXT, b"", fin=False))
              for _ in range(2)),
            self.flood_until_closed(frame(CONTINUATION, b"x", fin=False) * 2000, frame(TEXT, b"", fin=False)))
        # Empty fragments make no message and so no hello; those with a byte pass the limit of a message.
        self.assertEqual(codes[:2], [4408, 4408])
        self.assertIn(codes[2], (1009, None))

    async def test_a_flood_of_pings_and_nobody_who_reads(self):
        raw = await self.websocket()
        raw.writer.transport.pause_reading()
        began, sent = time.monotonic(), 0
        while time.monotonic() - began < 5 and await raw.say(frame(PING, b"p" * 125) * 500):
            sent += 500
        self.assertGreater(sent, 0)

    async def test_ten_thousand_who_connect_and_say_nothing(self):
        self.growth_bytes_max = 16 * MIB  # the allocator keeps what they held
        began = time.monotonic()
        context = multiprocessing.get_context("fork")
        crowds = []
        for n in range(CROWDS):
            ours, theirs = context.Pipe()
            process = context.Process(target=be_silent, args=(theirs, self.address, f"127.0.1.{n + 1}", CONNECTS // CROWDS),
                                      daemon=True)
            process.start()
            self.addCleanup(process.join)
            self.addCleanup(process.kill)
            crowds.append(ours)

        async def told(pipe):
            while not pipe.poll():
                await asyncio.sleep(0.05)
            return pipe.recv()
        self.assertEqual([await asyncio.wait_for(told(pipe), 30) for pipe in crowds], [CONNECTS // CROWDS] * CROWDS)
        opened = time.monotonic() - began
        self.assertLess(opened, REQUEST_SECONDS, "all at the same time")
        await asyncio.sleep(1)
        held = self.rss() - self.before
        self.assertLess(held / CONNECTS, 16 * KIB, "memory of a connection that says nothing")
        ends = sum([await asyncio.wait_for(told(pipe), 60) for pipe in crowds], collections.Counter())
        self.assertEqual(ends, {"hello_timeout": CONNECTS // 2, "closed": CONNECTS // 2})
        print(f"  {CONNECTS} silent connections, open after {opened:.1f} s: {held / CONNECTS / KIB:.1f} KiB each, all closed "
              f"after {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
