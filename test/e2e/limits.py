#!/usr/bin/python3
"""What an Agent's limits and policies do in a real daemon: a second's messages, timers to idle
instances, tries of poison, and the figures that tell of them."""
# timeout: 120
import json
import unittest

from swarmd import BASE, Client, Daemon, apply, run
from waiting import wait_for


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("small", "tight: keyed: true, limits: {messageSize: 16B}",
              "slow: keyed: true, limits: {messagesPerSecond: 1}",
              "idle: keyed: true, idle: {after: 200ms}", "stays: keyed: true, weight: 50")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def instances(self, agent):
        return self.client.get(f"/namespaces/default/agents/{agent}/instances")["items"]

    def test_messages_beyond_a_second_s_are_refused_with_a_hint(self):
        path = f"{BASE}/namespaces/default/agents/slow/send?key=a&reply=true"
        for _ in range(20):  # Two of them come within one second, however slow the machine is.
            status, headers, body = self.client.request("POST", path, b"x",
                                                        {"content-type": "text/plain"})
            if status == 429:
                break
            self.assertEqual(status, 200)
        self.assertEqual(status, 429)
        self.assertEqual(headers["retry-after"], "1")
        problem = json.loads(body)
        self.assertEqual(problem["code"], "RESOURCE_EXHAUSTED")
        self.assertIn("takes 1 messages a second; send again in ", problem["detail"])
        self.assertEqual(self.client.send("slow/b", "x")[0], 200)  # Each instance has its own.
        wait_for(lambda: self.client.send("slow/a", "x")[0] == 200, "room again")

    def test_bodies_beyond_the_agent_s_size_are_refused(self):
        self.assertEqual(self.client.send("tight/a", "x" * 16), (200, b"x" * 16))
        status, body = self.client.send("tight/a", "x" * 17)
        self.assertEqual(status, 400)
        self.assertIn(b"the body has 17 bytes, the Agent takes 16 at most", body)

    def test_idle_instances_go_and_are_counted(self):
        self.assertEqual(self.client.send("idle/a", "x")[0], 200)
        self.assertEqual(self.client.send("stays/a", "x")[0], 200)
        wait_for(lambda: not self.instances("idle"), "that it is gone")
        self.assertEqual(len(self.instances("stays")), 1)
        wait_for(lambda: self.client.metric("swarm_agent_host_expired_instances") >= 1,
                 "the figure of expired instances")
        self.assertEqual(self.client.send("idle/a", "again"), (200, b"again"))

    def test_policies_are_explained_and_have_defaults(self):
        self.assertIn("gets EXHAUSTED",
                      " ".join(run("swarm", "explain", "agent.spec.limits").split()))
        self.assertIn("on_stop", run("swarm", "explain", "agent.spec.idle.action"))
        spec = self.client.get("/namespaces/default/agents/stays")["spec"]
        self.assertEqual(spec["retry"],
                         {"attempts": 3, "initialBackoff": "100ms", "maxBackoff": "10s"})
        self.assertEqual((spec["weight"], spec["limits"]["timers"]), (50, 4096))
        self.assertNotIn("after", spec.get("idle", {}))


if __name__ == "__main__":
    unittest.main()
