#!/usr/bin/python3
"""Models through the gateway of swarmd, as programs ask for them: right answers in each protocol,
every mistake that a provider can make, budgets that hold, and a key that nobody sees."""
# timeout: 240
import concurrent.futures
import http.client
import json
import os
import signal
import subprocess
import threading
import unittest

import yaml
from swarmd import BASE, TMP, Client, Daemon, run
from swarmd import apply as apply_agents
from upstream import Upstream
from waiting import wait_for

CANARY = "sk-canary-8f3a61d2c7"
OPENAI = BASE + "/namespaces/default/openai/v1"
ANTHROPIC = BASE + "/namespaces/default/anthropic/v1"
DEADLINE_S = 30


def apply(*objects):
    run("swarm", "apply", "-f", "-", data=yaml.safe_dump_all(objects).encode())


def secret(key=CANARY):
    return {"apiVersion": "swarm/v1", "kind": "Secret", "metadata": {"name": "keys"},
            "spec": {"data": {"key": key}}}


def provider(name, upstream, protocol="openai", models=None, key=True, **spec):
    base = upstream.url + "/v1" if isinstance(upstream, Upstream) else upstream
    spec = {"protocol": protocol, "baseURL": base, "models": models or [model("small")],
            "retries": {"attempts": 2, "backoff": "20ms", "maxBackoff": "2s"}} | spec
    if key:
        spec["apiKey"] = {"namespace": "default", "secret": "keys", "key": "key"}
    if protocol == "openai":
        spec.setdefault("apis", ["chat", "responses", "embeddings"])
    return {"apiVersion": "swarm/v1", "kind": "ModelProvider", "metadata": {"name": name},
            "spec": spec}


def model(name, **more):
    return {"name": name, "price": {"inputPerMillion": "1", "outputPerMillion": "10"},
            "maxOutputTokens": 100} | more


def budget(name, agent="", **spec):
    return {"apiVersion": "swarm/v1", "kind": "Budget", "metadata": {"name": name},
            "spec": ({"agent": agent} if agent else {}) | spec}


def chat(text="hello", **more):
    return {"model": "small", "messages": [{"role": "user", "content": text}]} | more


def events(body):
    """The data of server-sent events, in order."""
    return [json.loads(line[len("data: "):]) for line in body.decode().split("\n")
            if line.startswith("data: ") and line != "data: [DONE]"]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def setUp(self):
        self.upstream = Upstream(CANARY)
        self.enterContext(self.upstream)
        apply(secret())
        self.addCleanup(self.clear)

    def clear(self):
        for kind in ("modelproviders", "budgets"):
            names = run("swarm", "get", kind, "-o", "name").split()
            for name in names:
                run("swarm", "delete", name)

    def provide(self, *objects):
        """Apply providers and wait until the gateway has all their models."""
        apply(*objects)
        names = {item["name"] for each in objects if each["kind"] == "ModelProvider"
                 for item in each["spec"]["models"]}
        wait_for(lambda: names <= {item["id"] for item in self.models()}, "models are there",
                 DEADLINE_S)

    def models(self):
        status, _, body = self.client.request("GET", OPENAI + "/models")
        self.assertEqual(status, 200)
        return json.loads(body)["data"]

    def client_of_its_own(self):
        client = Client(self.daemon)
        self.addCleanup(client.close)
        return client

    def post(self, path, body, client=None):
        """(status, headers, body) of a request to the gateway."""
        return (client or self.client).request("POST", path, json.dumps(body).encode(),
                                               {"content-type": "application/json"})

    def ask(self, path, body, status=200):
        got, headers, answer = self.post(path, body)
        self.assertEqual(got, status, answer)
        return headers, json.loads(answer)

    def spent(self, name):
        """status.spent of a Budget, once it says what it should."""
        status = self.client.get(f"/namespaces/default/budgets/{name}").get("status", {})
        return {"calls": 0, "tokens": 0} | status.get("spent", {})


