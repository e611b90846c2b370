#!/usr/bin/python3
"""Turns that run for long hold up nobody: not the quick, not each other, not lists, snapshots, new
specs, slots or the end of Agents. Here a dozen instances loop for up to an hour each."""
# timeout: 240
# serial: yes
import glob
import os
import threading
import time
import unittest

from swarmd import BASE, Client, Daemon, apply, run
from waiting import wait_for

LOOPING = 24  # Of one Agent, which runs up to 8 on each worker: some wait for their start.
SOON_S = 20   # An hour it is not; the machine may be busy.
DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")


class Asker(threading.Thread):
    """Sends one message and keeps the answer."""

    def __init__(self, daemon, to, body):
        super().__init__(daemon=True)
        self.world, self.to, self.body, self.answer = daemon, to, body, None
        self.start()

    def run(self):
        client = Client(self.world)
        agent, _, key = self.to.partition("/")
        path = (f"{BASE}/namespaces/default/agents/{agent}/send?reply=true&key={key}"
                "&timeout=3600s")
        status, _, body = client.request("POST", path, self.body,
                                         {"content-type": "text/plain"}, timeout_s=3600)
        self.answer = status, body
        client.close()


class Long(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SWARM_AGENTS_SNAPSHOT_SIZE"] = "1MiB"
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("hostile", "loops: keyed: true, limits: {deadline: 1h}, pods: 2",
              "works: keyed: true, limits: {deadline: 1h}, pods: 2",
              "brief: keyed: true, pods: 2")
        apply("chronicle", "writes: keyed: true, pods: 2")
        cls.loops = [Asker(cls.daemon, f"loops/{i}", "l") for i in range(LOOPING)]
        wait_for(lambda: sum(int(item["mailbox"]) == 0 for item in cls.instances("loops")) >= 4,
                 "that they loop")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    @classmethod
    def instances(cls, agent):
        return cls.client.get(f"/namespaces/default/agents/{agent}/instances")["items"]

    def soon(self, function, words):
        begun = time.monotonic()
        found = function()
        self.assertLess(time.monotonic() - begun, SOON_S, words)
        return found

    def test_1_the_quick_are_answered(self):
        for i in range(20):
            self.soon(lambda i=i: self.assertEqual(self.client.send(f"brief/{i}", "c")[0], 200),
                      "a quick one")

    def test_2_what_works_for_long_comes_to_its_end(self):
        askers = [Asker(self.daemon, f"works/{i}", "y20") for i in range(4)]
        for asker in askers:
            asker.join(SOON_S)
            self.assertEqual(asker.answer, (200, b"1"))

    def test_3_instances_are_listed(self):
        found = self.soon(lambda: self.instances("loops"), "a list")
        self.assertEqual(len(found), LOOPING)
        self.assertTrue(any(int(item["memoryBytes"]) > 0 for item in found), found)

    def test_4_snapshots_are_taken(self):
        def snapshots():
            return set(glob.glob(os.path.join(DATA, "agents", "snapshot-*.snap")))

        before, body = snapshots(), "x" * 20000
        for i in range(200):
            self.client.send(f"writes/{i % 10}", body)
        self.soon(lambda: wait_for(lambda: snapshots() - before, "a snapshot"), "a snapshot")

    def test_5_specs_and_slots_change(self):
        self.soon(lambda: apply("chronicle", "writes: keyed: true, pods: 5, config: {a: b}"),
                  "slots of another Agent")
        self.soon(lambda: apply("hostile", "loops: keyed: true, limits: {deadline: 50m}, pods: 2"),
                  "a new spec of its own")
        self.soon(lambda: apply("hostile", "more: keyed: true"), "a new Agent")
        self.assertEqual(self.client.send("more/a", "c")[0], 200)
        self.soon(lambda: run("swarm", "delete", "agent/more", "--wait"), "the end of another")

    def test_6_they_end_with_their_agent(self):
        self.soon(lambda: run("swarm", "delete", "agent/loops", "--wait"), "their own end")
        for asker in self.loops:
            asker.join(SOON_S)
            self.assertIsNotNone(asker.answer)
            self.assertEqual(asker.answer[0], 503, asker.answer)
        self.assertEqual(self.client.metric("swarm_agent_host_starts"), 1)

    def test_7_a_stop_leaves_them_for_later(self):
        """What an instance was sent is handled anew by the next host; a client is told."""
        apply("hostile", "hostile: keyed: true, limits: {deadline: 1h}")
        self.assertEqual(self.client.send("hostile/ringleader", "a1"), (200, b"1"))
        asker = Asker(self.daemon, "hostile/x", "l")
        wait_for(lambda: sum(int(item["mailbox"]) == 0 for item in self.instances("hostile")) == 3,
                 "that they loop")
        self.client.close()
        self.soon(lambda: self.assertEqual(self.daemon.end(), 0), "a stop")
        asker.join(SOON_S)
        self.daemon.start()
        self.client = type(self).client = Client(self.daemon)
        self.assertEqual(self.client.send("hostile/other", "c"), (200, b"1"))  # When it has come.
        wait_for(lambda: [item for item in self.instances("hostile")
                          if item["name"].endswith("l-0") and int(item["memoryBytes"]) > 0],
                 "that it loops again")
        self.soon(lambda: run("swarm", "delete", "agent/hostile", "--wait"), "the end of both")


if __name__ == "__main__":
    unittest.main(verbosity=2)
