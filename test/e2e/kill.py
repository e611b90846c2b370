#!/usr/bin/python3
"""kill -9 at random instants, with a thousand requests and more in flight: of the agent host, of
the daemon, of both, and again in the middle of the recovery. Nothing that was acknowledged is lost,
doubled, reordered or mismatched (test/e2e/lib/history.py), and an Agent that nobody touched is as
it was. SW_KILLS says how many; a kill with too little in flight is a failure."""
# labels: kill
# timeout: 300
# serial: yes
# chaos: SW_KILLS=200
# chaos-timeout: 3600
import datetime
import glob
import os
import random
import re
import signal
import statistics
import sys
import time

import history
from swarmd import Client, Daemon, apply
from waiting import wait_for

KILLS = int(os.environ.get("SW_KILLS", "10"))
IN_FLIGHT_MIN, SENDERS = 1000, 1280
# A new folder of data after so many, since each recovery replays all that there was.
KILLS_OF_WORLD = 10
WAIT_S = 60
# A host that lives shorter than this before its next death is awaited longer each time.
LOAD_S = {"host": (0.5, 1.0), "daemon": (0.1, 0.8), "both": (0.1, 0.8)}
AGAIN = 0.3  # How often a kill follows a kill, in the middle of the recovery.
# Each so many rounds the kill awaits that a snapshot was begun, and comes so long after it at most;
# every second time at once, since a quick disk has it in a few milliseconds.
SNAPSHOT_ROUNDS, SNAPSHOT_S = 3, 0.05
SNAPSHOTS_CHECKED = 100  # Of so many kills, one at least meets a snapshot that has not ended.
KEPT = 100


def check(name, good, detail=""):
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        print(detail, flush=True)
        Kills.failed += 1


class Kills:
    """Kills in one folder of data, one after the other."""

    failed = 0
    slowest = (0, "")  # In ms until it answered again, and what the daemon said meanwhile.

    def __init__(self, chance, number):
        self.chance, self.number = chance, number
        folder = os.path.join(os.environ["SW_TMP"], f"world-{number}")
        os.makedirs(folder)
        os.environ["XDG_DATA_HOME"] = folder
        # Snapshots go on all the time, so that kills meet every phase of them.
        os.environ["SWARM_AGENTS_SNAPSHOT_SIZE"] = "1MiB"
        if number % 2 == 1:  # Removing what snapshots stand for is met by kills, too; all that the
            os.environ["SWARM_AGENTS_HISTORY_SIZE"] = "0"  # others did is replayed at the end.
        self.folder, self.snapshots_met, self.snapshots_cut = folder, 0, 0
        self.daemon = Daemon()
        self.daemon.start()
        self.client = Client(self.daemon)
        apply("chronicle", "chronicle: keyed: true, pods: 4, limits: {mailbox: 4096}")
        apply("diary", "bystander: keyed: true")
        for note in range(KEPT):
            self.client.send("bystander/calm", f"put 0 {note}")
        self.world = history.World(self.daemon, self.client, os.environ["SW_BUILD"], folder,
                                   SENDERS)
        self.world.verify()  # All instances are there, and have subscribed.
        self.kept, self.hosts_killed = KEPT, 0
        self.in_flight, self.recoveries_ms, self.replayed = [], [], []

    @staticmethod
    def until(words, function):
        return wait_for(function, words, WAIT_S, 0.002)

    def kill(self, what, before=None):
        """The agent host that was killed, if it was the only one."""
        if what == "host":
            host = self.until("no host is started", lambda: (
                pid := self.daemon.host()) and pid != before and pid)
            self.in_flight.append(self.world.load.in_flight())
            os.kill(host, signal.SIGKILL)
            self.hosts_killed += 1
            return host
        host = self.daemon.host()
        victims = [self.daemon.process.pid] + ([host] if what == "both" and host else [])
        self.chance.shuffle(victims)
        self.in_flight.append(self.world.load.in_flight())
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        self.daemon.process.wait()
        self.daemon.process.stdout.close()
        self.daemon.start()
        self.hosts_killed = 0
        self.world.load.serve(f"127.0.0.1:{self.daemon.port}")
        return None

    def snapshots(self):
        return set(glob.glob(f"{self.folder}/swarm/agents/snapshot-*.snap"))

    def await_snapshot(self):
        """Until one has been begun; the load goes on, so there is something to save. Those that
        there were before."""
        before = self.snapshots()
        self.until("no snapshot was begun", lambda: self.snapshots() - before)
        if self.chance.random() < 0.5:
            time.sleep(self.chance.uniform(0, SNAPSHOT_S))
        return before

    def note_recovery(self, begin, log_at):
        """It answers again; what takes longest is told at the end, by the daemon's own words."""
        ms, now = (time.monotonic() - begin) * 1000, datetime.datetime.now(datetime.timezone.utc)
        self.recoveries_ms.append(ms)
        if ms <= Kills.slowest[0]:
            return
        with open(self.daemon.log, "rb") as file:
            file.seek(log_at)
            lines = file.read().decode().splitlines()
        story = []
        for line in lines:  # Nanoseconds are more than Python reads; the host's lines have no time.
            found = re.match(r"(\d{4}-\d\d-\d\dT[\d:]+\.\d{6})\d*Z (.*)", line)
            if found is not None:
                at = datetime.datetime.fromisoformat(found.group(1) + "+00:00")
                line = f"{ms - (now - at).total_seconds() * 1000:6.0f} ms {found.group(2)}"
            story.append("  " + line)
        Kills.slowest = (ms, "\n".join(story))

    def round(self, name, what, meets_snapshot):
        daemon = self.daemon.process.pid
        self.world.load.go()
        before = self.await_snapshot() if meets_snapshot else None
        if before is None:
            time.sleep(self.chance.uniform(*LOAD_S[what]))
        log_at = os.path.getsize(self.daemon.log)
        host = self.kill(what)
        begin = time.monotonic()
        flight = self.in_flight[-1]
        again = AGAIN if what != "host" or self.chance.random() < 0.25 else 0
        while self.chance.random() < again:
            time.sleep(self.chance.uniform(0, 0.1))
            log_at = os.path.getsize(self.daemon.log)
            begin = time.monotonic()
            host = self.kill(what, host)
            self.in_flight.pop()  # It met a recovery; only the first of them is counted.
        self.world.wait_up()
        self.note_recovery(begin, log_at)
        if before is not None:
            self.snapshots_met += 1
            self.snapshots_cut += self.snapshots() <= before  # The next host removed the new one.
        unknown = self.world.checker.unknown
        wrong = self.world.verify()
        noted = self.client.send("bystander/calm", f"put 0 {self.kept}")[1]
        self.kept += 1  # Each look at it is a note more.
        if noted != str(self.kept).encode():
            wrong.append(f"the bystander has {noted} of {self.kept}")
        if what == "host" and (self.daemon.process.pid != daemon
                               or self.daemon.process.poll() is not None):
            wrong.append("swarmd did not stay up")
        self.replayed.append(self.segments_replayed())
        check(f"{name}: kill -9 of {what} with {flight} in flight", not wrong, "\n".join(wrong))
        if flight < IN_FLIGHT_MIN:
            check(f"{name}: at least {IN_FLIGHT_MIN} in flight", False, f"{flight}")
        print(f"  {self.world.checker.unknown - unknown} ended unknown", flush=True)

    def segments_replayed(self):
        """By the present host, which tells its counts once a second; 0 if it has told of none."""
        end = time.monotonic() + 3
        while True:
            count = self.client.metric("swarm_agent_host_replayed_segments")
            if count > 0 or time.monotonic() > end:
                return count
            time.sleep(0.05)

    def told(self):
        """Whether Events tell of each death of the host, since the daemon's own."""
        count = sum(int(event["count"]) for event in self.client.events("HostDown"))
        return count >= self.hosts_killed

    def end(self):
        """A clean stop, a start after it, and a kill after that."""
        check(f"world {self.number}: a clean stop", self.daemon.end() == 0)
        self.daemon.start()
        self.world.load.serve(f"127.0.0.1:{self.daemon.port}")
        wrong = self.world.verify()
        check(f"world {self.number}: after a clean stop", not wrong, "\n".join(wrong))
        self.kill("both")
        self.in_flight.pop()
        wrong = self.world.verify()
        check(f"world {self.number}: after a kill that follows it", not wrong, "\n".join(wrong))
        check(f"world {self.number}: the load ended", self.world.load.end() == 0)
        self.daemon.end()


