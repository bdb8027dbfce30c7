"""`tidings chat` with groups, several conversations, unread, ticks, history and a second device."""

import os
import tempfile
import unittest

import chat_test
from chat_test import Chat, Terminal
from harness import Person, Server, main


class GroupsChatTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["NO_COLOR"] = "1"
        cls.server = Server()
        cls.addClassCleanup(cls.server.end)
        cls.server.start()

    def setUp(self):
        home = tempfile.TemporaryDirectory(prefix="tidings-chat-")
        self.addCleanup(home.cleanup)
        self.home = home.name

    def chat(self, handle, *arguments):
        chat = Chat(self.server.address, self.home, handle, *arguments)
        self.addCleanup(chat.end)
        chat.wait("connected")
        return chat

    def terminal(self, handle, *arguments):
        terminal = Terminal(self, "--as", handle, *arguments, password=chat_test.harness.PASSWORD)
        terminal.wait("connected to")
        return terminal

    def listed(self, chat):
        chat.say(list=True)
        return {c["with"]: c for c in chat.wait("list")["conversations"]}

    def test_a_group_from_its_making_to_its_last_owner(self):
        ann, bob, eve = self.chat("ann"), self.chat("bob"), self.chat("eve")
        ann.say(group="tea", people=["bob"])
        ann.say(send="who has time?")
        opened = ann.wait("opened", **{"with": "tea"})
        self.assertEqual((opened["kind"], opened["members"]), ("group", 2))
        group = opened["conversation"]
        bob.wait("change", says="ann made the group “tea” with you")
        bob.wait("message", text="who has time?", conversation=group)
        bob.say(open="tea")
        bob.wait("opened", conversation=group)

        bob.say(rename="coffee")
        refused = bob.wait("error")["message"]
        self.assertIn("Ask an admin or an owner", refused)
        ann.say(role="admin", person="bob")
        bob.wait("change", says="ann made you an admin")
        bob.say(rename="coffee")
        bob.wait("done", command="rename", duplicate=False)
        bob.say(rename="coffee")
        bob.wait("done", command="rename", duplicate=True)
        ann.wait("change", says="bob called the group “coffee”")
        bob.say(add=["eve"])
        ann.wait("change", says="bob added eve")
        eve.wait("change", says="bob added you")
        eve.say(open=group)
        eve.wait("opened", **{"with": "coffee"})

        bob.say(members=True)
        members = bob.wait("members")["members"]
        self.assertEqual([(m["name"], m["role"]) for m in members],
                         [("ann", "owner"), ("bob", "admin"), ("eve", "member")])
        bob.say(add=["nobody_at_all"])
        self.assertIn("nobody called nobody_at_all", bob.wait("error")["message"])
        bob.say(remove="eve")
        eve.wait("change", says="bob removed you")
        eve.say(send="hello?")
        failed = eve.wait("failed", text="hello?")
        self.assertEqual(failed["code"], "not_member")
        self.assertIn("add you again", failed["message"])
        ann.say(leave=True)
        bob.wait("change", says="ann left; you are the owner now")
        ann.wait("done", command="leave")
        ann.wait("change", says="you left; bob is the owner now")
        self.assertTrue(self.listed(ann)["coffee"]["left"])

    def test_ticks_and_unread_of_a_direct_talk(self):
        fay, gus = self.chat("fay"), self.chat("gus")
        fay.say(open="gus")
        for n in range(3):
            fay.say(send=f"line {n}")
        gus.wait("message", text="line 2")
        self.assertEqual(self.listed(gus)["fay"]["unread"], 3)
        delivered = fay.wait("marks")
        while delivered.get("newest", {}).get("state") != "delivered" or delivered["newest"]["seq"] < 4:
            delivered = fay.wait("marks")
        self.assertEqual((delivered["newest"]["read"], delivered["newest"]["of"]), (0, 1))
        gus.say(open="fay")
        self.assertEqual(gus.wait("marks", unread=0)["with"], "fay")
        read = fay.wait("marks")
        while read["newest"]["state"] != "read":
            read = fay.wait("marks")
        fay.say(info=True)
        info = fay.wait("info", text="line 2")
        self.assertEqual((info["read_by"], info["delivered_to"], info["waiting_for"]), (["gus"], [], []))

    def test_who_of_a_group_has_read(self):
        hal, ida = self.chat("hal"), self.chat("ida")
        self.make("jon")
        hal.say(group="trip", people=["ida", "jon"])
        hal.say(send="sunday?")
        ida.wait("message", text="sunday?")
        ida.say(open="trip")
        marks = hal.wait("marks")
        while marks.get("newest", {}).get("read", 0) != 1:
            marks = hal.wait("marks")
        self.assertEqual((marks["newest"]["of"], marks["newest"]["state"]), (2, "sent"))
        hal.say(info=True)
        info = hal.wait("info")
        self.assertEqual((info["read_by"], info["delivered_to"], info["waiting_for"]), (["ida"], [], ["jon"]))

    def test_a_second_device_catches_up(self):
        kim = self.chat("kim")
        lea = self.chat("lea", "kim")
        lea.say(group="choir", people=["kim"])
        for n in range(5):
            lea.say(send=f"song {n}")
        kim.wait("message", text="song 4")
        phone = self.chat("kim", "--device", "phone")
        here, there = self.listed(kim), self.listed(phone)
        self.assertEqual(here["choir"]["unread"], 5)
        self.assertEqual(here, there)
        # Both are logged in at the same time, under different names.
        phone.say(open="choir")
        kim.wait("marks", unread=0, **{"with": "choir"})
        here, there = self.listed(kim), self.listed(phone)
        self.assertEqual((here["choir"]["unread"], here), (0, there))
        for device in (kim, phone):
            device.say(open="choir")
            device.say(more=True)
        first, second = kim.wait("history"), phone.wait("history")
        self.assertEqual(first, second)
        self.assertEqual([m["text"] for m in first["messages"] if "text" in m], [f"song {n}" for n in range(5)])
        phone.say(send="from the phone")
        self.assertTrue(kim.wait("message", text="from the phone")["own"])

    def test_who_is_blocked_hears_it_in_words(self):
        mia, ned = self.chat("mia"), self.chat("ned")
        mia.say(open="ned")
        mia.say(send="hello")
        ned.wait("message", text="hello")
        ned.say(block="mia")
        ned.wait("done", command="block")
        # It reaches the talk a moment later.
        failed = self.send_until(mia, "failed")
        self.assertEqual((failed["code"], failed["message"]),
                         ("forbidden", "This person does not take messages from you."))
        ned.say(unblock="mia")
        ned.wait("done", command="unblock")
        self.send_until(mia, "sent")

    def send_until(self, chat, event):
        for n in range(1000):
            chat.say(send=f"try {n}")
            while (line := chat.lines.get(timeout=chat_test.SECONDS))["event"] not in ("sent", "failed"):
                pass
            if line["event"] == event:
                return line
        self.fail(f"never {event}")

    def test_people_at_terminals(self):
        rob = self.chat("rob")
        self.make("pia")
        self.make("sue")
        rob.say(group="garden", people=["pia", "sue"])
        for n in range(40):
            rob.say(send=f"leaf {n}")
        rob.wait("sent", text="leaf 39")
        pia = self.terminal("pia")
        pia.wait(r"1  garden, 3 people  40 unread .*rob: leaf 39")
        pia.type("/open 1")
        pia.wait("— garden, 3 people —")
        pia.wait("— new —")
        pia.wait("leaf 39")
        rob.say(open="pia")
        rob.say(send="psst")
        pia.wait(r"» rob: psst +\(1 unread; /open rob\)")
        pia.type("lovely")
        pia.wait("✓")
        pia.type("/lsit")
        pia.wait("did you mean /list")
        pia.type("/open rob")
        pia.wait("psst")
        pia.type("/leave")
        pia.wait("is a person and no group")
        pia.type("/open gar")
        pia.wait("— garden")
        pia.type("/leave")
        pia.wait("/leave again to leave it")
        pia.type("/leave")
        pia.wait("you left")
        pia.type("/quit")
        self.assertEqual(pia.process.wait(timeout=chat_test.SECONDS), 0)

    def test_history_on_demand(self):
        tom = self.chat("tom")
        self.make("una")
        tom.say(open="una")
        for n in range(60):
            tom.say(send=f"number {n:02}")
        tom.wait("sent", text="number 59")
        una = self.terminal("una", "--device", "laptop", "tom")
        una.wait("number 59")
        self.assertNotIn("number 05", una.all)
        una.type("/more")
        una.wait("— earlier —")
        una.type("/more 50")
        una.wait("number 00")
        una.wait("that was the beginning")
        una.type("/more")
        una.wait("This is the beginning")
        una.type("/quit")
        self.assertEqual(una.process.wait(timeout=chat_test.SECONDS), 0)

    def make(self, handle):
        return Person(self.server.address, handle)


if __name__ == "__main__":
    main()
