"""Two people talk: register, log in, create, send, receive, drop, reconnect, catch up (docs/protocol)."""

import hashlib
import json
import random
import struct
import uuid

from harness import EFFS, ZEROS, Client, SystemTest, main, v4, v7


def direct_conversation(a, b):
    low, high = sorted((int(a), int(b)))
    digest = bytearray(hashlib.sha256(b"dm" + struct.pack(">QQ", low, high)).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


class Talk(SystemTest):
    async def asyncSetUp(self):
        self.ann, self.bob = self.person("ann"), self.person("bob")

    async def pair(self):
        """Ann and bob connected, and their conversation, with its creation received."""
        ann, bob = await self.client(self.ann), await self.client(self.bob)
        conversation = await ann.open_with(self.bob.user)
        await bob.event("conversation.created")
        return ann, bob, conversation

    async def raw_message(self, client):
        """The next message as its bytes; what comes of the own log before it is dropped."""
        while True:
            raw = await client.socket.recv()
            if '"message.created"' in raw:
                return raw

    async def test_send_receive_drop_reconnect_catch_up(self):
        ann, bob, conversation = await self.pair()
        self.assertEqual(ann.welcome["user"], self.ann.user)
        ok = await ann.say(conversation, "hello bob")
        self.assertEqual((ok["type"], ok["seq"], ok["ord"]), ("ok", 2, 1))
        event = await bob.event()
        self.assertEqual(event["message"], {"kind": "text", "text": "hello bob"})
        self.assertEqual((event["seq"], event["ord"], event["id"], event["time"], event["from"]),
                         (ok["seq"], ok["ord"], ok["id"], ok["time"], self.ann.user))

        await bob.drop()
        for n in range(5):
            await ann.say(conversation, f"while you were away {n}")
        bob = await self.client(self.bob)
        rows = await bob.ask("sync", **{"from": ZEROS}, to=EFFS, vector=[[conversation, event["seq"], event["id"]]])
        row = next(row for row in rows["conversations"] if row["kind"] == "direct")
        self.assertEqual((row["conversation"], row["kind"], row["head"], row["ord"], row["unread"]),
                         (conversation, "direct", 7, 6, 6))
        missed = await bob.pull_all(conversation, 2, {"seq": 2, "id": event["id"]})
        self.assertEqual([e["message"]["text"] for e in missed], [f"while you were away {n}" for n in range(5)])
        self.assertEqual(row["head_id"], missed[-1]["id"])

        await bob.say(conversation, "here again")
        self.assertEqual((await ann.event())["message"]["text"], "here again")

    async def test_the_conversation_of_two_is_one_from_either_side(self):
        ann, bob = await self.client(self.ann), await self.client(self.bob)
        one = await ann.ask("conversation.create", client_id=v7(), kind="direct", members=[self.bob.user])
        other = await bob.ask("conversation.create", client_id=v4(), kind="direct",
                              members=[self.bob.user, self.ann.user])
        self.assertEqual((one["conversation"], one["seq"], one["ord"]), (other["conversation"], 1, 0))
        self.assertEqual((one["id"], one.get("duplicate")), (other["id"], None))
        self.assertTrue(other["duplicate"])
        self.assertEqual(one["conversation"], direct_conversation(self.ann.user, self.bob.user))
        created = (await ann.pull_all(one["conversation"]))[0]
        self.assertEqual((created["event"], created["members"]),
                         ("conversation.created", [self.ann.user, self.bob.user]))

    async def test_a_first_send_by_person_makes_the_conversation(self):
        ann, bob = await self.client(self.ann), await self.client(self.bob)
        message, client_id = {"kind": "text", "text": "hi"}, v7()
        ok = await ann.ask("message.send", to=self.bob.user, client_id=client_id, message=message)
        self.assertEqual((ok["type"], ok["seq"], ok["ord"]), ("ok", 2, 1))
        self.assertEqual((await ann.event("conversation.created"))["seq"], 1)
        self.assertEqual((await bob.event("conversation.created"))["seq"], 1)
        self.assertEqual((await bob.event())["client_id"], client_id)
        again = await ann.ask("message.send", to=self.bob.user, client_id=client_id, message=message)
        self.assertEqual((again["seq"], again["id"], again["duplicate"]), (ok["seq"], ok["id"], True))

    async def test_every_device_gets_the_same_bytes_and_the_sender_its_ok_instead(self):
        ann, bob, conversation = await self.pair()
        ann_too = await self.client(self.ann, self.ann.log_in(self.address, "second"))
        self.assertNotEqual(ann.welcome["device"], ann_too.welcome["device"])
        await ann.say(conversation, "to all of us")
        raw, also_raw = [await self.raw_message(client) for client in (bob, ann_too)]
        self.assertEqual(raw, also_raw)
        page = await ann.ask("pull", conversation=conversation, after=1)
        self.assertIn(json.loads(raw), page["events"])
        await ann.silence()

    async def test_a_repeat_is_answered_with_the_first_answer_and_stored_once(self):
        ann, bob, conversation = await self.pair()
        sent = {}
        for n in range(40):
            client_id = v7() if n % 2 else v4()
            sent[client_id] = (f"message {n}", await ann.say(conversation, f"message {n}", client_id))
        ids = list(sent)
        random.Random(7).shuffle(ids)
        for client_id in ids:
            text, first = sent[client_id]
            again = await ann.say(conversation, text, client_id.upper())
            self.assertTrue(again.get("duplicate"), again)
            self.assertEqual([again[k] for k in ("seq", "ord", "id", "time")],
                             [first[k] for k in ("seq", "ord", "id", "time")])
            self.assertNotIn("duplicate", first)
        self.assertEqual(len(await bob.pull_all(conversation)), 41)

    async def test_the_same_client_id_of_another_person_is_another_message(self):
        ann, bob, conversation = await self.pair()
        client_id = v7()
        one, other = await ann.say(conversation, "mine", client_id), await bob.say(conversation, "mine", client_id)
        self.assertEqual((one["seq"], other["seq"]), (2, 3))

    async def test_a_message_whose_earlier_one_is_missing_waits_for_it(self):
        ann, _, conversation = await self.pair()
        first, second = v7(), v7()
        refused = await ann.say(conversation, "second", second, previous=first)
        self.assert_error(refused, "order")
        self.assertEqual(refused["missing"], first)
        self.assertEqual((await ann.say(conversation, "first", first))["seq"], 2)
        self.assertEqual((await ann.say(conversation, "second", second, previous=first))["seq"], 3)

    async def test_what_came_too_late_changes_nothing(self):
        ann, _, conversation = await self.pair()
        client_id = v7()
        self.assert_error(await ann.say(conversation, "late", client_id, until=ann.welcome["now"] - 60_000), "busy")
        self.assertEqual((await ann.say(conversation, "late", client_id))["seq"], 2)

    async def test_many_frames_in_one_message_are_taken_in_order(self):
        ann, bob, conversation = await self.pair()
        await ann.send("[%s]" % ",".join(
            '{"type":"message.send","request":%d,"conversation":"%s","client_id":"%s",'
            '"message":{"kind":"text","text":"%d"}}' % (100 + n, conversation, v7(), n) for n in range(20)))
        for n in range(20):
            self.assertEqual((await ann.answer(100 + n))["seq"], 2 + n)
        self.assertEqual([(await bob.event())["message"]["text"] for _ in range(20)], [str(n) for n in range(20)])

    async def test_pages_cover_every_seq_and_say_whether_there_is_more(self):
        ann, _, conversation = await self.pair()
        for n in range(25):
            await ann.say(conversation, str(n))
        page = await ann.ask("pull", conversation=conversation, after=3, limit=10)
        self.assertEqual([e["seq"] for e in page["events"]], list(range(4, 14)))
        self.assertEqual((page["upto"], page["head"], page["more"], page["holes"]), (13, 26, True, []))
        self.assertEqual([e["seq"] for e in await ann.pull_all(conversation, limit=4)], list(range(1, 27)))
        at_head = await ann.ask("pull", conversation=conversation, after=26)
        self.assertEqual((at_head["events"], at_head["upto"], at_head["more"]), ([], 26, False))
        ids = [int(e["id"]) for e in await ann.pull_all(conversation)]
        self.assertEqual(ids, sorted(set(ids)))

    async def test_large_pages_stop_at_their_bound(self):
        ann, _, conversation = await self.pair()
        for n in range(24):
            self.assertEqual((await ann.say(conversation, chr(97 + n) * 16_384))["type"], "ok")
        page = await ann.ask("pull", conversation=conversation, after=0)
        self.assertTrue(page["more"])
        self.assertLessEqual(sum(len(str(e)) for e in page["events"]), 262_144 + 20_000)
        self.assertEqual(len(await ann.pull_all(conversation)), 25)

    async def test_sync_lists_what_differs_in_its_range_and_nothing_else(self):
        ann = await self.client(self.ann)
        others = [self.person(f"friend{n}") for n in range(3)]
        have = {}
        for other in others:
            conversation = await ann.open_with(other.user)
            ok = await ann.say(conversation, "hi")
            have[conversation] = [conversation, ok["seq"], ok["id"]]
        low, middle, high = sorted(have)

        async def sync(vector, first=ZEROS, last=EFFS):
            answer = await ann.ask("sync", **{"from": first}, to=last, vector=vector)
            self.assertEqual((answer["type"], answer["more"]), ("sync", False), answer)
            return [row["conversation"] for row in answer["conversations"] if row["kind"] != "self"]

        self.assertEqual(await sync([]), [low, middle, high])
        self.assertEqual(await sync([have[low], have[middle], have[high]]), [])
        self.assertEqual(await sync([have[low], [middle, 1, "1"], have[high]]), [middle])
        self.assertEqual(await sync([[middle, 2, "1"], have[high]], middle), [middle])
        self.assertEqual(await sync([], low, middle), [low, middle])
        self.assertEqual(await sync([[v4(), 9, "9"]], high, high), [high])

    async def test_ping_is_answered_with_the_servers_time(self):
        ann = await self.client(self.ann)
        await ann.send({"type": "ping"})
        pong = await ann.next()
        self.assertEqual((pong["type"], pong["ephemeral"]), ("pong", True))
        self.assertGreaterEqual(pong["now"], ann.welcome["now"])

    async def test_bye_ends_politely(self):
        ann = await self.client(self.ann)
        await ann.send({"type": "bye"})
        self.assertEqual((await ann.end())[:2], (1000, "bye"))

    async def test_a_device_that_connects_twice_keeps_the_later_session(self):
        first = await self.client(self.ann)
        second = await self.client(self.ann)
        self.assertEqual(await first.end(), (4409, "replaced", "replaced"))
        await second.send({"type": "ping"})
        self.assertEqual((await second.next())["type"], "pong")

    async def test_frames_behind_the_hello_need_not_wait_for_the_welcome(self):
        early = await Client.open(self.address)
        self.addAsyncCleanup(early.close)
        await early.send({"type": "hello", "token": self.ann.token})
        await early.send({"type": "conversation.create", "request": 1, "client_id": v7(), "kind": "direct",
                          "members": [self.bob.user]})
        self.assertEqual((await early.next())["type"], "welcome")
        self.assertEqual((await early.answer(1))["seq"], 1)


if __name__ == "__main__":
    main()
