#!/usr/bin/python3
"""The Python SDK with a scripted model: answers, streams, types with repair, the loop of tools, and
what a program that was started for a message does."""
import dataclasses
import json
import os
import subprocess
import sys
import unittest
from typing import Literal, TypedDict

SOURCE = os.environ["SW_SOURCE"]
SDK = os.path.join(SOURCE, "sdk", "python")
sys.path[:0] = [SDK, os.path.join(SOURCE, "test", "e2e", "lib")]

import swarm  # noqa: E402
from swarm import schema  # noqa: E402
from upstream import Upstream  # noqa: E402

PROGRAM = """
import swarm
agent = swarm.Agent(model="small", instructions="You add.")

@agent.tool
def add(left: int, right: int = 1) -> int:
    "Add two numbers."
    return left + right

@agent.on_message
def handle(message):
    if message.text == "refuse":
        raise swarm.Refusal("not today")
    if message.text == "fail":
        raise KeyError("gone")
    if message.text == "who":
        return {"key": message.key, "from": message.sender}
    return agent.think(message.text)

agent.run()
"""


class Place(TypedDict):
    name: str


@dataclasses.dataclass
class Order:
    number: int
    state: Literal["open", "paid"]
    places: list[Place]
    note: str | None = None


GOOD = {"number": 3, "state": "paid", "places": [{"name": "here"}]}


class Case(unittest.TestCase):
    def setUp(self):
        self.upstream = self.enterContext(Upstream())
        os.environ["OPENAI_BASE_URL"] = self.upstream.url + "/v1"
        os.environ["OPENAI_API_KEY"] = "any"

    def test_an_answer_whole_and_in_pieces(self):
        reply = swarm.model.chat("hello", model="small")
        self.assertEqual((reply.text, reply.finish), ("You said: hello", "stop"))
        pieces = list(swarm.model.stream("hello", model="small"))
        self.assertEqual("".join(pieces), "You said: hello")
        self.assertGreater(len(pieces), 1)

    def test_refusals_are_errors_with_codes(self):
        for status, code in ((429, "EXHAUSTED"), (404, "NOT_FOUND"), (500, "INTERNAL")):
            self.upstream.script({"status": status})
            with self.assertRaises(swarm.Error) as caught:
                swarm.model.chat("hello", model="small")
            self.assertEqual(caught.exception.code, code)
        os.environ["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
        with self.assertRaises(swarm.Error) as caught:
            swarm.model.chat("hello", model="small")
        self.assertEqual(caught.exception.code, "UNAVAILABLE")

    def test_an_answer_of_a_type_is_repaired(self):
        self.upstream.script({"text": "no JSON"}, {"text": json.dumps(GOOD | {"number": "x"})},
                             {"text": "```json\n" + json.dumps(GOOD) + "\n```"})
        order = swarm.model.structured(Order, "which?", model="small")
        self.assertEqual(order, Order(3, "paid", [{"name": "here"}]))
        self.assertIn("number has to be of type integer", self.upstream.requests[-1].texts()[-1])
        self.assertEqual(len(self.upstream.requests), 3)
        self.upstream.script(*[{"text": "no"}] * 2)
        with self.assertRaises(swarm.Error) as caught:
            swarm.model.structured(Order, "which?", model="small", repairs=1)
        self.assertEqual(caught.exception.code, "INVALID")

    def test_types_have_schemas_and_are_checked(self):
        self.assertEqual(schema.of(Order), {
            "type": "object", "required": ["number", "state", "places"],
            "additionalProperties": False, "properties": {
                "number": {"type": "integer"}, "state": {"enum": ["open", "paid"]},
                "places": {"type": "array", "items": {
                    "type": "object", "properties": {"name": {"type": "string"}},
                    "required": ["name"], "additionalProperties": False}},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}}})
        for change, words in (({"number": True}, "number"), ({"state": "lost"}, "one of"),
                              ({"places": [{}]}, r"places\[0\].name has to be there"),
                              ({"more": 1}, "more"), ({"note": 1}, "none of its types"),
                              ({"places": {}}, "a list")):
            with self.assertRaisesRegex(ValueError, words):
                schema.read(Order, GOOD | change)
        self.assertEqual(schema.read(dict[str, float], {"a": 1}), {"a": 1.0})
        for kind in (set, dict[int, str], object):
            with self.assertRaises(TypeError):
                schema.of(kind)

    def run_program(self, text, **environment):
        return subprocess.run([sys.executable, "-B", "-c", PROGRAM], input=text, text=True,
                              capture_output=True, timeout=60, check=False,
                              env=os.environ | {"PYTHONPATH": SDK} | environment)

    def test_a_program_calls_its_tools(self):
        self.upstream.script({"tool": "add", "arguments": {"left": 2}},
                             {"tool": "add", "arguments": {"left": "x"}},
                             {"tool": "lose", "arguments": {}}, {})
        done = self.run_program("two and one")
        self.assertEqual(done.returncode, 0, done.stderr)
        said = [each["content"] for each in self.upstream.requests[-1].json["messages"]
                if each["role"] == "tool"]
        self.assertEqual(said, ["3", "error: left has to be of type integer",
                                "error: there is no tool lose"])
        self.assertIn("You said:", done.stdout)

    def test_what_a_handler_says_and_raises(self):
        done = self.run_program("who", SWARM_KEY="k", SWARM_FROM="shop/1")
        self.assertEqual(json.loads(done.stdout), {"key": "k", "from": "shop/1"})
        done = self.run_program("refuse")
        self.assertEqual((done.returncode, done.stderr, done.stdout), (1, "not today\n", ""))
        done = self.run_program("fail")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Traceback", done.stderr)
        self.assertTrue(done.stderr.endswith("KeyError: 'gone'\n"))

    def test_a_loop_ends(self):
        agent = swarm.Agent(model="small", max_steps=2)
        agent.tool(lone)
        self.upstream.script(*[{"tool": "lone", "arguments": {}}] * 3)
        with self.assertRaises(swarm.Error) as caught:
            agent.think("go on")
        self.assertEqual(caught.exception.code, "EXHAUSTED")
        with self.assertRaises(TypeError):
            agent.tool(lambda untyped: untyped)


def lone() -> str:
    return "again"


if __name__ == "__main__":
    unittest.main(verbosity=2)
