"""Metrics, log lines and rates of the real program; and that neither metrics nor lines tell what is nobody's business."""

import json
import secrets

from harness import Client, SystemTest, main


class Metrics(SystemTest):
    async def test_a_message_is_seen_in_counters_and_histograms(self):
        ann, bob = self.person("ann"), self.person("bob")
        session, other = await self.client(ann), await self.client(bob)
        conversation = await session.open_with(bob.user)
        for _ in range(3):
            self.assertEqual((await session.say(conversation, "hi"))["type"], "ok")
            await other.event()
        metrics = self.call("GET", "/metrics")
        self.assertEqual(metrics.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        values = dict(line.rsplit(" ", 1) for line in metrics.body.decode().splitlines() if line[0] != "#")
        for stage in ("delivery_send_to_durable", "gateway_durable_to_tick", "gateway_tick_to_delivered"):
            name = f"tidings_{stage}_seconds"
            self.assertGreaterEqual(int(values[name + "_count"]), 4, name)
            self.assertGreater(float(values[name + "_sum"]), 0, name)
            self.assertEqual(values[name + '_bucket{le="+Inf"}'], values[name + "_count"])
            buckets = [int(value) for key, value in values.items() if key.startswith(name + "_bucket")]
            self.assertEqual(buckets, sorted(buckets))
        self.assertGreaterEqual(int(values["tidings_net_connections"]), 3)
        self.assertGreaterEqual(int(values["tidings_gateway_sessions"]), 2)
        self.assertGreater(int(values["tidings_embedded_log_records_total"]), 4)

    def test_metrics_are_for_this_machine(self):
        self.assert_problem(self.call("GET", "/metrics", headers={"X-Forwarded-For": "192.0.2.1"}), 403, "forbidden")
        self.assert_problem(self.call("GET", "/metrics", token="x" * 16, headers={"Via": "1.1 proxy"}), 403, "forbidden")


class Secrets(SystemTest):
    operators = "canary_" + secrets.token_hex(8)
    settings = {"TIDINGS_SERVER__LOG_FORMAT": "json", "TIDINGS_SERVER__LOG_LEVEL": "debug",
                "TIDINGS_SERVER__METRICS_TOKEN": operators, "TIDINGS_LIMITS__PROFILE": "normal",
                "TIDINGS_LIMITS__PERSON_SENDS": "1/m, 2",
                "TIDINGS_SERVER__SHARDS": "1"}  # each has a bucket of its own

    async def test_no_line_and_no_metric_tells_them(self):
        canary = "canary_" + secrets.token_hex(6)
        self.call("POST", "/v1/accounts", {"handle": canary, "password": canary + " pass", "display_name": canary})
        made = self.call("POST", "/v1/tokens", {"handle": canary, "password": canary + " pass", "device_name": canary}).json
        token = made["token"]
        hidden = [canary, self.operators, token, made["refresh"]]
        ids = [secrets.token_hex(8) for _ in range(6)]
        refused = [
            self.call("POST", "/v1/tokens", {"handle": canary, "password": canary}, headers={"X-Request-Id": ids[0]}),
            self.call("GET", f"/v1/{canary}?handle={canary}", token=token, headers={"X-Request-Id": ids[1]}),
            self.call("POST", "/v1/conversations", '{"title":"' + canary, token, {"X-Request-Id": ids[2]}),
            self.call("GET", "/v1/me", token=canary, headers={"X-Request-Id": ids[3]}),
            self.call("GET", "/metrics", token=canary, headers={"X-Request-Id": ids[4], "Via": canary}),
        ]
        group = self.call("POST", "/v1/conversations", {"kind": "group", "members": [], "title": canary}, token).json
        session = await Client.log_on(self.address, token)
        self.addAsyncCleanup(session.close)
        for _ in range(2):
            self.assertEqual((await session.say(group["conversation"], canary))["type"], "ok")
        error = await session.say(group["conversation"], canary)
        self.assert_error(error, "rate_limited")
        self.assertGreater(error["retry_ms"], 50_000)
        path = f"/v1/conversations/{group['conversation']}/messages"
        slow = self.call("POST", path, {"message": {"kind": "text", "text": canary}}, token,
                         {"Idempotency-Key": canary, "X-Request-Id": ids[5]})
        self.assert_problem(slow, 429, "rate_limited")
        self.assertGreater(int(slow.headers["Retry-After"]), 50)
        self.assertEqual(slow.headers["X-RateLimit-Remaining"], "0")
        self.assertRegex(slow.headers["RateLimit"], r'^"requests";r=\d+;t=\d+, "sends";r=0;t=\d+$')
        self.assertRegex(slow.headers["RateLimit-Policy"], r'"sends";q=2;w=120$')
        await session.send(json.dumps({"type": canary, "request": 77, "token": canary}))
        self.assert_error(await session.answer(77), "unsupported")
        await session.send('{"type":"message.send","text":"' + canary)
        await session.end()
        for answer, id_ in zip([*refused, slow], ids):
            self.assertGreaterEqual(answer.status, 400)
            self.assertEqual((answer.headers["X-Request-Id"], answer.json["request_id"]), (id_, id_))
        metrics = self.call("GET", "/metrics", token=self.operators, headers={"Via": "1.1 x"})
        self.assertEqual(metrics.status, 200)
        self.server.stop()
        said = "".join(self.server.printed) + self.server.said() + metrics.body.decode()
        for secret in hidden:
            self.assertNotIn(secret, said)
        lines = [json.loads(line) for line in self.server.printed]
        self.assertGreater(len(lines), 8)
        for line in lines:
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        told = {line["request_id"]: line for line in lines if "request_id" in line}
        for answer, id_ in zip([*refused, slow], ids):
            self.assertEqual((told[id_]["code"], told[id_]["status"]), (answer.json["code"], str(answer.status)))
        self.assertEqual(told[ids[5]]["route"], "/v1/conversations/{}/messages")
        self.assertTrue(any(line.get("request") == "77" and line["code"] == "unsupported" for line in lines))
        self.assertTrue(any(line["message"] == "stopped; everything is written" for line in lines), lines[-1])


if __name__ == "__main__":
    main()
