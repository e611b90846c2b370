#!/usr/bin/python3
"""An agent that pretends to be another one, sends a hundred megabytes, or says that it may spend
more, is told no, counts as what it is, and nobody else notices."""
# timeout: 240
import json
import os
import re
import unittest

import programs
from models import CANARY, DEADLINE_S, OPENAI, apply, budget, model, provider, secret
from swarmd import TMP, Client, Daemon, run
from turns import PYTHON, SDK
from upstream import Upstream
from waiting import wait_for

GROWN_MAX_BYTES = 96 << 20  # Of the daemon, for a hundred megabytes that it does not keep.
PROGRAM = b"""
import http.client
import json
import os
import urllib.parse
import swarm

agent = swarm.Agent(model="small")
WHERE = urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"])
BODY = json.dumps({"model": "small", "messages": [{"role": "user", "content": "me"}]})
HUGE = 100 << 20

def post(path, body, **headers):
    connection = http.client.HTTPConnection(WHERE.hostname, WHERE.port, timeout=30)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"} | headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()[:300]
    except OSError as error:  # It was answered, or closed, in the middle.
        return 0, str(error)
    finally:
        connection.close()

def pretend():
    chat = "/openai/v1/chat/completions"
    return [post(chat, BODY, **headers)[0] for headers in (
        {"x-swarm-agent": "victim"}, {"host": "victim"}, {"authorization": "Bearer victim"},
        {"x-swarm-namespace": "other", "x-forwarded-for": "victim"})] + [
        post(path, BODY)[0] for path in (
            "/apis/swarm/v1/namespaces/default/openai/v1/chat/completions",
            "/openai/../apis/swarm/v1/namespaces/default/agents", "/openai/v1/../../metrics",
            "/apis/swarm/v1/namespaces/default/budgets", "/metrics")]

def raise_it():
    said = []
    for ask in (lambda: swarm.call("swarm.budget", '{"money": "100"}'),
                lambda: swarm.call("swarm.model.chat",
                                   json.dumps(json.loads(BODY) | {"budget": "100"})),
                lambda: swarm.fetch(os.environ["OPENAI_BASE_URL"])):
        try:
            said.append(str(ask()))
        except swarm.Error as error:
            said.append(error.code)
    return said

def send_much():
    said = [post("/openai/v1/chat/completions", b"{" + b" " * HUGE)[0]]
    for ask in (lambda: swarm.ask("victim/a", b"x" * HUGE), lambda: swarm.publish("a", b"x" * HUGE),
                lambda: swarm.model.chat("x" * HUGE, model="small")):
        try:
            said.append(str(ask()))
        except swarm.Error as error:
            said.append(error.code)
    return said

@agent.on_message
def handle(message):
    if message.text == "who":
        return {"from": message.sender, "agent": message.agent}
    if message.text == "ask":
        return swarm.ask("victim/a", "who").json
    return {"pretend": pretend, "raise": raise_it, "much": send_much}[message.text]()

agent.run()
"""


class Impostors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        cls.upstream = cls.enterClassContext(Upstream(CANARY))
        apply(secret(), provider("one", cls.upstream, models=[model("small")]),
              budget("mine", "liar", limits={"calls": 6}), budget("theirs", "victim",
                                                                  limits={"calls": 100}))
        wait_for(lambda: b"small" in cls.client.request("GET", OPENAI + "/models")[2],
                 "models are there", DEADLINE_S)
        sdk = programs.push_image("sdk", folders=[(SDK, "swarm")])
        image = programs.push_image("liar", {"agent.py": PROGRAM})
        for name in ("liar", "victim"):
            programs.apply(name, {"image": image, "packages": [sdk], "command": PYTHON,
                                  "protocol": "turns", "memory": "1GiB"})

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def ask(self, to, body):
        status, answer = self.client.send(to, body, timeout="60s")
        self.assertEqual(status, 200, answer)
        return json.loads(answer)

    def calls(self, name):
        status = self.client.get(f"/namespaces/default/budgets/{name}").get("status", {})
        return int(status.get("spent", {}).get("calls", 0))

    def memory_bytes(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) << 10

    def test_1_who_speaks_is_known_by_where_it_speaks(self):
        statuses = self.ask("liar/a", "pretend")
        self.assertEqual(statuses[:4], [200] * 4)
        self.assertEqual(set(statuses[4:]), {404}, statuses)
        wait_for(lambda: self.calls("mine") == 4, "they count as the liar's", DEADLINE_S)
        self.assertEqual(self.calls("theirs"), 0)
        self.assertEqual(self.ask("liar/a", "ask")["from"], "liar/a")

    def test_2_nobody_raises_what_he_may_spend(self):
        before = run("swarm", "get", "budgets", "-o", "yaml")
        said = self.ask("liar/a", "raise")
        self.assertEqual((said[0], said[2]), ("NOT_FOUND", "DENIED"), said)
        self.assertEqual(re.findall("calls: .*", before.split("status:")[0]),
                         re.findall("calls: .*", run("swarm", "get", "budgets", "-o", "yaml")
                                    .split("status:")[0]))

    def test_3_a_hundred_megabytes(self):
        before = self.memory_bytes()
        said = self.ask("liar/b", "much")
        self.assertIn(said[0], (0, 413), said)
        self.assertLessEqual(set(said[1:]), {"INVALID", "EXHAUSTED"}, said)
        self.assertLess(self.memory_bytes() - before, GROWN_MAX_BYTES)
        self.assertEqual(self.ask("victim/a", "who")["agent"], "victim")


if __name__ == "__main__":
    os.makedirs(TMP, exist_ok=True)
    unittest.main(verbosity=2)
