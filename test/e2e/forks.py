#!/usr/bin/python3
"""A past of an instance becomes another instance (swarm agent fork --as), whose sends, questions
and publishes are held until it is released: then each goes once, also when the host is killed
meanwhile. Its origin never hears of it."""
# timeout: 240
# labels: kill
# chaos: SW_FORK_KILLS=100
# chaos-timeout: 1800
import base64
import contextlib
import glob
import hashlib
import http.client
import itertools
import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest

from swarmd import BASE, BUILD, TMP, Client, Daemon, apply, run
from waiting import wait_for

AGENTS = os.path.join(os.environ["XDG_DATA_HOME"], "swarm", "agents")
KILLS = int(os.environ.get("SW_FORK_KILLS", "6"))
JOURNAL_BYTES = 512 << 20
NOTES = 5
SERVED_S = 1.2  # After so long a host counts as one that came up.


def agent(*words, status=0):
    """What a command prints, or, where it is to fail, why it did."""
    done = subprocess.run(["swarm", "agent", *words], capture_output=True, timeout=60, check=False)
    if done.returncode != status:
        raise AssertionError(f"{words}: status {done.returncode}: {done.stdout} {done.stderr}")
    return (done.stdout if status == 0 else done.stderr).decode()


def fork(name, turn, key, *words, body=None):
    if body is not None:
        path = os.path.join(TMP, f"input-{key}")
        with open(path, "w", encoding="ascii") as file:
            file.write(body)
        words = ("--input", path, *words)
    return agent("fork", name, turn, "--as", key, *words)


def history(name):
    return json.loads(agent("history", name, "-o", "json"))["turns"]


def state(name):
    return json.loads(agent("inspect", name, "-o", "json"))["state"]


def journal_bytes():
    return sum(map(os.path.getsize, glob.glob(os.path.join(AGENTS, "journal-*.seg"))))


def turns(name):
    """How many there are; 0 while it is not there."""
    try:
        return len(history(name))
    except AssertionError as error:
        if "there is no instance" not in str(error):
            raise
        return 0


def states(name):
    """By instance, once the host is there."""
    listed = json.loads(wait_for(
        lambda: subprocess.run(["swarm", "get", "instances", name, "-o", "json"],
                               capture_output=True, timeout=60, check=False).stdout, "the host"))
    return {item["name"]: item["state"] for item in listed["items"]}


def effects(turn):
    return [(effect["kind"], effect.get("to", "")) for effect in turn["effects"]]


def body_of(item):
    return base64.b64decode(item.get("body", "")).decode()