class Answers(Case):
    """What comes back when all goes well."""

    def test_chat(self):
        self.provide(provider("one", self.upstream, models=[model("small", upstream="s-1")]))
        headers, answer = self.ask(OPENAI + "/chat/completions", chat("hi", user="u", seed=7))
        self.assertEqual(answer["choices"][0]["message"]["content"], "You said: hi")
        self.assertEqual(answer["model"], "small")
        self.assertEqual(headers["swarm-provider"], "one")
        asked = self.upstream.requests[-1]
        self.assertEqual((asked.json["model"], asked.json["seed"], asked.key), ("s-1", 7, CANARY))

    def test_each_protocol_from_each(self):
        """A client of each protocol, a provider of each: the same words."""
        other = self.enterContext(Upstream(CANARY))
        self.provide(provider("openai", self.upstream, models=[model("chatty")], apis=["chat"]),
                     provider("anthropic", other, "anthropic", models=[model("claudy")]),
                     provider("newer", self.upstream, models=[model("newer")], apis=["responses"]))
        for name in ("chatty", "claudy", "newer"):
            with self.subTest(name):
                _, answer = self.ask(OPENAI + "/chat/completions", chat("hi", model=name))
                self.assertEqual(answer["choices"][0]["message"]["content"], "You said: hi")
                _, answer = self.ask(ANTHROPIC + "/messages", chat("hi", model=name, max_tokens=50))
                self.assertEqual(answer["content"][0]["text"], "You said: hi")
                _, answer = self.ask(OPENAI + "/responses", {"model": name, "input": "hi"})
                texts = [part["text"] for item in answer["output"] if item["type"] == "message"
                         for part in item["content"]]
                self.assertEqual(texts, ["You said: hi"])

    def test_streams_from_each(self):
        other = self.enterContext(Upstream(CANARY))
        self.provide(provider("openai", self.upstream, models=[model("chatty")], apis=["chat"]),
                     provider("anthropic", other, "anthropic", models=[model("claudy")]))
        for name in ("chatty", "claudy"):
            with self.subTest(name):
                _, headers, body = self.post(OPENAI + "/chat/completions",
                                             chat("a b c", model=name, stream=True))
                self.assertTrue(headers["content-type"].startswith("text/event-stream"))
                self.assertTrue(body.rstrip().endswith(b"data: [DONE]"))
                text = "".join(event["choices"][0]["delta"].get("content") or ""
                               for event in events(body) if event["choices"])
                self.assertEqual(text, "You said: a b c")
                _, _, body = self.post(ANTHROPIC + "/messages",
                                       chat("a b c", model=name, max_tokens=50, stream=True))
                text = "".join(event["delta"]["text"] for event in events(body)
                               if event["type"] == "content_block_delta")
                self.assertEqual(text, "You said: a b c")
                self.assertEqual(events(body)[-1]["type"], "message_stop")

    def test_tools_and_embeddings(self):
        self.provide(provider("one", self.upstream, models=[
            model("small", capabilities=["chat", "tools"]),
            model("vectors", capabilities=["embeddings"])]))
        tools = [{"type": "function", "function": {"name": "add", "parameters": {
            "type": "object", "properties": {"a": {"type": "integer"}}}}}]
        self.upstream.script({"tool": "add", "arguments": {"a": 1}})
        _, answer = self.ask(OPENAI + "/chat/completions", chat(tools=tools))
        call = answer["choices"][0]["message"]["tool_calls"][0]
        self.assertEqual((call["function"]["name"], json.loads(call["function"]["arguments"])),
                         ("add", {"a": 1}))
        _, answer = self.ask(OPENAI + "/embeddings", {"model": "vectors", "input": ["abc"]})
        self.assertEqual(answer["data"][0]["embedding"], [3.0, 0.5, -1.0])
        _, answer = self.ask(OPENAI + "/chat/completions", chat(model="nothing"), 404)
        self.assertIn("nothing", answer["error"]["message"])
        _, answer = self.ask(ANTHROPIC + "/messages", {"model": "small"}, 400)
        self.assertEqual((answer["type"], answer["error"]["type"]),
                         ("error", "invalid_request_error"))

    def test_cache(self):
        self.provide(provider("one", self.upstream, cache={"enabled": True}))
        first = self.post(OPENAI + "/chat/completions", chat("again"))
        second = self.post(OPENAI + "/chat/completions", chat("again"))
        self.assertEqual(first[2], second[2])
        self.assertEqual((first[1].get("swarm-cache"), second[1].get("swarm-cache")),
                         (None, "hit"))
        _, headers, body = self.post(OPENAI + "/chat/completions", chat("again", stream=True))
        self.assertEqual(headers["swarm-cache"], "hit")
        self.assertEqual("".join(event["choices"][0]["delta"].get("content") or ""
                                 for event in events(body) if event["choices"]),
                         "You said: again")
        self.assertEqual(len(self.upstream.requests), 1)
        self.ask(OPENAI + "/chat/completions", chat("another"))
        self.assertEqual(len(self.upstream.requests), 2)


