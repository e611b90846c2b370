#!/usr/bin/python3
"""What agents do outside: where they may go, with which Secrets, how often what may be done once is
done, and what people are asked before."""
# timeout: 240
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import random
import signal
import threading
import time
import unittest

import yaml
from swarmd import BASE, TMP, Client, Daemon, run
from swarmd import apply as apply_agents
from waiting import wait_for

CANARY = "sk-canary-51c0ffee77aa"
DEADLINE_S = 30
KILLS, REFUNDS = 6, 8


class Bank(http.server.ThreadingHTTPServer):
    """Takes orders, and remembers all that came, whatever it answers."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Teller)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked, self.cut, self.gate, self.held = [], 0, None, threading.Event()
        self.body, self.delay_s = None, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def count(self, path):
        return sum(path == each[1] for each in self.asked)


class Teller(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self):
        bank = self.server
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        bank.asked.append((self.command, self.path, dict(self.headers), body))
        time.sleep(bank.delay_s)  # The money is on its way.
        if bank.gate is not None:
            bank.held.set()
            bank.gate.wait(DEADLINE_S)
        if bank.cut > 0:  # It was done, and nobody hears of it.
            bank.cut -= 1
            self.close_connection = True
            self.connection.shutdown(2)
            return
        answer = bank.body or json.dumps(
            {"path": self.path, "said": body.decode(errors="replace"),
             "authorization": self.headers.get("authorization", "")}).encode()
        self.send_response(201 if self.command == "POST" else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.send_header("x-echo", self.headers.get("authorization", "none"))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do

    def log_message(self, *_words):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # Whoever asked was killed.


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        run("swarm", "apply", "-f", "-", data=yaml.safe_dump(
            {"apiVersion": "swarm/v1", "kind": "Secret", "metadata": {"name": "shop"},
             "spec": {"data": {"token": CANARY, "other": CANARY + "2"}}}).encode())

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def setUp(self):
        self.bank = Bank()
        self.addCleanup(self.bank.server_close)
        self.addCleanup(self.bank.shutdown)

    def let(self, *rules, **spec):
        """The Agent `buyer` may do what the rules say."""
        here = {"hosts": [self.bank.url[len("http://"):]], "plain": True, "private": True}
        text = json.dumps({"keyed": True, "egress": [here | rule for rule in rules]} | spec)
        apply_agents("thinker", "buyer: " + text[1:-1])

    def ask(self, key, service="swarm.http", client=None, **request):
        status, answer = (client or self.client).send(
            "buyer/" + key, service.encode() + b"\n" + json.dumps(request).encode(), timeout="60s")
        return status, answer

    def fetch(self, key, path, **request):
        status, answer = self.ask(key, url=self.bank.url + path, **request)
        self.assertEqual(status, 200, answer)
        return json.loads(answer)

    def later(self, key, **request):
        """Ask on a thread; call what is returned for the answer."""
        client, box = Client(self.daemon), []

        def do():
            try:
                box.append(self.ask(key, client=client, **request))
            except (OSError, http.client.HTTPException):
                box.append(None)  # swarmd has gone.
            client.close()

        thread = threading.Thread(target=do)
        thread.start()
        self.addCleanup(thread.join)

        def answer():
            thread.join(DEADLINE_S)
            return box[0]

        return answer

    def kill_it(self, number=signal.SIGKILL):
        """swarmd ends and begins again; whatever the bank held up meanwhile goes on."""
        self.client.close()
        self.daemon.end(number)
        if self.bank.gate is not None:
            self.bank.gate.set()
            self.bank.gate = None
        self.daemon.start()
        type(self).client = Client(self.daemon)

    def objects(self, kind):
        return self.client.get(f"/namespaces/default/{kind}").get("items", [])

    def approval(self, title, phase="Pending"):
        """The Approval whose title begins so, once it is there."""
        found = []

        def look():
            found[:] = [item for item in self.objects("approvals")
                        if item["spec"]["title"].startswith(title) and
                        item["status"]["phase"] == phase]
            return found

        wait_for(look, f"an Approval: {title}", DEADLINE_S)
        return found[0]

    def effects(self, path):
        return [item for item in self.objects("effects") if item["spec"]["url"].endswith(path)]


class Where(Case):
    """Rules, Secrets, sizes."""

    def test_what_no_rule_allows_is_denied(self):
        self.let({"paths": ["/open/*"]})
        self.assertEqual(self.fetch("a", "/open/door")["status"], 200)
        for request, words in (
                ({"url": self.bank.url + "/closed"}, b"is not allowed"),
                ({"url": self.bank.url + "/open/../closed"}, b"is not allowed"),
                ({"url": self.bank.url + "/open/%2e%2e/closed"}, b"is not allowed"),
                ({"url": self.bank.url + "/open/..;/closed"}, b"is not allowed"),
                ({"url": self.bank.url + "/open/%252e%252e/closed"}, b"is not allowed"),
                ({"url": self.bank.url + "/open/door", "method": "DELETE"}, b"is not allowed"),
                ({"url": "http://127.0.0.1:1/open/"}, b"no rule lets"),
                ({"url": "http://localhost/open/"}, b"no rule lets"),
                ({"url": self.bank.url.replace("http", "https") + "/open/x", "method": "POST"},
                 b"not allowed")):
            status, answer = self.ask("a", **request)
            self.assertIn(status, (403,), (request, answer))
            self.assertIn(words, answer)
        self.assertEqual([path for _, path, _, _ in self.bank.asked], ["/open/door"])

    def test_requests_that_are_none(self):
        self.let({"methods": ["GET", "POST"]})
        url = self.bank.url + "/"
        for request in ({}, {"url": 7}, {"url": "nonsense://x"}, {"url": url, "methods": "GET"},
                        {"url": url, "method": "TRACE"}, {"url": url, "headers": ["x"]},
                        {"url": url, "headers": {"Host": "evil"}},
                        {"url": url, "headers": {"Accept-Encoding": "gzip"}},
                        {"url": url, "headers": {"X-HTTP-Method-Override": "DELETE"}},
                        {"url": url, "headers": {"X_Api_Key": "mine"}},
                        {"url": url, "headers": {"a b": "c"}},
                        {"url": url, "headers": {"a": "b\r\nc: d"}},
                        {"url": url, "body": "a", "bodyBase64": "YQ=="},
                        {"url": url, "bodyBase64": "!"}, {"url": url, "timeoutMs": 0},
                        {"url": self.bank.url.replace("//", "//me:you@") + "/"}):
            status, answer = self.ask("b", **request)
            self.assertEqual(status, 400, (request, answer))
        self.assertEqual(self.bank.asked, [])

    def test_private_machines_need_a_rule_of_their_own(self):
        self.let({"private": False})
        status, answer = self.ask("c", url=self.bank.url + "/")
        self.assertEqual(status, 403, answer)
        self.assertIn(b"not one of the internet", answer)
        self.assertEqual(self.bank.asked, [])

    def test_secrets_are_put_in_outside(self):
        self.let({"headers": {"Authorization": "Bearer {{secret:shop/token}}"},
                  "secrets": ["shop/other"]})
        answer = self.fetch("d", "/x", headers={"X-More": "{{secret:shop/other}}"})
        self.assertEqual(self.bank.asked[0][2]["Authorization"], "Bearer " + CANARY)
        self.assertEqual(self.bank.asked[0][2]["X-More"], CANARY + "2")
        self.assertNotIn(CANARY, json.dumps(answer))  # Though it was quoted, twice.
        self.assertIn("*" * len(CANARY), answer["body"])
        self.assertIn("*" * len(CANARY), answer["headers"]["x-echo"])
        status, words = self.ask("d", url=self.bank.url + "/x",
                                 headers={"X-More": "{{secret:shop/token}}"})
        self.assertEqual(status, 403, words)
        for folder, _, names in os.walk(TMP):  # Logs, journals, the store: nowhere.
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(CANARY.encode(), file.read(), name)

    def test_sizes(self):
        self.let({"methods": ["PUT"], "maxRequest": "8", "maxResponse": "100"},
                 {"maxResponse": "2MiB"})
        status, answer = self.ask("e", url=self.bank.url + "/", method="PUT", body="123456789")
        self.assertEqual(status, 429, answer)
        self.bank.body = b"x" * 101
        status, answer = self.ask("e", url=self.bank.url + "/", method="PUT", body="12345678")
        self.assertEqual(status, 429, answer)
        self.assertIn(b"100 bytes", answer)
        self.bank.body = bytes(range(256))
        self.assertNotIn("body", self.fetch("e", "/"))  # It is in base64.


class Once(Case):
    """What may be done once only."""

    def test_a_request_and_its_record(self):
        self.let({"methods": ["POST"]})
        answer = self.fetch("f", "/refund", method="POST", body="12.00")
        self.assertEqual((answer["status"], json.loads(answer["body"])["said"]), (201, "12.00"))
        effect, = self.effects("/refund")
        self.assertEqual((effect["spec"]["agent"], effect["spec"]["instance"],
                          effect["status"]["phase"], effect["status"]["code"]),
                         ("buyer", "f", "Done", 201))
        self.assertEqual(self.bank.asked[0][2]["Idempotency-Key"], effect["metadata"]["name"])

    def test_nobody_was_reached(self):
        self.let({"methods": ["POST"], "hosts": ["127.0.0.1:1"]})
        status, answer = self.ask("g", url="http://127.0.0.1:1/gone", method="POST")
        self.assertEqual(status, 503, answer)
        self.assertEqual(self.effects("/gone")[0]["status"]["phase"], "Failed")
        self.assertNotIn("/gone", json.dumps(self.objects("approvals")))

    def test_a_person_says_again(self):
        self.let({"methods": ["POST"]})
        self.bank.cut = 1
        answer = self.later("h", url=self.bank.url + "/again", method="POST", body="1")
        found = self.approval("Make the request again?")
        self.assertEqual(self.effects("/again")[0]["status"]["phase"], "Unknown")
        self.assertEqual(found["spec"]["cause"], "unknown-outcome")
        self.assertEqual(self.bank.count("/again"), 1)
        run("swarm", "approvals", "approve", found["metadata"]["name"], "--reason", "I looked")
        status, words = answer()
        self.assertEqual(status, 200, words)
        self.assertEqual(self.bank.count("/again"), 2)
        keys = {headers["Idempotency-Key"] for _, _, headers, _ in self.bank.asked}
        self.assertEqual(len(keys), 1)
        status = self.effects("/again")[0]["status"]
        self.assertEqual((status["phase"], status["attempts"]), ("Done", 2))

    def test_a_person_says_no(self):
        self.let({"methods": ["POST"]})
        self.bank.cut = 1
        answer = self.later("i", url=self.bank.url + "/never", method="POST", body="1")
        name = self.approval("Make the request again?")["metadata"]["name"]
        run("swarm", "approvals", "deny", name, "--reason", "it is on the account")
        status, words = answer()
        self.assertEqual(status, 403, words)
        self.assertIn(b"it is on the account", words)
        self.assertEqual(self.bank.count("/never"), 1)
        self.assertEqual(self.effects("/never")[0]["status"]["phase"], "Abandoned")

    def test_a_kill_in_the_middle(self):
        """swarmd is killed while the bank has the money: it is not sent again by itself."""
        self.let({"methods": ["POST"]})
        self.bank.gate = threading.Event()
        self.later("j", url=self.bank.url + "/killed", method="POST")
        self.assertTrue(self.bank.held.wait(DEADLINE_S))
        self.kill_it()
        name = self.approval("Make the request again?")["metadata"]["name"]
        self.assertEqual(self.bank.count("/killed"), 1)
        run("swarm", "approvals", "approve", name, "--reason", "it has no record")
        wait_for(lambda: self.effects("/killed")[0]["status"]["phase"] == "Done", "the effect",
                 DEADLINE_S)
        self.assertEqual(self.bank.count("/killed"), 2)

    def test_kills_at_any_moment(self):
        """However often swarmd is killed, each refund is sent once, or a person is asked."""
        self.let({"methods": ["POST"]})
        chance = random.Random(KILLS)
        for life in range(KILLS):
            for i in range(REFUNDS):
                self.later(f"kill-{life}-{i}", url=f"{self.bank.url}/refund-{life}-{i}",
                           method="POST", body="1")
            self.bank.delay_s = chance.uniform(0, 0.05)
            seen = len(self.bank.asked) + chance.randrange(REFUNDS)
            wait_for(lambda seen=seen: len(self.bank.asked) >= seen, "refunds", DEADLINE_S, 0.001)
            self.kill_it()
        self.bank.delay_s = 0
        effects = []

        def settled():
            effects[:] = [each for each in self.objects("effects")
                          if "/refund-" in each["spec"]["url"]]
            return all(each["status"]["phase"] in ("Done", "Unknown") for each in effects)

        wait_for(settled, "all Effects are known, or known to be unknown", DEADLINE_S)
        self.assertGreater(len(effects), KILLS)
        sent = [headers["Idempotency-Key"] for _, path, headers, _ in self.bank.asked
                if path.startswith("/refund-")]
        self.assertEqual(len(sent), len(set(sent)))
        for each in effects:
            if each["status"]["phase"] == "Unknown":
                run("swarm", "approvals", "deny", each["metadata"]["name"], "--reason", "counted")

    def test_an_answer_outlives_the_rule(self):
        """What was done is told as it was, also if it would not be allowed any more."""
        self.let({"methods": ["POST"]})
        self.bank.gate = threading.Event()
        self.later("v", url=self.bank.url + "/kept", method="POST")
        self.assertTrue(self.bank.held.wait(DEADLINE_S))
        host = self.daemon.host()
        os.kill(host, signal.SIGSTOP)  # It hears of no answer.
        self.bank.gate.set()
        wait_for(lambda: self.effects("/kept")[0]["status"]["phase"] == "Done", "it is done",
                 DEADLINE_S)
        agent = self.client.get("/namespaces/default/agents/buyer")
        del agent["spec"]["egress"]
        status, _, words = self.client.request(
            "PUT", BASE + "/namespaces/default/agents/buyer", json.dumps(agent).encode(),
            {"content-type": "application/json"})
        self.assertEqual(status, 200, words)
        self.daemon.end(signal.SIGKILL)
        os.kill(host, signal.SIGKILL)
        self.client.close()
        self.daemon.start()
        type(self).client = Client(self.daemon)
        run("swarm", "wait", "agent/buyer", "--for=condition=Ready", "--timeout=30s")
        self.client.send("buyer/v", b"count")  # Which it answers behind the turn that waits.
        told = [(turn["status"], json.loads(base64.b64decode(turn["body"]))["status"])
                for turn in json.loads(run("swarm", "agent", "history", "buyer/v",
                                           "-o", "json"))["turns"] if turn["cause"] == "resume"]
        self.assertEqual(told, [(0, 201)])
        self.assertEqual(self.bank.count("/kept"), 1)

    def test_what_the_other_side_makes_once(self):
        """With an Idempotency-Key that it keeps to nobody is asked."""
        self.let({"methods": ["POST"], "idempotent": True})
        self.bank.cut = 1
        status, answer = self.ask("k", url=self.bank.url + "/safe", method="POST")
        self.assertEqual(status, 503, answer)
        self.assertEqual(self.effects("/safe"), [])

    def test_budgets_count_it(self):
        self.let({"methods": ["GET"]})
        run("swarm", "budget", "set", "buyer", "--calls", "1")
        self.addCleanup(run, "swarm", "delete", "budget/buyer")
        wait_for(lambda: self.client.get("/namespaces/default/budgets/buyer").get("status"),
                 "the budget", DEADLINE_S)
        self.fetch("l", "/one")
        status, answer = self.ask("l", url=self.bank.url + "/two")
        self.assertEqual(status, 429, answer)
        self.assertEqual(self.bank.count("/two"), 0)


class Before(Case):
    """Requests that a rule has approved, whatever the agent says."""

    def test_nothing_goes_out_before(self):
        self.let({"methods": ["POST"], "approval": True, "secrets": ["shop/token"]})
        answer = self.later("ba", url=self.bank.url + "/first", method="POST", body="12.00",
                            headers={"Authorization": "Bearer {{secret:shop/token}}"})
        found = self.approval("Make this request?")
        self.assertEqual(self.bank.count("/first"), 0)
        self.assertEqual((found["spec"]["cause"], found["spec"]["instance"]), ("rule", "ba"))
        for words in ("/first", "12.00", "{{secret:shop/token}}"):
            self.assertIn(words, found["spec"]["text"])
        self.assertNotIn(CANARY, json.dumps(found))
        self.assertEqual(self.effects("/first"), [])
        run("swarm", "approvals", "approve", found["metadata"]["name"], "--reason", "so be it")
        status, words = answer()
        self.assertEqual(status, 200, words)
        self.assertEqual(self.bank.count("/first"), 1)
        self.assertEqual(self.bank.asked[0][2]["Authorization"], "Bearer " + CANARY)

    def test_no_and_rules_that_went_meanwhile(self):
        rule = {"methods": ["DELETE"], "approval": True}
        self.let(rule)
        answer = self.later("bb", url=self.bank.url + "/no", method="DELETE")
        found = self.approval("Make this request? DELETE " + self.bank.url + "/no")
        run("swarm", "approvals", "deny", found["metadata"]["name"], "--reason", "it is needed")
        status, words = answer()
        self.assertEqual((status, b"it is needed" in words), (403, True), words)
        answer = self.later("bc", url=self.bank.url + "/late", method="DELETE")
        found = self.approval("Make this request? DELETE " + self.bank.url + "/late")
        self.let(rule | {"paths": ["/other"]})
        run("swarm", "approvals", "approve", found["metadata"]["name"], "--reason", "go")
        status, words = answer()
        self.assertEqual(status, 403, words)
        self.assertEqual(self.bank.asked, [])

    def test_a_yes_outlives_a_kill(self):
        self.let({"methods": ["POST"], "approval": True})
        self.later("bd", url=self.bank.url + "/kept", method="POST")
        name = self.approval("Make this request?")["metadata"]["name"]
        self.kill_it()
        self.assertEqual(self.bank.count("/kept"), 0)
        self.assertEqual(self.approval("Make this request?")["metadata"]["name"], name)
        run("swarm", "approvals", "approve", name, "--reason", "still")
        wait_for(lambda: [each["status"]["phase"] for each in self.effects("/kept")] == ["Done"],
                 "the effect", DEADLINE_S)
        self.assertEqual(self.bank.count("/kept"), 1)


    def test_a_kill_after_the_yes(self):
        """What is made again is the same request, with its key and its Secrets."""
        self.let({"methods": ["POST"], "approval": True, "secrets": ["shop/token"]})
        self.bank.gate = threading.Event()
        self.later("be", url=self.bank.url + "/twice", method="POST", body="12.00",
                   headers={"Authorization": "Bearer {{secret:shop/token}}", "X-Mine": "1"})
        name = self.approval("Make this request?")["metadata"]["name"]
        run("swarm", "approvals", "approve", name, "--reason", "yes")
        self.assertTrue(self.bank.held.wait(DEADLINE_S))
        self.kill_it()
        name = self.approval("Make the request again?")["metadata"]["name"]
        run("swarm", "approvals", "approve", name, "--reason", "it has no record")
        wait_for(lambda: self.bank.count("/twice") == 2, "it is made again", DEADLINE_S)
        first, again = ({each: headers[each] for each in
                         ("Authorization", "X-Mine", "Idempotency-Key")}
                        for _, _, headers, _ in self.bank.asked)
        self.assertEqual(first, again)
        self.assertEqual(first["Authorization"], "Bearer " + CANARY)

    def test_what_nobody_can_read_is_not_asked(self):
        self.let({"methods": ["POST"], "approval": True})
        status, words = self.ask("bf", url=self.bank.url + "/long", method="POST",
                                 body="1" + " " * 70000)
        self.assertEqual((status, b"cannot be shown" in words), (429, True), words)
        self.assertEqual(self.bank.asked, [])


HOOK_KEY = base64.b64encode(b"a key that both sides have").decode()


class Hooks(Case):
    """Webhooks hear of Approvals, signed."""

    def heard(self, kind, count):
        """So many messages of that kind, checked as a receiver would."""
        found = []

        def look():
            found[:] = [(headers, json.loads(body)) for _, path, headers, body in self.bank.asked
                        if path == "/hook" and json.loads(body)["type"] == kind]
            return len(found) >= count

        wait_for(look, f"{count} of {kind}", DEADLINE_S)
        for _, path, headers, body in self.bank.asked:
            headers = {name.lower(): value for name, value in headers.items()}
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            mac = hmac.new(base64.b64decode(HOOK_KEY), signed, hashlib.sha256).digest()
            self.assertEqual(headers["webhook-signature"], "v1," + base64.b64encode(mac).decode())
            self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()), 60)
            self.assertEqual(path, "/hook")
        return found

    def let_hook(self):
        run("swarm", "apply", "-f", "-", data=yaml.safe_dump(
            {"apiVersion": "swarm/v1", "kind": "Secret", "metadata": {"name": "hooks"},
             "spec": {"data": {"key": "whsec_" + HOOK_KEY}}}).encode())
        self.let(approvals={"webhook": {"url": self.bank.url + "/hook", "secret": "hooks/key",
                                        "private": True}})

    def test_a_question_and_its_end(self):
        self.let_hook()
        answer = self.later("wa", service="swarm.approve", title="Heard?", text="12.00")
        headers, message = self.heard("approval.requested", 1)[0]
        self.assertEqual((message["data"]["spec"]["title"], message["data"]["spec"]["text"],
                          message["data"]["status"]["phase"]), ("Heard?", "12.00", "Pending"))
        name = message["data"]["metadata"]["name"]
        wait_for(lambda: self.approval("Heard?")["status"].get("told") == "Pending",
                 "what was told", DEADLINE_S)
        self.kill_it()  # It tells nothing a second time.
        run("swarm", "approvals", "deny", name, "--reason", "no")
        answer()
        _, message = self.heard("approval.decided", 1)[0]
        self.assertEqual(message["data"]["status"]["decisions"][0]["reason"], "no")
        self.assertEqual(len(self.heard("approval.requested", 1)), 1)
        self.assertNotEqual(headers["webhook-id"], "")

    def test_an_end_before_it_has_said_that_it_heard(self):
        self.let_hook()
        self.bank.gate = threading.Event()
        answer = self.later("wc", service="swarm.approve", title="Quick?")
        self.assertTrue(self.bank.held.wait(DEADLINE_S))
        run("swarm", "approvals", "approve", self.approval("Quick?")["metadata"]["name"],
            "--reason", "yes")
        answer()
        self.bank.gate.set()
        self.heard("approval.decided", 1)
        wait_for(lambda: self.approval("Quick?", "Approved")["status"].get("told") == "Approved",
                 "it is told", DEADLINE_S)

    def test_one_that_does_not_listen(self):
        self.let_hook()
        self.bank.cut = 2
        self.later("wb", service="swarm.approve", title="Again?")
        found = self.heard("approval.requested", 3)
        self.assertEqual(len({headers["webhook-id"] for headers, _ in found}), 1)
        wait_for(lambda: any(each["reason"] == "WebhookFailed" for each in self.objects("events")),
                 "an Event", DEADLINE_S)
        wait_for(lambda: self.approval("Again?")["status"].get("told") == "Pending", "it is told",
                 DEADLINE_S)
        run("swarm", "approvals", "deny", self.approval("Again?")["metadata"]["name"],
            "--reason", "enough")

    def test_what_cannot_be_one(self):
        for webhook, words in (({"url": "http://example.com/x", "secret": "a/b"}, "not https"),
                               ({"url": "https://example.com/x"}, "NAME/KEY"),
                               ({"secret": "a/b"}, "missing")):
            status, _, body = self.client.request(
                "POST", BASE + "/namespaces/default/agents", json.dumps(
                    {"apiVersion": "swarm/v1", "kind": "Agent", "metadata": {"name": "none"},
                     "spec": {"module": "sha256:" + 64 * "0",
                              "approvals": {"webhook": webhook}}}).encode(),
                {"content-type": "application/json"})
            self.assertEqual((status, words in body.decode()), (400, True), body)


class People(Case):
    """Questions of agents."""

    def question(self, key, title, **more):
        return self.later(key, service="swarm.approve", title=title, **more)

    def test_yes_and_no(self):
        self.let()
        for verdict, status in (("approve", 200), ("deny", 403)):
            answer = self.question("m", f"May I {verdict}?", text="12.00")
            name = self.approval(f"May I {verdict}?")["metadata"]["name"]
            self.assertIn(f"May I {verdict}?", run("swarm", "approvals", "list"))
            run("swarm", "approvals", verdict, name, "--reason", "since it is so")
            got, words = answer()
            self.assertEqual(got, status, words)
            self.assertIn(b"since it is so", words)
            if verdict == "approve":
                self.assertEqual(json.loads(words)["text"], "12.00")
                self.assertEqual(json.loads(words)["decisions"][0]["by"], "admin")
            again = run("swarm", "approvals", verdict, name, "--reason", "again", status=1)
            self.assertEqual(again, "")

    def test_an_edit(self):
        self.let()
        answer = self.question("n", "Send this?", text="Dear all", editable=True)
        name = self.approval("Send this?")["metadata"]["name"]
        run("swarm", "approvals", "edit", name, "--text", "Dear Ada", "--reason", "only her")
        self.assertIn("Dear Ada", run("swarm", "approvals", "show", name))
        words = run("swarm", "approvals", "approve", name, "--reason", "good", status=1,
                    errors=True)
        self.assertIn("--proposal=1", words)  # It may be something else than was read.
        run("swarm", "approvals", "approve", name, "--reason", "good", "--proposal", "1")
        self.assertEqual(json.loads(answer()[1])["text"], "Dear Ada")

    def test_who_may_not(self):
        self.let(approvals={"approvers": ["ada"]})
        answer = self.question("o", "Ada?", timeoutMs=60000)
        found = self.approval("Ada?")
        name = found["metadata"]["name"]
        run("swarm", "approvals", "approve", name, "--reason", "me", status=5)
        status, _, body = self.client.request(
            "PUT", f"/apis/swarm/v1/namespaces/default/approvals/{name}/status",
            json.dumps(found | {"status": {"phase": "Approved"}}).encode(),
            {"content-type": "application/json"})
        self.assertEqual(status, 403, body)
        run("swarm", "delete", "approval/" + name)
        self.assertEqual(answer()[0], 403)

    def test_nobody_answers(self):
        self.let(approvals={"timeout": "1s", "onTimeout": "deny"})
        status, words = self.question("p", "Anybody?")()
        self.assertEqual(status, 403, words)
        self.assertIn(b"nobody answered in time", words)

    def test_who_asks_makes_no_yes(self):
        """The policy's yes comes after the policy's time, and never to what nobody knows."""
        self.let(approvals={"timeout": "1d", "onTimeout": "approve"})
        status, words = self.question("s", "Quick?", timeoutMs=1)()
        self.assertEqual(status, 403, words)
        self.let(approvals={"timeout": "1s", "onTimeout": "approve"})
        status, words = self.question("t", "Slow?")()
        self.assertEqual(status, 200, words)
        self.let({"methods": ["POST"]}, approvals={"timeout": "1s", "onTimeout": "approve"})
        self.bank.cut = 1
        status, words = self.ask("u", url=self.bank.url + "/unknown", method="POST")
        self.assertEqual(status, 403, words)
        self.assertEqual(self.bank.count("/unknown"), 1)

    def test_questions_outlive_restarts(self):
        self.let()
        self.question("q", "Still there?")
        name = self.approval("Still there?")["metadata"]["name"]
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.kill_it(number)
            self.assertEqual(self.approval("Still there?")["metadata"]["name"], name)
        run("swarm", "approvals", "approve", name, "--reason", "yes")
        self.approval("Still there?", "Approved")

    def test_an_agent_that_goes_asks_no_more(self):
        self.let()
        self.question("r", "Me?")
        self.approval("Me?")
        run("swarm", "delete", "agent/buyer")
        self.approval("Me?", "Withdrawn")


if __name__ == "__main__":
    unittest.main()
