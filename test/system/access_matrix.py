"""Who may do what: one row for each endpoint and each frame, one word for each role.

A word is a status (REST), the type of the answer (frames), or a code of codes.md. `none`: the frame is never answered.
The roles are those of `ROLES`, in this order; `changes` says that what is accepted makes an event in the group.
"""

import dataclasses

ROLES = ("anonymous", "stranger", "former", "member", "admin", "owner")

# What a {word} of a path stands for where the row does not say otherwise; see World.values in access_matrix_test.py.
#   {conversation}  the group          {id}, {seq}, {ord}  a message that the former member may read
#   {other}         a member           {user}, {device}    of the one who asks


@dataclasses.dataclass
class Row:
    method: str  # or the type of a frame
    path: str  # as the documentation has it; of a frame empty
    outcomes: str
    body: dict | None = None
    query: str = ""
    put: dict = dataclasses.field(default_factory=dict)  # {word of the path: what stands there}
    changes: bool = False

    @property
    def name(self):
        return f"{self.method} {self.path}{self.query}".strip()

    @property
    def cells(self):
        words = self.outcomes.split()
        assert len(words) == len(ROLES), self
        return dict(zip(ROLES, words))


def everybody(status):
    """The same for everybody who is logged in."""
    return f"unauthenticated {' '.join([status] * 5)}"


def public(status):
    return " ".join([status] * 6)


TEXT = {"message": {"kind": "text", "text": "from the matrix"}}
TALK = "/v1/conversations/{conversation}"

REST = [
    Row("POST", "/v1/accounts", public("201"), {"handle": "{fresh_handle}", "password": "{password}"}),
    Row("POST", "/v1/invites", everybody("201")),
    Row("POST", "/v1/tokens", public("201"), {"handle": "{spare_handle}", "password": "{password}"}),
    Row("POST", "/v1/tokens", public("unauthenticated"), {"handle": "{fresh_handle}", "password": "{password}"}),
    Row("POST", "/v1/tokens/refresh", public("200"), {"refresh": "{spare_refresh}"}),
    Row("POST", "/v1/tokens/refresh", public("unauthenticated"), {"refresh": "nobody's"}),
    Row("DELETE", "/v1/tokens", everybody("204")),
    Row("GET", "/v1/devices", everybody("200")),
    Row("PATCH", "/v1/devices/{device}", everybody("204"), {"name": "named"}),
    Row("PATCH", "/v1/devices/{device}", everybody("not_found"), {"name": "x"}, put={"device": "{foreign_device}"}),
    Row("DELETE", "/v1/devices/{device}", everybody("204"), put={"device": "{second_device}"}),
    Row("DELETE", "/v1/devices/{device}", everybody("not_found"), put={"device": "{foreign_device}"}),
    Row("PUT", "/v1/me/password", everybody("204"), {"old": "{password}", "new": "{password}"}),
    Row("PUT", "/v1/me/password", everybody("forbidden"), {"old": "wrong password", "new": "{password}"}),
    Row("GET", "/v1/me", everybody("200")),
    Row("PATCH", "/v1/me", everybody("200"), {"display_name": "Somebody"}),
    Row("GET", "/v1/users", everybody("200"), query="?handle={spare_handle}"),
    Row("GET", "/v1/users", everybody("200"), query="?ids={other},{foreign_user}"),
    Row("POST", "/v1/conversations", everybody("201"), {"kind": "direct", "members": ["{new_person}"]}),
    Row("POST", "/v1/conversations", everybody("201"), {"kind": "group", "members": ["{spare}"], "title": "a group"}),
    Row("GET", "/v1/conversations", everybody("200")),
    Row("GET", TALK, "unauthenticated not_found 200 200 200 200"),
    Row("PATCH", TALK, "unauthenticated not_found not_member forbidden 200 200", {"title": "changed"}, changes=True),
    Row("PATCH", TALK, "unauthenticated not_found not_member forbidden 200 200", {"history": "all"}, changes=True),
    Row("POST", TALK + "/leave", "unauthenticated not_found not_member 200 200 200", changes=True),
    Row("GET", TALK + "/members", "unauthenticated not_found not_member 200 200 200"),
    Row("POST", TALK + "/members", "unauthenticated not_found not_member forbidden 200 200", {"users": ["{spare}"]},
        changes=True),
    Row("PATCH", TALK + "/members/{user}", "unauthenticated not_found not_member forbidden forbidden 200",
        {"role": "admin"}, put={"user": "{other}"}, changes=True),
    Row("PATCH", TALK + "/members/{user}", "unauthenticated not_found not_member forbidden forbidden not_found",
        {"role": "admin"}, put={"user": "{foreign_user}"}),
    Row("DELETE", TALK + "/members/{user}", "unauthenticated not_found not_member forbidden 200 200",
        put={"user": "{other}"}, changes=True),
    Row("DELETE", TALK + "/members/{user}", "unauthenticated not_found not_member forbidden forbidden 200",
        put={"user": "{other_admin}"}, changes=True),
    Row("DELETE", TALK + "/members/{user}", "unauthenticated not_found not_member forbidden forbidden 200",
        put={"user": "{other_owner}"}, changes=True),
    Row("DELETE", TALK + "/members/{user}", "unauthenticated not_found not_member 200 200 200", changes=True),
    Row("POST", TALK + "/messages", "unauthenticated not_found not_member 201 201 201", TEXT, changes=True),
    Row("GET", TALK + "/messages", "unauthenticated not_found 200 200 200 200"),
    Row("GET", TALK + "/messages", "unauthenticated not_found 200 200 200 200", query="?before=9007199254740991"),
    Row("GET", TALK + "/messages", "unauthenticated not_found 200 200 200 200", query="?around={seq}&limit=3"),
    Row("POST", TALK + "/read", "unauthenticated not_found not_member diverged diverged 204",
        {"seq": "{seq}", "id": "1", "ord": "{ord}"}),
    Row("POST", TALK + "/read", "unauthenticated not_found not_member 204 204 204",
        {"seq": "{seq}", "id": "{id}", "ord": "{ord}"}),
    Row("GET", TALK + "/messages/{id}/reads", "unauthenticated not_found not_member 200 200 200", query="?seq={seq}"),
    Row("GET", "/v1/sync", everybody("200")),
    Row("GET", "/v1/unread", everybody("200")),
    # A good one would take the device's session over; poll_test.py has those.
    Row("POST", "/v1/poll", everybody("bad_request"), {"received": "x"}),
    Row("GET", "/v1/blocks", everybody("200")),
    Row("GET", "/v1/blocks/{user}", everybody("not_found"), put={"user": "{never_blocked}"}),
    Row("PUT", "/v1/blocks/{user}", everybody("204"), put={"user": "{spare}"}),
    Row("GET", "/v1/blocks/{user}", everybody("200"), put={"user": "{spare}"}),
    Row("DELETE", "/v1/blocks/{user}", everybody("204"), put={"user": "{spare}"}),
    Row("GET", "/livez", public("200")),
    Row("GET", "/readyz", public("200")),
    Row("GET", "/metrics", public("200")),
    Row("GET", "/v1/version", public("200")),
]


