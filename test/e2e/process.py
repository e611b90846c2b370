#!/usr/bin/python3
"""Programs as agents: unmodified ones in Python, in the sandbox, for a message each. What they
answer and refuse, what they may ask models within a budget, and that bad ones harm nobody."""
# timeout: 240
# labels: kill
import os
import signal
import subprocess
import tarfile
import unittest

import programs
from models import CANARY, DEADLINE_S, OPENAI, budget, model, provider, secret
from models import apply as apply_objects
from swarmd import TMP, Client, Daemon, run
from upstream import Upstream
from waiting import wait_for

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
SDK = os.path.join(os.environ["SW_SOURCE"], "sdk", "python", "swarm")
PACKAGES = os.path.join(os.environ["SW_VENV"], "lib", "python3.11", "site-packages")
PYTHON = ["python3", "-B", "main.py", DATA]  # By which these are told from other tests' own.
ECHO = b"""
import os, sys
text = sys.stdin.read()
if text == "fail":
    print("a line", file=sys.stderr)
    sys.exit("there is no order of that number")
have = os.environ
print(f"{have['SWARM_AGENT']}/{have['SWARM_KEY']} {have['SWARM_TYPE']} {text}", end="")
"""
THINK = b"""
import sys
from openai import OpenAI

client = OpenAI()
answer = client.chat.completions.create(
    model="chatty", messages=[{"role": "user", "content": sys.stdin.read()}])
print(answer.choices[0].message.content, end="")
"""
BAD = b"""
import os, signal, socket, sys, time
what = sys.stdin.read()
if what == "spin":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass
if what == "fork":
    try:
        while True:
            if os.fork() == 0:
                time.sleep(1000)
    except OSError as e:
        print(e.strerror, end="")
if what == "memory":
    have = []
    while True:
        have.append(b"x" * 1000000)
if what == "disk":
    try:
        for i in range(100):
            with open(f"/tmp/{i}", "wb") as file:
                file.write(b"x" * 1000000)
    except OSError as e:
        print(e.strerror, end="")
if what == "read":
    seen = [p for p in ["/etc/shadow", "/root", sys.argv[1]] if os.path.exists(p)]
    print(seen, end="")
if what == "net":
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[2])), timeout=5)
        print("connected", end="")
    except OSError as e:
        print(e.strerror, end="")
if what == "flood":
    while True:
        os.write(1, b"x" * 100000)
"""


