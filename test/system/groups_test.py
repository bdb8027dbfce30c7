"""Groups, marks and unread counts, as several people and their devices see them (docs/protocol/semantics.md)."""

import asyncio
import json
import os
import random
import sqlite3
import time

from harness import EFFS, ZEROS, SystemTest, main, v4, v7

SECONDS = 10


class GroupTest(SystemTest):
    async def asyncSetUp(self):
        self.ann, self.bob, self.eve = self.person("ann"), self.person("bob"), self.person("eve")

    async def group(self, owner, members=(), **fields):
        made = await owner.ask("conversation.create", client_id=v7(), kind="group", members=[p.user for p in members],
                               title="rowing", **fields)
        self.assertEqual((made["type"], made["seq"]), ("ok", 1), made)
        return made["conversation"]

    async def ok(self, client, type_, conversation, **fields):
        answer = await client.ask(type_, conversation=conversation, client_id=v7(), **fields)
        self.assertEqual(answer["type"], "ok", answer)
        return answer

    async def refused(self, code, client, type_, conversation, **fields):
        self.assert_error(await client.ask(type_, conversation=conversation, client_id=v7(), **fields), code)

    async def first(self, client, wanted, seconds=SECONDS):
        """The first frame that is wanted; others before it are dropped."""
        async def look():
            while True:
                frame = await client.next(None)
                if wanted(frame):
                    return frame
        return await asyncio.wait_for(look(), seconds)

    async def happens(self, client, name, conversation):
        return await self.first(client, lambda f: f.get("event") == name and f["conversation"] == conversation)

    async def rows(self, client, vector=(), **fields):
        """All rows of a sync, by conversation, and its cursor."""
        found, start, activity = {}, ZEROS, None
        while True:
            answer = await client.ask("sync", **{"from": start}, to=EFFS, vector=list(vector), **fields)
            self.assertEqual(answer["type"], "sync", answer)
            activity = activity or answer["activity"]
            found.update({row["conversation"]: row for row in answer["conversations"]})
            if not answer["more"]:
                return found, activity
            start = answer["next"]

    def rest(self, who, method, path, body=None, status=200):
        answer = self.call(method, path, body, who.token)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json if answer.body else None

    async def until(self, look, what):
        """Looks until it is so."""
        end = time.monotonic() + SECONDS
        while not await look():
            self.assertLess(time.monotonic(), end, what)
            await asyncio.sleep(0.02)