class Faults(Case):
    """What a provider does wrong, and what the client has of it."""

    def test_busy_with_and_without_a_time(self):
        self.provide(provider("one", self.upstream))
        self.upstream.script({"status": 429, "headers": {"retry-after": "1"}}, {"status": 429})
        _, answer = self.ask(OPENAI + "/chat/completions", chat())
        self.assertEqual(answer["choices"][0]["message"]["content"], "You said: hello")
        self.assertEqual(len(self.upstream.requests), 3)

    def test_busy_for_long(self):
        self.provide(provider("one", self.upstream))
        self.upstream.script({"status": 429, "headers": {"retry-after": "3600"}})
        headers, answer = self.ask(OPENAI + "/chat/completions", chat(), 429)
        self.assertEqual(headers["retry-after"], "3600")
        self.assertEqual(len(self.upstream.requests), 1)
        # Nobody asks it before: the next one is told at once.
        headers, answer = self.ask(OPENAI + "/chat/completions", chat(), 503)
        self.assertIn("wants to be asked again", answer["error"]["message"])
        self.assertGreater(int(headers["retry-after"]), 3000)
        self.assertEqual(len(self.upstream.requests), 1)

    def test_failing_for_good(self):
        self.provide(provider("one", self.upstream))
        self.upstream.script(*[{"status": 500}] * 3)
        _, answer = self.ask(OPENAI + "/chat/completions", chat(), 500)
        self.assertIn("error", answer)
        self.assertEqual(len(self.upstream.requests), 3)
        wait_for(lambda: self.client.events("ProviderFailing"), "an Event says so", DEADLINE_S)

    def test_another_provider_takes_over(self):
        other = self.enterContext(Upstream(CANARY))
        self.provide(provider("one", self.upstream, retries={"attempts": 0}),
                     provider("two", other, priority=1))
        self.upstream.script({"status": 503})
        headers, _ = self.ask(OPENAI + "/chat/completions", chat())
        self.assertEqual(headers["swarm-provider"], "two")
        headers, _ = self.ask(OPENAI + "/chat/completions", chat())
        self.assertEqual(headers["swarm-provider"], "two")  # The first rests.
        self.assertEqual(len(self.upstream.requests), 1)

    def test_nobody_there(self):
        gone = Upstream()
        with gone:
            pass
        self.provide(provider("one", gone.url + "/v1", retries={"attempts": 0}),
                     provider("two", self.upstream, priority=1))
        headers, _ = self.ask(OPENAI + "/chat/completions", chat())
        self.assertEqual(headers["swarm-provider"], "two")

    def test_a_wrong_key_is_not_the_clients_fault(self):
        self.provide(provider("one", self.upstream))
        apply(secret("sk-wrong"))
        # The new key is there when the provider is called with it.
        wait_for(lambda: self.post(OPENAI + "/chat/completions", chat())[0] == 502,
                 "the other key is used", DEADLINE_S)
        _, _, answer = self.post(OPENAI + "/chat/completions", chat())
        self.assertNotIn(b"sk-", answer)
        self.assertIn(b"does not take the key", answer)

    def test_no_key_to_be_had(self):
        self.provide(provider("one", self.upstream))
        run("swarm", "delete", "secret", "keys")
        wait_for(lambda: self.post(OPENAI + "/chat/completions", chat())[0] == 502,
                 "the key is gone", DEADLINE_S)
        wait_for(lambda: self.client.get("/modelproviders/one")["status"]["phase"] == "Failed",
                 "its status says so", DEADLINE_S)
        self.assertIn("there is no Secret default/keys",
                      run("swarm", "describe", "modelprovider", "one"))

    def test_what_does_not_fit_does_not_ail_a_provider(self):
        """Nobody can have a provider avoided by asking it for what its protocol has not."""
        self.provide(provider("calm", self.upstream, apis=["chat"]))
        _, answer = self.ask(OPENAI + "/responses", {
            "model": "small", "input": "hi", "previous_response_id": "resp_1"}, 400)
        self.assertIn("previous_response_id", answer["error"]["message"])
        self.assertEqual(self.upstream.requests, [])
        self.ask(OPENAI + "/chat/completions", chat())
        wait_for(lambda: self.client.get("/modelproviders/calm")["status"]["phase"] == "Ready",
                 "its status says that it is well", DEADLINE_S)
        self.assertNotIn("calm", [event["involvedObject"]["name"]
                                  for event in self.client.events("ProviderFailing")])

    def test_a_provider_that_quotes_the_key(self):
        self.provide(provider("one", self.upstream, retries={"attempts": 0}))
        words = json.dumps({"error": {"message": f"what is {CANARY}?", "code": CANARY,
                                      "type": "invalid_request_error", "param": None}})
        for status in (400, 500):
            self.upstream.script({"status": status, "body": words.encode()})
            _, _, body = self.post(OPENAI + "/chat/completions", chat())
            self.assertNotIn(CANARY.encode(), body)
            self.assertIn(b"hidden", body)

    def test_what_is_wrong_with_a_request_is_told(self):
        self.provide(provider("one", self.upstream))
        words = json.dumps({"error": {"message": "temperature is odd", "code": "odd",
                                      "type": "invalid_request_error", "param": "temperature"}})
        self.upstream.script({"status": 400, "body": words.encode()})
        _, answer = self.ask(OPENAI + "/chat/completions", chat(), 400)
        self.assertEqual(answer["error"]["message"], "temperature is odd")
        self.assertEqual(len(self.upstream.requests), 1)

    def test_no_answer_at_all(self):
        self.provide(provider("one", self.upstream, firstByteTimeout="300ms",
                              retries={"attempts": 0}))
        self.upstream.script({"delay_s": 60})
        self.ask(OPENAI + "/chat/completions", chat(), 504)

    def test_nonsense(self):
        self.provide(provider("one", self.upstream, retries={"attempts": 0}))
        for body in (b"", b"{", b'{"choices": 7}', b"[]", b"\0" * 100, b'{"a":' * 200):
            with self.subTest(body):
                self.upstream.script({"body": body})
                self.ask(OPENAI + "/chat/completions", chat(), 502)

    def test_too_much(self):
        self.provide(provider("one", self.upstream, retries={"attempts": 0}))
        self.upstream.script({"body": b'{"id": "' + b"x" * (100 << 20)})
        _, answer = self.ask(OPENAI + "/chat/completions", chat(), 502)
        self.assertIn("larger than", answer["error"]["message"])

    def test_a_cut_body_is_asked_for_again(self):
        self.provide(provider("one", self.upstream))
        self.upstream.script({"body": b'{"id": "chat"}', "cut": 5})
        self.ask(OPENAI + "/chat/completions", chat())
        self.assertEqual(len(self.upstream.requests), 2)

    def test_a_stream_that_breaks_off(self):
        """Before its first bytes it is asked for again; after them the client is told."""
        self.provide(provider("one", self.upstream))
        self.upstream.script({"cut": 0})
        _, _, body = self.post(OPENAI + "/chat/completions", chat(stream=True))
        self.assertTrue(body.rstrip().endswith(b"data: [DONE]"))
        self.upstream.script({"cut": 3})
        status, _, body = self.post(OPENAI + "/chat/completions", chat("a b c", stream=True))
        self.assertEqual(status, 200)
        self.assertNotIn(b"[DONE]", body)
        self.assertIn("error", events(body)[-1])
        self.upstream.script({"cut": 3})
        _, _, body = self.post(ANTHROPIC + "/messages", chat("a b", stream=True, max_tokens=9))
        self.assertEqual(events(body)[-1]["type"], "error")

    def test_a_client_that_goes(self):
        self.provide(provider("one", self.upstream))
        self.upstream.script({"words": 5000, "token_s": 0.01})
        connection = http.client.HTTPSConnection("127.0.0.1", self.daemon.port,
                                                 context=self.daemon.tls, timeout=60)
        connection.request("POST", OPENAI + "/chat/completions",
                           json.dumps(chat(stream=True, max_tokens=5000)),
                           {"content-type": "application/json"})
        answer = connection.getresponse()
        self.assertTrue(answer.read(10))
        connection.close()
        wait_for(lambda: self.upstream.requests[-1].gone, "the provider is let go", DEADLINE_S)

    def test_no_more_at_once_than_it_says(self):
        self.provide(provider("one", self.upstream, limits={"concurrency": 3}))
        gate = threading.Event()
        self.upstream.script(*[{"gate": gate}] * 12)

        def ask(_):
            return self.post(OPENAI + "/chat/completions", chat(), self.client_of_its_own())[0]

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = pool.map(ask, range(12))
            wait_for(lambda: self.upstream.open == 3, "three are under way", DEADLINE_S)
            gate.set()
            self.assertEqual(list(answers), [200] * 12)
        self.assertEqual(self.upstream.open_max, 3)


