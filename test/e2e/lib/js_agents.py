"""Agents in JavaScript for tests: their bundles, and a daemon that runs them."""
import hashlib
import json
import os
import signal
import struct
import textwrap
import unittest

from swarmd import BUILD, TMP, Client, Daemon, run
from waiting import wait_for

RUNTIME = os.path.join(BUILD, "guests", "swarm_js.wasm")
with open(RUNTIME, "rb") as opened:
    DIGEST = hashlib.sha256(opened.read()).digest()
WAIT_S = 60


def write(name, content):
    path = os.path.join(TMP, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def bundle(name, source):
    payload = textwrap.dedent(source).lstrip("\n").encode()
    return write(name + ".bundle", b"\0swb" + struct.pack("<I", 1) + DIGEST +
                 struct.pack("<I", len(payload)) + payload)


def apply(name, source, ready=True, **spec):
    manifest = write(name + ".yaml", json.dumps({
        "apiVersion": "swarm/v1", "kind": "Agent", "metadata": {"name": name},
        "spec": {"module": bundle(name, source), "keyed": True, **spec}}).encode())
    run("swarm", "apply", "-f", manifest)
    if ready:
        run("swarm", "wait", "agent/" + name, "--for=condition=Ready", "--timeout=120s")


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        if cls.daemon.end() != 0:
            raise AssertionError("swarmd did not stop cleanly")

    def restart(self, number=signal.SIGKILL):
        self.client.close()
        self.daemon.end(number)
        self.daemon.start()

    def tell(self, to, body=""):
        """(status, text) of an answer, once the Agent is there."""
        answers = []

        def has_come():
            answers.append(self.client.send(to, body.encode()))
            return answers[-1][0] != 503
        wait_for(has_come, f"{to} answers", WAIT_S)
        return answers[-1][0], answers[-1][1].decode()

    def ask(self, to, body=""):
        status, text = self.tell(to, body)
        self.assertEqual(status, 200, text)
        return text
