#!/usr/bin/python3
"""Two Agents that keep a worker busy, each with a Pod, share one: a Pod goes to the other worker,
stays there, and nothing of what its instances tell each other all the time is lost or doubled.
The same where there is always somebody in the middle of a long segment."""
# timeout: 400
# serial: yes
import os
import shutil
import threading
import time
import unittest

from swarmd import Client, Daemon, apply, run
from waiting import wait_for

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
AGENTS = ("hot", "cold", "warm", "cool")  # Of their Pods every other one has the same worker.
PAIRS, ROUNDS, QUIET_S = 3, 20000, 6
STEPS = 20000000  # Of a segment, at most;
SEGMENT_S = 0.04  # and for how long: some twenty times what it takes to be set aside.
MOVE_S = 150  # A Pod that could not go in time is tried again after a minute.


class Heat(unittest.TestCase):
    def setUp(self):
        os.environ["SWARM_AGENTS_WORKERS"] = "2"
        self.daemon = Daemon()
        self.daemon.start()
        self.client = Client(self.daemon)

    def tearDown(self):
        self.client.close()
        self.daemon.end()
        shutil.rmtree(DATA, ignore_errors=True)

    def burn(self, name, key):
        client = Client(self.daemon)
        while not self.over.is_set():
            self.played.append(client.send(f"{name}/{key}", self.steps, timeout="60s")[0] == 200)
        client.close()

    def measure(self):
        """How many steps are a segment of that time, however slow the machine is just now."""
        took_s = []
        for _ in range(3):
            began = time.monotonic()
            self.assertEqual(self.client.send("hot/measure", str(STEPS), timeout="60s")[0], 200)
            took_s.append(time.monotonic() - began)
        self.steps = str(int(STEPS * min(1, SEGMENT_S / min(took_s))))

    def play(self, name, key):
        """Each answer comes behind ROUNDS of a ball between two: one that is lost ends no game, and
        one too many breaks one."""
        client = Client(self.daemon)
        while not self.over.is_set():
            answer = client.send(f"{name}/{key}", f"{name} {key}", timeout="60s")
            self.played.append(answer == (200, f"{name} {key}".encode()))
        client.close()

    def moved(self):
        return self.client.metric("swarm_agent_host_rebalanced_pods")

    @staticmethod
    def described():
        return "".join(run("swarm", "describe", "agent", name) for name in AGENTS)

    def test_heat_is_shared_and_nothing_is_lost(self):
        for name in AGENTS:
            apply("pairs", f'{name}: keyed: true, pods: 1, durability: none, config: "{ROUNDS}", '
                           "engine: compute", prefix="bench")
        self.share_heat(self.play)

    def test_long_segments_are_no_reason_to_stay(self):
        for name in AGENTS:
            apply("burner", f"{name}: keyed: true, pods: 1, durability: none, "
                            "limits: {deadline: 60s}")
        self.measure()
        self.share_heat(self.burn)

    def share_heat(self, play):
        self.over, self.played = threading.Event(), []
        threads = [threading.Thread(target=play, args=(name, key))
                   for name in ("hot", "warm") for key in range(PAIRS)]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: self.moved() == 1, "a Pod that moves", MOVE_S, 0.2)
            wait_for(lambda: "Rebalanced" in self.described(), "its Event")
            time.sleep(QUIET_S)  # It is not moved on, nor back.
            self.assertEqual(self.moved(), 1)
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
        self.assertGreater(len(self.played), 2 * PAIRS)
        self.assertTrue(all(self.played))


if __name__ == "__main__":
    unittest.main()