class Budgets(Case):
    """What may be spent is never passed, by whatever a provider says or does. Each test has a
    namespace of its own, since what was spent stays spent."""
    spaces = 0

    def setUp(self):
        super().setUp()
        Budgets.spaces += 1
        self.space = f"space-{self.spaces}"
        self.openai = OPENAI.replace("/default/", f"/{self.space}/")
        apply({"apiVersion": "swarm/v1", "kind": "Namespace", "metadata": {"name": self.space}})

    def bound(self, **limits):
        """The Budget of the namespace."""
        one = budget("all", limits=limits)
        one["metadata"]["namespace"] = self.space
        return one

    def chat(self, text="x" * 8, client=None):
        return self.post(self.openai + "/chat/completions", chat(text), client)

    def spent(self, name):
        status = self.client.get(f"/namespaces/{self.space}/budgets/{name}").get("status", {})
        return {"calls": 0, "tokens": 0} | status.get("spent", {})

    def test_a_budget_ends(self):
        # The worst case of each call is 100 tokens out and 40 in, $0.00104; it costs $0.000032.
        self.provide(provider("one", self.upstream), self.bound(money="0.005"))
        statuses = [self.chat()[0] for _ in range(200)]
        self.assertIn(429, statuses)
        self.assertGreater(statuses.count(200), 20)
        _, _, body = self.chat()
        self.assertIn(b"$0.005", body)
        billed = self.upstream.billed
        self.assertLessEqual(billed["input"] * 1 + billed["output"] * 10, 5000)
        self.assertEqual(billed["calls"], statuses.count(200))
        wait_for(lambda: int(self.spent("all")["calls"]) == billed["calls"],
                 "the Budget says what was spent", DEADLINE_S)
        apply(self.bound(money="1"))  # A person raises it.
        wait_for(lambda: self.chat()[0] == 200, "there is room again", DEADLINE_S)

    def test_a_provider_that_lies(self):
        self.provide(provider("one", self.upstream), self.bound(money="1"))
        self.upstream.script({"usage": (10**6, 10**6)}, {"usage": (0, 0)}, {"usage": None})
        text = "x" * 1280
        for _ in range(3):
            self.assertEqual(self.chat(text)[0], 200)
        wait_for(lambda: self.client.events("UsageMisreported"), "an Event says so", DEADLINE_S)
        wait_for(lambda: int(self.spent("all")["calls"]) == 3, "all are counted", DEADLINE_S)
        tokens = int(self.spent("all")["tokens"])
        # At most what can have been: 1,312 in and 100 out, twice, and no nothing.
        self.assertLess(tokens, 3 * 1500)
        self.assertGreater(tokens, 1280)

    def test_many_at_once(self):
        """Callers that want more together than there is: some wait for room, none passes it."""
        self.provide(provider("one", self.upstream), self.bound(money="0.01"))

        def ask(_):
            client = self.client_of_its_own()
            return [self.chat(client=client)[0] for _ in range(16)]

        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            statuses = [status for many in pool.map(ask, range(24)) for status in many]
        self.assertEqual(set(statuses) - {200, 429}, set())
        billed = self.upstream.billed
        self.assertLessEqual(billed["input"] * 1 + billed["output"] * 10, 10000)
        self.assertGreater(billed["input"] * 1 + billed["output"] * 10, 8500)

    def test_top(self):
        """What is used most is first."""
        self.provide(provider("one", self.upstream))
        for name, calls in (("little", "100"), ("much", "4"), ("none", "none")):
            run("swarm", "budget", "set", name, f"--calls={calls}", "--money=100", "-n", self.space)
        run("swarm", "budget", "set", "--calls=10", "-n", self.space)
        self.assertEqual(self.chat()[0], 200)
        wait_for(lambda: int(self.spent("namespace")["calls"]) == 1, "it is told", DEADLINE_S)
        lines = run("swarm", "budget", "top", "-n", self.space).splitlines()
        self.assertRegex(lines[1], r"^namespace +\(all\) +10% +\$\S+/- +5/- +1/10 ")
        self.assertEqual(len(lines), 5)
        told = run("swarm", "budget", "get", "much", "little", "-n", self.space)
        self.assertNotIn("(all)", told)

    def test_kills(self):
        """What was spent before a kill -9 is known after it."""
        self.provide(provider("one", self.upstream), self.bound(money="0.01", calls=1000))
        for _ in range(3):
            for _ in range(20):
                self.chat()
            self.daemon.process.kill()
            self.daemon.process.wait()
            self.daemon.process.stdout.close()
            self.client.close()
            self.daemon.start()
            wait_for(lambda: "small" in {item["id"] for item in self.models()},
                     "models are there again", DEADLINE_S)
        statuses = [self.chat()[0] for _ in range(300)]
        self.assertIn(429, statuses)
        billed = self.upstream.billed
        self.assertLessEqual(billed["input"] * 1 + billed["output"] * 10, 10000)
        self.assertGreater(billed["input"] * 1 + billed["output"] * 10, 8500)


