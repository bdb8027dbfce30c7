"""Attacks on accounts: guessed passwords, tokens that were stolen or should be dead. Each has its answer."""

import asyncio
import time

from harness import PASSWORD, Client, SystemTest, main


class AttacksOnAccounts(SystemTest):
    async def closed_within(self, client, seconds, *end):
        began = time.monotonic()
        self.assertEqual(await client.end(), end)
        self.assertLess(time.monotonic() - began, seconds)

    def log_in(self, person, name="another"):
        made = self.call("POST", "/v1/tokens", {"handle": person.handle, "password": PASSWORD, "device_name": name})
        self.assertEqual(made.status, 201, made.body)
        return made.json

    async def assert_dead(self, token):
        """Whoever shows it again, wherever, again and again."""
        for _ in range(3):
            self.assert_problem(self.call("GET", "/v1/me", token=token), 401, "unauthenticated")
            client = await self.stranger()
            await client.send({"type": "hello", "versions": [1, 1], "token": token})
            self.assertEqual(await client.end(), (4401, "unauthenticated", "unauthenticated"))

    async def test_a_token_shown_again_after_its_log_out(self):
        ann = self.person("ann")
        pair = self.log_in(ann)
        session = await Client.log_on(self.address, pair["token"])
        self.assertEqual(self.call("DELETE", "/v1/tokens", token=pair["token"]).status, 204)
        await self.closed_within(session, 2, 4403, "device_revoked", "device_revoked")
        await self.assert_dead(pair["token"])
        self.assert_problem(self.call("POST", "/v1/tokens/refresh", {"refresh": pair["refresh"]}), 401, "unauthenticated")
        await (await Client.log_on(self.address, ann.token)).close()

    async def test_a_device_that_is_revoked_while_it_is_connected(self):
        ann, bob = self.person("ann"), self.person("bob")
        stolen = self.log_in(ann, "stolen")
        thief, friend = await Client.log_on(self.address, stolen["token"]), await self.client(bob)
        conversation = await friend.open_with(ann.user)
        self.assertEqual(self.call("DELETE", f"/v1/devices/{stolen['device']}", token=ann.token).status, 204)
        began = time.monotonic()
        heard = []
        ending = asyncio.create_task(thief.end())
        while not ending.done() and time.monotonic() - began < 5:
            heard.append(await friend.say(conversation, "for ann alone"))
            await asyncio.sleep(0.05)
        self.assertEqual(await ending, (4403, "device_revoked", "device_revoked"))
        self.assertLess(time.monotonic() - began, 2)
        await self.assert_dead(stolen["token"])

    async def test_a_changed_password_ends_the_others(self):
        ann = self.person("ann")
        stolen = self.log_in(ann, "stolen")
        thief = await Client.log_on(self.address, stolen["token"])
        self.assertEqual(self.call("PUT", "/v1/me/password", {"old": PASSWORD, "new": PASSWORD + "!"}, ann.token).status, 204)
        await self.closed_within(thief, 2, 4403, "device_revoked", "device_revoked")
        await self.assert_dead(stolen["token"])

    async def test_a_spent_refresh_token_ends_thief_and_victim(self):
        ann = self.person("ann")
        first = self.log_in(ann)
        second = self.call("POST", "/v1/tokens/refresh", {"refresh": first["refresh"]}).json
        session = await Client.log_on(self.address, second["token"])  # now the new pair is in use
        self.assert_problem(self.call("POST", "/v1/tokens/refresh", {"refresh": first["refresh"]}), 401, "unauthenticated")
        await self.closed_within(session, 2, 4403, "device_revoked", "device_revoked")
        for token in (first["token"], second["token"]):
            await self.assert_dead(token)
        self.assert_problem(self.call("POST", "/v1/tokens/refresh", {"refresh": second["refresh"]}), 401, "unauthenticated")

    async def test_guessing_passwords_pauses_and_never_locks_out(self):
        ann, bystander = self.person("ann"), await self.client(self.person("bob"))

        def guess(password):
            return self.call("POST", "/v1/tokens", {"handle": ann.handle, "password": password, "device_name": "x"})
        statuses, pauses = [], []
        for n in range(40):
            answer = guess(f"wrong password {n}")
            statuses.append(answer.status)
            if answer.status == 429:
                self.assert_problem(answer, 429, "rate_limited")
                pauses.append(answer.json["retry_ms"])
                self.assertLessEqual(int(answer.headers["Retry-After"]), 60)
        self.assertEqual(statuses[:5], [401] * 5)
        self.assertGreaterEqual(statuses.count(429), 30, "guesses come through")
        self.assertLessEqual(max(pauses), 60_000)
        # The right one waits like the others, a session that is open does not, and nobody waits for ever.
        began = time.monotonic()
        self.assertEqual((await bystander.ask("sync", **{"from": "0" * 8 + "-0000-0000-0000-" + "0" * 12,
                                                         "to": "f" * 8 + "-ffff-ffff-ffff-" + "f" * 12}, vector=[]))["type"], "sync")
        await (await Client.log_on(self.address, ann.token)).close()
        while (answer := guess(PASSWORD)).status == 429:
            self.assertLess(time.monotonic() - began, 60)
            await asyncio.sleep(min(answer.json["retry_ms"], 2000) / 1000)
        self.assertEqual(answer.status, 201)

    async def test_a_storm_of_guesses_leaves_the_others_alone(self):
        """Hashes are made by one thread; those who cannot be served hear busy at once, and messages go on."""
        people = [self.person("victim") for _ in range(3)]
        one, other = await self.client(people[0]), await self.client(people[1])
        conversation = await one.open_with(people[1].user)

        def guess(n):
            return self.call("POST", "/v1/tokens",
                             {"handle": f"nobody_{n}", "password": "wrong password", "device_name": "x"}).status
        loop = asyncio.get_running_loop()
        guesses = [loop.run_in_executor(None, guess, n) for n in range(150)]
        slowest = 0
        while not all(g.done() for g in guesses):
            began = time.monotonic()
            self.assertEqual((await one.say(conversation, "hello"))["type"], "ok")
            await other.event()
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.sleep(0.02)
        self.assertLessEqual(set(await asyncio.gather(*guesses)), {401, 429, 503})
        self.assertGreater(slowest, 0)
        self.assertLess(slowest, 3)


if __name__ == "__main__":
    main()
