"""Who connects and says nothing is shown the door, after the documented time."""

import asyncio
import time
import unittest

from harness import Client, Person, Server, main


class Timeouts(unittest.IsolatedAsyncioTestCase):
    def start(self, **settings):
        server = Server(settings)
        self.addCleanup(server.end)
        return server.start()

    async def silent_socket(self, server):
        """Seconds until a connection without a hello is closed; how it is closed."""
        client = await Client.open(server.address)
        began = time.monotonic()
        end = await client.end(seconds=20)
        return time.monotonic() - began, end

    async def half_request(self, server):
        """Seconds until a connection with half an HTTP request is closed."""
        host, port = server.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        began = time.monotonic()
        writer.write(b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return time.monotonic() - began

    async def by_default(self):
        server = self.start()
        ann = Person(server.address, "ann")
        (silent, end), half = await asyncio.gather(self.silent_socket(server), self.half_request(server))
        self.assertEqual(end, (4408, "hello_timeout", "hello_timeout"))
        for seconds in (silent, half):
            self.assertGreater(seconds, 9.9)
            self.assertLess(seconds, 13)
        await (await Client.log_on(server.address, ann.token)).close()

    async def by_settings(self):
        server = self.start(TIDINGS_LIMITS__HELLO_TIMEOUT="500ms", TIDINGS_LIMITS__SILENCE_TIMEOUT="1s")
        seconds, end = await self.silent_socket(server)
        self.assertEqual(end, (4408, "hello_timeout", "hello_timeout"))
        self.assertLess(seconds, 4)
        ann = await Client.log_on(server.address, Person(server.address, "ann").token)
        self.assertEqual((await ann.end())[:2], (1001, "silence"))

    async def test_after_ten_seconds_or_what_the_settings_say(self):
        await asyncio.gather(self.by_default(), self.by_settings())


if __name__ == "__main__":
    main()
