#!/usr/bin/python3
"""The Python SDK in the protocol of turns, with its own harness: state, questions, waits, tools,
refusals, and programs that are lost in the middle of a turn."""
import os
import signal
import subprocess
import sys
import unittest

SOURCE, TMP = os.environ["SW_SOURCE"], os.environ["SW_TMP"]
sys.path[:0] = [os.path.join(SOURCE, "sdk", "python")]

import swarm  # noqa: E402
from swarm import harness  # noqa: E402

PROGRAM = '''
import random
import signal
import swarm

agent = swarm.Agent(model="small", instructions="You help.")
turns = []


@agent.tool
def price(of: str) -> str:
    "What it costs."
    return swarm.ask("shop/" + of, "price?").text


def count(message):
    agent.state["count"] = agent.state.get("count", 0) + 1
    turns.append(1)
    return [agent.state["count"], len(turns), message.key, message.attempt]


def think(message):
    return agent.think(message.text) + "".join(swarm.model.stream("more", model="small"))


def waits(message):
    begun = swarm.now()
    swarm.sleep(3600)
    swarm.send("log/a", "slept", priority="high")
    swarm.publish("news.a", {"slept": swarm.now() - begun})
    came = swarm.receive(timeout=1)
    came.reply("heard")
    swarm.log.warn("waited", came.text)
    return swarm.fetch("https://example.com/", method="post", body=b"x").json


def wander(message):
    swarm.ask("shop/a", str(random.random()))
    swarm.sleep(1)


def spoil(message):
    agent.state["count"] = 7
    if message.text == "spoil set":
        agent.state["set"] = {1}
        return None
    message.refuse(swarm.Error("DENIED", "not you"))
    raise swarm.Refusal("no")


def interrupted(message):
    "A signal leaves the question in its middle, and the handler asks something else, or ends."
    def raises(*_):
        raise TimeoutError
    signal.signal(signal.SIGUSR1, raises)
    try:
        swarm.ask("shop/signals", "price?")
    except TimeoutError:
        pass
    return swarm.ask("shop/a", "price?").text if message.text.endswith("asks") else "done"


def too_large(message):
    try:
        swarm.send("shop/a", b"x" * 5000000)
    except swarm.Error as error:
        return [error.code, swarm.ask("shop/a", "price?").text]


def leave(message):
    raise SystemExit(3)


@agent.on_message
def handle(message):
    return globals()[message.text.split()[0]](message)


agent.run()
'''


TEST = """
import unittest
from swarm import harness


class Case(unittest.TestCase):
    def test_it(self):
        with harness.start("%s/main.py") as agent:
            self.assertEqual(agent.send("count").json, %s)
"""


class Case(unittest.TestCase):
    def setUp(self):
        path = os.path.join(TMP, "agent.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        self.asked = []
        self.model = harness.script({"tool": "price", "arguments": {"of": "lamp"}}, "It costs 7.",
                                    "And more.")
        self.agent = self.enterContext(harness.start(
            path, model=self.model, agents={"shop": self.shop}, key="k",
            services={"swarm.http": lambda message: {
                "status": 201, "headers": {"A": "b"}, "body": '{"method": "%s"}' %
                message.json["method"]}}))

    def shop(self, message):
        self.asked.append(f"{message.key} {message.text}")
        if message.key == "signals":
            os.kill(self.agent.process.pid, signal.SIGUSR1)
        return "7"

    def test_state_stays_and_memory_while_the_process_does(self):
        self.assertEqual(self.agent.send("count").json, [1, 1, "k", 1])
        self.assertEqual(self.agent.send("count").json, [2, 2, "k", 1])
        self.agent.end()
        self.assertEqual(self.agent.send("count").json, [3, 1, "k", 1])
        self.assertEqual(self.agent.state, {"count": 3})

    def test_a_refusal_leaves_the_state(self):
        self.agent.send("count")
        for body, code in (("spoil", "PRECONDITION"), ("spoil set", "INTERNAL"),
                           ("lost", "INTERNAL"), ("leave", "PRECONDITION")):
            with self.assertRaises(swarm.Error) as caught:
                self.agent.send(body)
            self.assertEqual(caught.exception.code, code, body)
        self.assertEqual(self.agent.send("count").json[0], 2)

    def test_it_thinks_with_tools_and_is_lost_without_harm(self):
        for lose_after in (None, 1, 2, 3, 4, 5):
            self.model.steps = [{"tool": "price", "arguments": {"of": "lamp"}}, "It costs 7.",
                                "And more."]
            asked = len(self.asked)
            answer = self.agent.send("think of a lamp", lose_after=lose_after)
            self.assertEqual(answer.text, "It costs 7.And more.")
            self.assertEqual(self.agent.attempts, 1 if lose_after is None else 2)
            self.assertEqual(self.asked[asked:], ["lamp price?"])
            self.assertEqual(self.model.steps, [])

    def test_it_waits_and_tells_others(self):
        self.agent.post("you", sender="shop/a")
        now = self.agent.now
        self.assertEqual(self.agent.send("waits", lose_after=3).json, {"method": "POST"})
        self.assertEqual(self.agent.now, now + 3600)
        self.assertEqual([to for to, _ in self.agent.sent], ["log/a"])
        self.assertEqual([(subject, body.json) for subject, body in self.agent.published],
                         [("news.a", {"slept": 3600.0})])
        self.assertEqual(self.agent.logs, [("warn", "waited you")])
        with self.assertRaises(swarm.Error) as caught:
            self.agent.send("waits")
        self.assertEqual(caught.exception.code, "TIMEOUT")

    def test_one_that_asks_for_something_else_is_found(self):
        with self.assertRaisesRegex(swarm.Error, "request 1 .* not what it was"):
            self.agent.send("wander", lose_after=1)
        self.assertEqual(len(self.asked), 1)

    def test_one_that_left_a_request_in_its_middle_ends(self):
        """Its next request would have the result of the one before."""
        for body in ("interrupted asks", "interrupted ends"):
            with self.assertRaisesRegex(swarm.Error, "ended in the middle"):
                self.agent.send(body)
        self.assertEqual(self.asked, ["signals price?"] * 2)
        self.assertEqual(self.agent.send("count").json, [1, 1, "k", 1])

    def test_what_cannot_be_said_is_no_request(self):
        self.assertEqual(self.agent.send("too_large").json, ["INVALID", "7"])

    def test_the_command_line_runs_tests(self):
        folder = os.path.join(TMP, "tested")
        command = [os.path.join(os.environ["SW_BUILD"], "bin", "swarm"), "agent", "test", folder]
        environment = os.environ | {"PYTHONPATH": sys.path[0], "SWARM_PYTHON": sys.executable}
        os.makedirs(folder)
        for name, text in (("agent.program", "{}"), ("main.py", PROGRAM)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        for test, words in ((None, "test_*.py"), ("[1, 1, '', 1]", None), ("[7]", "a test failed")):
            if test is not None:
                with open(os.path.join(folder, "test_main.py"), "w", encoding="utf-8") as file:
                    file.write(TEST % (folder, test))
            done = subprocess.run(command, env=environment, capture_output=True, text=True,
                                  timeout=60, check=False)
            self.assertEqual(done.returncode == 0, words is None, done.stderr)
            self.assertIn(words or "OK", done.stderr)

    def test_outside_of_a_turn_nothing_is_asked(self):
        with self.assertRaisesRegex(swarm.Error, "protocol"):
            swarm.ask("a", "b")


if __name__ == "__main__":
    unittest.main(verbosity=2)
