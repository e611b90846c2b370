#!/usr/bin/python3
"""The keys that swarmd puts into requests outside are nowhere else: neither in the memory, the
environment or the files of an agent, nor in journals, histories, transcripts, logs, metrics and
errors, nor in what a crash leaves. What agents themselves say is found by the same search, so that
it is known to find."""
# timeout: 240
# labels: kill
import json
import os
import re
import resource
import signal
import struct
import subprocess
import unittest

import programs
from models import DEADLINE_S, OPENAI, apply, model, provider
from outside import Bank
from swarmd import BASE, TMP, Client, Daemon, run
from swarmd import apply as apply_agents
from turns import PYTHON, SDK
from upstream import Upstream
from waiting import wait_for

CANARY = "sk-canary-0ddba11c0de5"  # The beginning of both keys.
KNOWN = "known-words-51ab9e"  # The beginning of what agents are told.
PAGE = os.sysconf("SC_PAGE_SIZE")
PAGES_MAX = 65536
NO_PAGES = bytes(PAGES_MAX * 8)
PRESENT = 3 << 62  # In memory, or swapped.
PROGRAM = """
import os
import swarm

agent = swarm.Agent(model="small")
said = []  # Stays as long as the process does.

@agent.on_message
def handle(message):
    bank, words = message.text.split(" ", 1)
    said.append(words)
    said.append(swarm.model.chat(words, model="small").text)
    said.append("".join(swarm.model.stream(words, model="small")))
    answer = swarm.fetch(bank + "/x", headers={"X-More": "{{secret:shop/token}}"})
    said.append(answer.text)
    for wrong in (lambda: swarm.fetch(bank + "/x", headers={"X-More": "{{secret:shop/none}}"}),
                  lambda: swarm.fetch("http://127.0.0.1:1/"),
                  lambda: swarm.model.chat("quote", model="small")):
        try:
            said.append(str(wrong()))
        except swarm.Error as error:
            said.append(str(error))
    agent.state["said"] = said
    return {"said": said, "environment": dict(os.environ)}

agent.run()
"""


def descendants(pid):
    found = []
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = [int(word) for word in file.read().split()]
    for child in children:
        found += [child, *descendants(child)]
    return found


