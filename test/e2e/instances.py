#!/usr/bin/python3
"""Five thousand instances, of which most sleep, are listed page by page, chosen and counted, and
nobody is woken for it; their Agent's status sums them up, and lists nobody."""
# timeout: 240
import json
import re
import threading
import time
import unittest

from swarmd import Client, Daemon, apply, run
from waiting import wait_for

COUNT = 5000
TOWNS = 50
PATH = "/namespaces/default/agents/folk"
KEYS = [f"{{town {i % TOWNS}}} {i}" if i % 5 == 0 else f"citizen {i}" for i in range(COUNT)]


def names(*words):
    return run("swarm", "get", "instances", *words, "-o", "name").splitlines()


def counts(*words):
    seen = json.loads(run("swarm", "get", "instances", *words, "--count", "-o", "json"))
    return {state: int(number) for state, number in seen["counts"].items() if number != "0"}


class Instances(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("crasher", 'folk: keyed: true, pods: 4, limits: {instances: 10000}, '
                         'hibernation: {after: "0s"}', "few: keyed: true, pods: 2")
        cls.give_birth()

    @classmethod
    def give_birth(cls):
        def send(keys):
            client = Client(cls.daemon)
            for key in keys:
                client.send("folk/" + key, "hello", reply=False)
            client.close()
        threads = [threading.Thread(target=send, args=(KEYS[i::8],)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def test_1_they_are_counted_and_their_agent_sums_them_up(self):
        wait_for(lambda: counts("folk") == {"Asleep": COUNT}, "that all sleep")
        wait_for(lambda: int(self.client.get(PATH)["status"].get("instances", 0)) == COUNT,
                 "the sum")
        before = time.monotonic()
        body = self.client.request("GET", f"/apis/swarm/v1{PATH}")[2]
        self.assertLess(len(body), 8192)  # However many there are.
        self.assertLess(time.monotonic() - before, 1)
        self.assertNotIn("citizen", body if isinstance(body, str) else body.decode())
        seen = run("swarm", "get", "instances", "folk", "--count")
        self.assertEqual(seen, f"STATE    INSTANCES\nAsleep   {COUNT}\nTotal    {COUNT}\n")

    def test_2_each_is_listed_once(self):
        expected = sorted("folk/" + key for key in KEYS)
        self.assertEqual(sorted(names("folk")), expected)
        found, token = [], ""
        while token is not None:
            page = json.loads(run("swarm", "get", "instances", "folk", "--limit=700", "-o", "json",
                                  *(["--continue", token] if token else [])))
            found += page["items"]
            token = page["continue"] or None
        self.assertEqual(sorted(item["name"] for item in found), expected)
        for item in found[:100]:
            self.assertEqual(item["state"], "Asleep")
            self.assertGreater(int(item["diskBytes"]), 32)
            self.assertGreaterEqual(int(item["usage"]["memoryBytes"]), 65536)
            self.assertEqual((item["memoryBytes"], item["turns"]), ("0", "2"))
        self.assertEqual(self.client.metric("swarm_agent_host_wakes"), 0)

    def test_3_they_are_chosen_by_key_and_state(self):
        town = [f"folk/{{town 10}} {i}" for i in range(COUNT) if i % TOWNS == 10]
        self.assertEqual(sorted(names("folk/{town 10}")), sorted(town))
        self.assertEqual(counts("folk/{town 10} "), {"Asleep": len(town)})
        self.assertEqual(len(names("folk", "--key-prefix=citizen 49")),
                         sum(key.startswith("citizen 49") for key in KEYS))
        self.assertEqual(counts("folk", "--key-prefix=citizen 49"),
                         {"Asleep": sum(key.startswith("citizen 49") for key in KEYS)})
        self.assertEqual(names("folk", "--state=awake"), [])
        self.client.send("few/one", "hello", reply=False)
        self.assertEqual(names("few", "--state=idle"), ["few/one"])
        self.assertEqual(names("few", "--state=asleep,parked"), [])
        run("swarm", "get", "instances", "few", "--state=sleepy", status=1)
        for flag in ("--selector=a=b", "--watch", "--all-namespaces"):
            run("swarm", "get", "instances", "few", flag, status=2)

    def test_4_a_list_holds_up_nobody(self):
        """Who is asked meanwhile answers as before."""
        over = threading.Event()

        def walk():
            while not over.is_set():
                names("folk", "--key-prefix=nobody")
        walker = threading.Thread(target=walk)
        walker.start()
        took = []
        for _ in range(300):
            before = time.monotonic()
            self.assertEqual(self.client.send("few/one", "hello", reply=False)[0], 200)
            took.append(time.monotonic() - before)
        over.set()
        walker.join()
        self.assertLess(sorted(took)[150], 0.2)

    def test_5_a_restart_changes_no_page(self):
        before = run("swarm", "get", "instances", "folk", "--limit=50", "-o", "name")
        token = re.search(r"[0-9a-f]{10}", json.dumps(self.client.get(
            PATH + "/instances?limit=50")["continue"])).group()
        self.daemon.end()
        self.daemon.start()
        self.client.close()
        type(self).client = Client(self.daemon)
        wait_for(lambda: self.client.send("few/one", "again", reply=False)[0] == 200, "the host")
        wait_for(lambda: counts("folk") == {"Asleep": COUNT}, "that all are there again")
        self.assertEqual(run("swarm", "get", "instances", "folk", "--limit=50", "-o", "name"),
                         before)
        self.assertEqual(len(names("folk", "--continue", token)), COUNT - 50)


if __name__ == "__main__":
    unittest.main()
