#!/usr/bin/python3
"""Programs of LangGraph and of the OpenAI Agents SDK, as their authors write them, and of our own
SDK, as agents: they think with the models of the namespace, call tools, and keep to a budget."""
# timeout: 240
# labels: kill
import os
import signal
import subprocess
import threading
import unittest

import programs
from models import CANARY, DEADLINE_S, OPENAI, apply, budget, model, provider, secret
from swarmd import TMP, Client, Daemon, run
from upstream import Upstream
from waiting import wait_for

LIB = os.path.join(os.environ["SW_SOURCE"], "test", "e2e", "lib")
PACKAGES = os.path.join(os.environ["SW_VENV"], "lib", "python3.11", "site-packages")
SDK = os.path.join(os.environ["SW_SOURCE"], "sdk", "python")
BASE = """annotated_types anyio certifi charset_normalizer distro h11 httpcore httpcore2 httpx
    httpx2 idna jiter openai packaging pydantic pydantic_core requests sniffio truststore
    typing_extensions typing_inspection urllib3 websockets""".split()
LANGGRAPH = """jsonpatch jsonpointer langchain_core langchain_openai langchain_protocol langgraph
    langgraph_checkpoint langgraph_prebuilt langgraph_sdk langsmith orjson ormsgpack pyyaml regex
    requests_toolbelt tenacity tiktoken tiktoken_ext uuid_utils xxhash yaml""".split()
AGENTS = """agents attr attrs griffe griffelib jsonschema jsonschema_specifications mcp mcp_types
    openai_agents opentelemetry opentelemetry_api referencing rpds rpds_py sse_starlette starlette
    jwt pyjwt""".split()


def calls_tool(request):
    """The tool once, and then the words about what it said."""
    texts = request.texts()
    return {} if texts and texts[-1] == "3" else {"tool": "add",
                                                  "arguments": {"left": 1, "right": 2}}


class Thinking(Upstream):
    """`gate` holds back the words about what the tool said."""

    def __init__(self, key):
        super().__init__(key)
        self.gate = threading.Event()
        self.gate.set()

    async def answer(self, request, writer, number):
        self.steps.appendleft(lambda request: calls_tool(request) or {"gate": self.gate})
        await super().answer(request, writer, number)


def text_of(name):
    with open(os.path.join(LIB, name), "rb") as file:
        return file.read()


class Frameworks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        cls.upstream = Thinking(CANARY)
        cls.enterClassContext(cls.upstream)
        cls.base = programs.push_image("base", folders=programs.installed(PACKAGES, *BASE))
        apply(secret(), provider("openai", cls.upstream, models=[
            model("chatty", capabilities=["chat", "tools"])]),
            budget("graph", agent="graph", limits={"calls": "4"}),
            budget("adder", agent="adder", limits={"calls": "4"}),
            budget("runner", agent="runner", limits={"calls": "4"}))
        wait_for(lambda: b"chatty" in cls.client.request("GET", OPENAI + "/models")[2],
                 "models are there", DEADLINE_S)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        assert cls.daemon.end() == 0

    def run_program(self, name, program, folders):
        more = programs.push_image(name + "-more", folders=folders)
        image = programs.push_image(name, {"main.py": text_of(program)})
        programs.apply(name, {"image": image, "packages": [self.base, more], "tasks": 128,
                              "command": ["python3", "main.py"]})
        for _ in range(2):  # Two calls each: for the tool, and with what it said.
            status, body, *_ = self.client.send(name + "/a", b"what is 1 and 2?")
            self.assertEqual((status, body), (200, b"You said: 3\n"),
                             run("swarm", "logs", name))
        status, body, *_ = self.client.send(name + "/a", b"what is 1 and 2?")
        self.assertEqual(status, 412, body)
        self.assertIn("budget", (body.decode() + run("swarm", "logs", name)).lower())
        wait_for(lambda: "4/4" in run("swarm", "budget", "get", name), "all is told of")

    def test_langgraph(self):
        self.run_program("graph", "langgraph_program.py",
                         programs.installed(PACKAGES, *LANGGRAPH))

    def test_langgraph_is_killed_and_asks_nothing_twice(self):
        """Between its first call of the model and the answer to the second the process is killed,
        or the agent host, or swarmd. Only swarmd takes the second call along, which is made
        again then; the first never is."""
        mark = os.path.join(TMP, "killed")  # By which its processes are told from others.
        more = programs.push_image("killed-more", folders=programs.installed(
            PACKAGES, *LANGGRAPH))
        image = programs.push_image("killed", {"main.py": text_of("langgraph_program.py")})
        programs.apply("killed", {"image": image, "packages": [self.base, more], "tasks": 128,
                                  "command": ["python3", "main.py", mark], "record": True})
        for key, kill, seconds in (
                ("process", lambda: os.kill(self.process(mark), signal.SIGKILL), 1),
                ("host", lambda: os.kill(self.daemon.host(), signal.SIGKILL), 1),
                ("swarmd", self.restart, 2)):
            with self.subTest(key):
                begun = len(self.upstream.requests)
                self.upstream.gate.clear()
                self.addCleanup(self.upstream.gate.set)
                words = ["swarm", "send", "killed/" + key, "what is 1 and 2?",
                         "--request-id=" + key, "--timeout=60s"]
                sent = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)
                self.addCleanup(sent.wait)
                wait_for(lambda b=begun: self.asked(b)["second"], "it waits for the second")
                kill()
                wait_for(lambda b=begun, n=seconds: self.asked(b)["second"] == n, "and still does")
                self.upstream.gate.set()
                self.assertEqual(run(*words), "You said: 3\n")
                self.assertEqual(self.asked(begun), {"first": 1, "second": seconds})

    def asked(self, begun):
        counts = {"first": 0, "second": 0}
        for request in self.upstream.requests[begun:]:
            counts["second" if request.texts()[-1] == "3" else "first"] += 1
        return counts

    @staticmethod
    def process(mark):
        """The interpreter itself, and not those that started it."""
        listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True,
                                check=True).stdout.splitlines()
        return next(int(line.split()[0]) for line in listed
                    if line.split()[1:] == ["python3", "main.py", mark])

    def restart(self):
        self.client.close()
        self.daemon.end(signal.SIGKILL)
        self.daemon.start()

    def test_openai_agents(self):
        self.run_program("runner", "agents_program.py", programs.installed(PACKAGES, *AGENTS))

    def test_the_sdk(self):
        self.run_program("adder", "sdk_program.py", programs.installed(SDK, "swarm"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
