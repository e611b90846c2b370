#!/usr/bin/python3
"""What bounds the calls of models that are under way: how many, how many bytes, and how many are at
providers at once. What is too much is refused with words that say what to do, others have room
meanwhile, and all goes well afterwards."""
# timeout: 120
import collections
import concurrent.futures
import json
import os
import threading
import unittest

import yaml
from swarmd import BASE, Client, Daemon, run
from upstream import Upstream
from waiting import wait_for

DEADLINE_S = 30
CALLS, MIB = 16, 1 << 20  # That one namespace may have.
PATH = BASE + "/namespaces/{}/openai/v1/chat/completions"


def provider(name, url):
    price = {"inputPerMillion": "1", "outputPerMillion": "1"}
    return {"apiVersion": "swarm/v1", "kind": "ModelProvider", "metadata": {"name": name},
            "spec": {"protocol": "openai", "baseURL": url + "/v1", "retries": {"attempts": 0},
                     "models": [{"name": name, "price": price}]}}


class Room(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ.update(SWARM_MODELS_REQUESTS="20", SWARM_MODELS_REQUESTS_SIZE="16MiB",
                          SWARM_MODELS_CONCURRENCY="5")
        cls.daemon = Daemon()
        cls.daemon.start()
        run("swarm", "apply", "-f", "-", data=yaml.safe_dump(
            {"apiVersion": "swarm/v1", "kind": "Namespace",
             "metadata": {"name": "others"}}).encode())

    @classmethod
    def tearDownClass(cls):
        if cls.daemon.end() != 0:
            raise AssertionError("swarmd did not stop cleanly")

    def setUp(self):
        self.upstream = self.enterContext(Upstream())
        self.gate = threading.Event()
        self.pool = self.enterContext(concurrent.futures.ThreadPoolExecutor(CALLS + 4))
        self.addCleanup(self.gate.set)
        run("swarm", "apply", "-f", "-", data=yaml.safe_dump_all(
            [provider(name, self.upstream.url) for name in ("one", "two")]).encode())
        wait_for(lambda: self.ask()[0] == 200, "the gateway has the provider", DEADLINE_S)
        self.upstream.requests.clear()

    def ask(self, text="hello", space="default", model="one"):
        """(status, document)"""
        client = Client(self.daemon)
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]})
        status, _, answer = client.request("POST", PATH.format(space), body,
                                           {"content-type": "application/json"})
        client.close()
        return status, json.loads(answer)

    def hold(self, count, *words, **more):
        """Calls that are at the provider, or wait for it, until the gate opens."""
        self.upstream.script(*[{"gate": self.gate, "text": "at last"}] * count)
        calls = [self.pool.submit(self.ask, *words, **more) for _ in range(count)]
        wait_for(lambda: self.under_way() >= count and self.upstream.open == min(count, 4),
                 "they are under way", DEADLINE_S)
        return calls

    def under_way(self):
        """Of both providers, those that wait included."""
        client = Client(self.daemon)
        _, _, body = client.request("GET", "/metrics")
        client.close()
        return sum(float(line.split()[1]) for line in body.decode().splitlines()
                   if line.startswith(("swarm_model_requests{", "swarm_model_waiting{")))

    def refused(self, status, answer, *words):
        self.assertEqual(status, 429, answer)
        for each in words:
            self.assertIn(each, answer["error"]["message"])

    def finish(self, calls):
        self.gate.set()
        for call in calls:
            status, answer = call.result(DEADLINE_S)
            self.assertEqual(status, 200, answer)
        self.assertEqual(self.ask()[0], 200)

    def test_calls(self):
        calls = self.hold(CALLS)
        self.refused(*self.ask(), "16 calls of models are under way in this namespace")
        others = self.pool.submit(self.ask, space="others")
        wait_for(lambda: self.under_way() == CALLS + 1, "others have room", DEADLINE_S)
        self.finish([*calls, others])

    def test_bytes_of_requests(self):
        text = "x" * (MIB * 14 // 10)  # Held as it came, and as it is sent.
        calls = self.hold(3, text)
        self.refused(*self.ask(text), "calls of models of this namespace hold",
                     "KiB of 9830")
        self.upstream.script({"gate": self.gate})
        calls.append(self.pool.submit(self.ask, "small"))
        wait_for(lambda: self.under_way() == 4, "a small one has room", DEADLINE_S)
        self.refused(*self.ask("x" * (2 * MIB), space="others"), "of this node hold")
        self.finish(calls)
        self.assertEqual(self.ask("x" * (3 * MIB))[0], 200)

    def test_bytes_of_answers(self):
        long = "y" * (MIB * 37 // 10)
        calls = self.hold(3, "x" * (MIB * 31 // 20))
        self.upstream.script({"text": long})
        self.refused(*self.ask(), "calls of models of this namespace hold")
        self.finish(calls)
        self.upstream.script({"text": long})
        status, answer = self.ask()
        self.assertEqual((status, answer["choices"][0]["message"]["content"]), (200, long))

    def test_a_provider_leaves_some_to_others(self):
        calls = self.hold(8)
        calls += [self.pool.submit(self.ask, model="two") for _ in range(4)]
        self.upstream.script(*[{"gate": self.gate}] * 4)
        wait_for(lambda: self.under_way() == 12 and self.upstream.open == 5,
                 "as many are asked as may be", DEADLINE_S)
        asked = collections.Counter(request.json["model"] for request in self.upstream.requests)
        self.assertEqual(asked, {"one": 4, "two": 1})
        self.finish(calls)
        self.assertEqual(self.upstream.open_max, 5)
        asked = collections.Counter(request.json["model"] for request in self.upstream.requests)
        self.assertEqual(asked, {"one": 9, "two": 4})


if __name__ == "__main__":
    unittest.main()