class Restored(Case):
    """A swarm that goes on elsewhere from a backup."""

    def other(self, saved, ring):
        """A daemon on a folder that was restored; the first one is back when the test ends."""
        folder = os.path.join(TMP, "restored")
        self.client.close()
        self.assertEqual(self.daemon.end(), 0)
        self.addCleanup(self.daemon.start)
        run("swarmctl", "restore", saved, "--data", folder, "--take-over")
        run("swarmctl", "secrets", "import", ring, "--data", folder)
        os.environ["SWARM_DATA"] = folder
        self.addCleanup(os.environ.pop, "SWARM_DATA")
        daemon = Daemon()
        daemon.start()
        self.addCleanup(daemon.end)
        return daemon

    def test_what_was_spent_before_counts(self):
        self.provide(provider("one", self.upstream), budget("saved", limits={"calls": 200}))
        for _ in range(100):
            self.assertEqual(self.post(OPENAI + "/chat/completions", chat("x" * 8))[0], 200)
        saved, ring = os.path.join(TMP, "spent.tar"), os.path.join(TMP, "ring")
        self.assertIn("2 journals", run("swarmctl", "backup", saved))
        run("swarmctl", "secrets", "export", ring, "--plain")
        for _ in range(20):  # What comes after the point is gone.
            self.assertEqual(self.post(OPENAI + "/chat/completions", chat("x" * 8))[0], 200)
        self.assertIn("sound ", run("swarmctl", "verify", saved))
        daemon = self.other(saved, ring)
        client = Client(daemon)
        self.addCleanup(client.close)
        wait_for(lambda: self.post(OPENAI + "/chat/completions", chat("x" * 8), client)[0] == 200,
                 "models are there again", DEADLINE_S)
        statuses = [self.post(OPENAI + "/chat/completions", chat("x" * 8), client)[0]
                    for _ in range(150)]
        self.assertEqual(statuses[-1], 429)
        there = 1 + statuses.count(200)
        self.assertLessEqual(100 + there, 200)
        self.assertGreater(100 + there, 180)  # What a mark says that may have been spent is lost.
        wait_for(lambda: int(client.get("/namespaces/default/budgets/saved")
                             .get("status", {}).get("spent", {}).get("calls", 0)) >= 100 + there,
                 "the Budget says what was spent", DEADLINE_S)
        self.assertRegex(run("swarmctl", "check", "--data", os.path.join(TMP, "restored")),
                         r"sound \S+/ledger, \d+ records\n")


