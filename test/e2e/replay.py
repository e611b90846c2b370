#!/usr/bin/python3
"""swarmctl journal replay: all that ran comes to the same again, from the journal of a daemon that
was stopped or killed, and nothing of the data is changed by looking. What came out otherwise is
found and named: here another module is put into the place of one, machine code and all, sealed with
the daemon's own key. Every other script is replayed at its end by tools/test/isolate."""
# timeout: 120
import glob
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["SW_SOURCE"], "test", "bench", "lib"))
import forge  # pylint: disable=wrong-import-position
from swarmd import BUILD, TMP, Client, Daemon, apply, run

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
SEGMENTS = 40
DIARY = os.path.join(BUILD, "guests", "test_diary.wasm")


def replay(data, status):
    """(what it prints, what it says of errors)."""
    done = subprocess.run(["swarmctl", "journal", "replay", "--data", data], capture_output=True,
                          timeout=60, check=False)
    if done.returncode != status:
        raise AssertionError(f"status {done.returncode}: {done.stdout} {done.stderr}")
    return done.stdout.decode(), done.stderr.decode()


def files(folder):
    """{path: content} below a folder."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                found[os.path.join(place, name)] = hashlib.sha256(file.read()).hexdigest()
    return found


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("diary", "diary: keyed: true")
        for number in range(SEGMENTS):
            key = f"diary/{'abc'[number % 3]}"
            assert cls.client.send(key, f"put 0 {number}")[0] == 200
        cls.forge_code()
        cls.client.close()
        assert cls.daemon.end(signal.SIGKILL) == -signal.SIGKILL

    @classmethod
    def forge_code(cls):
        """A module with another constant is pushed as well, so its code is in the cache."""
        path = os.path.join(TMP, "other.wasm")
        with open(DIARY, "rb") as source, open(path, "wb") as target:
            target.write(source.read().replace(b"text/plain", b"text/plein"))
        cls.other = forge.digest_of(path)
        with open(path, "rb") as file:
            status, _, answer = cls.client.request(
                "PUT", f"/apis/swarm/v1/namespaces/default/modules/sha256:{cls.other}",
                file.read(), {"content-type": "application/wasm"})
        assert status in (200, 201), answer

    def copy(self, name):
        folder = os.path.join(TMP, name)
        shutil.copytree(DATA, folder)
        with open(os.path.join(folder, "not-replayed"), "w", encoding="ascii") as file:
            file.write("It is changed by hand, and replayed here.\n")
        return folder

    def test_what_was_killed_comes_to_the_same_and_is_not_changed(self):
        before = files(DATA)
        words, _ = replay(DATA, 0)
        found = re.fullmatch(r"replayed .*/agents: (\d+) segments of (\d+) instances, since the "
                             r"journal's beginning\n", words)
        self.assertIsNotNone(found, words)
        self.assertGreaterEqual(int(found[1]), SEGMENTS)
        self.assertEqual(int(found[2]), 3)
        self.assertEqual(files(DATA), before)

    def test_machine_code_with_another_constant_is_found(self):
        folder, digest = self.copy("forged"), forge.digest_of(DIARY)
        forge.replace_code(folder, digest, self.other)
        words, errors = replay(folder, 1)
        for name in "abc":
            self.assertRegex(words, rf"differs default/diary/{name}: its segment 2, a message at "
                                    r"lsn \d+, has other effects in the replay than were recorded: "
                                    r"number 1 differs, recorded as reply\n")
        self.assertIn("3 times the replay came to something else", errors)
        # The seal of another key is none: the module itself is compiled again.
        with open(os.path.join(folder, "compiler.key"), "wb") as key:
            key.write(bytes(32))
        self.assertIn("segments of 3 instances", replay(folder, 0)[0])

    def test_a_module_that_was_changed_is_refused(self):
        folder, digest = self.copy("changed"), forge.digest_of(DIARY)
        shutil.copy(os.path.join(TMP, "other.wasm"),
                    os.path.join(folder, "modules", "default", digest + ".wasm"))
        words, _ = replay(folder, 1)
        self.assertIn(f"differs the file of module sha256:{digest} is damaged", words)
        os.remove(os.path.join(folder, "modules", "default", digest + ".wasm"))
        words, _ = replay(folder, 1)
        for name in "abc":
            self.assertIn(f"differs default/diary/{name}: the module sha256:{digest} that it runs "
                          "cannot be had", words)

    def test_a_damaged_record_is_refused(self):
        folder = self.copy("damaged")
        path, = glob.glob(os.path.join(folder, "agents", "journal-*.seg"))
        with open(path, "r+b") as file:
            data = file.read()
            file.seek(data.index(b"put 0 7"))
            file.write(b"put 0 8")
        self.assertIn("cannot be read", replay(folder, 1)[1])

    def test_a_daemon_that_runs_is_left_alone(self):
        folder = self.copy("running")
        daemon = subprocess.Popen(
            [os.path.join(BUILD, "bin", "swarmd"), "--dev", "--data", folder],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(lambda: daemon.poll() is None and daemon.kill())
        self.addCleanup(daemon.stderr.close)
        self.assertTrue(any(b"the agent host shared is up" in line for line in daemon.stderr))
        _, errors = replay(folder, 1)
        daemon.terminate()
        self.assertEqual(daemon.wait(60), 0)
        self.assertRegex(errors, r"\Aerror: [^\n]*running/agents: stop swarmd first\n\Z")
        words, _ = replay(folder, 0)  # The stop took a snapshot, which is compared.
        self.assertIn("; 3 are in the snapshot as they were\n", words)
        self.assertIn("records", run("swarmctl", "journal", "verify", "--data", folder))


if __name__ == "__main__":
    unittest.main()
