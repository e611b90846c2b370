#!/usr/bin/python3
"""Hundreds of handlers in the middle of outside calls while agent host and daemon are killed
(kill -9): each call gives its handler one result, with its locals as they were."""
# labels: kill
# timeout: 300
# serial: yes
# chaos: SW_CALL_KILLS=60
# chaos-timeout: 1800
import glob
import os
import random
import signal
import sys
import time

from swarmd import Client, Daemon, apply
from waiting import wait_for

KILLS = int(os.environ.get("SW_CALL_KILLS", "6"))
COURIERS, IN_FLIGHT_MIN, WAIT_S = 500, 200, 90
KILLS_OF_ROUND = 3  # A round's calls take some seconds each.


def check(name, good, detail=""):
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        print(detail, flush=True)
        Calls.failed += 1


class Calls:
    failed = 0

    def __init__(self, chance):
        self.chance = chance
        # Snapshots go on all the time, so that kills meet calls that only they hold.
        os.environ["SWARM_AGENTS_SNAPSHOT_SIZE"] = "1MiB"
        self.daemon = Daemon()
        self.daemon.start()
        self.client = Client(self.daemon)
        self.killed, self.snapshots = 0, set()

    def look_for_snapshots(self):
        self.snapshots.update(
            glob.glob(f"{os.environ['XDG_DATA_HOME']}/**/snapshot-*.snap", recursive=True))

    @staticmethod
    def until(words, function):
        def look():
            try:
                return function()
            except OSError:  # The daemon that is asked was just started.
                return None
        return wait_for(look, words, WAIT_S)

    def open_calls(self):
        return self.client.metric("swarm_agent_host_open_service_calls")

    def kill(self):
        flight = self.until(f"there are {IN_FLIGHT_MIN} calls under way",
                            lambda: (count := self.open_calls()) >= IN_FLIGHT_MIN and count)
        time.sleep(self.chance.uniform(0, 0.3))
        what = ("host", "daemon", "host", "both")[self.killed % 4]
        self.killed += 1
        host = self.daemon.host()
        self.look_for_snapshots()
        if what in ("host", "both"):
            os.kill(host, signal.SIGKILL)
        if what in ("daemon", "both"):
            self.daemon.process.kill()
            self.daemon.process.wait()
            self.daemon.process.stdout.close()
            self.daemon.start()
        self.until("another host runs",
                   lambda: (pid := self.daemon.host()) and pid != host and pid)
        print(f"  kill -9 of {what} with {flight:.0f} calls under way", flush=True)

    def count(self):
        """(reported, twice, wrong), or None while the leader does not answer."""
        status, body = self.client.send("courier/leader", "count")
        return [int(word) for word in body.split()] if status == 200 else None

    def round(self, number, kills):
        """Couriers with new keys: what the leader has is of all rounds."""
        status, body = self.client.send("courier/leader", f"start {COURIERS * number}",
                                        reply=False)
        check(f"round {number}: the couriers are sent out", status < 300, body)
        for _ in range(kills):
            self.kill()
        self.until("all couriers have reported",
                   lambda: (count := self.count()) and count[0] >= COURIERS * number)
        self.until("all calls are over", lambda: self.open_calls() == 0)
        counted = self.until("the leader answers", self.count)
        check(f"round {number}: each courier has reported once, with its locals and results",
              counted == [COURIERS * number, 0, 0], f"reported, twice, wrong: {counted}")


def main():
    seed = int(os.environ.get("SW_SEED", time.time_ns() % 1000000))
    print(f"SW_SEED={seed}", flush=True)
    calls = Calls(random.Random(seed))
    apply("courier", "courier: keyed: true, pods: 4, limits: {mailbox: 8192, memory: 1MiB}")
    left, number = KILLS, 0
    while left > 0:
        number += 1
        calls.round(number, min(left, KILLS_OF_ROUND))
        left -= KILLS_OF_ROUND
        calls.look_for_snapshots()
    calls.client.close()
    check("snapshots were taken meanwhile", len(calls.snapshots) >= 2, f"{calls.snapshots}")
    check("swarmd ends well", calls.daemon.end() == 0)
    return 1 if Calls.failed else 0


sys.exit(main())
