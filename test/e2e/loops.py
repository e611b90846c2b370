#!/usr/bin/python3
"""Agents that go in circles are found, told by an Event that names their calls, slowed down or
stopped as spec.loops says, and let go again by a person; one that makes progress is left alone."""
# timeout: 120
import json
import time
import unittest

import programs
import yaml
from js_agents import WAIT_S, Case, apply
from swarmd import run
from upstream import Upstream
from waiting import wait_for

AGENT = """
    import { model, agent, send, state } from "swarm";
    const tools = {
      look: { run: ({ page }) => page === undefined ? "nothing yet" : `page ${page}` },
    };
    const ways = {
      // Calls tools as long as the model says so.
      async run(input, turns) {
        return (await agent.run({ model: "small", input, tools, maxTurns: turns })).text;
      },
      // Asks again at once when it fails.
      async retry(content, times) {
        let last = "";
        for (let i = 0; i < times; i++) {
          try {
            return await model.text({ model: "small", messages: [{ role: "user", content }] });
          } catch (error) { last = `${error.code}: ${error.message}`; }
        }
        return last;
      },
      // Has the model say to whom the task goes, and hands it on.
      async pass(task, to) {
        await model.text({ model: "small", messages: [{ role: "user", content: task }] });
        state.passed = (state.passed ?? 0) + 1;
        const back = to.includes("ping") ? "pong/x" : "ping/x";
        if (state.passed < 12) send(to, JSON.stringify(["pass", task, back]));
      },
    };
    export default async (message) => {
      const [way, ...rest] = JSON.parse(message.text);
      return await ways[way](...rest);
    };
    """

PROGRAM = b"""
import json, os, sys, urllib.error, urllib.request
what, times, last = sys.stdin.read().split()[0], 8, ""
for i in range(times):
    text = what if what == "same" else f"{what} {i}"
    asked = json.dumps({"model": "small", "messages": [{"role": "user", "content": text}]})
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions",
                                     asked.encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            last = f"{i} {answer.status}"
    except urllib.error.HTTPError as error:
        last = f"{i} {error.code} {error.headers.get('retry-after')} {error.read().decode()}"
        break
print(last, end="")
"""


def events(about, kind):
    found = json.loads(run("swarm", "get", "events", "-o", "json"))["items"]
    return [event for event in found if event["reason"] == "LoopDetected" and
            event["involvedObject"].get("instance") == about and
            event["message"].startswith(kind + ":")]