def frame(type_, outcomes, changes=False, **fields):
    """Before its hello nobody is told anything: the connection is closed with bad_frame."""
    return Row(type_, "", "bad_frame " + outcomes, fields, changes=changes)


HERE = {"conversation": "{conversation}"}
COMMAND = dict(HERE, client_id="{client_id}")
READ = {"read": {"seq": "{seq}", "id": "{id}"}, "read_ord": "{ord}"}
WHOLE = {"from": "00000000-0000-0000-0000-000000000000", "to": "ffffffff-ffff-ffff-ffff-ffffffffffff"}

FRAMES = [
    Row("hello", "", "unauthenticated " + "welcome " * 5, {"token": "{token}"}),
    frame("ping", "pong pong pong pong pong"),
    frame("message.send", "not_found not_member ok ok ok", True, **COMMAND, **TEXT),
    frame("message.send", "ok ok ok ok ok", to="{spare}", client_id="{client_id}", **TEXT),
    frame("conversation.create", "ok ok ok ok ok", client_id="{client_id}", kind="direct", members=["{spare}"]),
    frame("conversation.create", "ok ok ok ok ok", client_id="{client_id}", kind="group", members=["{spare}"], title="x"),
    frame("conversation.update", "not_found not_member forbidden ok ok", True, **COMMAND, title="changed"),
    frame("conversation.leave", "not_found not_member ok ok ok", True, **COMMAND),
    frame("member.add", "not_found not_member forbidden ok ok", True, **COMMAND, users=["{spare}"]),
    frame("member.role", "not_found not_member forbidden forbidden ok", True, **COMMAND, user="{other}", role="admin"),
    frame("member.role", "not_found not_member forbidden forbidden ok", True, **COMMAND, user="{other}", role="owner"),
    frame("member.remove", "not_found not_member forbidden ok ok", True, **COMMAND, user="{other}"),
    frame("member.remove", "not_found not_member forbidden forbidden ok", True, **COMMAND, user="{other_admin}"),
    frame("member.remove", "not_found not_member forbidden forbidden ok", True, **COMMAND, user="{other_owner}"),
    frame("member.remove", "not_found not_member forbidden not_found not_found", **COMMAND, user="{foreign_user}"),
    frame("block.set", "ok ok ok ok ok", client_id="{client_id}", user="{spare}", blocked=True),
    frame("block.set", "ok ok ok ok ok", client_id="{client_id}", user="{spare}", blocked=False),
    # The owner wrote something later, so this mark is below the one that is known. Stands before what moves the others' marks.
    frame("mark", "not_found not_member diverged diverged ok", **HERE, read={"seq": "{seq}", "id": "1"}, read_ord=1),
    frame("mark", "not_found not_member ok ok ok", **HERE, **READ),
    frame("mark", "not_found not_member ok ok ok", **HERE, delivered="{seq}"),
    frame("mark", "not_found not_member ok ok ok", **HERE, **READ, private=True),
    frame("focus", "none none none none none", **HERE),
    frame("pull", "not_found page page page page", **HERE, after=0),
    frame("pull", "not_found page page page page", **HERE, after="{seq}", check={"seq": "{seq}", "id": "{id}"}),
    frame("pull", "not_found diverged diverged diverged diverged", **HERE, after=1000000),
    frame("history", "not_found page page page page", **HERE, before=9007199254740991),
    frame("history", "not_found page page page page", **HERE, after=0),
    frame("history", "not_found page page page page", **HERE, around="{seq}", limit=3),
    frame("sync", "sync sync sync sync sync", **WHOLE, vector=[]),
    frame("sync", "sync sync sync sync sync", **WHOLE, vector=[["{conversation}", 1, "1", 0]]),
    frame("sync", "sync sync sync sync sync", **WHOLE, vector=[], activity="0"),
    frame("ack", "none none none none none", received=0),
    frame("bye", "bye bye bye bye bye"),
]
