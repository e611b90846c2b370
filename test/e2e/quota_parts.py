#!/usr/bin/python3
"""A namespace in several agent hosts has its quota in parts, and never more than it in all: not by
making Agents with a host of their own, not by deleting them and making them again, and not after
kills. What one host lets go of the others may have."""
# timeout: 240
# labels: kill
import json
import os
import signal
import unittest

from swarmd import BASE, Client, Daemon, apply, run
from waiting import wait_for

HARD = 12
QUOTA = BASE + "/namespaces/default/resourcequotas/team"


class Parts(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.daemon.start()
        self.client = Client(self.daemon)
        self.held, self.sent = {}, 0  # Keys by Agent that were admitted.

    def tearDown(self):
        for name in sorted(self.held):
            self.delete(name)
        self.client.request("DELETE", QUOTA)
        self.client.close()
        self.daemon.end()

    def put(self, **hard):
        body = {"apiVersion": "swarm/v1", "kind": "ResourceQuota", "metadata": {"name": "team"},
                "spec": {"hard": hard}}
        status, _, text = self.client.request("PATCH", QUOTA, json.dumps(body),
                                              {"content-type": "application/json"})
        self.assertIn(status, (200, 201), text)

    def make(self, name):
        apply("crasher", f"{name}: keyed: true, isolation: {'shared' if name == 'a0' else 'agent'}")
        self.held.setdefault(name, set())

    def add(self, name):
        """Whether the Agent gets one more instance."""
        self.sent += 1
        key = f"k{self.sent}"
        try:
            status = self.client.send(f"{name}/{key}", "hi")[0]
        except OSError:
            return False
        if status == 200:
            self.held[name].add(key)
            self.assertLessEqual(self.sum(), HARD)
        return status == 200

    def fill(self, name):
        while self.add(name):
            pass

    def sum(self):
        return sum(len(keys) for keys in self.held.values())

    def used(self):
        return int(self.client.get("/namespaces/default/resourcequotas/team")["status"]
                   .get("used", {}).get("instances", 0))

    def delete(self, name):
        run("swarm", "delete", f"agent/{name}")
        del self.held[name]

    def is_full(self, *names):
        for name in names:
            self.fill(name)
        return self.sum() == HARD

    def test_no_host_that_comes_passes_it(self):
        self.put(instances=HARD)
        for number in range(5):
            self.make(f"a{number}")
            self.fill(f"a{number}")
        self.assertEqual(self.sum(), HARD)  # The first one had all, and keeps it.
        wait_for(lambda: self.used() == HARD, "that it is told")
        for _ in range(3):
            for pid in self.daemon.hosts().values():
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda: self.answers("a0"), "other hosts")
            for number in range(5):
                self.fill(f"a{number}")
        self.delete("a0")
        wait_for(lambda: self.is_full("a1", "a2", "a3", "a4"), "what it had goes to the others")
        self.assertEqual(sorted(len(keys) for keys in self.held.values()), [3, 3, 3, 3])

    def answers(self, name):
        try:
            return self.client.send(f"{name}/{min(self.held[name])}", "hi")[0] == 200
        except OSError:
            return False

    def test_who_is_deleted_and_made_again_gets_what_is_left(self):
        self.put(instances=HARD)
        self.make("a0")
        self.make("a1")
        wait_for(lambda: self.is_full("a0", "a1"), "equal parts")
        self.assertEqual([len(self.held[name]) for name in ("a0", "a1")], [HARD // 2] * 2)
        for _ in range(2):
            self.delete("a1")
            wait_for(lambda: self.is_full("a0"), "all of it goes to the other one")
            self.make("a1")
            self.fill("a1")
            self.assertEqual(self.held["a1"], set())
        # Nobody gets more by a start of all: until the hosts have spoken none is known to be free.
        self.client.close()
        self.daemon.end(signal.SIGKILL)
        self.daemon.start()
        self.client = Client(self.daemon)
        wait_for(lambda: self.answers("a0"), "that it goes on")
        for name in ("a1", "a0", "a1"):
            self.fill(name)
        self.assertEqual(self.sum(), HARD)
        self.delete("a0")
        wait_for(lambda: self.is_full("a1"), "that it gets all in the end")


if __name__ == "__main__":
    unittest.main()