class Groups(GroupTest):
    async def test_a_groups_life_in_frames(self):
        ann, bob, eve = [await self.client(p) for p in (self.ann, self.bob, self.eve)]
        group = await self.group(ann, [self.bob])
        created = await self.happens(bob, "conversation.created", group)
        self.assertEqual((created["members"], created["title"], created["history"]),
                         ([self.ann.user, self.bob.user], "rowing", "joining"))
        listed = await self.first(bob, lambda f: f.get("event") == "conversation.listed")
        self.assertEqual((listed["about"], listed["kind"], listed["listed"]), (group, "group", True))
        ok = await self.ok(ann, "conversation.update", group, title="rowing on Sundays")
        updated = await self.happens(bob, "conversation.updated", group)
        self.assertEqual((updated["title"], updated["id"], "history" in updated), ("rowing on Sundays", ok["id"], False))
        await self.ok(ann, "member.add", group, users=[self.eve.user])
        self.assertEqual((await self.happens(eve, "member.added", group))["members"], [self.eve.user])
        await self.ok(ann, "member.role", group, user=self.bob.user, role="admin")
        changed = await self.happens(eve, "member.role_changed", group)
        self.assertEqual((changed["user"], changed["role"], changed["from"]), (self.bob.user, "admin", self.ann.user))
        await self.ok(bob, "member.remove", group, user=self.eve.user)
        self.assertEqual((await self.happens(eve, "member.removed", group))["user"], self.eve.user)
        gone = await self.first(eve, lambda f: f.get("event") == "conversation.listed" and not f["listed"])
        self.assertEqual(gone["about"], group)
        await self.ok(ann, "conversation.leave", group)
        left = await self.happens(bob, "member.left", group)
        self.assertEqual((left["user"], left["successor"]), (self.ann.user, self.bob.user))
        await self.ok(bob, "member.add", group, users=[self.eve.user])
        self.assertEqual([e["event"] for e in await bob.pull_all(group)],
                         ["conversation.created", "conversation.updated", "member.added", "member.role_changed",
                          "member.removed", "member.left", "member.added"])
        self.assertEqual({e["ord"] for e in await bob.pull_all(group)}, {0})
        self.assertEqual([m["role"] for m in self.rest(self.bob, "GET", f"/v1/conversations/{group}/members")["members"]],
                         ["owner" if p is self.bob else "member"
                          for p in sorted((self.bob, self.eve), key=lambda p: int(p.user))])

    async def test_a_groups_life_in_rest_reaches_the_sessions(self):
        bob, eve = await self.client(self.bob), await self.client(self.eve)
        made = self.rest(self.ann, "POST", "/v1/conversations",
                         {"kind": "group", "members": [self.bob.user], "title": "choir", "history": "all"}, 201)
        path, group = f"/v1/conversations/{made['conversation']}", made["conversation"]
        self.assertEqual((await self.happens(bob, "conversation.created", group))["history"], "all")
        changed = self.rest(self.ann, "PATCH", path, {"title": "small choir", "history": "joining"})
        event = await self.happens(bob, "conversation.updated", group)
        self.assertEqual((event["title"], event["history"], event["id"]), ("small choir", "joining", changed["id"]))
        self.assertTrue(self.rest(self.ann, "PATCH", path, {"title": "small choir"})["duplicate"])
        self.rest(self.ann, "POST", f"{path}/members", {"users": [self.eve.user, self.bob.user]})
        self.assertEqual((await self.happens(eve, "member.added", group))["members"], [self.eve.user])
        self.rest(self.ann, "PATCH", f"{path}/members/{self.eve.user}", {"role": "owner"})
        self.assertEqual((await self.happens(eve, "member.role_changed", group))["role"], "owner")
        members = self.rest(self.bob, "GET", f"{path}/members?limit=2")
        rest = self.rest(self.bob, "GET", f"{path}/members?limit=2&cursor={members['next_cursor']}")
        self.assertEqual(([m["user"] for m in members["members"] + rest["members"]], members["count"], "next_cursor" in rest),
                         (sorted((p.user for p in (self.ann, self.bob, self.eve)), key=int), 3, False))
        self.assertEqual({m["handle"] for m in members["members"] + rest["members"]},
                         {p.handle for p in (self.ann, self.bob, self.eve)})
        self.rest(self.eve, "DELETE", f"{path}/members/{self.ann.user}")
        self.assert_problem(self.call("POST", f"{path}/messages", {"message": {"kind": "text", "text": "x"}},
                                      self.ann.token), 403, "not_member")
        self.rest(self.bob, "POST", f"{path}/leave")
        self.assertEqual(self.rest(self.eve, "GET", path)["members"], 1)
        self.assertEqual((self.rest(self.bob, "GET", path)["left"], self.rest(self.ann, "GET", path)["left"]), (True, True))

    async def test_who_is_added_learns_it_on_all_devices(self):
        ann, bob = await self.client(self.ann), await self.client(self.bob)
        token = self.bob.log_in(self.address, "second")
        second = await self.client(self.bob, token)
        group = await self.group(ann)
        await ann.say(group, "before bob")
        await self.ok(ann, "member.add", group, users=[self.bob.user])
        for device in (bob, second):
            added = await self.happens(device, "member.added", group)
            self.assertEqual(added["members"], [self.bob.user])
        third = await self.client(self.bob, self.bob.log_in(self.address, "third"))
        row = (await self.rows(third))[0][group]
        self.assertEqual((row["head"], row["title"], row["role"], row["left"], row["members"], row["unread"]),
                         (3, "rowing", "member", False, 2, 0))
        self.assertEqual([e["seq"] for e in await third.pull_all(group)], [3])

    async def test_removed_and_added_again_nobody_reads_between(self):
        ann, bob = await self.client(self.ann), await self.client(self.bob)
        group = await self.group(ann, [self.bob])
        said = []

        async def say(text):
            said.append(await ann.say(group, text))

        for round_ in range(3):
            for n in range(3):
                await say(f"shared {round_} {n}")
            await self.ok(ann, "member.remove", group, user=self.bob.user)
            for n in range(4):
                await say(f"secret {round_} {n}")
            await self.ok(ann, "member.add", group, users=[self.bob.user])
        await say("shared at last")
        events = await ann.pull_all(group)
        between, out = set(), False
        for event in events:
            out = out and event["event"] != "member.added"
            if out:
                between.add(event["seq"])
            out = out or event["event"] == "member.removed"
        self.assertEqual(len(between), 12)
        head = events[-1]["seq"]
        expected = [e for e in events if e["seq"] not in between]
        for limit in (1, 2, 7, 200):
            self.assertEqual(await asyncio.wait_for(bob.pull_all(group, limit=limit), SECONDS), expected)
        seen = []
        for seq in range(0, head + 2):
            for word in ("before", "after", "around"):
                page = await bob.ask("history", conversation=group, limit=3, **{word: seq})
                self.assertEqual(page["type"], "page", page)
                covered = sorted([e["seq"] for e in page["events"]] + [s for a, b, _ in page["holes"] for s in range(a, b + 1)])
                self.assertEqual(covered, list(range(page["from"], page["upto"] + 1)), (word, seq))
                seen.append(page)
            answer = self.call("GET", f"/v1/conversations/{group}/messages?around={seq}&limit=5", token=self.bob.token)
            seen.append(answer.json)
        for page in seen:
            self.assertFalse({e["seq"] for e in page["events"]} & between)
            self.assertNotIn("secret", json.dumps(page))
        for event in events:
            answer = self.call("GET", f"/v1/conversations/{group}/messages/{event['id']}/reads?seq={event['seq']}",
                               token=self.bob.token)
            self.assertEqual(answer.status, 404 if event["seq"] in between else 200, (event["seq"], answer.body))
        row = (await self.rows(bob))[0][group]
        self.assertEqual((row["head"], row["head_id"], row["unread"]), (head, events[-1]["id"], 1))
        self.assertNotIn("secret", "".join(json.dumps(f) for f in bob.inbox))
        # A scroll upwards from the newest ends at the beginning.
        upwards, at = [], 2**53 - 1
        for _ in range(50):
            page = await bob.ask("history", conversation=group, before=at, limit=2)
            upwards = page["events"] + upwards
            at = page["from"]
            if not page["earlier"]:
                break
        self.assertEqual(upwards, expected)

    async def test_history_all_shows_joiners_everything(self):
        ann, bob = await self.client(self.ann), await self.client(self.bob)
        group = await self.group(ann, history="all")
        await ann.say(group, "long before")
        await self.ok(ann, "member.add", group, users=[self.bob.user])
        self.assertEqual(await bob.pull_all(group), await ann.pull_all(group))
        self.assertEqual((await self.rows(bob))[0][group]["unread"], 0)

    async def test_what_a_role_may_not_do(self):
        ann, bob, eve = [await self.client(p) for p in (self.ann, self.bob, self.eve)]
        group, direct = await self.group(ann, [self.bob, self.eve]), await ann.open_with(self.bob.user)
        await self.refused("mode", ann, "member.role", group, user=self.ann.user, role="member")
        await self.refused("forbidden", bob, "member.remove", group, user=self.eve.user)
        await self.refused("not_found", ann, "member.remove", group, user=self.person("dora").user)
        await self.refused("not_found", ann, "member.add", group, users=["1"])
        for command, fields in (("conversation.update", {"title": "x"}), ("member.add", {"users": [self.eve.user]}),
                                ("member.remove", {"user": self.bob.user}), ("conversation.leave", {}),
                                ("member.role", {"user": self.bob.user, "role": "admin"})):
            await self.refused("mode", ann, command, direct, **fields)
        self.assertEqual((await ann.ask("pull", conversation=group, after=0))["head"], 1)
        again = await self.ok(ann, "member.add", group, users=[self.bob.user])
        self.assertEqual((again["duplicate"], again["seq"]), (True, 1))

    async def test_a_block_ends_what_the_other_may_write_in_the_direct_conversation(self):
        ann, bob = await self.client(self.ann), await self.client(self.bob)
        direct, group = await ann.open_with(self.bob.user), await self.group(ann, [self.bob])

        async def writes():
            return (await bob.say(direct, "hello?")).get("code", "ok")

        async def is_blocked():
            return await writes() == "forbidden"

        async def is_heard():
            return await writes() == "ok"

        for blocked in (True, False, True):
            done = await ann.ask("block.set", client_id=v7(), user=self.bob.user, blocked=blocked)
            self.assertEqual(done["type"], "ok")
            await self.until(is_blocked if blocked else is_heard, f"blocked={blocked}")
        self.assertEqual((await bob.say(group, "here"))["type"], "ok")
        self.assertEqual((await ann.say(direct, "I may"))["type"], "ok")
        self.assertEqual(self.rest(self.ann, "GET", "/v1/blocks"), {"users": [self.bob.user]})
        self.assertNotIn("block", json.dumps(await bob.pull_all(direct)))
        own = done["conversation"]
        self.assertEqual([e["blocked"] for e in await ann.pull_all(own) if e["event"] == "block.set"], [True, False, True])
        self.assert_error(await bob.ask("pull", conversation=own, after=0), "not_found")
        # Before there is a conversation of the two.
        await ann.ask("block.set", client_id=v7(), user=self.eve.user, blocked=True)
        eve = await self.client(self.eve)

        async def eve_is_blocked():
            sent = await eve.ask("message.send", to=self.ann.user, client_id=v7(), message={"kind": "text", "text": "hi"})
            return sent.get("code") == "forbidden"
        await self.until(eve_is_blocked, "the block waits for the conversation")


