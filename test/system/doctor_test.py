"""`tidings doctor`: it says what is wrong with a log, changes nothing untold, and makes a damaged one usable."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

import harness
from harness import Client, Person, Server, main, v7

SEGMENT = "log/0000000001.log"
HEADER = 4096


def doctor(data, *arguments):
    return subprocess.run([harness.BINARY, "doctor", "--data", data, *arguments], capture_output=True, text=True, timeout=60)


def report(data, *arguments):
    ran = doctor(data, "--json", *arguments)
    return ran.returncode, json.loads(ran.stdout)


def fingerprint(data):
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(pathlib.Path(data).rglob("*")) if path.is_file()}


def groups(path):
    """(offset, number, bytes, positions) of the groups of one segment, after docs/formats/log.md."""
    image = pathlib.Path(path).read_bytes()
    at, found = HEADER, []
    while at + 24 <= len(image):
        number, body, records = struct.unpack_from("<QII", image, at)
        if number == 0 or image[at:at + 4] == b"TDTR":
            break
        positions, here = [], at + 24
        for _ in range(records):
            position, _, size = struct.unpack_from("<QqI", image, here)
            positions.append(position)
            here += 28 + size
        found.append((at, number, 24 + body, positions))
        at += 24 + body
    return found


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


class Doctor(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.end)
        self.server.start()

    async def talk(self, count=12):
        """Ann's messages to bob, one group each: what was answered."""
        self.ann, self.bob = Person(self.server.address, "ann"), Person(self.server.address, "bob")
        ann = await Client.log_on(self.server.address, self.ann.token)
        self.conversation = await ann.open_with(self.bob.user)
        answered = [await ann.say(self.conversation, f"message {n}", v7()) for n in range(count)]
        await ann.close()
        return answered

    def path(self, name):
        return os.path.join(self.server.data, name)

    def forget_the_store(self):
        """What a store that was lost leaves: everything is read from the log."""
        shutil.rmtree(self.path("store"))

    def refused(self):
        ran = subprocess.run([harness.BINARY, "serve", "--listen", "127.0.0.1:0", "--data", self.server.data],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(ran.returncode, 1, ran.stdout)
        return ran.stderr

    async def events(self):
        bob = await Client.log_on(self.server.address, self.bob.token)
        events = await bob.pull_all(self.conversation)
        await bob.close()
        return events

    async def test_a_healthy_log_is_told_and_nothing_is_changed(self):
        await self.talk()
        self.server.kill()
        before = fingerprint(self.server.data)
        ran = doctor(self.server.data)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran.stdout)
        self.assertIn("healthy", ran.stdout)
        status, found = report(self.server.data)
        written = groups(self.path(SEGMENT))
        positions = [p for group in written for p in group[3]]
        self.assertEqual((status, found["healthy"], found["segments"]), (0, True, 1))
        self.assertEqual((found["whole"]["groups"], found["whole"]["records"]), (len(written), len(positions)))
        self.assertEqual((found["whole"]["first"], found["whole"]["last"]), (str(positions[0]), str(positions[-1])))
        self.assertEqual(found["whole"]["lineages"], 1)
        self.assertRegex(found["whole"]["last_time"], r"^20\d\d-\d\d-\d\dT")
        self.assertEqual(report(self.server.data, "--cut"), (0, found))
        self.assertEqual(fingerprint(self.server.data), before)

    async def test_a_torn_tail_is_no_damage(self):
        answered = await self.talk()
        self.server.kill()
        at, _, size, _ = groups(self.path(SEGMENT))[-1]
        with open(self.path(SEGMENT), "r+b") as file:
            file.seek(at + size)
            file.write(b"\x55" * 99)
        status, found = report(self.server.data)
        self.assertEqual((status, found["torn_bytes"], found["damage"]), (0, 99, None))
        self.server.start()
        self.assertEqual([e["id"] for e in await self.events()][1:], [a["id"] for a in answered])

    async def test_a_running_server_is_left_alone_and_so_is_a_directory_without_data(self):
        await self.talk(1)
        ran = doctor(self.server.data, "--cut")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("in use by another server", ran.stderr)
        with tempfile.TemporaryDirectory() as empty:
            ran = doctor(empty)
            self.assertEqual((ran.returncode, os.listdir(empty)), (1, []))
            self.assertIn("no data of tidings", ran.stderr)
        self.assertEqual(doctor(self.server.data, "--never").returncode, 2)

    async def test_flipped_bits_are_found_told_and_cut_when_the_store_has_nothing(self):
        answered = await self.talk()
        self.server.stop()
        self.forget_the_store()
        written = groups(self.path(SEGMENT))
        bad = next(i for i, group in enumerate(written) if i > len(written) // 2)
        flip(self.path(SEGMENT), written[bad][0] + 40)
        said = self.refused()
        before = fingerprint(self.server.data)
        self.assertIn(f"{SEGMENT} at byte {written[bad][0]}: group {written[bad][1]} is unreadable", said)
        self.assertIn(f"tidings doctor --data {self.server.data}", said)

        ran = doctor(self.server.data)
        self.assertEqual(ran.returncode, 1)
        for words in ("DAMAGED", f"at byte {written[bad][0]}", "loses", "--cut"):
            self.assertIn(words, ran.stdout)
        status, found = report(self.server.data)
        above = [p for group in written[bad + 1:] for p in group[3]]
        damage = found["damage"]
        self.assertEqual((status, found["healthy"], found["whole"]["groups"]), (1, False, bad))
        self.assertEqual((damage["above"]["groups"], damage["above"]["records"]), (len(written) - bad - 1, len(above)))
        self.assertEqual((damage["above"]["first"], damage["above"]["last"]), (str(above[0]), str(above[-1])))
        self.assertEqual((damage["lost"], damage["stored_records"]), (damage["above"], 0))
        self.assertEqual((damage["unreadable_groups"], damage["unreadable_bytes"]), (1, written[bad][2]))
        self.assertEqual(damage["files"], [self.path(SEGMENT)])
        self.assertEqual(fingerprint(self.server.data), before)

        ran = doctor(self.server.data, "--cut")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        aside = pathlib.Path(re.search(r"What was moved is in (\S+)\.", ran.stdout).group(1))
        self.assertEqual(hashlib.sha256((aside / "0000000001.log").read_bytes()).hexdigest(), before[SEGMENT])
        self.assertEqual(report(self.server.data)[0], 0)
        kept = [p for group in written[:bad] for p in group[3]]
        self.assertEqual([p for group in groups(self.path(SEGMENT)) for p in group[3]], kept)
        [[_, _, _, [base]]] = groups(self.path("log/0000000002.log"))
        self.assertEqual(base % 4096, 0)
        self.assertGreaterEqual(base, above[-1] + 2**40)

        self.server.start()
        events = await self.events()
        self.assertLess(len(events), len(answered) + 1)
        self.assertEqual([e["id"] for e in events][1:], [a["id"] for a in answered][:len(events) - 1])
        await self.goes_on({a["id"] for a in answered})

    async def goes_on(self, ids):
        """New messages are told apart from the lost ones, and a client that has a lost one notices."""
        ann = await Client.log_on(self.server.address, self.ann.token)
        for n in range(30):
            answer = await ann.say(self.conversation, f"after {n}")
            self.assertEqual(answer["type"], "ok", answer)
            self.assertNotIn(answer["id"], ids)
            ids.add(answer["id"])
        await ann.close()
        self.server.kill()
        self.assertEqual(report(self.server.data)[0], 0)
        self.server.start()
        self.assertEqual((await self.events())[-1]["id"], answer["id"])

    async def test_what_the_store_has_is_not_lost_by_a_cut_below_it(self):
        answered = await self.talk()
        self.server.stop()
        written = groups(self.path(SEGMENT))
        flip(self.path(SEGMENT), written[3][0] + 30)
        status, found = report(self.server.data)
        self.assertEqual(status, 1)
        self.assertEqual(found["damage"]["stored_records"], found["damage"]["above"]["records"])
        self.assertEqual(found["damage"]["lost"]["records"], 0)
        self.assertGreater(int(found["folded"]), int(found["whole"]["last"]))
        status, done = report(self.server.data, "--cut")
        self.assertEqual((status, done["healthy"]), (0, True))
        self.assertGreater(int(done["cut"]["base"]), int(found["folded"]))
        self.server.start()
        self.assertEqual([e["id"] for e in await self.events()][1:], [a["id"] for a in answered])
        await self.goes_on({a["id"] for a in answered})

    async def test_a_log_that_ends_below_the_store_goes_on_above_it(self):
        answered = await self.talk()
        self.server.stop()
        at = groups(self.path(SEGMENT))[5][0]
        with open(self.path(SEGMENT), "r+b") as file:
            size = os.path.getsize(self.path(SEGMENT))
            file.truncate(at)
            file.truncate(size)
        self.assertIn("already folded into the store", self.refused())
        status, found = report(self.server.data)
        self.assertEqual((status, found["damage"]["files"], found["damage"]["lost"]["records"]), (1, [], 0))
        status, done = report(self.server.data, "--cut")
        self.assertEqual((status, done["cut"]["aside"]), (0, None))
        self.assertGreater(int(done["cut"]["base"]), int(found["folded"]))
        self.server.start()
        self.assertEqual([e["id"] for e in await self.events()][1:], [a["id"] for a in answered])
        await self.goes_on({a["id"] for a in answered})

    async def test_a_log_without_a_readable_header_or_a_log_at_all(self):
        for spoil in (lambda: flip(self.path(SEGMENT), 100), lambda: shutil.rmtree(self.path("log"))):
            answered = await self.talk(5)
            self.server.stop()
            spoil()
            self.assertIn("the log is damaged", self.refused())
            status, found = report(self.server.data)
            self.assertEqual((status, found["whole"]["records"]), (1, 0))
            self.assertEqual(report(self.server.data, "--cut")[0], 0)
            self.server.start()
            self.assertEqual([e["id"] for e in await self.events()][1:], [a["id"] for a in answered])
            await self.goes_on({a["id"] for a in answered})
            self.server.stop()
            shutil.rmtree(self.server.data)
            os.mkdir(self.server.data)
            self.server.start()

    async def test_a_cut_that_was_not_finished_keeps_the_server_from_starting_until_it_is(self):
        answered = await self.talk()
        self.server.stop()
        pathlib.Path(self.path("log/cut-unfinished")).touch()
        self.assertRegex(self.refused(), r"not finished; finish it with `tidings doctor --data \S+ --cut`")
        self.assertEqual(report(self.server.data)[0], 1)
        self.assertEqual(report(self.server.data, "--cut")[0], 0)
        self.server.start()
        self.assertEqual([e["id"] for e in await self.events()][1:], [a["id"] for a in answered])


class FullDisk(unittest.IsolatedAsyncioTestCase):
    async def test_writes_are_refused_and_reading_goes_on(self):
        server = Server()
        self.addCleanup(server.end)
        server.start()
        ann, bob = Person(server.address, "ann"), Person(server.address, "bob")
        client = await Client.log_on(server.address, ann.token)
        conversation = await client.open_with(bob.user)
        said = await client.say(conversation, "before")
        self.assertEqual(harness.call(server.address, "GET", "/readyz").status, 200)
        await client.close()
        server.stop()

        server.settings = {"TIDINGS_STORAGE__FREE_BYTES_MIN": "1000000GiB"}
        server.start()
        client = await Client.log_on(server.address, ann.token)
        answer = await client.say(conversation, "while it is full")
        self.assertEqual((answer["type"], answer.get("code")), ("error", "storage_full"))
        self.assertEqual((await client.pull_all(conversation))[-1]["id"], said["id"])
        self.assertEqual(harness.call(server.address, "GET", "/readyz").status, 503)
        self.assertEqual(harness.call(server.address, "GET", "/livez").status, 200)
        await client.close()
        self.assertEqual(server.stop(), 0)

        server.settings = {"TIDINGS_STORAGE__FREE_BYTES_MIN": "0"}
        server.start()
        client = await Client.log_on(server.address, ann.token)
        self.assertEqual((await client.say(conversation, "there is room"))["type"], "ok")
        await client.close()


if __name__ == "__main__":
    main()
