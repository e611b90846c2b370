#!/usr/bin/python3
"""What an instance did can be listed, looked at, run again and forked while it goes on: swarm agent
history, inspect, replay and fork, beside writers, snapshots that cut the journal, and kills of the
host. A fork never changes its origin, and a module with another constant is found out."""
# timeout: 240
# labels: kill
import base64
import glob
import hashlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
import unittest

from swarmd import BUILD, TMP, Client, Daemon, apply, run
from waiting import wait_for

AGENTS = os.path.join(os.environ["XDG_DATA_HOME"], "swarm", "agents")
NOTES, KEYS, LARGE = 9, 5, 60000


def history(name, *words):
    """What is told, with the turns of all its pages, each of which is a document."""
    text, told = run("swarm", "agent", "history", name, *words, "-o", "json"), None
    while text:
        page, end = json.JSONDecoder().raw_decode(text)
        if told is not None:
            page["turns"] = told["turns"] + page["turns"]
        told, text = page, text[end:].lstrip()
    return told


def inspect(name, *words):
    return json.loads(run("swarm", "agent", "inspect", name, *words, "-o", "json"))


def body_of(item):
    return base64.b64decode(item.get("body", ""))


def looks(daemon):
    """The agent hosts that look at a past."""
    pid, found = daemon.process.pid, set()
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = file.read().split()
    for child in children:
        try:
            with open(f"/proc/{child}/cmdline", "rb") as file:
                if b"--past" in file.read().split(bytes(1)):
                    found.add(child)
        except OSError:
            pass
    return found


def refused(status, *words):
    """What a command says of its failure."""
    done = subprocess.run(["swarm", "agent", *words], capture_output=True, timeout=60, check=False)
    if done.returncode != status:
        raise AssertionError(f"{words}: status {done.returncode}: {done.stdout} {done.stderr}")
    return done.stderr.decode()