class Process(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SWARM_AGENTS_MODULE_GRACE"] = "3s"
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        cls.echo = programs.push_image("echo", {"main.py": ECHO})

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def ask(self, to, body=b"", status=200):
        answers = []

        def has_come():
            answers.append(self.client.send(to, body))
            return answers[-1][0] != 503
        wait_for(has_come, f"{to} answers")
        self.assertEqual(answers[-1][0], status, answers[-1])
        return answers[-1][1].decode()

    def test_1_a_program_answers(self):
        programs.apply("echo", {"image": self.echo, "command": PYTHON})
        self.assertIn("echo/a", self.ask("echo/a", b"hello"))
        self.assertTrue(self.ask("echo/b", b"x" * 200000).endswith("x" * 200000))
        words = self.ask("echo/a", b"fail", status=412)
        self.assertIn("status 1", words)
        self.assertIn("no order of that number", words)
        self.assertIn("a line", run("swarm", "logs", "echo"))

    def test_2_mistakes_are_told(self):
        other = "sha256:" + "0" * 64
        for name, manifest, status, wanted in (
                ("none", {"image": other, "command": ["true"]}, 404, "never pushed"),
                ("field", {"image": self.echo, "command": ["true"], "colour": 1}, 400, "colour"),
                ("empty", {"image": self.echo, "command": []}, 400, "1 to 64 words"),
                ("size", {"image": self.echo, "command": ["true"], "memory": "1TiB"}, 400, "size"),
                ("lost", {"image": self.echo, "command": ["nosuch"]}, 412, "No such file")):
            programs.apply(name, manifest)
            self.assertIn(wanted, self.ask(name + "/a", status=status), name)
        out = tarfile.TarInfo("../x")
        link = tarfile.TarInfo("link")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc"
        for name, content, wanted in (
                ("out", programs.archive(extra=[out]), "leads elsewhere"),
                ("link", programs.archive(extra=[link]), "a link"),
                ("text", b"no archive", "not compressed"),
                ("cut", programs.archive({"main.py": os.urandom(9000)})[:-200], "cut")):
            image = programs.push_archive("bad-" + name, content)
            programs.apply(name, {"image": image, "command": ["true"]})
            self.assertIn(wanted, self.ask(name + "/a", status=400), name)

    def test_3_an_unmodified_program_thinks_within_its_budget(self):
        packages = programs.push_image("packages", folders=programs.installed(
            PACKAGES, "openai", "httpx2", "httpcore2", "h11", "anyio", "sniffio", "idna", "certifi",
            "pydantic", "pydantic_core", "annotated_types", "typing_extensions",
            "typing_inspection", "jiter", "truststore"))
        image = programs.push_image("think", {"main.py": THINK})
        programs.apply("think", {"image": image, "packages": [packages], "command": PYTHON})
        with Upstream(CANARY) as upstream:
            apply_objects(secret(), provider("openai", upstream, models=[
                model("chatty", price={"outputPerMillion": "1000"})]),
                budget("think", agent="think", limits={"calls": "2"}))
            wait_for(lambda: b"chatty" in self.client.request("GET", OPENAI + "/models")[2],
                     "models are there", DEADLINE_S)
            self.assertEqual(self.ask("think/a", b"hello there"), "You said: hello there")
            self.assertEqual(self.ask("think/b", b"again"), "You said: again")
            self.assertIn("budget", self.ask("think/c", b"too much", status=412))
            wait_for(lambda: "2/2" in run("swarm", "budget", "get", "think"), "all is told of")

    def test_4_bad_ones_are_contained(self):
        image = programs.push_image("bad", {"main.py": BAD})
        programs.apply("bad", {"image": image, "memory": "64MiB", "tmp": "8MiB", "tasks": 16,
                               "deadline": "3s",
                               "command": PYTHON + [str(self.daemon.port)]})
        self.assertIn("longer than 3000 ms", self.ask("bad/a", b"spin", status=504))
        self.assertIn("unavailable", self.ask("bad/a", b"fork"))
        self.assertIn("memory", self.ask("bad/a", b"memory", status=429).lower())
        self.assertIn("No space", self.ask("bad/a", b"disk"))
        self.assertEqual(self.ask("bad/a", b"read"), "[]")
        self.assertIn("refused", self.ask("bad/a", b"net"))
        self.assertIn("larger than", self.ask("bad/a", b"flood", status=429))
        self.assertIn("echo/a", self.ask("echo/a", b"and others go on"))
        self.assertEqual(self.programs_left(), [])

    def programs_left(self):
        listed = subprocess.run(["ps", "-eo", "user:20,args"], capture_output=True, text=True,
                                check=True).stdout.splitlines()
        return [line for line in listed if DATA in line and "python3 -B" in line]

    def test_5_all_end_with_the_daemon_and_messages_are_handled_again(self):
        programs.apply("slow", {"image": self.echo, "command": [
            "sh", "-c", "echo begun >&2; sleep 1.2345; exec python3 -B main.py " + DATA]})
        sent = subprocess.Popen(["swarm", "send", "slow/a", "hello", "--timeout=60s"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        wait_for(lambda: "sleep 1.2345" in subprocess.run(
            ["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout, "it runs")
        self.client.close()
        self.daemon.end(signal.SIGKILL)
        wait_for(lambda: not self.programs_left(), "all programs end")
        self.daemon.start()
        sent.communicate(timeout=60)
        wait_for(lambda: "begun" in run("swarm", "logs", "slow"), "the message is handled")
        self.assertIn("echo/a", self.ask("echo/a", b"hello"))

    def test_6_a_folder_is_built_and_applied(self):
        folder = os.path.join(TMP, "greeter")
        run("swarm", "agent", "init", folder, "--lang=python")
        self.check_tests(folder)
        run("swarm", "agent", "build", folder)
        with open(os.path.join(folder, "agent.bundle"), "rb") as file:
            first = file.read()
        run("swarm", "apply", "-f", folder)
        run("swarm", "wait", "agent/greeter", "--for=condition=Ready", "--timeout=60s")
        for count in (1, 2):
            self.assertEqual(run("swarm", "send", "greeter", "Ada"),
                             f"Hello, Ada! You are number {count}.\n")
        self.assertIn("was there already",
                      self.both("swarm", "agent", "push", os.path.join(folder, "agent.bundle")))
        run("swarm", "agent", "build", folder)
        with open(os.path.join(folder, "agent.bundle"), "rb") as file:
            self.assertEqual(file.read(), first)
        os.makedirs(os.path.join(folder, "lib", "words", "__pycache__"))
        for name, text in (("lib/words/__init__.py", "TEXT = 'from a package'"),
                           ("lib/words/__pycache__/" + "x" * 120 + ".pyc", "left out"),
                           ("main.py", "import words\nprint(words.TEXT, end='')"),
                           ("agent.program", '{"command": ["python3", "main.py"], '
                                            '"packages": ["lib"]}')):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        run("swarm", "agent", "build", folder)
        self.assertEqual(len([name for name in os.listdir(os.path.join(folder, ".swarm"))
                              if name.endswith(".bundle")]), 2)
        run("swarm", "apply", "-f", folder)
        wait_for(lambda: "from a package" in run("swarm", "send", "greeter", ""), "it is upgraded")
        for text, words in (("[]", "object"), ('{"command": []}', "1 to 64 words"),
                            ('{"command": ["true"], "image": "gone"}', "gone"),
                            ('{"command": ["true"], "colour": 1}', "colour"),
                            ("{", "agent.program:")):
            with open(os.path.join(folder, "agent.program"), "w", encoding="utf-8") as file:
                file.write(text)
            done = subprocess.run(["swarm", "agent", "build", folder], capture_output=True,
                                  text=True, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)

    @staticmethod
    def both(*words):
        return subprocess.run(words, text=True, check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def check_tests(self, folder):
        """Those that a new program comes with pass, and can fail; nothing is installed for them."""
        self.assertIn("Ran 2 tests", self.both("swarm", "agent", "test", folder))
        path = os.path.join(folder, "main.py")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for changed, words in ((text.replace("Hello, ", "Bye, "), "a test failed"), (text, "OK")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(changed)
            self.assertIn(words, self.both("swarm", "agent", "test", folder))
        brought = os.listdir(os.path.join(folder, ".swarm", "python", "swarm"))
        self.assertEqual(sorted(name for name in brought if name != "__pycache__"),
                         sorted(name for name in os.listdir(SDK) if name != "__pycache__"))

    def test_7_a_replay_runs_no_program(self):
        turns = run("swarm", "agent", "history", "echo/b")
        self.assertIn("swarm.process", run("swarm", "agent", "inspect", "echo/b", "@1") + turns)
        self.client.close()
        self.assertEqual(self.daemon.end(signal.SIGKILL), -signal.SIGKILL)
        self.assertIn("replayed", run("swarmctl", "journal", "replay", "--data", DATA))
        self.daemon.start()


if __name__ == "__main__":
    unittest.main(verbosity=2)
