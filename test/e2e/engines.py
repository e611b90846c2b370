#!/usr/bin/python3
"""An update of Swarm right after a crash: the version before ran another engine, and its last
records are nobody else's to replay. It was kept beside the data, packs what it left, and the new
one goes on: nothing is parked, nothing is lost. The other version is this one with another
fingerprint in all of its programs, written over the one before in place, as cp does it."""
# timeout: 180
# labels: kill
import errno
import os
import re
import signal
import time
import unittest

import swarmd
from swarmd import BUILD, TMP, Client, Daemon, apply
from waiting import wait_for

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
NOTES = 60
KEYS = "abcdefg"
CLASSES = ("compute", "replay")

PROGRAMS = ("bin/swarmd", "libexec/swarm-agent-host", "libexec/swarm-compiler")
INSTALLED = os.path.join(TMP, "installed")


def write_over(path, content):
    """In the place where it is, once nobody runs it any more."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    end = time.monotonic() + 60
    while True:
        try:
            file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755), "wb")
            break
        except OSError as error:
            if error.errno != errno.ETXTBSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
    with file:
        file.write(content)


def install(settings):
    """The programs, with the number of the settings in the fingerprint changed."""
    for part in PROGRAMS:
        with open(os.path.join(BUILD, part), "rb") as file:
            program = file.read()
        changed, count = re.subn(rb"settings \d \(", b"settings %d (" % settings, program)
        assert count > 0 or part.endswith("compiler"), part
        write_over(os.path.join(INSTALLED, part), changed)
    with open(os.path.join(BUILD, "lib", "swarm", "libwasmtime.so"), "rb") as file:
        write_over(os.path.join(INSTALLED, "lib", "swarm", "libwasmtime.so"), file.read())


def engines():
    folder = os.path.join(DATA, "engines")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


class Engines(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.client = None
        cls.start(1)
        apply("diary", "diary: keyed: true", "lone: keyed: true, isolation: agent",
              *(f"{engine}: keyed: true, engine: {engine}" for engine in CLASSES))
        for agent in ("lone",) + CLASSES:
            assert cls.client.send(agent + "/k", "put 0 0") == (200, b"1")
        for number in range(NOTES):
            cls.note(number)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()
        with open(os.path.join(DATA, "not-replayed"), "w", encoding="ascii") as file:
            file.write("Programs with other fingerprints ran it.\n")

    @classmethod
    def start(cls, version):
        """Start the daemon of that version, and wait until it has kept its engine."""
        install(version)
        swarmd.BUILD, build = INSTALLED, swarmd.BUILD
        cls.daemon.start()
        swarmd.BUILD = build
        cls.client = cls.client or Client(cls.daemon)
        wait_for(lambda: any(os.path.exists(os.path.join(DATA, "engines", name, "manifest"))
                             for name in engines()), "that an engine is kept")

    @classmethod
    def kill(cls):
        cls.client.close()
        assert cls.daemon.end(signal.SIGKILL) == -signal.SIGKILL

    @classmethod
    def note(cls, number):
        key = KEYS[number % len(KEYS)]
        answer = cls.until_taken(f"diary/{key}", f"put 0 {number}")
        assert answer == str(number // len(KEYS) + 1).encode(), (number, answer)

    @classmethod
    def until_taken(cls, to, body):
        """The answer, once the Pods are open again."""
        end = time.monotonic() + 60
        while True:
            status, answer = cls.client.send(to, body)
            if status == 200:
                return answer
            if status != 503 or time.monotonic() > end:
                raise AssertionError(f"{to}: {status} {answer}")

    def told(self):
        with open(self.daemon.log, encoding="utf-8") as file:
            return file.read()

    def check_goes_on(self, first):
        """Every instance has all that it was told, takes more, and nobody is parked."""
        for number in range(first, first + NOTES):
            self.note(number)
        self.assertEqual(self.client.events("EngineChanged"), [])
        items = self.client.get("/namespaces/default/agents/diary/instances")["items"]
        self.assertEqual(len(items), len(KEYS))
        self.assertNotIn("Parked", [item["state"] for item in items])

    def test_1_an_update_after_a_crash_goes_on(self):
        first, = engines()
        self.kill()
        self.start(2)
        self.check_goes_on(NOTES)
        found = re.search(r'settings 1 \(.*" packed \d+ instances of the agent host shared and '
                          r"replayed (\d+) segments", self.told())
        self.assertIsNotNone(found, self.told())
        self.assertGreaterEqual(int(found[1]), NOTES)
        self.assertRegex(self.told(), r"packed \d+ instances of the agent host agent/default/lone")
        for agent in ("lone",) + CLASSES:
            self.assertEqual(self.until_taken(agent + "/k", "put 0 1"), b"2")
        wait_for(lambda: len(engines()) == 1, "one engine is left")
        self.assertNotEqual(engines(), [first])

    def test_2_back_to_the_one_before_after_a_crash_too(self):
        self.kill()
        self.start(1)
        self.check_goes_on(2 * NOTES)

    def test_3_an_engine_that_was_changed_is_not_run(self):
        self.kill()
        engine, = engines()
        path = os.path.join(DATA, "engines", engine, "swarm-agent-host")
        with open(path, "rb") as file:
            program = file.read()
        os.remove(path)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o700), "wb") as file:
            file.write(program + b"\0")
        self.start(3)
        self.assertIn("swarm-agent-host was changed", self.told())
        status, answer = self.client.send("diary/a", "put 0 9999")
        self.assertNotEqual(status, 200, answer)
        wait_for(lambda: self.client.events("EngineChanged"), "that somebody is parked")
        # Once it is what it was, the next start goes on.
        self.kill()
        os.remove(path)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o700), "wb") as file:
            file.write(program)
        self.start(3)
        for key in KEYS:
            self.assertGreater(int(self.until_taken(f"diary/{key}", "put 1 0")), NOTES // 3)


if __name__ == "__main__":
    unittest.main()