class Forks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SWARM_AGENTS_SNAPSHOT_SIZE"] = "1MiB"
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("diary", "diary: keyed: true", "fleeting: keyed: true, durability: none",
              "one: replicas: 1")
        apply("crier", "crier: keyed: true")
        apply("waiter_unwind", "waiter: keyed: true")
        for number in range(NOTES):
            assert cls.client.send("diary/origin", f"put 0 {number}")[0] == 200
        assert cls.client.send("diary/origin", "relay told 3 5", reply=False)[0] == 200
        wait_for(lambda: turns("diary/told") == 2, "what the origin sent")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def send(self, to, body):
        status, answer = self.client.send(to, body)
        self.assertEqual(status, 200, answer)
        return answer.decode()

    def kill(self):
        host = self.daemon.host()
        os.kill(host, signal.SIGKILL)
        wait_for(lambda: self.daemon.host() not in (None, host), "the next host")
        states("crier")

    @contextlib.contextmanager
    def filling(self, pause_s):
        """Somebody fills the journal, so that there are snapshots; what is too long fails."""
        stop = threading.Event()

        def fill():
            client = Client(self.daemon)
            while not stop.wait(pause_s):
                try:
                    client.send("diary/filler", "put 0 1".ljust(60000), reply=False)
                except (OSError, http.client.HTTPException):
                    stop.wait(0.01)
            client.close()
        filler = threading.Thread(target=fill, daemon=True)
        filler.start()
        try:
            yield
        finally:
            stop.set()
            filler.join()

    def test_what_a_fork_lets_out_is_held_until_it_is_released(self):
        before = (state("diary/origin"), history("diary/origin"))
        self.assertEqual(fork("diary/origin", "@7", "what-if", body="relay sink 2 7"),
                         "diary/what-if is as diary/origin was before @7; what it lets out is "
                         "held\n")
        wait_for(lambda: turns("diary/what-if") == 1, "its turn")
        turn = history("diary/what-if")[0]
        self.assertEqual((turn["turn"], turn["cause"], turn["outcome"]), ("7", "message", "done"))
        self.assertEqual(effects(turn), [("send", "diary/sink")])
        self.assertEqual(states("diary")["diary/what-if"], "Held")
        self.assertIn("diary/what-if", run("swarm", "get", "instances", "diary", "--state=held"))
        self.assertRegex(agent("inspect", "diary/what-if"), r"Held +1 effects, \d+ bytes\n")
        self.assertEqual(self.send("diary/what-if", "put 0 5"), str(NOTES + 1))
        for number in range(2):
            self.kill()
            self.assertEqual(self.send("diary/what-if", f"put 1 {number}"),
                             str(NOTES + 2 + number))
            self.assertEqual(states("diary")["diary/what-if"], "Held")
        self.assertIn("there is no instance", agent("history", "diary/sink", status=3))
        self.assertEqual((state("diary/origin"), history("diary/origin")), before)
        self.assertEqual(agent("release", "diary/what-if"), "diary/what-if released\n")
        wait_for(lambda: turns("diary/sink") == 2, "what was held")
        self.assertIn("nothing of it is held", agent("release", "diary/what-if", status=1))
        self.kill()
        self.assertEqual(self.send("diary/sink", "put 0 1"), "2")
        told = history("diary/sink")[1]
        self.assertEqual((told["from"], body_of(told)), ("diary/what-if", "put 2 7"))
        self.assertEqual(self.client.send("diary/what-if", "relay sink 2 8", reply=False)[0], 200)
        wait_for(lambda: turns("diary/sink") == 4, "what it sends from then on")
        released = [turn for turn in history("diary/what-if") if turn["cause"] == "release"]
        self.assertEqual([effects(turn) for turn in released], [[("send", "diary/sink")]])
        self.assertNotEqual(states("diary")["diary/what-if"], "Held")
        self.assertEqual((state("diary/origin"), history("diary/origin")), before)
        self.assertIn(" 0 had failed", agent("replay", "diary/what-if"))

    def test_a_fork_handles_the_message_of_the_turn_and_begins_with_its_state(self):
        fork("diary/origin", "@4", "again")
        wait_for(lambda: turns("diary/again") == 1, "its turn")
        recorded = history("diary/origin")[3]
        turn = history("diary/again")[0]
        self.assertEqual((turn["turn"], body_of(turn), turn["digest"]),
                         ("4", body_of(recorded), recorded["digest"]))
        self.assertEqual(self.send("diary/again", "put 4 1"), "4")
        fork("diary/origin", f"@{NOTES + 3}", "now")  # One more than the last turn.
        self.assertEqual(self.send("diary/now", "put 4 1"), str(NOTES + 1))

    def test_a_dropped_fork_is_gone_with_what_it_held(self):
        fork("diary/origin", "@7", "dropped", body="relay nowhere 2 7")
        wait_for(lambda: turns("diary/dropped") == 1, "its turn")
        self.assertEqual(agent("drop", "diary/dropped"), "diary/dropped dropped\n")
        self.assertNotIn("diary/dropped", states("diary"))
        self.assertIn("no such instance", agent("drop", "diary/dropped", status=3))
        self.kill()
        self.assertEqual(self.send("diary/dropped", "put 0 1"), "1")
        self.assertEqual(turns("diary/nowhere"), 0)

    def test_what_cannot_be_forked_is_said(self):
        fork("diary/origin", "@3", "first")
        self.assertIn("there is an instance of this key already",
                      agent("fork", "diary/origin", "@3", "--as", "first", status=4))
        self.assertIn("turn @99 is not there",
                      agent("fork", "diary/origin", "@99", "--as", "x", status=1))
        self.assertIn("from 2 on", agent("fork", "diary/origin", "@1", "--as", "x", status=1))
        self.assertIn("no module", agent("fork", "diary/origin", "@3", "--as", "x", "--module",
                                         "sha256:" + "0" * 64, status=5))
        self.assertIn("1 to 253 bytes",
                      agent("fork", "diary/origin", "@3", "--as", "", status=1))
        self.assertIn("nothing of it is held", agent("release", "diary/origin", status=1))
        self.assertIn("no such instance", agent("release", "diary/nobody", status=3))
        self.assertEqual(self.client.send("one/0", "put 0 1")[0], 200)
        self.assertIn("has its replicas and no other",
                      agent("fork", "one/0", "@2", "--as", "x", status=1))

    def test_a_fork_counts_in_the_quota(self):
        quota = f"{BASE}/namespaces/default/resourcequotas/team"
        body = {"apiVersion": "swarm/v1", "kind": "ResourceQuota", "metadata": {"name": "team"},
                "spec": {"hard": {"instances": 1}}}
        self.assertIn(self.client.request("PATCH", quota, json.dumps(body),
                                          {"content-type": "application/json"})[0], (200, 201))
        tries = itertools.count()

        def is_refused():
            done = subprocess.run(["swarm", "agent", "fork", "diary/origin", "@3", "--as",
                                   f"quota-{next(tries)}"], capture_output=True, timeout=60,
                                  check=False)
            return done.stderr.decode() if done.returncode != 0 else None
        try:
            self.assertIn("the quota of its namespace has no room for another instance",
                          wait_for(is_refused, "that the host knows of the quota"))
        finally:
            self.client.request("DELETE", quota)
        wait_for(lambda: is_refused() is None, "that there is none any more")

    def test_two_at_once_under_one_key_are_one(self):
        codes = []

        def try_it():
            codes.append(subprocess.run(["swarm", "agent", "fork", "diary/origin", "@5", "--as",
                                         "twin"], capture_output=True, timeout=60,
                                        check=False).returncode)
        threads = [threading.Thread(target=try_it) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(codes), [0, 4, 4])

    def test_a_turn_that_waits_is_forked_where_it_begins(self):
        self.assertEqual(self.client.send("waiter/w", "sleep")[0], 200)
        last = history("waiter/w")
        self.assertEqual([turn["cause"] for turn in last[-2:]], ["message", "resume"])
        words = agent("fork", "waiter/w", "@" + last[-1]["turn"], "--as", "x", status=1)
        self.assertIn(f"begins at @{last[-2]['turn']}: fork it there", words)
        fork("waiter/w", "@" + last[-2]["turn"], "sleeper")
        wait_for(lambda: turns("waiter/sleeper") == 2, "that it slept, too")

    def test_questions_and_news_wait_for_the_release(self):
        self.send("crier/a", "cry one")
        fork("crier/a", "@2", "b", body="cry two")
        wait_for(lambda: turns("crier/b") >= 1, "its turn")
        self.assertEqual(self.send("crier/c", "told").split()[2], "0")
        run("swarm", "publish", "news.y", "three")
        wait_for(lambda: self.send("crier/c", "told").split()[2] == "1", "the news")
        self.assertEqual(self.send("crier/b", "told").split()[2], "0")  # None reach it.
        answers, client = [], Client(self.daemon)
        asker = threading.Thread(target=lambda: answers.append(
            client.send("crier/b", "ask crier/c who")))
        asker.start()
        wait_for(lambda: "2 effects" in agent("inspect", "crier/b"), "its question")
        self.assertEqual(answers, [])
        self.assertEqual(self.send("crier/b", "told").split()[:2], ["0", "0"])
        agent("release", "crier/b")
        asker.join()
        client.close()
        self.assertEqual(answers, [(200, b"crier/b")])
        wait_for(lambda: self.send("crier/c", "told") == "0 0 2 crier/b", "what it cried")
        run("swarm", "publish", "news.y", "four")
        wait_for(lambda: self.send("crier/b", "told").split()[2] == "2", "news, its own as well")

    def test_another_module_goes_on_in_a_fork(self):
        path = os.path.join(BUILD, "guests", "test_diary_other.wasm")
        run("swarm", "agent", "push", path)
        with open(path, "rb") as file:
            digest = "sha256:" + hashlib.sha256(file.read()).hexdigest()
        fork("diary/origin", "@4", "other", "--module", digest)
        wait_for(lambda: turns("diary/other") == 1, "its turn")
        self.assertEqual(history("diary/other")[0]["module"], digest)
        count = int(self.send("diary/other", "put 5 1"))
        self.assertGreater(count, 4)  # It counts in larger steps from where it began.
        self.kill()
        # Its module has to come to the next host first.
        wait_for(lambda: self.client.send("diary/other", "put 5 2")[0] == 200, "its module")
        self.assertGreater(int(self.send("diary/other", "put 5 3")), count + 1)
        self.assertIn("came to what is recorded", agent("replay", "diary/other"))

    def test_looks_keep_up_with_a_sender_at_full_speed(self):
        before = history("diary/origin")
        with self.filling(0):
            for size in range(JOURNAL_BYTES // 4, JOURNAL_BYTES + 1, JOURNAL_BYTES // 4):
                wait_for(lambda size=size: journal_bytes() >= size, "a journal")
                self.assertEqual(history("diary/origin"), before)

    def test_kills_and_snapshots_meet_forks_that_are_held_or_let_go(self):
        seen = set()
        released, began = 0, time.monotonic()
        with self.filling(0.004):  # All of it is replayed, so it is not as much as there can be.
            for number in range(KILLS):
                key = f"k{number}"
                fork("diary/origin", "@7", key, body=f"relay all 6 {number}")
                wait_for(lambda key=key: turns(f"diary/{key}") >= 1, "its turn")
                if number % 2 == 0:
                    known = set(glob.glob(os.path.join(AGENTS, "snapshot-*.snap")))
                    wait_for(lambda known=known: set(glob.glob(os.path.join(
                        AGENTS, "snapshot-*.snap"))) - known, "a snapshot")
                # One that ends at once, time after time, is started ever later.
                wait_for(lambda began=began: time.monotonic() - began > SERVED_S, "its service")
                self.kill()
                released += self.release_beside_a_kill(f"diary/{key}")
                began = time.monotonic()
                seen.update(glob.glob(os.path.join(AGENTS, "snapshot-*.snap")))
        wait_for(lambda: len(told("diary/all")) == KILLS, "what was held")
        self.assertEqual(sorted(told("diary/all")),
                         sorted(f"put 6 {number}" for number in range(KILLS)))
        print(f"{KILLS} forks, {released} released at once, {len(seen)} snapshots")

    def release_beside_a_kill(self, name):
        """Whether its first release was answered."""
        asking = subprocess.Popen(["swarm", "agent", "release", name], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        time.sleep(random.random() * 0.03)
        self.kill()
        first = asking.wait(timeout=60) == 0
        wait_for(lambda: subprocess.run(["swarm", "agent", "release", name], check=False,
                                        capture_output=True, timeout=60).returncode == 0 or
                 states("diary").get(name, "Held") != "Held", "the release")
        return first


def told(name):
    return [body_of(turn) for turn in history(name) if turn["cause"] == "message"]


if __name__ == "__main__":
    unittest.main(verbosity=0)
