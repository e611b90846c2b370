#!/usr/bin/python3
"""Bundles: programs that are a payload for a module which they share. Two Agents, one runtime:
their own answers, upgrades from one to the other, kills, another look at what was, and a replay;
the runtime is compiled once, and stays as long as a bundle that names it does."""
# timeout: 240
# labels: kill
import base64
import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import unittest

from swarmd import BUILD, TMP, Client, Daemon, run
from waiting import wait_for

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
MODULES = "/apis/swarm/v1/namespaces/default/modules/"
RUNTIME = os.path.join(BUILD, "guests", "test_bundled.wasm")
PAYLOAD_MAX = 16 << 20
with open(RUNTIME, "rb") as opened:
    DIGEST = hashlib.sha256(opened.read()).digest()


def bundle(payload, runtime=DIGEST, version=1, size=None):
    return (b"\0swb" + struct.pack("<I", version) + runtime +
            struct.pack("<I", len(payload) if size is None else size) + payload)


def write(name, content):
    path = os.path.join(TMP, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


def apply(name, module, **spec):
    manifest = write(name + ".yaml", json.dumps({
        "apiVersion": "swarm/v1", "kind": "Agent", "metadata": {"name": name},
        "spec": {"module": module, "keyed": True, **spec}}).encode())
    run("swarm", "apply", "-f", manifest)
    run("swarm", "wait", "agent/" + name, "--for=condition=Ready", "--timeout=60s")


def is_there(hexadecimal):
    return os.path.exists(os.path.join(DATA, "modules", "default", hexadecimal + ".wasm"))


def refused(path):
    """What `swarm agent push` says against a file."""
    done = subprocess.run(["swarm", "agent", "push", path], capture_output=True, timeout=60,
                          check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr.decode()


class Bundles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SWARM_AGENTS_MODULE_GRACE"] = "3s"
        os.environ["SWARM_AGENTS_HISTORY_SIZE"] = "0"
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

    def push(self, content):
        return self.client.request("PUT", MODULES + "sha256:" + digest_of(content), content,
                                   {"content-type": "application/octet-stream"})

    def ask(self, to, body=b"?"):
        answers = []

        def has_come():
            answers.append(self.client.send(to, body))
            return answers[-1][0] != 503
        wait_for(has_come, f"{to} answers")
        self.assertEqual(answers[-1][0], 200, answers[-1])
        return answers[-1][1].decode("latin-1")

    def compiled(self):
        return sorted(os.listdir(os.path.join(DATA, "compiled")))

    def test_1_what_is_no_good_bundle_is_refused_with_what_to_do(self):
        good = bundle(b"payload")
        words = refused(write("orphan.bundle", good))
        self.assertIn(DIGEST.hex(), words)
        self.assertIn("push that module to the namespace first", words)
        run("swarm", "agent", "push", RUNTIME)
        for name, content, wanted in (
                ("cut", good[:-1], "ends in its payload"),
                ("head", good[:20], "ends before its payload"),
                ("more", good + b"!", "something follows its payload"),
                ("new", bundle(b"payload", version=2), "version 2"),
                ("large", bundle(b"", size=PAYLOAD_MAX + 1), "the most it may have is 16777216"),
                ("text", b"no program", "neither a WebAssembly module nor a bundle")):
            self.assertIn(wanted, refused(write(name + ".bundle", content)), name)
        status, _, _ = self.push(bundle(bytes(PAYLOAD_MAX + 1)))
        self.assertGreaterEqual(status, 400)
        status, _, answer = self.push(good)
        self.assertEqual(status, 201, answer)
        nested = bundle(b"x", runtime=hashlib.sha256(good).digest())
        self.assertIn("is a bundle itself", refused(write("nested.bundle", nested)))

    def test_1_a_runtime_is_built_as_an_agent_is(self):
        source = shutil.copy(os.path.join(os.environ["SW_SOURCE"], "test", "guests", "bundled.c"),
                             TMP)
        run("swarm", "agent", "build", source)
        with open(os.path.join(TMP, "bundled.wasm"), "rb") as file:
            runtime = file.read()
        self.assertEqual(self.push(runtime)[0], 201)
        own = bundle(b"of my own", runtime=hashlib.sha256(runtime).digest())
        apply("mine", write("mine.bundle", own))
        self.assertEqual(self.ask("mine/a"), "of my own 1 9")

    def test_2_two_agents_share_a_runtime_that_is_compiled_once(self):
        apply("one", write("one.bundle", bundle(b"first payload")))
        before = self.compiled()
        apply("two", write("two.bundle", bundle(b"")))
        large = os.urandom(PAYLOAD_MAX - 8) + b"the end."
        apply("three", write("three.bundle", bundle(large)))
        apply("none", RUNTIME)
        self.assertEqual(self.ask("one/a"), "first payload 1 13")
        self.assertEqual(self.ask("two/a"), " 1 0")
        self.assertEqual(self.ask("one/a"), "first payload 2 13")
        self.assertEqual(self.ask("one/b"), "first payload 1 13")
        self.assertEqual(self.ask("three/a", b"tail"), f"the end. 1 {PAYLOAD_MAX}")
        self.assertEqual(self.ask("three/a"), large[:1024].decode("latin-1") + f" 2 {PAYLOAD_MAX}")
        self.assertEqual(self.ask("none/a"), " 1 0")
        self.assertEqual(self.compiled(), before)
        apply("quick", write("one.bundle", bundle(b"first payload")), engine="compute")
        self.assertEqual(self.ask("quick/a"), "first payload 1 13")
        self.assertEqual(len(self.compiled()), len(before) + 1)

    def test_3_an_upgrade_goes_from_one_bundle_to_another(self):
        apply("one", write("other.bundle", bundle(b"second")))
        self.assertEqual(self.ask("one/a"), "second 103 6")
        self.assertEqual(self.ask("one/new"), "second 1 6")

    def test_4_kills_and_restarts_change_nothing(self):
        for turn, number in enumerate((signal.SIGKILL, signal.SIGTERM)):
            self.restart(number)
            self.assertEqual(self.ask("one/a"), f"second {104 + turn} 6")
            self.assertEqual(self.ask("two/a"), f" {2 + turn} 0")
            self.assertEqual(self.ask("three/a", b"tail"), f"the end. {3 + turn} {PAYLOAD_MAX}")
        os.kill(self.daemon.host(), signal.SIGKILL)
        self.assertEqual(self.ask("one/a"), "second 106 6")
        self.assertEqual(self.ask("one/b"), "second 102 6")

    def test_5_what_was_can_be_looked_at_and_forked(self):
        turns = json.loads(run("swarm", "agent", "history", "two/a", "-o", "json"))["turns"]
        last = "@" + turns[-1]["turn"]
        self.assertIn("1 came to what is recorded", run("swarm", "agent", "replay",
                                                        "two/a", last))
        other = "sha256:" + digest_of(bundle(b"second"))
        tried = json.loads(run("swarm", "agent", "fork", "two/a", last, "--module", other,
                               "-o", "json"))["turns"][0]
        body = base64.b64decode(tried["effects"][0]["body"])
        self.assertEqual(body, b"second 103 6", tried)
        run("swarm", "agent", "fork", "two/a", last, "--module", other, "--as", "fork")
        self.assertEqual(self.ask("two/fork"), "second 104 6")
        self.assertEqual(self.ask("two/a"), " 4 0")

    def test_6_a_runtime_stays_as_long_as_a_bundle_names_it(self):
        orphan = bundle(b"nobody names it")
        self.assertEqual(self.push(orphan)[0], 201)
        run("swarm", "delete", "agent/none", "agent/quick")
        wait_for(lambda: not is_there(digest_of(orphan)), "a bundle that nobody named has gone")
        self.assertTrue(is_there(DIGEST.hex()))
        self.assertEqual(self.ask("one/a"), "second 107 6")
        self.restart(signal.SIGKILL)
        self.assertEqual(self.ask("one/a"), "second 108 6")

    def test_7_a_replay_comes_to_the_same(self):
        self.client.close()
        self.assertEqual(self.daemon.end(signal.SIGKILL), -signal.SIGKILL)
        told = run("swarmctl", "journal", "replay", "--data", DATA)
        self.assertRegex(told, r"replayed .*: \d+ segments of \d+ instances")
        self.assertNotIn("left out", told)
        self.daemon.start()

    def test_8_the_last_bundle_takes_its_runtime_with_it(self):
        run("swarm", "delete", "agent/one", "agent/two", "agent/three", "agent/mine")
        self.client.close()
        self.assertEqual(self.daemon.end(), 0)  # With a snapshot, in which nobody has it.
        self.daemon.start()
        wait_for(lambda: not is_there(DIGEST.hex()), "the runtime has gone")
        wait_for(lambda: not os.path.exists(os.path.join(DATA, "modules", "default")),
                 "all that nothing needs has gone")


if __name__ == "__main__":
    unittest.main(verbosity=2)
