#!/usr/bin/python3
"""What an Agent says that is to be kept of its instances' past is kept though snapshots come and
go, over kills of the host and of the daemon and in a backup, up to the limits that it says and not
beyond; and each turn of it comes to the same again."""
# timeout: 300
# labels: kill
import glob
import json
import os
import shutil
import signal
import subprocess
import unittest

from swarmd import TMP, Client, Daemon, apply, run
from waiting import wait_for

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
FILL_BYTES = 60000


def names_of(data=DATA):
    return sorted(glob.glob(os.path.join(data, "agents", "history-*.hist")))


def agent_of(name):
    """Its part of the names of its files."""
    return os.path.basename(name).split("-")[1]


def history(name):
    """What is told, with the turns of all its pages, each of which is a document."""
    text, told = run("swarm", "agent", "history", name, "--all", "-o", "json"), None
    while text:
        page, end = json.JSONDecoder().raw_decode(text)
        if told is not None:
            page["turns"] = told["turns"] + page["turns"]
        told, text = page, text[end:].lstrip()
    return told


def oldest_segment():
    return min(glob.glob(os.path.join(DATA, "agents", "journal-*.seg")))


def numbers_of(name):
    return [int(turn["turn"]) for turn in history(name)["turns"]]


class Retention(unittest.TestCase):
    def setUp(self):
        os.environ["SWARM_AGENTS_SNAPSHOT_SIZE"] = "1MiB"
        os.environ["SWARM_AGENTS_HISTORY_SIZE"] = "0"
        shutil.rmtree(DATA, ignore_errors=True)
        self.begin()

    def begin(self):
        self.daemon = Daemon()
        self.daemon.start()
        self.client = Client(self.daemon)

    def tearDown(self):
        self.client.close()
        self.assertEqual(self.daemon.end(), 0)

    def send(self, name, text):
        def is_sent():
            status, body = self.client.send(name, text)
            self.assertIn(status, (200, 503), body)  # A host that was killed is not back yet.
            return status == 200
        wait_for(is_sent, f"a message to {name}")

    def snapshot(self):
        """Until what is done up to here is history: another snapshot is begun only when what was
        before the last one is kept."""
        filler, seen = Client(self.daemon), self.snapshots()
        older = len(seen)
        try:
            while len(seen) < older + 2:
                filler.send("filler/f", "put 2 1".ljust(FILL_BYTES))
                seen |= self.snapshots()
        finally:
            filler.close()

    def cut(self):
        """Until what was done up to here is in no journal any more."""
        filler, begin = Client(self.daemon), oldest_segment()
        try:
            while oldest_segment() == begin:
                filler.send("filler/f", "put 2 1".ljust(FILL_BYTES))
        finally:
            filler.close()
        self.snapshot()

    @staticmethod
    def snapshots():
        return set(glob.glob(os.path.join(DATA, "agents", "snapshot-*.snap")))

    def assert_is_whole(self, name, last):
        """All turns are there, and come to the same."""
        self.assertEqual(numbers_of(name), list(range(1, last + 1)))
        self.assertIn(f"replayed @1..@{last}: {last} came", run("swarm", "agent", "replay", name))

    def test_snapshots_kills_and_a_restore_take_nothing_of_it(self):
        apply("diary", 'diary: keyed: true, history: {maxAge: 24h}', "filler: keyed: true",
              'sleepy: keyed: true, history: {maxAge: 24h}, hibernation: {after: "0s"}')
        last = 1
        for round_ in range(6):
            for key in ("diary/a", "sleepy/a"):
                for number in range(5):
                    self.send(key, f"put 0 {round_ * 5 + number}")
            last += 5
            self.snapshot()
            if round_ == 2:
                os.kill(self.daemon.host(), signal.SIGKILL)
                wait_for(self.daemon.host, "the next host")
            if round_ == 3:
                self.client.close()
                self.daemon.end(signal.SIGKILL)
                self.begin()
                run("swarm", "wait", "agent/diary", "agent/sleepy", "agent/filler",
                    "--for=condition=Ready")
            if round_ == 4:
                self.client.close()
                self.assertEqual(self.daemon.end(), 0)
                self.begin()
                run("swarm", "wait", "agent/diary", "agent/sleepy", "agent/filler",
                    "--for=condition=Ready")
        self.cut()
        for key in ("diary/a", "sleepy/a"):
            self.assert_is_whole(key, last)
        early = run("swarm", "agent", "inspect", "diary/a", "@3", "-o", "json")
        fork = run("swarm", "agent", "fork", "diary/a", "@3")
        self.assertIn("Both ask for the same", fork)
        source = os.path.join(TMP, "kept.tar")
        run("swarmctl", "backup", source)
        run("swarmctl", "verify", source)
        self.client.close()
        self.assertEqual(self.daemon.end(), 0)
        shutil.rmtree(DATA)
        run("swarmctl", "restore", source, "--data", DATA, "--take-over")
        self.begin()
        run("swarm", "wait", "agent/diary", "--for=condition=Ready")
        self.assert_is_whole("diary/a", last)
        self.assertEqual(run("swarm", "agent", "inspect", "diary/a", "@3", "-o", "json"), early)

    def test_each_limit_holds(self):
        apply("diary", "bytes: keyed: true, history: {maxBytes: 64KiB}",
              "turns: keyed: true, history: {maxTurns: 20}",
              "age: keyed: true, history: {maxAge: 2s}", "filler: keyed: true",
              "none: keyed: true")
        for number in range(16):
            for name in ("bytes", "turns", "age", "none"):
                for _ in range(2):
                    self.send(f"{name}/a", f"put 0 {number}")
            for _ in range(4):  # What does not become smaller.
                self.client.send("bytes/a", "put 0 1 " + os.urandom(1500).hex())
            self.snapshot()
            sizes = {}
            for path in names_of():
                sizes.setdefault(agent_of(path), []).append(os.path.getsize(path))
            self.assertLessEqual(len(sizes), 3)
            self.assertLessEqual(min(sum(each) for each in sizes.values()), 64 << 10)
        self.cut()
        kept = numbers_of("bytes/a")
        self.assertTrue(1 < len(kept) < 16 * 6, kept)
        kept = numbers_of("turns/a")
        self.assertTrue(20 <= len(kept) <= 20 + 6, kept)
        self.assertEqual(kept[-1], 33)
        self.assertLess(len(numbers_of("none/a")), 6)
        self.send("age/a", "put 1 1")
        wait_for(lambda: self.snapshot() or numbers_of("age/a")[0] > 33, "what is too old to go")
        for name in ("bytes/a", "turns/a", "age/a"):
            self.assertNotIn(" differs", run("swarm", "agent", "replay", name))

    def test_a_long_gap_hides_nothing_on_either_side(self):
        apply("diary", "diary: keyed: true, history: {maxBytes: 64KiB}", "filler: keyed: true")
        for number in range(3):
            self.send("diary/a", f"put 0 {number}")
        self.snapshot()
        for number in range(1300):  # More than a page of turns, and than what is kept.
            self.client.send("diary/a", f"put 1 {number}".ljust(200), reply=False)
        self.send("diary/a", "put 2 1")
        self.snapshot()
        wait_for(lambda: "they take more than maxBytes" in run("swarm", "get", "events"),
                 "an Event of the gap")
        self.cut()
        last = 1 + 3 + 1300 + 1
        newest = run("swarm", "agent", "history", "diary/a")
        self.assertIn("\n@4 ", newest)
        self.send("diary/a", "put 2 2")
        kept = numbers_of("diary/a")
        self.assertEqual((kept[:4], kept[-1]), ([1, 2, 3, 4], last + 1))
        self.assertGreater(max(b - a for a, b in zip(kept, kept[1:])), 1000)
        self.assertIn(f"replayed @1..@{last + 1}: {len(kept)} came to what is recorded, 0 had "
                      f"failed and changed nothing, {last + 1 - len(kept)} are not kept\n",
                      run("swarm", "agent", "replay", "diary/a"))
        self.assertIn(f"replayed @{last + 1}..@{last + 1}: 1 came",
                      run("swarm", "agent", "replay", "diary/a", "@1000.."))

    def test_a_gap_that_a_clean_stop_leaves_is_told(self):
        apply("diary", "diary: keyed: true, history: {maxBytes: 64KiB}")
        self.send("diary/a", "put 0 1")
        for number in range(1300):
            self.client.send("diary/a", f"put 1 {number}".ljust(200), reply=False)
        self.send("diary/a", "put 2 1")
        self.assertNotIn("HistoryGap", run("swarm", "get", "events"))
        self.client.close()
        self.daemon.end()
        self.begin()
        wait_for(lambda: "HistoryGap" in run("swarm", "get", "events"), "an Event of the gap")

    def test_it_goes_with_its_agent_and_its_policy(self):
        apply("diary", "gone: keyed: true, history: {maxTurns: 1000}",
              "changed: keyed: true, history: {maxTurns: 1000}", "filler: keyed: true")
        for name in ("gone", "changed"):
            self.send(f"{name}/a", "put 0 1")
        self.snapshot()
        self.assertEqual(len(names_of()), 2)
        run("swarm", "delete", "agent", "gone")
        apply("diary", "changed: keyed: true")
        self.snapshot()
        self.snapshot()
        self.assertEqual(names_of(), [])

    def test_it_counts_in_the_quota_of_the_disk(self):
        def set_quota(storage):
            subprocess.run(["swarm", "apply", "-f", "-"], input=f"""
apiVersion: swarm/v1
kind: ResourceQuota
metadata: {{name: disk}}
spec: {{hard: {{storage: {storage}}}}}
""".encode(), timeout=60, check=True, capture_output=True)

        def used():
            return int(run("swarm", "get", "quota/disk", "-o",
                           "jsonpath={.status.used.storageBytes}") or 0)

        set_quota("16MiB")
        apply("diary", "diary: keyed: true, history: {maxBytes: 64MiB}", "filler: keyed: true")
        self.send("diary/a", "put 0 1")
        self.snapshot()
        wait_for(lambda: "HistoryGap" in run("swarm", "get", "events"), "an Event of the gap")
        self.assertIn("has no room for its maxBytes", run("swarm", "get", "events"))
        self.assertEqual(names_of(), [])
        set_quota("128MiB")
        self.send("diary/a", "put 0 2")
        self.snapshot()
        self.assertEqual(len(names_of()), 1)
        wait_for(lambda: 64 << 20 <= used() <= 80 << 20, "what is reserved in the status")
        self.client.close()
        self.daemon.end(signal.SIGKILL)
        self.begin()
        wait_for(lambda: 64 << 20 <= used() <= 80 << 20, "the same after a kill")
        apply("diary", "diary: keyed: true", "filler: keyed: true")
        self.snapshot()
        wait_for(lambda: used() < 16 << 20, "what a history had to be given back")

    def test_a_limit_that_is_none_is_refused(self):
        done = subprocess.run(["swarm", "apply", "-f", "-"], input=b"""
apiVersion: swarm/v1
kind: Agent
metadata: {name: wrong}
spec: {module: "sha256:%s", history: {maxBytes: 1KiB}}
""" % (b"0" * 64), capture_output=True, timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("spec.history.maxBytes", done.stderr.decode())


if __name__ == "__main__":
    unittest.main(verbosity=0)