class Loops(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.upstream = cls.enterClassContext(Upstream())
        price = {"inputPerMillion": "200", "outputPerMillion": "200"}
        models = [{"name": "small", "price": price, "maxOutputTokens": 20,
                   "capabilities": ["chat", "tools"]}]
        provider = {
            "apiVersion": "swarm/v1", "kind": "ModelProvider", "metadata": {"name": "house"},
            "spec": {"protocol": "openai", "baseURL": cls.upstream.url + "/v1", "models": models,
                     "retries": {"attempts": 1}}}
        run("swarm", "apply", "-f", "-", data=yaml.safe_dump(provider).encode())
        for name, action in {"warned": None, "slow": "throttle", "stopped": "stop", "free": "off",
                             "ping": None, "pong": None}.items():
            loops = {"loops": {"action": action}} if action else {}
            apply(name, AGENT, limits={"memory": "16MiB"}, **loops)
        wait_for(lambda: cls.client.send("free/r", b'["retry", "hi", 1]')[0] == 200,
                 "models are there", WAIT_S)

    def told(self, about, kind):
        wait_for(lambda: events(about, kind), f"{kind} of {about} is told", WAIT_S)
        return events(about, kind)[0]["message"]

    def go(self, to, *words):
        return self.tell(to, json.dumps(words))

    def test_who_loops_on_a_tool_is_stopped_below_his_budget(self):
        run("swarm", "budget", "set", "stopped", "--money=1.00")
        self.upstream.script(*[{"tool": "look"}] * 40)
        before = len(self.upstream.requests)
        status, words = self.go("stopped/a", "run", "look for it", 40)
        asked = len(self.upstream.requests) - before
        self.upstream.steps.clear()
        self.assertIn(status, (409, 412, 400), words)
        self.assertIn("went in circles: repeat: calls #3, #4, #5 and #6", words)
        self.assertEqual(asked, 6)
        self.assertIn("its calls are refused", self.told("stopped/a", "repeat"))
        budgets = json.loads(run("swarm", "get", "budgets", "-o", "json"))["items"]
        self.assertEqual(len(budgets), 1)
        self.assertLess(float(budgets[0].get("status", {}).get("spent", {}).get("money", 0)), 1)
        again = self.go("stopped/a", "retry", "something else", 1)[1]
        self.assertIn("went in circles", again)
        apply("stopped", AGENT, limits={"memory": "16MiB"},
              loops={"action": "stop", "repeats": 6})
        wait_for(lambda: "You said" in self.go("stopped/a", "retry", "something else", 1)[1],
                 "a change of the spec lets it go on", WAIT_S)

    def look_at(self, pages, about):
        """Have the model call its tool for these pages, one after the other."""
        self.upstream.script(*[{"tool": "look", "arguments": {"page": page}} for page in pages],
                             {"text": "enough"})
        self.assertEqual(self.go(about, "run", "look for it", len(pages) + 9), (200, "enough"))

    def test_rounds_of_several_steps_are_told(self):
        self.look_at([1, 2, 3] * 8, "warned/rounds")
        self.assertIn("part of the same 3 steps, 5 times over",
                      self.told("warned/rounds", "repeat"))

    def test_requests_that_grow_and_bring_nothing_are_told(self):
        """No round of them is like the one before."""
        self.look_at([int(digit) for digit in "123132213321123223113"], "warned/grows")
        self.told("warned/grows", "growth")
        self.assertEqual(events("warned/grows", "repeat"), [])

    def test_two_that_hand_each_other_one_task_are_both_told(self):
        self.go("ping/x", "pass", "the task", "pong/x")
        self.assertIn("in turn with ping/x", self.told("pong/x", "ping-pong"))

    def test_a_retry_storm_is_told(self):
        self.upstream.script(*[{"status": 400, "body": b'{"error": {"message": "no"}}'}] * 8)
        self.go("warned/storm", "retry", "x", 8)
        self.upstream.steps.clear()
        self.assertIn("the same and failed", self.told("warned/storm", "retry storm"))

    def test_who_is_throttled_waits(self):
        self.go("slow/a", "retry", "x", 1)
        for _ in range(5):
            self.go("slow/a", "retry", "same", 1)
        self.assertIn("its calls wait", self.told("slow/a", "repeat"))
        took = [self.timed("slow/a", text) for text in ("same", "new", "other")]
        self.assertGreater(took[0], 0.9)
        self.assertGreater(took[1], 1.8)
        self.assertLess(took[2], 0.9)  # Something new happened.

    def timed(self, to, text):
        begun = time.monotonic()
        self.go(to, "retry", text, 1)
        return time.monotonic() - begun

    def test_programs_that_ask_over_http(self):
        image = programs.push_image("asks", {"main.py": PROGRAM})
        command = {"image": image, "command": ["python3", "-B", "main.py"]}
        programs.apply("program", command, loops={"action": "stop"})
        programs.apply("hurried", command, loops={"action": "throttle"})
        self.assertEqual(self.tell("program/a", "other")[1], "7 200")
        words = self.tell("program/b", "same")[1]
        self.assertTrue(words.startswith("5 4"), words)
        self.assertIn("went in circles: repeat: calls the last ones", words)
        self.assertIn("over HTTP", self.told("program/b", "repeat"))
        words = self.tell("hurried/a", "same")[1]
        self.assertTrue(words.startswith("5 429 1 "), words)

    def test_progress_is_left_alone(self):
        self.upstream.script(*[{"tool": "look", "arguments": {"page": i}} for i in range(199)],
                             {"text": "found"})
        self.assertEqual(self.go("warned/reads", "run", "read all", 210), (200, "found"))
        self.assertEqual(len([e for kind in ("repeat", "growth", "retry storm", "ping-pong")
                              for e in events("warned/reads", kind)]), 0)


if __name__ == "__main__":
    unittest.main()
