#!/usr/bin/python3
"""Agents in Python whose process stays: state, memory, questions, waits and refusals; that nothing
is done twice when all of it is killed; and that one which breaks the protocol harms nobody."""
# timeout: 240
# labels: kill
import collections
import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest

import programs
from models import CANARY, DEADLINE_S, OPENAI, model, provider, secret
from models import apply as apply_objects
from swarmd import Client, Daemon, run
from upstream import Upstream
from waiting import wait_for

SDK = os.path.join(os.environ["SW_SOURCE"], "sdk", "python", "swarm")
HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = ["python3", "-B", "agent.py"]


def program(name):
    with open(os.path.join(HERE, "lib", name), "rb") as file:
        return file.read()


class Turns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SWARM_AGENTS_PROCESSES"] = "6"
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        cls.sdk = programs.push_image("sdk", folders=[(SDK, "swarm")])
        cls.image = programs.push_image("turns", {"agent.py": program("turns_program.py")})
        cls.apply("turns")

    @classmethod
    def apply(cls, name, **more):
        programs.apply(name, {"image": cls.image, "packages": [cls.sdk], "command": PYTHON,
                              "protocol": "turns"} | more)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def ask(self, to, body="", status=200, client=None):
        answers = []

        def has_come():
            answers.append((client or self.client).send(to, body))
            return answers[-1][0] != 503
        wait_for(has_come, f"{to} answers")
        self.assertEqual(answers[-1][0], status, answers[-1])
        return answers[-1][1].decode()

    def json(self, to, body="", status=200):
        return json.loads(self.ask(to, body, status))

    def test_1_state_and_memory_stay(self):
        self.assertEqual(self.json("turns/a", "count"), {
            "count": 1, "seen": 1, "key": "a", "agent": "turns", "attempt": 1})
        self.assertEqual(self.json("turns/a", "count")["seen"], 2)
        self.assertEqual(self.json("turns/b", "count")["seen"], 1)
        words = self.ask("turns/a", "fail", status=500)
        self.assertIn("KeyError", words)
        self.assertEqual(self.json("turns/a", "count")["count"], 3)
        self.assertIn("no such order", self.ask("turns/a", "refuse", status=404))
        self.assertIn("not you", self.ask("turns/a", "refuse late", status=403))
        self.assertIn("1048576 are allowed", self.ask("turns/a", "grow 1100000", status=429))

    def test_2_it_asks_sends_hears_and_logs(self):
        said = self.json("turns/asker", "ask")
        self.assertEqual((said["from"], said["said"]["key"]), ("turns/other", "other"))
        wait_for(lambda: self.json("turns/noted", "count")["count"] >= 2, "it was sent")
        self.assertEqual(self.json("turns/asker", "codes"), [
            "UNAVAILABLE", "NOT_FOUND", "DEADLOCK", "UNAVAILABLE", "INVALID", "DENIED",
            "INVALID"])
        heard = []
        thread = threading.Thread(target=lambda: heard.append(self.hear()))
        thread.start()
        wait_for(lambda: "hears" in run("swarm", "get", "instances", "turns"), "it is there")
        self.assertEqual(self.ask("turns/hears", "you"), "heard you")
        thread.join()
        self.assertEqual(heard, [{"news.one": "it rains", "": "you", "code": "TIMEOUT"}])
        self.assertEqual(self.ask("turns/logs", "log"), "")
        told = run("swarm", "logs", "turns/logs")
        for words in ("printed", "warned", "of two lines"):
            self.assertIn(words, told)

    def test_3_nothing_is_done_twice_when_all_is_killed(self):
        with Upstream(CANARY) as upstream:
            apply_objects(secret(), provider("openai", upstream, models=[
                model("chatty", capabilities=["chat", "tools"])]))
            wait_for(lambda: b"chatty" in self.client.request("GET", OPENAI + "/models")[2],
                     "models are there", DEADLINE_S)
            self.assertEqual(self.ask("turns/thinks", "think aloud"),
                             "You said: think aloudYou said: more")
            asked = len(upstream.requests)
            self.begin("turns/spends", "spend")
            wait_for(lambda: "marked" in run("swarm", "get", "instances", "turns"), "half is done")
            self.restart()
            said = self.json("turns/spends", "told")
            self.assertEqual(said["said"], [1, 2, "You said: first", "You said: second", 3])
            self.assertEqual(said["attempt"], 2)
            self.assertEqual(len(upstream.requests), asked + 2)

    def test_4_a_program_that_asks_for_something_else_is_refused(self):
        self.begin("turns/wanders", "wander")
        wait_for(lambda: self.ask("turns/wandered", "told"), "it is asked")
        self.restart()
        wait_for(lambda: "request 1 of this turn is not what it was" in
                 run("swarm", "logs", "turns/wanders"), "it is told")
        self.assertEqual(self.json("turns/wandered", "count")["count"], 2)  # With the one.

    def test_5_bad_ones_are_contained(self):
        image = programs.push_image("bad", {"agent.py": program("turns_bad.py")})
        self.apply("bad", image=image, deadline="2s", memory="64MiB", tasks=16)
        broke = "broke the protocol of turns"
        for what, status, words in (
                ("garbage", 412, broke), ("huge", 412, "104857604"),
                ("bad_type", 400, "are not UTF-8"),
                ("other_number", 412, "request 7 follows on request 0"),
                ("service", 412, "may not call swarm.process"),
                ("asks_and_ends", 412, "not its turn"), ("asks_and_dies", 412, "status 3"),
                ("dies", 500, "signal 9"), ("spins", 504, "longer than 2000 ms"),
                ("memory", 429, "more memory"), ("nothing", 412, "status 1")):
            with self.subTest(what):
                self.assertIn(words, self.ask("bad/" + what, what, status))
        self.assertEqual(self.ask("bad/lines", "lines"), "said")  # Within its two seconds.
        self.assertIn("signal 9", self.ask("bad/closes", "closes", 500))
        self.assertIn("unavailable", self.ask("bad/forks", "forks"))
        for what in ("twice", "after"):  # The first counts; the process ends with the second.
            self.assertEqual(self.ask("bad/a", what), "one")
            wait_for(lambda: self.ask("bad/a", "good") != "", "it goes on")
        self.assertEqual(self.ask("bad/b", "good"), self.ask("bad/b", "good"))
        self.assertEqual(self.json("turns/good", "count")["count"], 1)

    def test_6_processes_make_way(self):
        """Twelve instances, of which six may have a process, ask another one in the middle."""
        threads, said = [], []
        for i in range(12):
            threads.append(threading.Thread(target=lambda i=i: said.append(
                run("swarm", "send", f"turns/many-{i}", "ask", "--timeout=60s"))))
            threads[-1].start()
        for thread in threads:
            thread.join()
        counts = sorted(json.loads(each)["said"]["count"] for each in said)
        first = counts[0]
        self.assertEqual(counts, list(range(first, first + 12)))
        self.assertLessEqual(self.client.metric("swarm_processes"), 6)
        self.assertGreater(self.client.metric("swarm_processes_evicted"), 0)
        self.assertEqual(self.client.metric("swarm_processes_waiting_messages"), 0)

    def test_7_processes_are_ready_stay_and_end(self):
        self.restart()
        self.apply("brief", idle="0")
        self.apply("pool", idle="300ms", warm=1)
        started = self.client.metric("swarm_processes_started")
        for count in (1, 2):
            said = self.json("brief/a", "count")
            self.assertEqual((said["count"], said["seen"]), (count, 1))
        self.assertEqual(self.client.metric("swarm_processes_started"), started + 2)
        self.assertEqual(self.json("pool/a", "count")["seen"], 1)
        wait_for(lambda: self.client.metric("swarm_processes_started") == started + 4, "one waits")
        self.assertEqual(self.json("pool/b", "count")["key"], "b")
        wait_for(lambda: self.client.metric("swarm_processes_started") == started + 5, "and again")
        wait_for(lambda: self.json("pool/a", "count")["seen"] == 1, "it ends when it has nothing "
                 "to do", step_s=0.6)
        count = self.json("pool/a", "count")["count"]
        self.apply("pool", env={"LEVEL": "2"})
        wait_for(lambda: self.ask("pool/a", "level") == "2", "it is upgraded")
        self.assertEqual(self.json("pool/a", "count")["count"], count + 1)

    def test_8_what_is_asked_over_http_is_kept(self):
        image = programs.push_image("asks", {"agent.py": program("asks_program.py")})
        with Upstream(CANARY) as upstream:
            apply_objects(secret(), provider("openai", upstream, models=[model("chatty")]))
            wait_for(lambda: b"chatty" in self.client.request("GET", OPENAI + "/models")[2],
                     "models are there", DEADLINE_S)
            for protocol in ("stdio", "turns"):
                name = "asks-" + protocol
                self.apply(name, image=image, protocol=protocol, record=True)
                wanted = {each: "You said: " + each
                          for each in ("first", "both 0", "both 1", "stream", "last")}
                self.assertEqual(self.json(name + "/a", "quickly"), wanted)
                self.assertIn("nothing", self.ask(name + "/b", "lost", 412))
                asked = len(upstream.requests)
                self.begin(name + "/c", "slowly")
                wait_for(lambda: self.said(upstream, asked)["mark"], "most is asked, and kept")
                self.restart()
                wait_for(lambda: self.said(upstream, asked)["last"], "it goes on")
                for each in ("first", "both 0", "both 1", "stream"):
                    self.assertEqual(self.said(upstream, asked)[each], 1, each)

    def test_8_of_a_conversation_what_is_new_is_kept(self):
        image = programs.push_image("talks", {"agent.py": program("asks_program.py")})
        with Upstream(CANARY) as upstream:
            apply_objects(secret(), provider("openai", upstream, models=[model("chatty")]))
            wait_for(lambda: b"chatty" in self.client.request("GET", OPENAI + "/models")[2],
                     "models are there", DEADLINE_S)
            self.apply("talks", image=image, protocol="stdio", record=True)
            before = self.client.metric("swarm_agent_host_journal_bytes")
            self.assertEqual(self.ask("talks/a", "talk"), "talked")
            sent = sum(len(request.body) for request in upstream.requests)
            last = len(upstream.requests[-1].body)
            self.assertGreater(sent, 6 * last)
            wait_for(lambda: self.client.metric("swarm_agent_host_journal_bytes") > before + last,
                     "figures come")
            self.assertLess(self.client.metric("swarm_agent_host_journal_bytes") - before,
                            5 * last)
            self.assertIn("assistant", run("swarm", "agent", "transcript", "talks/a"))

    def test_9_kills_at_any_time_do_nothing_twice(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        with self.subTest(seed=seed), Upstream(CANARY) as upstream:
            apply_objects(secret(), provider("openai", upstream, models=[model("chatty")]))
            wait_for(lambda: b"chatty" in self.client.request("GET", OPENAI + "/models")[2],
                     "models are there", DEADLINE_S)
            for key in ("any-0", "any-1", "any-2"):
                asked = len(upstream.requests)
                self.begin("turns/" + key, "many")
                wait_for(lambda: self.said(upstream, asked), "it has begun", step_s=0.001)
                time.sleep(chance.random() * 0.3)
                self.restart()
                self.assertEqual(wait_for(lambda: self.ask("turns/" + key, "told"), "it ends"),
                                 json.dumps([said for i in range(4) for said in (
                                     i + 1, f"You said: {key} {i}")]))
                for other in ("asked-", "sent-"):
                    self.assertEqual(self.json("turns/" + other + key, "count")["count"], 5)
                # That which was under way may be asked again: nobody knows what came of it.
                self.assertLessEqual(sum(self.said(upstream, asked).values()), 5)

    @staticmethod
    def said(upstream, after):
        return collections.Counter(
            request.json["messages"][-1]["content"] for request in upstream.requests[after:])

    def begin(self, to, body):
        """Nobody waits for the reply: the daemon ends before."""
        sent = subprocess.Popen(["swarm", "send", to, body, "--no-reply"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(sent.wait)

    def restart(self):
        self.client.close()
        self.daemon.end(signal.SIGKILL)
        self.daemon.start()

    def hear(self):
        client = Client(self.daemon)
        said = json.loads(self.ask("turns/hears", "hear", client=client))
        client.close()
        return said


if __name__ == "__main__":
    unittest.main(verbosity=2)