def pages(pid):
    """Each page that the process has, as bytes."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        mappings = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", file.read(), flags=re.M)[1:]
    with open(f"/proc/{pid}/pagemap", "rb") as there, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for mapping in mappings:
            begin, end, may = re.match(r"(\w+)-(\w+) (\S)", mapping).groups()
            if may == "r" and "[v" not in mapping.split("\n")[0] and \
                    re.search(r"^(Rss|Swap): +[1-9]", mapping, re.M):
                yield from present(int(begin, 16), int(end, 16), there, memory)


def present(begin, end, there, memory):
    """The runs of pages of a mapping that are there."""
    for at in range(begin, end, PAGES_MAX * PAGE):
        count = min(PAGES_MAX, (end - at) // PAGE)
        there.seek(at // PAGE * 8)
        known, first = there.read(count * 8), None
        if known == NO_PAGES[:count * 8]:
            continue
        entries = struct.unpack(f"<{count}Q", known)
        for i, entry in enumerate((*entries, 0)):
            if entry & PRESENT and first is None:
                first = i
            elif not entry & PRESENT and first is not None:
                memory.seek(at + first * PAGE)
                yield memory.read((i - first) * PAGE)
                first = None


def memory_has(pid, words):
    return any(words.encode() in run_of_pages for run_of_pages in pages(pid))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def files_with(words):
    """Files of the test below its folder, the data folder and all logs among them."""
    done = subprocess.run(["grep", "-r", "-l", "-a", "-D", "skip", words, TMP],
                          capture_output=True, check=False)
    return done.stdout.decode().split()


class Canaries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))  # A crash would leave all it can.
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        cls.upstream, cls.bank = Upstream(CANARY + "-model"), Bank()
        cls.enterClassContext(cls.upstream)
        cls.addClassCleanup(cls.bank.server_close)
        cls.addClassCleanup(cls.bank.shutdown)
        apply({"apiVersion": "swarm/v1", "kind": "Secret", "metadata": {"name": "keys"},
               "spec": {"data": {"key": CANARY + "-model"}}},
              {"apiVersion": "swarm/v1", "kind": "Secret", "metadata": {"name": "shop"},
               "spec": {"data": {"token": CANARY + "-shop"}}},
              provider("one", cls.upstream))
        wait_for(lambda: b"small" in cls.client.request("GET", OPENAI + "/models")[2],
                 "models are there", DEADLINE_S)
        rules = [{"hosts": [cls.bank.url[len("http://"):]], "plain": True, "private": True,
                  "headers": {"Authorization": "Bearer {{secret:shop/token}}"},
                  "secrets": ["shop/token"]}]
        text = json.dumps({"keyed": True, "egress": rules})
        apply_agents("thinker", "buyer: " + text[1:-1])
        sdk = programs.push_image("sdk", folders=[(SDK, "swarm")])
        image = programs.push_image("mind", {"agent.py": PROGRAM.encode()})
        programs.apply("mind", {"image": image, "packages": [sdk], "command": PYTHON,
                                "protocol": "turns"}, egress=rules)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        if cls.daemon.process.poll() is None:
            cls.daemon.end()

    def ask(self, to, body):
        status, answer = self.client.send(to, body, timeout="60s")
        self.assertEqual(status, 200, answer)
        return answer.decode()

    def work(self):
        """Both agents use both keys, and are told of all kinds of mistakes."""
        quote = {"status": 401, "body": json.dumps(
            {"error": {"message": f"Incorrect API key: {CANARY}-model"}}).encode()}
        self.upstream.script({}, {}, quote)
        said = self.ask("mind/a", f"{self.bank.url} {KNOWN}")
        buys = json.dumps({"url": self.bank.url + "/x", "headers": {
            "X-More": "{{secret:shop/token}}", "X-Known": KNOWN}})
        said += self.ask("buyer/a", "swarm.http\n" + buys)
        question = {"model": "small", "messages": [{"role": "user", "content": KNOWN + " buyer"}]}
        said += self.ask("buyer/a", "swarm.model.chat\n" + json.dumps(question))
        self.upstream.script(quote)
        _, answer = self.client.send("buyer/a", "swarm.model.chat\n" + json.dumps(question))
        self.assertTrue({CANARY + "-model"} <= {each.key for each in self.upstream.requests})
        used = [each[2].get("X-More") for each in self.bank.asked[-2:]]
        self.assertEqual(used, [CANARY + "-shop"] * 2)
        return said + answer.decode()

    def test_1_keys_are_nowhere(self):
        said = self.work()
        self.assertIn(KNOWN, said)
        self.assertNotIn(CANARY, said)
        told = {" ".join(words): run(*words) for words in (
            ("swarm", "agent", "transcript", "buyer/a"), ("swarm", "agent", "history", "buyer/a"),
            ("swarm", "agent", "history", "mind/a"), ("swarm", "agent", "inspect", "mind/a"),
            ("swarm", "agent", "replay", "buyer/a"), ("swarm", "logs", "mind/a"),
            ("swarm", "events"), ("swarm", "get", "secrets", "-o", "yaml"),
            ("swarm", "get", "effects", "-o", "yaml"), ("swarmctl", "journal", "dump"))}
        told["metrics"] = self.client.request("GET", "/metrics")[2].decode()
        told["providers"] = self.client.request("GET", BASE + "/modelproviders")[2].decode()
        for name, text in told.items():
            self.assertNotIn(CANARY, text, name)
        self.assertIn(KNOWN, told["swarm agent transcript buyer/a"])
        self.assertEqual(files_with(CANARY), [])
        self.assertTrue(any("journal-" in path for path in files_with(KNOWN)))

    def test_2_no_process_but_swarmd_knows_them(self):
        self.work()
        here, found = descendants(self.daemon.process.pid), set()
        for pid in here:
            if not os.path.exists(f"/proc/{pid}/comm"):
                continue  # A program that ended with its message.
            name = read(f"/proc/{pid}/comm").decode().strip()
            for about in ("environ", "cmdline"):
                self.assertNotIn(CANARY.encode(), read(f"/proc/{pid}/{about}"), name)
            self.assertFalse(memory_has(pid, CANARY), name)
            if memory_has(pid, KNOWN):
                found.add(name)
        self.assertLessEqual({"swarm-agent-hos", "python3"}, found)  # Of names 15 bytes are told.
        self.assertNotIn(CANARY.encode(), read(f"/proc/{self.daemon.process.pid}/environ"))

    def test_3_a_crash_leaves_none(self):
        self.work()
        for pid in [self.daemon.process.pid, *descendants(self.daemon.process.pid)]:
            limits = read(f"/proc/{pid}/limits").decode()
            self.assertRegex(limits, r"Max core file size +0 ", read(f"/proc/{pid}/comm"))
        os.kill(self.daemon.host(), signal.SIGSEGV)
        wait_for(lambda: self.client.send("buyer/a", "count")[0] == 200, "the host is back")
        self.daemon.end(signal.SIGSEGV)
        self.assertEqual(files_with(CANARY), [])


if __name__ == "__main__":
    os.makedirs(TMP, exist_ok=True)
    unittest.main(verbosity=2)