class Marks(GroupTest):
    async def marks(self, client, conversation):
        page = await client.ask("pull", conversation=conversation, after=0)
        return {m["user"]: (m["read"], m["delivered"]) for m in page["marks"]}

    async def test_delivered_by_ack_read_by_mark(self):
        ann, bob = await self.client(self.ann), await self.client(self.bob)
        group = await self.group(ann, [self.bob])
        await self.happens(bob, "conversation.created", group)
        await self.rows(bob)
        page = await bob.ask("pull", conversation=group, after=0)
        self.assertFalse(page["more"])
        sent = await ann.say(group, "hello")
        await self.happens(bob, "message.created", group)
        self.assertLess((await self.marks(ann, group))[self.bob.user][1], sent["seq"], "not acked yet")
        await bob.send({"type": "ack", "received": bob.counted})
        receipt = await self.first(ann, lambda f: f["type"] == "receipt" and
                                   {"user": self.bob.user, "read": 1, "delivered": sent["seq"]} in f["marks"])
        count = receipt["mark_count"]
        await bob.send({"type": "mark", "conversation": group, "read": {"seq": sent["seq"], "id": sent["id"]},
                        "read_ord": sent["ord"]})
        receipt = await self.first(ann, lambda f: f["type"] == "receipt" and
                                   {"user": self.bob.user, "read": 2, "delivered": 2} in f["marks"])
        self.assertGreater(receipt["mark_count"], count)
        reads = self.rest(self.ann, "GET", f"/v1/conversations/{group}/messages/{sent['id']}/reads?seq={sent['seq']}")
        self.assertEqual([(p["user"], p["delivered"], p["read"]) for p in reads["people"]], [(self.bob.user, True, True)])

    async def test_a_private_mark_is_for_ones_own_devices(self):
        ann, bob = await self.client(self.ann), await self.client(self.bob)
        second = await self.client(self.bob, self.bob.log_in(self.address, "second"))
        group = await self.group(ann, [self.bob])
        sent = await ann.say(group, "hello")
        await self.happens(second, "message.created", group)
        mark = dict(conversation=group, read={"seq": sent["seq"], "id": sent["id"]}, read_ord=sent["ord"])
        self.assertEqual((await bob.ask("mark", private=True, **mark))["type"], "ok")
        await self.first(second, lambda f: f["type"] == "receipt" and
                         any(m["user"] == self.bob.user and m["read"] == sent["seq"] for m in f["marks"]))
        self.assertEqual((await self.marks(bob, group))[self.bob.user][0], sent["seq"])
        self.assertEqual((await self.marks(ann, group))[self.bob.user][0], 1)
        self.assertEqual((await self.rows(second))[0][group]["unread"], 0)
        reads = self.rest(self.ann, "GET", f"/v1/conversations/{group}/messages/{sent['id']}/reads?seq={sent['seq']}")
        self.assertFalse(any(p["read"] for p in reads["people"]), reads)
        self.assertFalse([f for f in ann.inbox if f["type"] == "receipt" and
                          any(m["user"] == self.bob.user and m["read"] >= sent["seq"] for m in f["marks"])])

    async def test_marks_by_rest(self):
        ann = await self.client(self.ann)
        group = await self.group(ann, [self.bob])
        for n in range(3):
            sent = await ann.say(group, str(n))
        path = f"/v1/conversations/{group}"
        self.assertEqual(self.rest(self.bob, "GET", "/v1/unread"), {"conversations": [{"conversation": group, "unread": 3}]})
        self.rest(self.bob, "POST", f"{path}/read", {"seq": sent["seq"], "id": sent["id"], "ord": sent["ord"]}, 204)
        self.assertEqual(self.rest(self.bob, "GET", "/v1/unread"), {"conversations": []})
        self.assertEqual((await self.marks(ann, group))[self.bob.user], (4, 4))
        foreign = {"seq": sent["seq"], "id": str(int(sent["id"]) + 1), "ord": sent["ord"]}
        self.assertEqual(self.call("POST", f"{path}/read", foreign, self.bob.token).status, 204, "nothing is below it")
        await ann.say(group, "one more")
        foreign["seq"] += 1
        self.assert_problem(self.call("POST", f"{path}/read", foreign, self.bob.token), 409, "diverged")

    async def test_unread_by_brute_force(self):
        """Four people in three conversations do as they like; everybody's count is what a count of the events says."""
        people = [self.ann, self.bob, self.eve, self.person("dora")]
        clients = [await self.client(p) for p in people]
        rng = random.Random(20261122)
        groups = [await self.group(clients[0], people[1:]), await self.group(clients[1], people[2:]),
                  await clients[2].open_with(people[3].user)]
        log = {g: {} for g in groups}  # seq: (from, ord, id, is it a message)
        inside = {groups[0]: {0, 1, 2, 3}, groups[1]: {1, 2, 3}, groups[2]: {2, 3}}
        read = {g: {i: 1 for i in members} for g, members in inside.items()}
        head = {g: 1 for g in groups}
        for g, of in zip(groups, (0, 1, 2)):
            log[g][1] = (of, 0, None, False)

        def unread(g, i):
            return sum(1 for seq, (who, _, _, counts) in log[g].items() if counts and who != i and seq > read[g][i])

        def note(g, who, ok, counts):
            head[g] = ok["seq"]
            log[g][ok["seq"]] = (who, ok["ord"], ok["id"], counts)

        for step in range(300):
            g = rng.choice(groups)
            i = rng.choice(sorted(inside[g]))
            what = rng.random()
            if what < 0.55:
                nothing = unread(g, i) == 0
                ok = await self.ok(clients[i], "message.send", g, message={"kind": "text", "text": str(step)})
                note(g, i, ok, True)
                if nothing:
                    read[g][i] = ok["seq"]
            elif what < 0.9:
                seq = rng.randint(max(1, head[g] - 6), head[g])
                who, ord_, id_, _ = log[g][seq]
                if id_ is None or seq < min(read[g][i], head[g]):
                    continue
                answer = await clients[i].ask("mark", conversation=g, read={"seq": seq, "id": id_}, read_ord=ord_,
                                              private=rng.random() < 0.3)
                self.assertEqual(answer["type"], "ok", answer)
                read[g][i] = max(read[g][i], seq)
            elif g == groups[0] and i == 0:
                other = rng.randint(1, 3)
                if other in inside[g]:
                    note(g, 0, await self.ok(clients[0], "member.remove", g, user=people[other].user), False)
                    inside[g].discard(other)
                else:
                    ok = await self.ok(clients[0], "member.add", g, users=[people[other].user])
                    note(g, 0, ok, False)
                    inside[g].add(other)
                    read[g][other] = ok["seq"]
            if step % 10 == 9:
                for n, (client, person) in enumerate(zip(clients, people)):
                    expected = {g: unread(g, n) for g in groups if n in inside[g]}
                    rows, _ = await self.rows(client)
                    got = {g: rows[g]["unread"] for g in expected}
                    self.assertEqual(got, expected, f"{person.handle} after step {step}")
                    listed = self.rest(person, "GET", "/v1/unread")["conversations"]
                    self.assertEqual({c["conversation"]: c["unread"] for c in listed if c["conversation"] in expected},
                                     {g: count for g, count in expected.items() if count})
        self.assertGreater(max(head.values()), 60)