class Agents(Case):
    """Agents in WebAssembly ask in the middle of their handlers."""

    def setUp(self):
        super().setUp()
        apply_agents("thinker", "thinker: keyed: true, durability: local")

    def think(self, service, body, key="one", status=200):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        got, answer = self.client.send("thinker/" + key, service.encode() + b"\n" + body)
        self.assertEqual(got, status, answer)
        return answer

    def test_whole_and_streamed(self):
        self.provide(provider("one", self.upstream),
                     budget("mine", agent="thinker", limits={"money": "1"}))
        answer = json.loads(self.think("swarm.model.chat", chat("hi")))
        self.assertEqual(answer["choices"][0]["message"]["content"], "You said: hi")
        answer = json.loads(self.think("swarm.model.messages", chat("hi", max_tokens=9)))
        self.assertEqual(answer["content"][0]["text"], "You said: hi")
        self.upstream.script({"words": 90, "token_s": 0.002})
        answer = events(self.think("swarm.model.chat", chat("hi", stream=True)))
        text = "".join(event["choices"][0]["delta"].get("content") or "" for event in answer
                       if event["choices"])
        self.assertEqual(text, " ".join(f"word{i}" for i in range(90)))
        wait_for(lambda: int(self.spent("mine")["calls"]) == 3, "its Agent has spent it",
                 DEADLINE_S)

    def test_a_turn_has_its_own_limit(self):
        self.provide(provider("one", self.upstream),
                     budget("mine", agent="thinker", turn={"calls": 2}))
        for _ in range(2):  # Each turn anew.
            self.think("2 swarm.model.chat", chat("hi"))
            refusal = self.think("3 swarm.model.chat", chat("hi"), status=429)
            self.assertIn(b"turn", refusal)
        self.assertEqual(len(self.upstream.requests), 8)

    def test_delegation_has_a_depth(self):
        """One that was asked by a person asks one, who asks another: three deep."""
        self.provide(provider("one", self.upstream),
                     budget("mine", agent="thinker", limits={"depth": 2}))
        rest = b"swarm.model.chat\n" + json.dumps(chat("hi")).encode()
        self.think("> thinker/b", rest, key="a")
        refusal = self.think("> thinker/b", b"> thinker/c\n" + rest, key="a", status=429)
        self.assertIn(b"deleg", refusal)
        self.assertEqual(len(self.upstream.requests), 1)

    def test_what_cannot_be(self):
        self.provide(provider("one", self.upstream),
                     budget("mine", agent="thinker", limits={"calls": 0}))
        self.assertIn(b"nothing", self.think("swarm.model.chat", chat(model="nothing"), status=404))
        self.assertIn(b"thinker", self.think("swarm.model.chat", chat(), status=429))
        self.think("swarm.model.chat", {"model": "small"}, status=400)
        self.think("swarm.model.next", b"somebodys-stream 0", status=503)
        self.assertEqual(self.upstream.requests, [])

    def test_killed_while_it_thinks(self):
        """Whatever is killed, the handler gets one answer, and each attempt was paid for once."""
        self.provide(provider("one", self.upstream),
                     budget("mine", agent="thinker", limits={"money": "1"}))
        for victim in ("host", "daemon"):
            with self.subTest(victim):
                gate = threading.Event()
                self.upstream.script({"gate": gate})
                before = len(self.upstream.requests)
                thread = threading.Thread(target=lambda: self.swallow(victim))
                thread.start()
                wait_for(lambda: len(self.upstream.requests) > before, "it is asked", DEADLINE_S)
                self.kill(victim)
                gate.set()
                thread.join()
                wait_for(lambda: self.count(victim) == b"\1", "the handler came to its end",
                         DEADLINE_S)

    def test_an_agent_that_goes(self):
        """Nobody pays on for who is no more."""
        self.provide(provider("one", self.upstream),
                     budget("mine", agent="thinker", limits={"money": "1"}))
        self.upstream.script({"words": 100, "token_s": 0.5})
        thread = threading.Thread(target=lambda: self.swallow("goes", stream=True))
        thread.start()
        before = self.client.metric("swarm_agent_host_service_calls")
        wait_for(lambda: self.client.metric("swarm_agent_host_service_calls") > before + 3,
                 "it has heard the beginning", DEADLINE_S)
        run("swarm", "delete", "agent/thinker")
        wait_for(lambda: self.upstream.requests[0].gone, "the provider is left", DEADLINE_S)
        thread.join()
        self.assertEqual(len(self.upstream.requests), 1)

    def swallow(self, key, **more):
        """Have an instance think; who asked may not hear of it."""
        try:
            self.client_of_its_own().send("thinker/" + key, b"swarm.model.chat\n" +
                                          json.dumps(chat(**more)).encode())
        except (OSError, http.client.HTTPException):
            pass

    def count(self, key):
        try:
            return self.client.send("thinker/" + key, b"count")[1]
        except (OSError, http.client.HTTPException):
            return None

    def kill(self, victim):
        if victim == "host":
            os.kill(self.daemon.host(), signal.SIGKILL)
            return
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.process.stdout.close()
        self.client.close()
        self.daemon.start()


class Keys(Case):
    """A key is in the request to the provider, and nowhere else."""

    def test_a_canary(self):
        self.provide(provider("one", self.upstream))
        self.ask(OPENAI + "/chat/completions", chat())
        self.upstream.script({"status": 500}, {"status": 500}, {"status": 500})
        self.post(OPENAI + "/chat/completions", chat())
        self.assertEqual(self.upstream.requests[0].key, CANARY)
        folder = os.environ["XDG_DATA_HOME"]
        found = subprocess.run(["grep", "-r", "-l", "-a", CANARY, folder, self.daemon.log],
                               capture_output=True, check=False)
        self.assertEqual(found.stdout, b"")
        for path in ("/metrics", BASE + "/modelproviders", BASE + "/namespaces/default/events",
                     BASE + "/namespaces/default/secrets"):
            self.assertNotIn(CANARY.encode(), self.client.request("GET", path)[2])


if __name__ == "__main__":
    os.makedirs(TMP, exist_ok=True)
    unittest.main(verbosity=2)
