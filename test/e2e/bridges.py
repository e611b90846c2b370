#!/usr/bin/python3
"""Messages between agent hosts: sends, questions and answers, publications, as if all were in one;
each once and in order, while either host, or the daemon, is killed again and again."""
# labels: kill
# chaos: SW_KILLS=200
# chaos-timeout: 1800
# timeout: 300
import os
import random
import signal
import time
import unittest

from swarmd import Client, Daemon, apply, run
from waiting import wait_for

SEED = int(os.environ.get("SW_SEED", "7"))
NUMBERS, ROUNDS = 10000000, int(os.environ.get("SW_KILLS", "16"))
AGENTS = {"near": "shared", "ward": "namespace", "lone": "agent", "far": "agent"}


class Bridges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("crier", *(f"{name}: keyed: true, isolation: {isolation}, pods: 2"
                         for name, isolation in AGENTS.items()),
              "many: replicas: 3, isolation: namespace")
        for name in AGENTS:
            cls.until(f"ask {name}/a hello", f"{name}/a is reached from all", b"hello",
                      [other for other in AGENTS if other != name])

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    @classmethod
    def until(cls, body, words, answer, names):
        for name in names:
            wait_for(lambda name=name: cls.say(name, body) == answer, f"{name}: {words}")

    @classmethod
    def say(cls, name, body, key="a"):
        status, answer = cls.client.send(f"{name}/{key}", body)
        return answer if status == 200 else status

    def told(self, name, key="a"):
        answer = self.say(name, "told", key)
        return answer.decode().split(" ") if isinstance(answer, bytes) else None

    def test_1_who_asks_is_known_by_name(self):
        for name in AGENTS:
            for other in AGENTS:
                self.assertEqual(self.say(name, f"ask {other}/b who", "q"), f"{name}/q".encode())

    def test_2_any_replica_is_reached_without_a_key(self):
        for name in AGENTS:
            self.assertEqual(self.say(name, "ask many who", "q"), f"{name}/q".encode())
            self.assertEqual(self.say(name, "ask many/2 who", "q"), f"{name}/q".encode())

    def test_3_an_answer_may_come_late_and_what_nobody_can_take_fails(self):
        run("sh", "-c", "swarm send lone/x 'ask far/late hold' >late.out 2>&1 &")
        wait_for(lambda: self.say("far", "let", "late") == b"" and
                 os.path.getsize("late.out") > 0, "the late answer")
        with open("late.out", encoding="ascii") as file:
            self.assertIn("late", file.read())
        self.assertEqual(self.say("lone", "ask many/7 who"), b"failed 5")
        self.assertEqual(self.say("lone", "ask nobody/7 who"), b"failed 14")

    def test_4_large_bodies_go_both_ways(self):
        body = "x" * 250000
        self.assertEqual(self.say("lone", f"ask far/big {body}"), body.encode())

    def test_5_what_one_publishes_all_hear_once(self):
        before = {name: int(self.told(name)[2]) for name in AGENTS}
        for count in range(1, 11):
            self.say("lone", f"cry {count}")
        for name in AGENTS:
            wait_for(lambda name=name: int(self.told(name)[2]) >= before[name] + 10, "it is heard")
            self.assertEqual(int(self.told(name)[2]), before[name] + 10)
            self.assertEqual(self.told(name)[3], "lone/a")
        said = run("swarm", "publish", "news.x", "from outside")
        for name in AGENTS:
            wait_for(lambda name=name: int(self.told(name)[2]) >= before[name] + 11, "it is heard")
        time.sleep(0.2)  # For a second one, which may not come.
        for name in AGENTS:
            self.assertEqual(int(self.told(name)[2]), before[name] + 11)
        instances = sum(
            len(self.client.get(f"/namespaces/default/agents/{name}/instances")["items"])
            for name in (*AGENTS, "many"))
        self.assertIn(f" {instances} ", said)

    def kill(self, chance):
        """A host or the daemon."""
        time.sleep(chance.uniform(0.05, 0.4))
        hosts = list(self.daemon.hosts().values())
        if chance.random() < 0.2:
            self.daemon.end(signal.SIGKILL)
            self.daemon.start()
        elif hosts:
            os.kill(chance.choice(hosts), signal.SIGKILL)

    def stop(self, name, other):
        """The last number that it sent there."""
        end = wait_for(lambda: (answer := self.say(name, "stop", f"to-{other}")) and
                       isinstance(answer, bytes) and answer, f"{name} stops")
        return end.decode()

    def test_6_each_arrives_once_and_in_order_whoever_is_killed(self):
        chance = random.Random(SEED)
        ways = [(name, other) for name in AGENTS for other in AGENTS if name != other]
        for name, other in ways:
            self.assertEqual(
                self.say(name, f"go {NUMBERS} {other}/from-{name}", f"to-{other}"), b"")
        for _ in range(ROUNDS):
            self.kill(chance)
        ends = {way: self.stop(*way) for way in ways}
        for (name, other), end in ends.items():
            wait_for(lambda: (self.told(other, f"from-{name}") or ["0"])[0] == end,
                     f"{name} to {other}: {end}", 120)
            self.assertEqual(self.told(other, f"from-{name}")[:2], [end, "0"],
                             f"{name} to {other}; SW_SEED={SEED}")
        print("numbers that were sent:", " ".join(sorted(ends.values(), key=int)))
        self.assertGreater(min(int(end) for end in ends.values()), 100)
        self.assertLess(max(int(end) for end in ends.values()), NUMBERS)

    def test_7_who_waits_for_an_agent_that_goes_is_told(self):
        run("sh", "-c", "swarm send lone/x 'ask far/held hold' >gone.out 2>&1 &")
        wait_for(lambda: len(self.client.get("/namespaces/default/agents/far/instances")["items"])
                 > 0 and b"held" in self.client.request(
                     "GET", "/apis/swarm/v1/namespaces/default/agents/far/instances")[2], "held")
        run("swarm", "delete", "agent/far")
        wait_for(lambda: os.path.getsize("gone.out") > 0, "the asker is told")
        with open("gone.out", encoding="ascii") as file:
            self.assertIn("failed 14", file.read())
        wait_for(lambda: self.say("lone", "ask far/x who") == b"failed 14", "far is gone")


if __name__ == "__main__":
    unittest.main(failfast=True)