class Sync(GroupTest):
    async def test_changes_since_list_all_that_changed_and_nothing_else(self):
        ann = await self.client(self.ann)
        bob = await self.client(self.bob)
        groups = [await self.group(ann, [self.bob]) for _ in range(12)]
        newest = await ann.say(groups[0], "hello")

        async def settled():
            rows, _ = await self.rows(bob)
            own = [r for r in rows.values() if r["kind"] == "self"]
            return own and own[0]["head"] == len(groups)
        await self.until(settled, "the own log names all groups")
        page = await bob.ask("pull", conversation=groups[0], after=0)
        self.assertEqual(page["events"][-1]["id"], newest["id"])
        rows, activity = await self.rows(bob)
        self.assertLessEqual(set(groups), set(rows))
        branch, rng = bob.welcome["branch"], random.Random(4)
        hello = {"type": "hello", "token": self.bob.token, "versions": [1, 1], "branch": branch,
                 "newest": {"conversation": groups[0], "seq": newest["seq"], "id": newest["id"]}}
        for round_ in range(6):
            await bob.drop()
            changed = set(rng.sample(groups, rng.randint(0, 4)))
            for g in sorted(changed):
                await ann.say(g, f"round {round_}")
            if round_ == 3:
                groups.append(await self.group(ann, [self.bob]))
                changed.add(groups[-1])
            if round_ == 4:
                await self.ok(ann, "member.remove", groups[5], user=self.bob.user)
                changed.add(groups[5])
            if round_ in (3, 4):
                await asyncio.sleep(0.3)  # the own log follows
            bob = await self.stranger()
            await bob.send(hello)
            welcome = await bob.next()
            self.assertEqual((welcome["type"], welcome["sync"]), ("welcome", "changes"))
            rows, next_activity = await self.rows(bob, activity=activity)
            found = {c for c, row in rows.items() if row["kind"] != "self"}
            self.assertEqual(found, changed, f"round {round_}")
            activity = next_activity
            by_rest = self.call("GET", f"/v1/conversations/{groups[0]}", token=self.bob.token).json
            self.assertEqual(by_rest["left"], False)
        self.assertTrue((await self.rows(bob))[0][groups[5]]["left"])

    async def test_rest_sync_goes_on_from_its_cursor(self):
        ann = await self.client(self.ann)
        groups = [await self.group(ann, [self.bob]) for _ in range(5)]
        seen, cursor = [], ""
        while True:
            answer = self.rest(self.bob, "GET", f"/v1/sync?limit=2{cursor}")
            seen += [row["conversation"] for row in answer["conversations"] if row["kind"] == "group"]
            cursor = f"&cursor={answer['next']}"
            if not answer["more"]:
                break
        self.assertEqual(sorted(seen), sorted(groups))

        async def quiet():
            nonlocal cursor
            answer = self.rest(self.bob, "GET", f"/v1/sync?limit=500{cursor}")
            cursor = f"&cursor={answer['next']}"
            return answer["conversations"] == []
        await self.until(quiet, "nothing changes any more")
        await ann.say(groups[3], "news")
        answer = self.rest(self.bob, "GET", f"/v1/sync?limit=500{cursor}")
        self.assertEqual([row["conversation"] for row in answer["conversations"] if row["kind"] == "group"], [groups[3]])


