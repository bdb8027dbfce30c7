"""Where the server listens: on IPv6, and with TLS whose certificate is replaced while people are connected."""

import asyncio
import http.client
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import Client, Server, SystemTest, call, main

OPENSSL = shutil.which("openssl")
TAKEN_SECONDS = 10  # a new certificate is looked for every 2 s


class OverIpv6(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.end)
        cls.server.address = "[::1]:0"
        cls.server.start()
        cls.address = cls.server.address

    async def test_rest_sockets_polls_and_metrics(self):
        self.assertRegex(self.address, r"^\[::1\]:\d+$")
        ann, bob = self.person("ann"), self.person("bob")
        at, other = await self.client(ann), await self.client(bob)
        conversation = await at.open_with(bob.user)
        self.assertEqual((await at.say(conversation, "over IPv6"))["type"], "ok")
        self.assertEqual((await other.event())["message"]["text"], "over IPv6")
        self.assertEqual(self.call("POST", "/v1/poll", {}, ann.token).json["frames"][0]["type"], "welcome")
        self.assertEqual(self.call("GET", "/metrics").status, 200, "::1 is this machine")
        with self.assertRaises(OSError):
            call("127.0.0.1:" + self.address.rsplit(":", 1)[1], "GET", "/livez")

    async def test_everywhere_means_both_families(self):
        server = Server()
        self.addCleanup(server.end)
        server.address = "[::]:0"
        server.start()
        port = server.address.rsplit(":", 1)[1]
        for host in ("[::1]", "127.0.0.1"):
            self.assertEqual(call(f"{host}:{port}", "GET", "/livez").status, 200, host)
            self.assertEqual(call(f"{host}:{port}", "GET", "/metrics").status, 200, f"{host} is this machine")


@unittest.skipUnless(OPENSSL, "openssl is not installed")
class OverTls(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="tidings-tls-"))
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.certificate, self.key = self.directory / "certificate.pem", self.directory / "key.pem"
        self.make("first")
        self.server = Server({"TIDINGS_SERVER__TLS_CERTIFICATE": str(self.certificate),
                              "TIDINGS_SERVER__TLS_KEY": str(self.key)})
        self.addCleanup(self.server.end)
        self.server.start()
        self.port = int(self.server.address.rsplit(":", 1)[1])

    def make(self, name):
        """A new pair, put in place as programs that renew certificates do: written aside and renamed."""
        made = self.directory / name
        subprocess.run([OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", f"{made}.key", "-out", f"{made}.pem", "-days", "2", "-subj", f"/CN={name}",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        os.replace(f"{made}.key", self.key)
        shutil.copy(f"{made}.pem", self.directory / f"{name}-trusted.pem")
        os.replace(f"{made}.pem", self.certificate)

    def trusting(self, name):
        return ssl.create_default_context(cafile=str(self.directory / f"{name}-trusted.pem"))

    def livez(self, name):
        """The status of a new connection that trusts this certificate alone; None: it is another one."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.trusting(name))
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status
        except ssl.SSLCertVerificationError:
            return None
        finally:
            connection.close()

    def ask(self, method, path, body, name):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.trusting(name))
        connection.request(method, path, harness.json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        made = harness.json.loads(answer.read())
        connection.close()
        self.assertEqual(answer.status, 201, made)
        return made

    async def client(self, token, name):
        socket = await harness.websockets.connect(f"wss://127.0.0.1:{self.port}/v1/ws", subprotocols=["tidings.v1.json"],
                                                  compression=None, ssl=self.trusting(name))
        client = Client(socket)
        self.addAsyncCleanup(client.close)
        await client.send({"type": "hello", "versions": [1, 1], "token": token, "app": "system-test"})
        self.assertEqual((await client.next())["type"], "welcome")
        return client

    def until_taken(self, name):
        end = time.monotonic() + TAKEN_SECONDS
        while self.livez(name) != 200:
            self.assertLess(time.monotonic(), end, self.server.printed)
            time.sleep(0.1)

    async def test_a_new_certificate_is_taken_and_nobody_is_cut_off(self):
        self.assertEqual(self.livez("first"), 200)
        self.ask("POST", "/v1/accounts", {"handle": "ann", "password": harness.PASSWORD, "display_name": "Ann"}, "first")
        token = self.ask("POST", "/v1/tokens", {"handle": "ann", "password": harness.PASSWORD, "device_name": "x"},
                         "first")["token"]
        before = await self.client(token, "first")
        self.make("second")
        await asyncio.to_thread(self.until_taken, "second")
        self.assertIsNone(self.livez("first"), "the old one is shown no more")
        await before.send({"type": "ping"})
        self.assertEqual((await before.next())["type"], "pong", "who was connected stays")
        await self.client(token, "second")
        # A file that is none: the one before stays, and that is said.
        self.certificate.write_text("no certificate")
        end = time.monotonic() + TAKEN_SECONDS
        while not any("is not taken" in line for line in self.server.printed):
            self.assertLess(time.monotonic(), end, self.server.printed)
            await asyncio.sleep(0.1)
        self.assertEqual(self.livez("second"), 200)
        self.make("third")
        await asyncio.to_thread(self.until_taken, "third")


if __name__ == "__main__":
    if not OPENSSL:
        print("SKIPPED: openssl is not installed; ./dev installs it", file=sys.stderr)
    main()
