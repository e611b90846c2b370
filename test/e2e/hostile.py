#!/usr/bin/python3
"""Agents that mean harm, in a real daemon: whatever they do ends with their turn, is told as an
Event, changes nothing of their state, and is not noticed by their neighbours, who are asked all the
time. The agent host is one and the same from the first to the last. SW_ISOLATION and SW_ENGINE say
where and with which engine they run."""
# timeout: 240
# serial: yes
import http.client
import os
import threading
import time
import unittest

from swarmd import BUILD, TMP, Client, Daemon, apply, run
from wasm import with_start

ISOLATION = os.environ.get("SW_ISOLATION", "shared")
ENGINE = os.environ.get("SW_ENGINE", "compact")
SANITIZED = os.environ.get("SW_SANITIZED") == "1"
WAIT_S = 60 if SANITIZED else 20
NEIGHBOUR_S_MAX = 20 if SANITIZED else 5  # The longest that a neighbour may take to answer.
TURN_MAX = 1000000  # What no flood may reach in one turn.


class Neighbour(threading.Thread):
    """Asks an instance of somebody else's Agent again and again."""

    def __init__(self, swarmd):
        super().__init__()
        self.swarmd, self.is_over, self.asked, self.slowest_s, self.wrong = (
            swarmd, False, 0, 0.0, [])

    def run(self):
        client = Client(self.swarmd)
        while not self.is_over:
            begin = time.monotonic()
            try:
                answer = client.send(f"good/{self.asked % 16}", f"hello {self.asked}")
            except (OSError, http.client.HTTPException) as error:
                answer = repr(error)
            if answer != (200, b"hello %d" % self.asked):
                self.wrong.append(answer)
            self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
            self.asked += 1
        client.close()


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("small", "good: keyed: true")
        apply("hostile", f"hostile: keyed: true, pods: 2, isolation: {ISOLATION}, "
              f"engine: {ENGINE}, limits: "
              "{deadline: 200ms, memory: 1MiB, mailbox: 64, instances: 50}")
        cls.hosts = cls.daemon.hosts()
        assert len(cls.hosts) == (1 if ISOLATION == "shared" else 2), cls.hosts
        cls.neighbour = Neighbour(cls.daemon)
        cls.neighbour.start()

    @classmethod
    def tearDownClass(cls):
        cls.neighbour.is_over = True
        cls.neighbour.join()
        cls.client.close()
        print(f"a neighbour was asked {cls.neighbour.asked} times and answered within "
              f"{cls.neighbour.slowest_s * 1000:.0f} ms")
        status = cls.daemon.end()
        if status != 0:
            raise AssertionError(f"swarmd ended with {status}")

    def tearDown(self):
        self.assertEqual(self.daemon.hosts(), self.hosts, "an agent host died")
        self.assertEqual(self.neighbour.wrong, [])
        self.assertLess(self.neighbour.slowest_s, NEIGHBOUR_S_MAX)

    def ask(self, key, body):
        status, answer = self.client.send(f"hostile/{key}", body)
        self.assertEqual(status, 200, answer)
        return int(answer)

    def event(self, reason, key, agent="hostile"):
        """The Event of that reason about that instance; it is written within a second or so."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            for item in self.client.events(reason):
                if item["involvedObject"].get("instance") == f"{agent}/{key}":
                    return item
            time.sleep(0.02)
        self.fail(f"no Event {reason} of {agent}/{key}")

    def fails(self, key, body, status, reason):
        """The message fails, is told, and leaves the instance as it was; words of the Event."""
        before = self.ask(key, "c")
        got, answer = self.client.send(f"hostile/{key}", body)
        self.assertEqual(got, status, answer)
        event = self.event(reason, key)
        self.assertEqual(event["type"], "Warning")
        self.assertEqual(event["involvedObject"]["kind"], "Agent")
        self.assertEqual(self.ask(key, "c"), before + 1)
        return event["message"]

    def test_a_trap_is_told_with_its_backtrace_and_undoes_the_turn(self):
        sink = self.ask("sink", "c")
        words = self.fails("trap", "x", 500, "Trapped")
        self.assertIn("unreachable", words)
        self.assertRegex(words, r"\n +0: \S+ at 0x[0-9a-f]+")
        self.assertEqual(self.ask("sink", "c"), sink + 1)
        # What it logged is what its author needs to find out why.
        self.assertIn("before the trap", run("swarm", "logs", "hostile/trap"))

    def test_a_loop_ends_at_its_deadline(self):
        words = self.fails("loop", "l", 504, "Deadline")
        self.assertIn("200 ms", words)
        self.assertIn(" at 0x", words)

    def test_a_recursion_ends_at_the_end_of_its_stack(self):
        words = self.fails("deep", "r", 500, "Trapped")
        self.assertIn("stack", words)
        self.assertIn(" at 0x", words)

    def test_memory_ends_at_its_limit(self):
        self.assertLess(self.ask("hog", "h"), 16)  # Pages of 64 KiB, besides those it began with.
        self.assertEqual(self.ask("hog", "h"), 0)
        self.assertIn("1024 KiB", self.fails("hog2", "m", 429, "NoMemory"))

    def test_nothing_behind_the_memory_is_read_or_written(self):
        """The first byte, some in its slot or its neighbour's, and those at the end of all that
        can be addressed, of a small memory and of one at its limit."""
        size = 1 << 20  # At most; wherever it ends, what is addressed is behind it.
        for key in ("edge", "edge-grown"):
            if key == "edge-grown":
                self.ask(key, "h")
            for what in "ed":
                for distance in (0, 1, 4096, 65536, size, 1 << 24, 1 << 31, (1 << 32) - 2 * size):
                    with self.subTest(key=key, what=what, distance=distance):
                        before = self.ask(key, "c")
                        status, answer = self.client.send(f"hostile/{key}", f"{what}{distance}")
                        self.assertEqual(status, 500, answer)
                        self.assertEqual(self.ask(key, "c"), before + 1)
            self.assertIn("out of bounds", self.event("Trapped", key)["message"])

    def test_floods_are_refused_within_the_turn(self):
        for what in "sptug":
            with self.subTest(what):
                before = self.ask("flood-" + what, "c")
                status, answer = self.client.send("hostile/flood-" + what, what)
                # A call is refused, perhaps the reply too (429), or the deadline ends it (504).
                self.assertIn(status, (200, 429, 504), answer)
                if status == 200:
                    self.assertLess(int(answer), TURN_MAX)
                self.assertEqual(self.ask("flood-" + what, "c"), before + 1)

    def test_a_giant_log_is_cut(self):
        self.client.send("hostile/log", "g")
        self.assertLess(len(run("swarm", "logs", "hostile/log", "--tail=1000")), 4 << 20)

    def test_a_start_function_that_never_ends_meets_the_deadline(self):
        """No instance of it is ever there; an Event names the culprit, and its sender hears so."""
        folder = os.path.join(TMP, "agents-stuck")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(BUILD, "guests", "test_stuck.wasm"), "rb") as file:
            module = file.read()
        with open(os.path.join(folder, "stuck.wasm"), "wb") as file:
            file.write(with_start(module, "for_ever"))
        with open(os.path.join(folder, "agents.yaml"), "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: stuck}\n"
                       f"spec: {{module: ./stuck.wasm, keyed: true, engine: {ENGINE}, "
                       "limits: {deadline: 200ms}}\n")
        run("swarm", "apply", "-f", folder)
        status, answer = self.client.send("stuck/1", "hello")
        self.assertEqual(status, 503, answer)
        event = self.event("Deadline", "1", "stuck")
        self.assertIn("200 ms", event["message"])
        self.assertIn("for_ever", event["message"])
        run("swarm", "delete", "agent", "stuck")

    def test_instances_end_at_their_limit(self):
        self.client.send("hostile/spawn", "k")
        items = self.client.get("/namespaces/default/agents/hostile/instances?limit=500")["items"]
        self.assertLessEqual(len(items), 2 * 50)

    def test_z_messages_that_breed_are_contained_and_end_with_the_agent(self):
        for key in range(4):
            self.client.send(f"hostile/bomb{key}", "b", reply=False)
        asked = self.neighbour.asked
        end = time.monotonic() + WAIT_S
        while self.neighbour.asked < asked + 200 and time.monotonic() < end:
            time.sleep(0.02)
        self.assertGreaterEqual(self.neighbour.asked, asked + 200, "a neighbour starves")
        run("swarm", "delete", "agent", "hostile")
        run("swarm", "wait", "agent/hostile", "--for=delete", "--timeout=60s")


if __name__ == "__main__":
    unittest.main()