class Large(GroupTest):
    async def test_above_32_members_the_author_in_focus_gets_counts(self):
        ann, bob = await self.client(self.ann), await self.client(self.bob)
        crowd = [self.bob] + [self.person("crowd") for _ in range(33)]
        group = await self.group(ann, crowd)
        sent = await ann.say(group, "hello all")
        page = await ann.ask("pull", conversation=group, after=0)
        self.assertEqual(([m["user"] for m in page["marks"]], page["members"]), ([self.ann.user], 35))
        self.assertIn([sent["seq"], 0, 0], page["counts"])
        mark = dict(conversation=group, read={"seq": sent["seq"], "id": sent["id"]}, read_ord=sent["ord"])
        await ann.send({"type": "focus", "conversation": group})
        await ann.ask("pull", conversation=group, after=0)
        await bob.ask("mark", **mark)
        receipt = await self.first(ann, lambda f: f["type"] == "receipt" and "counts" in f)
        self.assertEqual((receipt["conversation"], receipt["members"]), (group, 35))
        self.assertIn([sent["seq"], 1, 1], receipt["counts"])
        for person in crowd[1:4]:
            self.rest(person, "POST", f"/v1/conversations/{group}/read",
                      {"seq": sent["seq"], "id": sent["id"], "ord": sent["ord"]}, 204)
        receipt = await self.first(ann, lambda f: f["type"] == "receipt" and [sent["seq"], 4, 4] in f.get("counts", []))
        await ann.send({"type": "focus", "conversation": None})
        await ann.ask("pull", conversation=group, after=0)
        ann.inbox.clear()
        self.rest(crowd[5], "POST", f"/v1/conversations/{group}/read",
                  {"seq": sent["seq"], "id": sent["id"], "ord": sent["ord"]}, 204)
        await bob.ask("pull", conversation=group, after=0)
        await asyncio.sleep(1.2)  # a receipt comes at most once a second
        page = await ann.ask("pull", conversation=group, after=0)
        self.assertIn([sent["seq"], 5, 5], page["counts"])
        self.assertFalse([f for f in ann.inbox if "counts" in f])

        # An author who was removed learns nothing more, wherever the focus is.
        last = await bob.say(group, "my last one")
        await self.ok(ann, "member.remove", group, user=self.bob.user)
        await bob.send({"type": "focus", "conversation": group})
        await bob.ask("pull", conversation=group, after=0)
        bob.inbox.clear()
        for person in crowd[6:8]:
            self.rest(person, "POST", f"/v1/conversations/{group}/read",
                      {"seq": last["seq"], "id": last["id"], "ord": last["ord"]}, 204)
            await asyncio.sleep(0.6)
        page = await bob.ask("pull", conversation=group, after=0)
        self.assertEqual((page["marks"], "counts" in page, "members" in page), ([], False, False))
        self.assertFalse([f for f in bob.inbox if f["type"] == "receipt"], bob.inbox)