def main():
    seed = int(os.environ.get("SW_SEED") or time.time())
    print(f"seed {seed} (SW_SEED repeats it)")
    chance = random.Random(seed)
    worlds, left = [], KILLS
    while left > 0:
        kills = Kills(chance, len(worlds))
        worlds.append(kills)
        count = min(left, KILLS_OF_WORLD)
        left -= count
        order = ["host"] * (count - count // 2) + ["daemon", "both"] * (count // 4 + 1)
        for number, what in enumerate(order[:count]):
            if what != "host" and number > 0 and order[number - 1] == "host":
                kills.until("Events do not tell of each death of the host", kills.told)
            kills.round(f"world {kills.number}, kill {number}", what,
                        number % SNAPSHOT_ROUNDS == 0)
        kills.end()
    flights = [flight for kills in worlds for flight in kills.in_flight]
    times = [ms for kills in worlds for ms in kills.recoveries_ms]
    checkers = [kills.world.checker for kills in worlds]
    print(f"{len(flights)} kills, {min(flights)} to {max(flights)} in flight; "
          f"{sum(c.answered for c in checkers)} answered, {sum(c.unknown for c in checkers)} of "
          f"unknown end, {sum(c.repeated for c in checkers)} repeated; answers again after "
          f"{statistics.median(times):.0f} ms (median), {max(times):.0f} ms at most; "
          f"{sum(sum(kills.replayed) for kills in worlds):.0f} segments replayed")
    met, cut = (sum(kills.snapshots_met for kills in worlds),
                sum(kills.snapshots_cut for kills in worlds))
    print(f"{met} kills after a snapshot was begun, {cut} of them before it counted; "
          f"the slowest to answer again:\n{Kills.slowest[1]}")
    check("kills met snapshots", met > 0 and (cut > 0 or KILLS < SNAPSHOTS_CHECKED))
    check("each kill was counted", len(flights) == KILLS)
    check("something was replayed", sum(sum(kills.replayed) for kills in worlds) > 0)
    return 1 if Kills.failed else 0


sys.exit(main())
