#!/usr/bin/python3
"""Modules that nothing needs go, and nothing else does: through upgrades, snapshots, kills and the
end of a namespace. A module goes a moment after the last snapshot in which somebody had it; that
something stays is looked at when a module that nobody ever named has gone."""
# timeout: 480
# labels: kill
import glob
import hashlib
import json
import os
import random
import signal
import subprocess
import time
import unittest

from swarmd import BUILD, TMP, Client, Daemon, run
from waiting import wait_for

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
MODULES = "/apis/swarm/v1/namespaces/default/modules/"
GRACE_S = 3  # Who pushes a module and then names it is to be quicker, also on a busy machine.


def variant(guest, word):
    """(path, digest) of a guest whose answers have the type text/WORD, of five letters."""
    with open(os.path.join(BUILD, "guests", guest + ".wasm"), "rb") as file:
        wasm = file.read()
    assert len(word) == 5 and b"text/plain" in wasm
    wasm = wasm.replace(b"text/plain", b"text/" + word.encode())
    digest = hashlib.sha256(wasm).hexdigest()
    path = os.path.join(TMP, digest + ".wasm")
    with open(path, "wb") as file:
        file.write(wasm)
    return path, digest


def hello(word):
    return variant("example_hello_agent", word)


def is_there(digest, namespace="default"):
    """By looking at the file, since asking for it has it kept."""
    return os.path.exists(os.path.join(DATA, "modules", namespace, digest + ".wasm"))


def apply(name, path, namespace="default"):
    manifest = os.path.join(TMP, name + ".yaml")
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(f"apiVersion: swarm/v1\nkind: Agent\nmetadata: {{name: {name}, "
                   f"namespace: {namespace}}}\nspec: {{module: {path}, keyed: true}}\n")
    run("swarm", "apply", "-f", manifest)
    run("swarm", "wait", "agent/" + name, "--namespace", namespace, "--for=condition=Ready",
        "--timeout=60s")