class Crowd(GroupTest):
    """1,100 people; so many cannot sign up in a test, so they are written into the file (docs/formats/accounts.md)."""

    users = [str(2**40 + n) for n in range(1100)]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.stop()
        with sqlite3.connect(os.path.join(cls.server.data, "accounts.sqlite")) as accounts:
            accounts.executemany("INSERT INTO account (user, handle, display_name, password_hash) VALUES (?, ?, ?, '')",
                                 [(int(user), f"crowd_{n}", f"Crowd {n}") for n, user in enumerate(cls.users)])
        accounts.close()
        cls.server.start()

    async def test_a_group_of_1024_and_not_one_more(self):
        path = "/v1/conversations"
        body = {"kind": "group", "members": self.users[:1024], "title": "all of us"}
        self.assert_problem(self.call("POST", path, body, self.ann.token), 422, "limit")
        body["members"] = self.users[:1022] + [self.ann.user]  # oneself may stand there
        made = self.rest(self.ann, "POST", path, body, 201)
        group = f"{path}/{made['conversation']}"
        self.assertEqual(self.rest(self.ann, "POST", f"{group}/members", {"users": [self.bob.user]})["seq"], 2)
        self.assertEqual(self.rest(self.ann, "GET", group)["members"], 1024)
        for users in ([self.eve.user], self.users[1022:1024]):
            self.assert_problem(self.call("POST", f"{group}/members", {"users": users}, self.ann.token), 422, "limit")
        self.assertTrue(self.rest(self.ann, "POST", f"{group}/members", {"users": self.users[:3]})["duplicate"])
        self.assertEqual(self.rest(self.ann, "PATCH", group, {"title": "x" * 200})["seq"], 3)
        self.assert_problem(self.call("PATCH", group, {"title": "x" * 201}, self.ann.token), 413, "too_large")
        self.assertEqual(self.rest(self.bob, "GET", group)["title"], "x" * 200)
        seen, cursor = [], ""
        while True:
            page = self.rest(self.bob, "GET", f"{group}/members?limit=200{cursor}")
            seen += [m["user"] for m in page["members"]]
            if "next_cursor" not in page:
                break
            cursor = f"&cursor={page['next_cursor']}"
        self.assertEqual((len(seen), seen, page["count"]), (1024, sorted(set(seen), key=int), 1024))
        ann = await self.client(self.ann)
        self.assertEqual((await ann.say(made["conversation"], "hello everybody"))["type"], "ok")
        too_many = await ann.ask("conversation.create", client_id=v7(), kind="group", members=self.users[:1025])
        self.assert_error(too_many, "limit")
        self.rest(self.bob, "POST", f"{group}/leave")
        self.rest(self.ann, "POST", f"{group}/members", {"users": [self.eve.user]})
        self.assertEqual(self.rest(self.eve, "GET", group)["members"], 1024)


if __name__ == "__main__":
    main()