class Past(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SWARM_AGENTS_SNAPSHOT_SIZE"] = "1MiB"
        os.environ["SWARM_AGENTS_HISTORY_SIZE"] = "0"
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("diary", "diary: keyed: true", "own: keyed: true, isolation: agent",
              "fleeting: keyed: true, durability: none", "computes: keyed: true, engine: compute",
              "repeats: keyed: true, engine: replay")
        apply("waiter_unwind", "waiter: keyed: true")
        apply("hostile", "hostile: keyed: true")
        cls.other = cls.push_other()
        for number in range(NOTES):
            assert cls.client.send("diary/quiet", f"put 0 {number}")[0] == 200

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    @classmethod
    def push_other(cls):
        """The same module with another constant."""
        path = os.path.join(BUILD, "guests", "test_diary_other.wasm")
        run("swarm", "agent", "push", path)
        with open(path, "rb") as file:
            return "sha256:" + hashlib.sha256(file.read()).hexdigest()

    def test_turns_are_told_with_cause_and_effects(self):
        self.assertEqual(self.client.send("diary/sender", "relay told 3 5", reply=False)[0], 200)
        wait_for(lambda: history_of("diary/told"), "the relayed note")
        told = history("diary/told")
        self.assertEqual([turn["cause"] for turn in told["turns"]], ["start", "message"])
        self.assertEqual((told["first"], told["last"], told["ended"]), ("1", "2", False))
        note = told["turns"][1]
        self.assertEqual((note["turn"], note["from"], note["outcome"]),
                         ("2", "diary/sender", "done"))
        self.assertEqual(body_of(note), b"put 3 5")
        sent = history("diary/sender")["turns"][1]
        self.assertEqual([(effect["kind"], effect["to"], body_of(effect))
                          for effect in sent["effects"]], [("send", "diary/told", b"put 3 5")])
        self.assertEqual(note["sourceLsn"], sent["lsn"])
        self.assertRegex(run("swarm", "agent", "history", "diary/quiet", "@2..@3"),
                         r"\ATURN +TIME .*EFFECTS\n@2 +\S+Z +message +client +done +\d+us +reply\n"
                         r"@3 [^\n]*\n\Z")
        self.assertEqual(len(run("swarm", "agent", "history", "diary/quiet", "--all",
                                 "-o", "wide").splitlines()), NOTES + 2)

    def test_the_state_after_each_turn_is_made_again(self):
        digests = [inspect("diary/quiet", f"@{turn}")["state"]["digest"]
                   for turn in range(1, NOTES + 2)]
        self.assertEqual(len(set(digests)), len(digests))
        self.assertEqual(inspect("diary/quiet")["state"]["digest"], digests[-1])
        words = run("swarm", "agent", "inspect", "diary/quiet", "@4")
        for part in (r"Turn +@4\n", r"Input +text/plain, 7 bytes\n  put 0 2\n",
                     r"Effects\n  reply, 1 bytes\n    3\n", rf"State digest +{digests[3]}\n"):
            self.assertRegex(words, part)

    def test_all_of_it_comes_to_the_same_again(self):
        self.assertEqual(run("swarm", "agent", "replay", "diary/quiet"),
                         f"replayed @1..@{NOTES + 1}: {NOTES + 1} came to what is recorded, "
                         "0 had failed and changed nothing\n")
        self.assertIn("replayed @3..@5: 3 came",
                      run("swarm", "agent", "replay", "diary/quiet", "@3..@5"))

    def test_a_module_with_another_constant_fails(self):
        words = refused(1, "replay", "diary/quiet", "--module", self.other)
        self.assertIn("turn @2 came to something else than is recorded", words)
        done = subprocess.run(["swarm", "agent", "replay", "diary/quiet", "--module", self.other],
                              capture_output=True, timeout=60, check=False)
        self.assertRegex(done.stdout.decode(), r"@2 differs: its segment 2, a message at lsn \d+, "
                                               r"has other effects in the replay than were ")

    def test_a_fork_never_changes_its_origin(self):
        before = (inspect("diary/quiet"), history("diary/quiet"))
        path = os.path.join(TMP, "input")
        with open(path, "w", encoding="ascii") as file:
            file.write("relay nobody 7 7")
        fork = json.loads(run("swarm", "agent", "fork", "diary/quiet", "@5", "--input", path,
                              "-o", "json"))["turns"][0]
        self.assertEqual((fork["verdict"], body_of(fork)), ("tried", b"relay nobody 7 7"))
        self.assertEqual([(effect["kind"], effect["to"]) for effect in fork["effects"]],
                         [("send", "diary/nobody")])
        with open(path, "w", encoding="ascii") as file:
            file.write("x is no command")
        words = run("swarm", "agent", "fork", "diary/quiet", "@5", "--input", path)
        self.assertRegex(words, r"Recorded +done\n  reply, 1 bytes\n    4\nForked +failed\n")
        other = run("swarm", "agent", "fork", "diary/quiet", "@5", "--module", self.other)
        self.assertRegex(other, rf"Module +{self.other}\n")
        self.assertNotIn("Both ask for the same", other)
        self.assertIn("Both ask for the same",
                      run("swarm", "agent", "fork", "diary/quiet", "@5"))
        self.assertEqual((inspect("diary/quiet"), history("diary/quiet")), before)
        self.assertIn("there is no instance diary/nobody", refused(3, "history", "diary/nobody"))

    def test_a_turn_that_waits_is_several_lines(self):
        self.assertEqual(self.client.send("waiter/w", "sleep")[0], 200)
        turns = history("waiter/w")["turns"]
        self.assertEqual([turn["cause"] for turn in turns[-2:]], ["message", "resume"])
        self.assertEqual(turns[-2]["outcome"], "waiting")
        state = inspect("waiter/w", "@" + turns[-2]["turn"])["state"]
        self.assertEqual(state["waitsFor"], "a time")
        self.assertRegex(run("swarm", "agent", "inspect", "waiter/w", "@" + turns[-2]["turn"]),
                         r"\n  question \d+ client\n")
        run("swarm", "agent", "replay", "waiter/w")
        self.assertIn("only messages and timers can be tried anew",
                      refused(1, "fork", "waiter/w", "@" + turns[-1]["turn"]))

    def test_what_cannot_be_had_is_said(self):
        last = NOTES + 1
        self.assertIn(f"from @1 to @{last} it can", refused(1, "inspect", "diary/quiet", "@99"))
        self.assertIn(f"from @1 to @{last} it can", refused(1, "replay", "diary/quiet", "@99.."))
        self.assertIn("turn @99 is not there", refused(1, "fork", "diary/quiet", "@99"))
        self.assertEqual(self.client.send("fleeting/a", "put 0 1")[0], 200)
        self.assertIn("durability none", refused(3, "history", "fleeting/a"))
        self.assertIn("has many instances", refused(2, "history", "diary"))
        self.assertIn("names no turn", refused(2, "inspect", "diary/quiet", "@x"))
        self.assertIn("expected the number of a turn, from 2 on",
                      refused(1, "fork", "diary/quiet", "@1"))
        self.assertIn("has no module", refused(5, "replay", "diary/quiet", "--module",
                                               "sha256:" + "0" * 64))
        self.assertIn("ends before it begins", refused(2, "replay", "diary/quiet", "@5..@2"))
        run("swarm", "agent", "history", "nobody/a", status=3)

    def test_an_agent_with_a_host_of_its_own_has_its_history_there(self):
        for number in range(3):
            self.assertEqual(self.client.send("own/a", f"put 1 {number}")[0], 200)
        self.assertEqual(len(history("own/a")["turns"]), 4)
        run("swarm", "agent", "replay", "own/a")

    def test_an_agent_of_each_class_of_engine_is_run_again_in_it(self):
        for agent in ("computes", "repeats"):
            for number in range(3):
                self.assertEqual(self.client.send(f"{agent}/a", f"put 1 {number}")[0], 200)
            self.assertIn("replayed @1..@4: 4 came", run("swarm", "agent", "replay", f"{agent}/a"))
            self.assertIn("turn @2 came to something else",
                          refused(1, "replay", f"{agent}/a", "--module", self.other))
            self.assertNotIn("Both ask", run("swarm", "agent", "fork", f"{agent}/a", "@3",
                                             "--module", self.other))

    def test_turns_with_many_effects_are_told_in_pages(self):
        apply("crier", "crier: keyed: true")
        self.assertEqual(self.client.send("crier/src", "go 40000 crier/sink")[0], 200)
        wait_for(lambda: self.client.send("crier/sink", "told")[1].startswith(b"40000 "), "all")
        told = history("crier/src", "--all")
        last = len(told["turns"])
        self.assertEqual([int(turn["turn"]) for turn in told["turns"]], list(range(1, last + 1)))
        self.assertGreaterEqual(sum(len(turn["effects"]) for turn in told["turns"]), 40000)
        newest = history("crier/src")["turns"]
        self.assertEqual(int(newest[-1]["turn"]) - int(newest[0]["turn"]), 99)
        self.assertIn(f"replayed @1..@{last}: {last} came",
                      run("swarm", "agent", "replay", "crier/src"))

    def test_who_gives_up_makes_room_for_others(self):
        self.assertEqual(self.client.send("hostile/h", "c")[0], 200)
        path = os.path.join(TMP, "long")
        with open(path, "w", encoding="ascii") as file:
            file.write("l")  # For ever.
        asking = [subprocess.Popen(["swarm", "agent", "fork", "hostile/h", "@2", "--input", path],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                  for _ in range(4)]  # As many as are looked at at a time.

        def are_trying():  # Each lists the turn first, which is quick.
            seen = looks(self.daemon)
            time.sleep(0.5)
            return len(seen) == 4 and looks(self.daemon) == seen
        wait_for(are_trying, "so many looks at the past")
        self.assertIn("are being looked at", refused(1, "history", "hostile/h"))
        for process in asking:
            process.kill()
            process.wait()
        wait_for(lambda: not looks(self.daemon), "their ends", wait_s=20)
        words = refused(7, "fork", "hostile/h", "@2", "--input", path, "--timeout", "2s")
        self.assertIn("wait longer with --timeout", words)
        self.assertEqual(len(history("hostile/h")["turns"]), 2)

    def test_writers_snapshots_and_kills_are_beside_it(self):
        stop, sent, goal, looks = threading.Event(), [0], [300], 0

        def write():
            client = Client(self.daemon)
            while not stop.is_set():
                if sent[0] >= goal[0] + 300:  # It is looked at beside it, not after it.
                    stop.wait(0.001)
                    continue
                # Each fourth is a note; the others are more than the guest has room for: what
                # fails fills the journal, too.
                body = f"put 2 {sent[0]}".ljust(20 if sent[0] % 4 == 0 else LARGE)
                try:
                    client.send(f"diary/{sent[0] % KEYS}", body, reply=False)
                    sent[0] += 1
                except (OSError, http.client.HTTPException):
                    pass
            client.close()

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        snapshots, begun = set(), int(oldest_segment(), 16)
        try:
            for round_ in range(12):
                wait_for(lambda: sent[0] >= goal[0], "notes")
                goal[0] += 300
                if round_ % 4 == 3:
                    os.kill(self.daemon.host(), signal.SIGKILL)
                    wait_for(self.daemon.host, "the next host")
                snapshots.update(glob.glob(os.path.join(AGENTS, "snapshot-*.snap")))
                for key in range(KEYS):
                    looks += self.look(f"diary/{key}")
        finally:
            stop.set()
            writer.join()
        self.assertGreater(looks, 40)
        self.assertGreater(int(oldest_segment(), 16), begun)  # The journal was cut.
        print(f"{sent[0]} notes, {looks} looks, {len(snapshots)} snapshots")

    def look(self, name):
        """Numbers ascend, and all that is there comes to the same again: what had failed before a
        snapshot need not be. 0: the instance is not there yet."""
        try:
            told = run("swarm", "agent", "history", name, "--all")
        except AssertionError as error:
            self.assertIn("there is no instance", str(error))
            return 0
        numbers = [int(line.split()[0][1:]) for line in told.splitlines()
                   if line.startswith("@")]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertNotIn(" differs", run("swarm", "agent", "replay", name))
        return 1


def oldest_segment():
    return min(glob.glob(os.path.join(AGENTS, "journal-*.seg")))[-20:-4]


def history_of(name):
    try:
        return len(history(name)["turns"]) > 1
    except AssertionError:
        return False


if __name__ == "__main__":
    unittest.main(verbosity=0)
