"""permessage-deflate between the real server and a client that offers it: off unless the setting says on."""

import re
import struct
import zlib

import websockets

from harness import Client, SystemTest, is_sanitized, main

DEFLATE = "Sec-WebSocket-Extensions"
MIB = 1024 * 1024


def compressed_frame(payload):
    """As it travels: final, RSV1, text, masked with zeros."""
    return struct.pack(">BBH4x", 0xC1, 0x80 | 126, len(payload)) + payload


async def offering(address, **options):
    """A connection that offers compression, as the library does by default."""
    socket = await websockets.connect(f"ws://{address}/v1/ws", subprotocols=["tidings.v1.json"], max_size=2**21,
                                      max_queue=None, ping_interval=None, close_timeout=2, **options)
    return Client(socket)


async def hello(client, token):
    await client.send({"type": "hello", "versions": [1, 1], "token": token, "app": "system-test"})
    client.welcome = await client.next()
    assert client.welcome["type"] == "welcome", client.welcome
    return client


class ByDefault(SystemTest):
    async def test_nothing_is_agreed_on(self):
        ann = self.person("ann")
        client = await offering(self.address)
        self.addAsyncCleanup(client.close)
        self.assertNotIn(DEFLATE, client.socket.response_headers)
        self.assertEqual(client.socket.extensions, [])
        await hello(client, ann.token)
        client.socket.transport.write(compressed_frame(b"\xf2\x48\xcd\xc9\xc9\x07\x00".ljust(126, b"\0")))
        self.assertEqual((await client.end())[0], 1002)


class SwitchedOn(SystemTest):
    settings = {"TIDINGS_SERVER__COMPRESSION": "on"}

    async def offered(self, person):
        client = await offering(self.address)
        self.addAsyncCleanup(client.close)
        self.assertEqual(client.socket.response_headers[DEFLATE],
                         "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
        return await hello(client, person.token)

    def rss(self):
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024

    async def test_people_with_and_without_it_talk(self):
        ann, bob = self.person("ann"), self.person("bob")
        one, other = await self.offered(ann), await self.client(bob)
        self.assertNotIn(DEFLATE, other.socket.response_headers)
        conversation = await one.open_with(bob.user)
        texts = [f"{i}: " + "so it goes " * 400 for i in range(30)]
        for i, text in enumerate(texts):
            ok = await (one, other)[i % 2].say(conversation, text)
            self.assertEqual(ok["type"], "ok", ok)
        for client in (one, other):
            events = await client.pull_all(conversation)
            self.assertEqual([e["message"]["text"] for e in events if e.get("message")], texts)

    async def test_a_bomb_is_closed_and_memory_stays_flat(self):
        ann = self.person("ann")
        compress = zlib.compressobj(9, zlib.DEFLATED, -15)
        bomb = compress.compress(b" " * 50 * MIB) + compress.flush(zlib.Z_SYNC_FLUSH)[:-4]
        self.assertLess(len(bomb), 64 * 1024)
        before = None
        for _ in range(40):
            client = await self.offered(ann)
            client.socket.transport.write(compressed_frame(bomb))
            self.assertEqual((await client.end())[0], 1009)
            before = before or self.rss()
        # A sanitizer keeps what was freed: there the bound would say nothing.
        if not is_sanitized():
            self.assertLess(self.rss() - before, 2 * MIB)
        self.assertTrue(self.server.lives(), self.server.said())


if __name__ == "__main__":
    main()
