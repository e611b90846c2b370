#!/usr/bin/python3
"""Agents in Python whose process stays: state, memory, questions, waits and refusals; that nothing
is done twice when all of it is killed; and that one which breaks the protocol harms nobody."""
# timeout: 240
# labels: kill
import json
import os
import signal
import subprocess
import threading
import unittest

import programs
from models import CANARY, DEADLINE_S, OPENAI, model, provider, secret
from models import apply as apply_objects
from swarmd import Client, Daemon, run
from upstream import Upstream
from waiting import wait_for

SDK = os.path.join(os.environ["SW_SOURCE"], "sdk", "python", "swarm")
HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = ["python3", "-B", "main.py"]


def program(name):
    with open(os.path.join(HERE, "lib", name), "rb") as file:
        return file.read()


class Turns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        cls.sdk = programs.push_image("sdk", folders=[(SDK, "swarm")])
        cls.image = programs.push_image("turns", {"main.py": program("turns_program.py")})
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
            wait_for(lambda: len(upstream.requests) == asked + 1, "the first half is done")
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
        self.assertEqual(self.json("turns/wandered", "count")["count"], 1)

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
