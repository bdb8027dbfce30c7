"""A session moves from a WebSocket to long-polls and back, and no frame is lost or repeated."""

import asyncio
import json
import threading
import time

from harness import Client, SystemTest, main


class Poll(SystemTest):
    def poll(self, person, **fields):
        answer = self.call("POST", "/v1/poll", fields, person.token)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["frames"]

    async def back_on_a_socket(self, person, welcome, received):
        client = await Client.open(self.address)
        self.addAsyncCleanup(client.close)
        await client.send({"type": "hello", "token": person.token, "session": welcome["session"],
                           "resume": welcome["resume"], "received": received})
        return client, await client.next()

    @staticmethod
    def counted(frames):
        return [f for f in frames if f["type"] != "welcome" and not f.get("ephemeral")]

    async def test_from_socket_to_poll_to_socket(self):
        ann, bob = self.person("ann"), self.person("bob")
        talker = await self.client(bob)
        conversation = await talker.open_with(ann.user)
        socket = await self.client(ann)
        got = []

        async def say(n):
            self.assertEqual((await talker.say(conversation, str(n)))["type"], "ok")

        def texts(frames):
            return [f["message"]["text"] for f in frames if f.get("event") == "message.created"]

        def keep(frames):
            nonlocal received
            received += len(self.counted(frames))
            got.extend(texts(frames))

        received = 0
        for n in range(3):
            await say(n)
        while len(got) < 2:
            keep([await socket.next()])
        await socket.drop()

        await say(3)
        frames = self.poll(ann, session=socket.welcome["session"], resume=socket.welcome["resume"], received=received)
        welcome = frames[0]
        self.assertEqual((welcome["type"], welcome["resumed"], welcome["received"]), ("welcome", True, received))
        keep(frames)
        while len(got) < 4:
            keep(self.poll(ann, session=welcome["session"], received=received))

        # One that waits hears at once.
        heard = []
        waiting = threading.Thread(target=lambda: heard.extend(
            self.poll(ann, session=welcome["session"], received=received)))
        waiting.start()
        began = time.monotonic()
        await say(4)
        await asyncio.to_thread(waiting.join)
        self.assertLess(time.monotonic() - began, 10)
        keep(heard)
        while len(got) < 5:
            keep(self.poll(ann, session=welcome["session"], received=received))
        # An answer that is lost comes again.
        await say(5)
        lost = self.poll(ann, session=welcome["session"], received=received)
        again = self.poll(ann, session=welcome["session"], received=received)
        self.assertEqual(lost, again[:len(lost)])
        keep(again)
        while len(got) < 6:
            keep(self.poll(ann, session=welcome["session"], received=received))
        # Requests work as on a socket.
        sent = self.poll(ann, session=welcome["session"], received=received, frames=[{"type": "ping"}])
        self.assertIn("pong", [f["type"] for f in sent])

        client, third = await self.back_on_a_socket(ann, welcome, received)
        self.assertTrue(third["resumed"], json.dumps(third))
        await say(6)
        while len(got) < 7:
            keep([await client.next()])
        self.assertEqual(got, [str(n) for n in range(7)])

    async def test_what_does_not_fit_is_a_new_session(self):
        ann = self.person("ann")
        first = self.poll(ann)[0]
        self.assertEqual((first["type"], first["resumed"]), ("welcome", False))
        again = self.poll(ann, session="1-1", resume="x", received=0)[0]
        self.assertEqual((again["type"], again["resumed"]), ("welcome", False))
        self.assert_problem(self.call("POST", "/v1/poll", {}), 401, "unauthenticated")
        self.assert_problem(self.call("POST", "/v1/poll", {"received": -1}, ann.token), 400, "bad_request")


if __name__ == "__main__":
    main()
