#!/usr/bin/python3
"""swarmctl backup, verify and restore: a swarm of several agent hosts is saved while it works, and
goes on elsewhere from one point: what was acknowledged before that is there once, nothing is there
twice, and what crossed from one host to another is in both or can still arrive."""
# labels: kill
# timeout: 600
import glob
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
import unittest

import waiting
from swarmd import TMP, Client, Daemon, apply, run

SEED = int(os.environ.get("SW_SEED", "7"))
DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
ISOLATIONS = {"near": "shared", "ward": "namespace", "lone": "agent", "far": "agent"}
SENDERS, NUMBERS = 12, 16384  # Of test/guests/diary.c.
GO_ON = 10000000
OTHER_FILES = 20000


def ask(*words, status=0):
    """(what it prints, what it says of errors)."""
    done = subprocess.run(words, capture_output=True, timeout=120, check=False)
    if done.returncode != status:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}: "
                             f"{done.stdout} {done.stderr}")
    return done.stdout.decode(), done.stderr.decode()


def restore(source, data):
    ask("swarmctl", "restore", source, "--data", data, "--take-over")


def point_ns(source):
    """UTC, of the manifest."""
    text = run("tar", "-xOf", source, "manifest")
    found = re.search(r"^time (\S+?)(?:\.(\d+))?Z$", text, re.MULTILINE)
    seconds = time.mktime(time.strptime(found[1], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    return int(seconds) * 10**9 + int((found[2] or "0").ljust(9, "0"))


class Swarm:
    """A daemon on a data folder, and a client of it."""

    def __init__(self, data=DATA):
        os.environ["SWARM_DATA"] = data
        self.daemon = Daemon()
        self.daemon.start()
        self.client = Client(self.daemon)

    def end(self, number=signal.SIGTERM):
        self.client.close()
        status = self.daemon.end(number)
        os.environ.pop("SWARM_DATA", None)
        return status

    def say(self, to, body):
        status, answer = self.client.send(to, body)
        return answer if status == 200 else status

    def wait(self, *agents):
        run("swarm", "wait", *(f"agent/{name}" for name in agents), "--for=condition=Ready",
            "--timeout=60s")

    def dump(self, name):
        """(disorders, [numbers of each sender that are there once], whether any is there twice)."""
        pages = self.say(f"{name}/k", "dump")
        counts = pages[8:]
        assert len(counts) == SENDERS * NUMBERS
        there = [{at for at in range(NUMBERS) if counts[sender * NUMBERS + at]}
                 for sender in range(SENDERS)]
        return int.from_bytes(pages[4:8], "little"), there, max(counts) > 1


def write_little():
    """For a child: it is killed when a file of its becomes larger than that."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


class Sender(threading.Thread):
    """Tells number after number, each to the Agent of another host, once the one before was
    acknowledged: [(when it was sent, when it was acknowledged)]."""

    def __init__(self, swarm, number, stop):
        super().__init__()
        self.client, self.number, self.stop, self.told = Client(swarm.daemon), number, stop, []

    def run(self):
        names = list(ISOLATIONS)
        while not self.stop.is_set() and len(self.told) < NUMBERS:
            number = len(self.told)
            begin = time.time_ns()
            status, _ = self.client.send(f"book-{names[number % len(names)]}/k",
                                         f"put {self.number} {number}")
            assert status == 200, status
            self.told.append((begin, time.time_ns()))
        self.client.close()


class Quiet(unittest.TestCase):
    """One host, at rest."""

    @classmethod
    def setUpClass(cls):
        cls.swarm = Swarm()
        apply("diary", "diary: keyed: true")
        for number in range(100):
            assert cls.swarm.say("diary/k", f"put 0 {number}") == b"%d" % (number + 1)
        cls.saved = os.path.join(TMP, "quiet.tar")
        cls.words = run("swarmctl", "backup", cls.saved)
        cls.swarm.end()

    def test_what_is_saved_is_verified_and_replayed(self):
        self.assertRegex(self.words, r"\Asaved .*quiet\.tar: backup [0-9a-f]{32} of 20.*Z, Node "
                                     r"node-1, timeline 1, revision \d+, 2 journals, .* MiB\n\Z")
        self.assertEqual(os.stat(self.saved).st_mode & 0o777, 0o600)
        self.assertIn("sound ", run("swarmctl", "verify", self.saved))
        words = run("swarmctl", "verify", "--replay", self.saved)
        self.assertRegex(words, r"replayed .*: \d{3} segments of 1 instances, since the journal's "
                                r"beginning\nsound ")
        self.assertIn("whole ", run("swarmctl", "verify", "--quick", self.saved))
        self.assertFalse(os.path.exists(self.saved + ".checking"))

    def test_the_room_behind_what_was_written_stays_unread(self):
        """What is read of it counts as written, and is read again by each later point."""
        ends = []
        for path in glob.glob(os.path.join(DATA, "agents", "journal-*.seg")):
            with open(path, "rb") as file:
                ends.append(os.lseek(file.fileno(), 0, os.SEEK_HOLE))
        self.assertLess(max(ends), 4 << 20)

    def test_a_name_that_is_none_is_refused_before_anything_is_read(self):
        self.assertIn("the file's name is empty", ask("swarmctl", "backup", "", status=2)[1])

    def test_no_private_key_is_in_it(self):
        self.assertNotRegex(run("tar", "-tf", self.saved), r"identity|\.key")
        with open(self.saved, "rb") as file:
            self.assertNotIn(b"PRIVATE KEY", file.read())

    def test_it_goes_on_elsewhere(self):
        data = os.path.join(TMP, "elsewhere")
        words, hints = ask("swarmctl", "restore", self.saved, "--data", data, "--take-over")
        self.assertIn("restored ", words)
        self.assertIn("goes on as timeline 2; start it with: swarmd --data ", hints)
        swarm = Swarm(data)
        try:
            swarm.wait("diary")
            self.assertEqual(swarm.dump("diary"), (0, [set(range(100))] + 11 * [set()], False))
            self.assertEqual(swarm.say("diary/k", "put 0 100"), b"101")
            event, = swarm.client.events("Restored")
            self.assertIn("timeline 2, restored from backup", event["message"])
            again = run("swarmctl", "backup", os.path.join(TMP, "again.tar"))
            self.assertIn("timeline 2", again)
        finally:
            swarm.end()

    def test_two_of_one_backup_are_not_made_by_accident(self):
        data = os.path.join(TMP, "twice")
        _, words = ask("swarmctl", "restore", self.saved, "--data", data, status=2)
        self.assertIn("say --take-over", words)
        self.assertFalse(os.path.exists(data))

    def test_what_is_there_is_never_touched(self):
        data = os.path.join(TMP, "there")
        os.makedirs(os.path.join(data, "mine"))
        _, words = ask("swarmctl", "restore", self.saved, "--data", data, "--take-over", status=4)
        self.assertIn("never touches", words)
        self.assertEqual(os.listdir(data), ["mine"])
        os.rmdir(os.path.join(data, "mine"))
        restore(self.saved, data)  # An empty folder will do.
        self.assertTrue(os.path.exists(os.path.join(data, "store.db")))
        shutil.rmtree(data)

    def test_what_was_not_restored_to_its_end_is_no_data_folder(self):
        data = os.path.join(TMP, "killed")
        killed = subprocess.run(["swarmctl", "restore", self.saved, "--data", data, "--take-over"],
                                preexec_fn=write_little, capture_output=True, timeout=60,
                                check=False)
        self.assertEqual(killed.returncode, -signal.SIGXFSZ)
        self.assertFalse(os.path.exists(data))
        for words in (("swarmctl", "check"), ("swarmd", "--dev")):
            _, errors = ask(*words, "--data", data + ".partial", status=1)
            self.assertIn("was not restored to its end", errors)
            self.assertIn("remove it, and restore the backup again", errors)
        shutil.rmtree(data + ".partial")
        restore(self.saved, data)
        run("swarmctl", "check", "--data", data)
        shutil.rmtree(data)

    def test_another_node_does_not_take_what_is_not_its_own(self):
        data = os.path.join(TMP, "node")
        restore(self.saved, data)
        _, words = ask("swarmd", "--dev", "--data", data, "--node", "other", status=1)
        self.assertIn("was restored from Node node-1", words)
        self.assertIn("--node node-1", words)
        shutil.rmtree(data)

    def test_what_is_damaged_is_refused_and_leaves_nothing(self):
        chance, size = random.Random(SEED), os.path.getsize(self.saved)
        data, bad = os.path.join(TMP, "never"), os.path.join(TMP, "bad.tar")
        for at in [0, size - 1] + [chance.randrange(size) for _ in range(6)]:
            shutil.copy(self.saved, bad)
            with open(bad, "r+b") as file:
                file.seek(at)
                byte = file.read(1)
                file.seek(at)
                file.write(bytes([byte[0] ^ 1]))
            for words in (("verify", "--quick", bad), ("verify", bad),
                          ("restore", bad, "--data", data, "--take-over")):
                _, errors = ask("swarmctl", *words, status=1)
                self.assertIn("bad.tar: the backup is damaged", errors, f"SW_SEED={SEED} {at}")
            self.assertEqual([name for name in os.listdir(TMP)
                              if name.startswith(("never", "bad.tar."))], [])
        os.truncate(bad, size // 2)
        self.assertIn("cut short", ask("swarmctl", "verify", bad, status=1)[1])
        os.remove(bad)


class Asleep(unittest.TestCase):
    """Instances that lie on a shelf, by the snapshot of a clean stop, and one that woke since."""

    def check_notices(self, data):
        """Damage of one who sleeps."""
        path = max(glob.glob(os.path.join(data, "agents", "shelf-*.shelf")))
        ask("swarmctl", "check", "--data", data)
        with open(path, "rb") as file:
            whole = file.read()
        with open(path, "wb") as file:
            file.write(whole[:-20] + bytes(20))
        self.assertIn("damaged block", ask("swarmctl", "check", "--data", data, status=1)[1])
        with open(path, "wb") as file:
            file.write(whole)

    def test_they_wake_elsewhere_as_they_were(self):
        data, saved = os.path.join(TMP, "asleep"), os.path.join(TMP, "asleep.tar")
        swarm = Swarm(data)
        apply("diary", "diary: keyed: true, hibernation: {after: 0s}")
        keys = [f"diary/{number}" for number in range(40)]
        for key in keys:
            self.assertEqual(swarm.say(key, "put 0 0"), b"1")
        swarm.end()
        swarm = Swarm(data)
        swarm.wait("diary")
        self.assertEqual(swarm.say(keys[7], "put 0 1"), b"2")
        ask("swarmctl", "backup", saved)
        self.assertEqual(swarm.end(), 0)
        self.check_notices(data)
        names = run("tar", "-tf", saved)
        self.assertRegex(names, r"agents/snapshot-[0-9a-f]{16}\.snap\n")
        self.assertRegex(names, r"agents/shelf-[0-9a-f]{8}\.shelf\n")
        ask("swarmctl", "verify", "--replay", saved)
        restore(saved, os.path.join(TMP, "awake"))
        swarm = Swarm(os.path.join(TMP, "awake"))
        try:
            swarm.wait("diary")
            for number, key in enumerate(keys):
                self.assertEqual(swarm.say(key, "put 0 2"), b"3" if number == 7 else b"2")
        finally:
            swarm.end()


class Busy(unittest.TestCase):
    """Six hosts that write to each other, and clients that write to all of them."""

    @classmethod
    def setUpClass(cls):
        # Snapshots go on all the time, and what they stand for is removed.
        os.environ["SWARM_AGENTS_SNAPSHOT_SIZE"] = "1MiB"
        os.environ["SWARM_AGENTS_HISTORY_SIZE"] = "0"
        cls.swarm = Swarm(os.path.join(TMP, "busy"))
        apply("crier", *(f"{name}: keyed: true, isolation: {isolation}, pods: 2"
                         for name, isolation in ISOLATIONS.items()))
        apply("diary", *(f"book-{name}: keyed: true, isolation: {isolation}"
                         for name, isolation in ISOLATIONS.items()))
        cls.ways = [(name, other) for name in ISOLATIONS for other in ISOLATIONS if name != other]
        for name, other in cls.ways:
            waiting.wait_for(lambda: cls.swarm.say(f"{name}/a", f"ask {other}/b who") ==
                             f"{name}/a".encode(), "all are reached")
            assert cls.swarm.say(f"{name}/to-{other}", f"go {GO_ON} {other}/from-{name}") == b""
        cls.slow_down()
        cls.stop = threading.Event()
        cls.senders = [Sender(cls.swarm, number, cls.stop) for number in range(6)]
        for sender in cls.senders:
            sender.start()
        cls.go_on()

    @classmethod
    def go_on(cls):
        """Until each sender has told some more numbers."""
        goals = [(sender, min(len(sender.told) + 10, NUMBERS)) for sender in cls.senders]
        waiting.wait_for(lambda: all(len(sender.told) >= goal for sender, goal in goals),
                         "that numbers are told")

    @classmethod
    def slow_down(cls):
        """Folders that take long to list stand between the moments at which hosts are cut, so that
        more than enough happens meanwhile: unless nothing can."""
        for folder in glob.glob(os.path.join(TMP, "busy", "hosts", "*", "agents")):
            for number in range(OTHER_FILES):
                with open(os.path.join(folder, f"other-{number}"), "wb"):
                    pass

    @classmethod
    def tearDownClass(cls):
        cls.stop.set()
        cls.swarm.end()

    def check_clients(self, swarm, point):
        """What was acknowledged before the point is there; of each sender, what is there is what
        it sent first, so no later message is there without the earlier ones, in whatever host."""
        dumps = {name: swarm.dump(f"book-{name}") for name in ISOLATIONS}
        self.assertEqual([dump[0] for dump in dumps.values()], 4 * [0])
        self.assertFalse(any(dump[2] for dump in dumps.values()), "something is there twice")
        for sender in self.senders:
            there = set().union(*(dump[1][sender.number] for dump in dumps.values()))
            self.assertEqual(there, set(range(len(there))))
            told = list(sender.told)
            early = sum(end < point for _, end in told)
            late = sum(begin < point for begin, _ in told)
            self.assertLessEqual(early, len(there))
            self.assertLessEqual(len(there), late)
            self.assertGreater(early, 10)
            self.assertLess(late, len(told), "nothing went on after the point")

    def check_hosts(self, swarm):
        """Numbers go on between all hosts, and each arrives once and in order."""
        for name, other in self.ways:
            before = int(swarm.say(f"{other}/from-{name}", "told").split(b" ")[0])
            waiting.wait_for(lambda: int(swarm.say(f"{other}/from-{name}", "told").split(b" ")[0])
                             > before, "it goes on")
        ends = {way: swarm.say(f"{way[0]}/to-{way[1]}", "stop") for way in self.ways}
        for (name, other), end in ends.items():
            waiting.wait_for(
                lambda: swarm.say(f"{other}/from-{name}", "told").split(b" ")[0] == end,
                f"{name} to {other}: {end}")
            self.assertEqual(swarm.say(f"{other}/from-{name}", "told").split(b" ")[:2],
                             [end, b"0"], f"{name} to {other}")

    def test_1_it_goes_on_elsewhere_from_one_point(self):
        saved = []
        for number in range(2):
            saved.append(os.path.join(TMP, f"busy-{number}.tar"))
            run("swarmctl", "backup", saved[-1])
            self.go_on()
        self.stop.set()
        for sender in self.senders:
            sender.join()
        for number, path in enumerate(saved):
            words = run("swarmctl", "verify", path)
            self.assertIn("7 journals", words)
            data = os.path.join(TMP, f"restored-{number}")
            restore(path, data)
            with open(os.path.join(data, "not-replayed"), "w", encoding="ascii") as file:
                file.write("Its origin keeps no history.\n")
            restored = Swarm(data)
            try:
                restored.wait(*ISOLATIONS, *(f"book-{name}" for name in ISOLATIONS))
                self.check_clients(restored, point_ns(path))
                self.check_hosts(restored)
            finally:
                restored.end()


class Broken(unittest.TestCase):
    """What ends in the middle of a backup leaves nothing half, and the next one works."""

    @classmethod
    def setUpClass(cls):
        cls.data = os.path.join(TMP, "broken")
        cls.swarm = Swarm(cls.data)
        apply("diary", "diary: keyed: true", "lone: keyed: true, isolation: agent")
        for number in range(20):
            assert cls.swarm.say("diary/k", f"put 0 {number}") == b"%d" % (number + 1)
            assert cls.swarm.say("lone/k", f"put 0 {number}") == b"%d" % (number + 1)

    @classmethod
    def tearDownClass(cls):
        cls.swarm.end()

    @staticmethod
    def begin():
        """A backup of which one megabyte came, and more comes only when it is read."""
        process = subprocess.Popen(["swarmctl", "backup", "-"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, bufsize=0)
        begin = b""
        while len(begin) < 1 << 20:
            begin += process.stdout.read((1 << 20) - len(begin))
        return process, begin

    def end(self, process, begin, status=0):
        rest, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, status, errors)
        return begin + rest, errors.decode()

    def next_works(self, name):
        """Once the daemon has heard that the one before is over."""
        path = os.path.join(TMP, name)
        waiting.wait_for(lambda: subprocess.run(["swarmctl", "backup", path], check=False,
                                                capture_output=True).returncode == 0, "the next")
        ask("swarmctl", "verify", "--replay", path)
        os.remove(path)
        self.assertEqual([file for file in os.listdir(self.data) if "copy" in file], [])

    def test_1_there_is_one_at_a_time(self):
        process, begin = self.begin()
        path = os.path.join(TMP, "second.tar")
        _, errors = ask("swarmctl", "backup", path, status=1)
        self.assertIn("a backup is being made already", errors)
        archive, words = self.end(process, begin)
        self.assertIn("saved -: backup", words)
        with open(path, "wb") as file:  # The refused one has left no file of this name.
            file.write(archive)
        ask("swarmctl", "verify", path)
        _, errors = ask("swarmctl", "backup", path, status=4)
        self.assertIn("second.tar is there already", errors)
        os.remove(path)

    def test_1_two_of_one_name_do_not_write_into_one_file(self):
        path = os.path.join(TMP, "same.tar")
        first = subprocess.Popen(["swarmctl", "backup", path], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
        waiting.wait_for(lambda: os.path.exists(path + ".partial") and
                         os.path.getsize(path + ".partial") > 0, "its first bytes")
        os.kill(first.pid, signal.SIGSTOP)
        try:
            self.assertFalse(os.path.exists(path))
            _, errors = ask("swarmctl", "backup", path, status=6)
        finally:
            os.kill(first.pid, signal.SIGCONT)
        self.assertIn("another backup is being saved under this name", errors)
        _, errors = first.communicate(timeout=60)
        self.assertEqual(first.returncode, 0, errors)
        ask("swarmctl", "verify", path)
        os.remove(path)

    def test_2_an_agent_host_that_dies_does_not_matter(self):
        process, begin = self.begin()
        hosts = self.swarm.daemon.hosts()
        self.assertEqual(len(hosts), 2)
        for pid in hosts.values():
            os.kill(pid, signal.SIGKILL)
        path = os.path.join(TMP, "hosts.tar")
        with open(path, "wb") as file:
            file.write(self.end(process, begin)[0])
        ask("swarmctl", "verify", "--replay", path)
        self.swarm.wait("diary", "lone")
        self.next_works("after-hosts.tar")

    def test_3_a_client_that_dies_is_noticed(self):
        process, _ = self.begin()
        process.kill()
        process.communicate()
        self.next_works("after-client.tar")

    def test_4_a_daemon_that_stops_or_dies_is_told(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with open(os.path.join(self.data, "store.db.copy.partial"), "wb") as file:
                file.write(b"left over")
            process, begin = self.begin()
            self.swarm.daemon.end(number)
            _, errors = self.end(process, begin, 6)
            self.assertRegex(errors, r"error: https://\S+ broke off after \d+ bytes")
            self.swarm.daemon.start()
            self.swarm.wait("diary", "lone")
            self.next_works("after-daemon.tar")

    def test_5_whoever_dies_at_whatever_moment_a_file_is_whole_or_not_there(self):
        chance, whole = random.Random(SEED), 0
        for number in range(10):
            path = os.path.join(TMP, "moment.tar")
            process = subprocess.Popen(["swarmctl", "backup", path], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
            time.sleep(chance.uniform(0, 0.6))
            if number % 2 == 0:
                process.kill()
            else:
                self.swarm.daemon.end(signal.SIGKILL)
            _, errors = process.communicate(timeout=60)
            status = process.returncode
            if status == 1:  # The daemon had not heard yet that the client before is gone.
                self.assertIn(b"a backup is being made already", errors)
            elif number % 2 == 1:
                self.assertIn(status, (0, 6), errors)
            if number % 2 == 1:
                self.assertFalse(os.path.exists(path + ".partial"))
                self.swarm.daemon.start()
            if os.path.exists(path):
                ask("swarmctl", "verify", path)
                os.remove(path)
                whole += 1
            else:
                self.assertNotEqual(status, 0)
        print(f"{whole} of 10 were whole")
        self.swarm.wait("diary", "lone")
        self.next_works("moment.tar")  # In the place of what was left as partial.

    def test_6_a_full_disk_leaves_nothing_and_says_what_is_needed(self):
        if subprocess.run([os.path.join(os.environ["SW_SOURCE"], "tools", "test", "probe"), "root",
                           "mount"], check=False).returncode != 0:
            self.skipTest("root mount")
        path, place = os.path.join(TMP, "for-small.tar"), os.path.join(TMP, "small")
        os.makedirs(place)
        ask("swarmctl", "backup", path)
        for words, hint in ((f"backup {place}/x.tar", r"the backup needs \d{8} bytes"),
                            (f"restore {path} --data {place}/data --take-over",
                             r"unpacking \S+ needs about \d{8} bytes")):
            done = subprocess.run(
                ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size=8m none {place} && "
                 f"swarmctl {words}; echo status $?; ls -A {place}"],
                capture_output=True, check=False, timeout=60)
            self.assertEqual(done.stdout, b"status 1\n", done.stderr)
            self.assertRegex(done.stderr.decode(), r"No space left on device\n  hint: " + hint)
        self.next_works("after-full.tar")


if __name__ == "__main__":
    unittest.main(failfast=True)