class Modules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SWARM_AGENTS_MODULE_GRACE"] = f"{int(GRACE_S * 1000)}ms"
        os.environ["SWARM_AGENTS_HISTORY_SIZE"] = "0"
        os.environ["SWARM_AGENTS_SNAPSHOT_SIZE"] = "1MiB"
        cls.random = random.Random(4)
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def restart(self, number):
        self.client.close()
        self.daemon.end(number)
        self.daemon.start()

    def push(self, path, digest):
        with open(path, "rb") as file:
            status, _, answer = self.client.request("PUT", MODULES + "sha256:" + digest,
                                                    file.read(),
                                                    {"content-type": "application/wasm"})
        self.assertIn(status, (200, 201), answer)

    def collect(self):
        """Return when all has gone that could go by now."""
        path, digest = hello("%05d" % self.random.randrange(10 ** 5))
        self.push(path, digest)
        self.assertTrue(is_there(digest))
        wait_for(lambda: not is_there(digest), "a module that nobody named has gone")

    def snapshot(self):
        """Have the journal grow until a snapshot counts."""
        before = set(glob.glob(os.path.join(DATA, "agents", "snapshot-*.snap")))

        def has_come():
            self.ask("filler/a", "x" * 200000)
            return set(glob.glob(os.path.join(DATA, "agents", "snapshot-*.snap"))) - before
        wait_for(has_come, "a snapshot has come")

    def ask(self, to, body):
        """The answer and its type, once the Pods are open."""
        agent, _, key = to.partition("/")
        path = f"/apis/swarm/v1/namespaces/default/agents/{agent}/send?reply=true&key={key}"
        end = time.monotonic() + 60
        while True:
            status, headers, answer = self.client.request("POST", path, body,
                                                          {"content-type": "text/plain"})
            if status == 200:
                return answer.decode(), headers["content-type"]
            if status != 503 or time.monotonic() > end:
                raise AssertionError(f"{to}: {status} {answer}")

    def greet(self, key, word, number):
        answer = f"Hello, you! You are number {number}.\n"
        self.assertEqual(self.ask("greeter/" + key, "you"), (answer, "text/" + word))

    def count(self):
        return int(self.ask("greeter/k", "you")[0].split()[-1][:-1])

    def test_1_a_version_goes_when_a_snapshot_stands_for_it(self):
        versions = [hello(word) for word in ("hello", "howdy", "salve")]
        apply("filler", versions[2][0])
        apply("greeter", versions[0][0])
        for key in "ab":
            self.greet(key, "hello", 1)
        apply("greeter", versions[1][0])
        for key in "ab":
            self.greet(key, "howdy", 2)
        self.collect()
        self.assertTrue(is_there(versions[0][1]), "the upgrades are in the journal only")
        code = len(os.listdir(os.path.join(DATA, "compiled")))
        self.snapshot()
        wait_for(lambda: not is_there(versions[0][1]), "the first version has gone")
        self.assertEqual(len(os.listdir(os.path.join(DATA, "compiled"))), code - 1)
        self.collect()
        self.assertTrue(is_there(versions[1][1]))
        self.restart(signal.SIGKILL)
        for key in "ab":
            self.greet(key, "howdy", 3)
        apply("greeter", versions[0][0])  # It is pushed anew.
        for key in "ab":
            self.greet(key, "hello", 4)
        self.restart(signal.SIGTERM)  # With a snapshot, after which nobody has the second one.
        wait_for(lambda: not is_there(versions[1][1]), "the second version has gone")
        for key in "ab":
            self.greet(key, "hello", 5)

    def test_2_who_could_not_be_upgraded_keeps_its_module(self):
        old = variant("test_diary", "plein")
        new = variant("test_diary", "plaid")
        apply("diary", old[0])
        self.assertEqual(self.ask("diary/a", "put 0 0"), ("1", "text/plein"))
        apply("diary", new[0])  # It cannot take over what is there.
        self.assertEqual(self.ask("diary/new", "put 0 0"), ("1", "text/plaid"))
        for number, kill in enumerate((None, signal.SIGTERM, signal.SIGKILL)):
            self.snapshot()
            if kill is not None:
                self.restart(kill)
            self.collect()
            self.assertTrue(is_there(old[1]))
            self.assertEqual(self.ask("diary/a", f"put 0 {number + 1}"),
                             (str(number + 2), "text/plein"))
        self.assertIsNotNone(self.client.events("UpgradeUnsupported"))
        found = json.loads(run("swarm", "get", "instances", "diary", "-o", "json"))
        self.assertEqual(sorted((item["name"], item["module"]) for item in found["items"]),
                         [("diary/a", f"sha256:{old[1]}"), ("diary/new", f"sha256:{new[1]}")])
        words = run("swarm", "get", "instances", "diary")
        self.assertRegex(words, rf"diary/a .* sha256:{old[1][:12]}(\s|\Z)")
        run("swarm", "delete", "agent/diary")
        self.snapshot()
        wait_for(lambda: not is_there(old[1]) and not is_there(new[1]), "both have gone")

    def test_3_who_is_told_that_a_module_is_there_can_use_it(self):
        """Whenever it is applied, the client pushes what has gone, and what is there stays."""
        path, digest = hello("ahoi-")
        went = 0
        for _ in range(5):
            went += not is_there(digest)
            apply("sailor", path)
            run("swarm", "delete", "agent/sailor")
            self.snapshot()
            time.sleep(self.random.uniform(GRACE_S / 2, GRACE_S * 2.5))
        self.assertGreater(went, 1, "it never went in between")  # The first time it is new.

    def test_3_an_agent_without_its_module_starts_when_it_is_pushed(self):
        path, digest = hello("late-")
        manifest = os.path.join(TMP, "late.yaml")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: late}\n"
                       f"spec: {{module: 'sha256:{digest}', keyed: true}}\n")
        run("swarm", "apply", "-f", manifest)
        wait_for(lambda: "push it" in str(self.client.get("/namespaces/default/pods")),
                 "its Pod says what is missing")
        self.push(path, digest)
        run("swarm", "wait", "agent/late", "--for=condition=Ready", "--timeout=60s")
        self.collect()
        self.assertTrue(is_there(digest))
        run("swarm", "delete", "agent/late")

    def test_4_nothing_that_is_named_goes_through_kills(self):
        versions = [hello(word) for word in ("one--", "two--", "three")]
        apply("greeter", versions[0][0])
        first = self.count()
        for number in range(5):
            path, digest = versions[(number + 1) % 3]
            apply("greeter", path)
            for _ in range(self.random.randrange(4)):
                self.push(*hello("%05d" % self.random.randrange(10 ** 5)))
            time.sleep(self.random.uniform(0, GRACE_S * 1.3))
            self.restart(signal.SIGKILL)
            self.assertTrue(is_there(digest))
            self.assertEqual(self.count(),
                             first + 1 + number)
        self.snapshot()
        named = {hello("salve")[1], digest}
        left = os.path.join(DATA, "modules", "default")
        wait_for(lambda: {name[:-5] for name in os.listdir(left)} == named,
                 "only what is named is left")

    def test_5_a_namespace_that_goes_frees_its_modules(self):
        path, digest = hello("moin-")
        manifest = os.path.join(TMP, "space.yaml")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Namespace\nmetadata: {name: north}\n")
        run("swarm", "apply", "-f", manifest)
        apply("sailor", path, "north")
        self.collect()
        self.assertTrue(is_there(digest, "north"))
        run("swarm", "delete", "namespace/north")
        self.snapshot()
        wait_for(lambda: not os.path.exists(os.path.join(DATA, "modules", "north")),
                 "its folder has gone")

    def test_6_the_journal_can_be_replayed_without_what_went(self):
        self.client.close()
        self.assertEqual(self.daemon.end(), 0)
        done = subprocess.run(["swarmctl", "journal", "replay", "--data", DATA], timeout=60,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.daemon.start()


if __name__ == "__main__":
    unittest.main()
