"""Tidings behind a real HAProxy, configured as docs/haproxy.cfg says. Skipped, loudly, where it is not installed."""

import asyncio
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import websockets

from harness import Server, main

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
CONFIGURATION = pathlib.Path(__file__).parents[2] / "docs/haproxy.cfg"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wrong_log_in(port, handle, client, forwarded):
    """The status of a log-in with a wrong password, from an address of this machine that says for whom it asks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=(client, 0))
    # The same bearer, so the same process, which counts by itself.
    connection.request("POST", "/v1/tokens", json.dumps({"handle": handle, "password": "a wrong password"}),
                       {"Content-Type": "application/json", "Authorization": "Bearer x", **forwarded})
    status = connection.getresponse().status
    connection.close()
    return status


@unittest.skipUnless(HAPROXY, "haproxy is not installed")
class BehindHaproxy(unittest.TestCase):
    def setUp(self):
        settings = {"TIDINGS_SERVER__PROXIES": "127.0.0.1, 127.0.0.2", "TIDINGS_ACCOUNTS__FAILURES_PER_ADDRESS": "3"}
        self.servers = [Server(settings), Server(settings)]
        for server in self.servers:
            self.addCleanup(server.end)
            server.start()
        self.directory = tempfile.mkdtemp(prefix="tidings-haproxy-")
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.sockets, self.rest = free_port(), free_port()
        self.admin = os.path.join(self.directory, "admin")
        text = CONFIGURATION.read_text()
        for old, new in {"0.0.0.0:65443": f"127.0.0.1:{self.sockets}", "0.0.0.0:65444": f"127.0.0.1:{self.rest}",
                         "127.0.0.1:65101": self.servers[0].address, "127.0.0.1:65102": self.servers[1].address,
                         "/run/haproxy/tidings.sock": self.admin, "maxconn 40000": "maxconn 100"}.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = os.path.join(self.directory, "haproxy.cfg")
        pathlib.Path(path).write_text(text)
        log = open(os.path.join(self.directory, "log"), "w")
        self.addCleanup(log.close)
        self.haproxy = subprocess.Popen([HAPROXY, "-db", "-f", path], stdout=log, stderr=log)
        self.addCleanup(self.haproxy.wait)
        self.addCleanup(self.haproxy.kill)
        self.until(lambda: self.states() == {f"{b}/{s}": "UP" for b in ("gateways", "apis") for s in ("g1", "g2")})

    def until(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.fail(pathlib.Path(self.directory, "log").read_text() + str(self.states()))
            time.sleep(0.05)

    def tell(self, command):
        try:
            with socket.socket(socket.AF_UNIX) as admin:
                admin.connect(self.admin)
                admin.sendall(command.encode() + b"\n")
                return b"".join(iter(lambda: admin.recv(65536), b"")).decode()
        except OSError:
            return ""

    def rows(self):
        lines = [line.split(",") for line in self.tell("show stat").splitlines() if line]
        return {f"{row[0]}/{row[1]}": dict(zip(lines[0], row)) for row in lines[1:] if row[1] in ("g1", "g2")} if lines else {}

    def states(self):
        # "UP 1/2": up, and about to be found otherwise; health checks answered at least once.
        return {name: row["status"] for name, row in self.rows().items() if row["check_status"] == "L7OK"}

    def test_sockets_stay_at_one_gateway_and_leave_one_that_is_drained_or_dead(self):
        async def connect():
            return await websockets.connect(f"ws://127.0.0.1:{self.sockets}/v1/ws", subprotocols=["tidings.v1.json"])

        async def scene():
            sessions = lambda: {name[-2:]: int(row["scur"]) for name, row in self.rows().items()
                                if name.startswith("gateways/")}
            clients = [await connect() for _ in range(4)]
            self.assertEqual(sorted(sessions().values()), [0, 4])
            used = max(sessions(), key=sessions().get)
            other = "g2" if used == "g1" else "g1"
            self.tell(f"set server gateways/{used} state drain")
            clients.append(await connect())
            self.assertEqual(sessions(), {used: 4, other: 1}, "drained: nobody new, those that there are stay")
            await clients[0].send("{")
            with self.assertRaises(websockets.ConnectionClosed):
                await asyncio.wait_for(clients[0].recv(), 10)
                await asyncio.wait_for(clients[0].recv(), 10)
            self.assertIsNotNone(clients[0].close_code)

            self.tell(f"set server gateways/{used} state ready")
            self.servers[0 if used == "g1" else 1].kill()
            for client in clients[1:4]:
                await asyncio.wait_for(client.wait_closed(), 10)
            self.assertFalse(clients[4].closed)
            self.until(lambda: not self.rows()[f"gateways/{used}"]["status"].startswith("UP"))
            await connect()

        asyncio.run(scene())

    def test_wrong_passwords_count_for_the_client_and_not_for_the_proxy(self):
        # 127.0.0.2 is a believed proxy in front of HAProxy, 127.0.0.3 is not believed.
        def tries(client, forwarded):
            return [wrong_log_in(self.rest, f"nobody{i}", client, forwarded) for i in range(4)]

        self.assertEqual(tries("127.0.0.2", {"X-Forwarded-For": "198.51.100.7"}), [401, 401, 401, 429])
        self.assertEqual(tries("127.0.0.2", {"X-Forwarded-For": "198.51.100.7, 198.51.100.8"}), [401, 401, 401, 429])
        # What others say, or say in the other header, counts for nothing: addresses of this machine are not counted.
        self.assertEqual(tries("127.0.0.3", {"X-Forwarded-For": "198.51.100.9"}), [401] * 4)
        self.assertEqual(tries("127.0.0.2", {"Forwarded": "for=198.51.100.9"}), [401] * 4)


if __name__ == "__main__":
    if not HAPROXY:
        print("SKIPPED: haproxy is not installed; ./dev installs it", file=sys.stderr)
    main()
