#!/usr/bin/python3
"""A crowd of hostile instances beside as many good ones, which are asked by turns with and without
the crowd at work. Each is answered rightly, their 99th percentile stays within RATIO_MAX of what it
is without the crowd, memory stays bounded, and each culprit is named in an Event. SW_CROWD says how
large the crowd is; the large one is held to the aim, the small one, which runs beside whatever else
the machine does, to a bound that a segment which holds its worker up to its deadline breaks."""
# timeout: 300
# serial: yes
# chaos: SW_CROWD=1000
# chaos-timeout: 900
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time

from swarmd import Client, Daemon, apply

BUILD = os.environ["SW_BUILD"]
SANITIZED = os.environ.get("SW_SANITIZED") == "1"
CROWD = int(os.environ.get("SW_CROWD", "100"))
KINDS = "lmrxwofiS"  # As test/guests/hostile.c has them.
REASONS = {"l": "Deadline", "m": "NoMemory", "r": "Trapped", "x": "Trapped", "w": "Failed",
           "o": "Failed", "f": "Failed", "i": "Failed", "S": "Deadline"}  # Or a Deadline before.
IS_LARGE = CROWD >= 1000
ROUNDS, ASKED_EACH, WAIT_S = 9 if IS_LARGE else 3, 40, 120
RATIO_MAX = 2.0 if IS_LARGE else 10.0
# What all of them together may add: each may take 1 MiB, but not all at once, and nothing is kept
# of one that was ended. Thousands of attacks that left something behind would come to more.
MEMORY_MORE_MAX = (64 << 20) + CROWD * (128 << 10)


def check(name, good, detail=""):
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        print(detail, flush=True)
        Crowd.failed += 1


class Crowd(threading.Thread):
    """Sets all of them to work, again as soon as nothing of it waits any more."""

    failed = 0

    def __init__(self, daemon):
        super().__init__()
        self.daemon, self.is_over, self.attacks, self.wrong = daemon, False, 0, []
        self.may_work = threading.Event()

    def run(self):
        client = Client(self.daemon)
        while not self.is_over:
            self.may_work.wait()
            if client.metric("swarm_agent_host_waiting_messages") < CROWD / 2:
                status, body = client.send("hostile/ringleader", f"a{CROWD}")
                self.attacks += status == 200
                if status not in (200, 504):  # On a busy machine its turn comes too late to tell.
                    self.wrong.append((status, body))
            time.sleep(0.02)
        client.close()


def ask_good():
    """The report of the load generator: CROWD instances, each asked again and again."""
    words = ["request", "agent=good", "keys=1", f"workers={CROWD}", f"warm={CROWD}",
             f"count={CROWD * ASKED_EACH}", "size=128"]
    done = subprocess.run([os.path.join(BUILD, "bench", "bench-load"), *words],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"a good agent was not answered: {done.stderr}")
    return json.loads(done.stdout)


def memory_bytes(daemon):
    """The proportional set sizes of the daemon and its children."""
    total, pids = 0, [daemon.process.pid]
    while pids:
        pid = pids.pop()
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            pids += [int(word) for word in file.read().split()]
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += sum(1024 * int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total


def key_of(number):
    return f"{KINDS[number % len(KINDS)]}-{str(number)[::-1]}"


def wait_quiet(client):
    end = time.monotonic() + WAIT_S
    while client.metric("swarm_agent_host_waiting_messages") > 0:
        if time.monotonic() > end:
            raise AssertionError("the crowd does not come to rest")
        time.sleep(0.05)


def check_events(client):
    """Each culprit, in an Event of the right reason; the rest of them."""
    missing = {f"hostile/{key_of(number)}": REASONS[KINDS[number % len(KINDS)]]
               for number in range(CROWD)}
    count, end = len(missing), time.monotonic() + WAIT_S
    while missing and time.monotonic() < end:
        for item in client.events():
            instance = item["involvedObject"].get("instance")
            if item["reason"] in (missing.get(instance), "Deadline"):
                missing.pop(instance, None)
        time.sleep(0.2)
    check(f"each of {count} culprits is named in an Event", not missing,
          f"{len(missing)} are not, such as {sorted(missing.items())[:5]}")


def main():
    daemon = Daemon()
    daemon.start()
    client = Client(daemon)
    apply("echo", "good: keyed: true", prefix="bench")
    apply("hostile", "hostile: keyed: true, retry: {attempts: 1}, "
                     "limits: {deadline: 30ms, memory: 1MiB, mailbox: 64}")
    host = daemon.host()
    crowd = Crowd(daemon)
    crowd.start()
    alone, beside, memory = [], [], []
    try:
        ask_good()  # All instances are there.
        before = memory_bytes(daemon)
        for _ in range(ROUNDS):
            order = [False, True]
            random.shuffle(order)
            for with_crowd in order:
                if with_crowd:
                    crowd.may_work.set()
                    time.sleep(0.3)
                (beside if with_crowd else alone).append(ask_good()["p99_us"])
                crowd.may_work.clear()
                if with_crowd:
                    memory.append(memory_bytes(daemon))
                    wait_quiet(client)
        check_events(client)
    finally:
        crowd.is_over = True
        crowd.may_work.set()
        crowd.join()
    ratios = [b / a for a, b in zip(alone, beside)]
    print(f"p99 of {CROWD} good agents: {statistics.median(alone) / 1000:.1f} ms alone, "
          f"{statistics.median(beside) / 1000:.1f} ms beside {CROWD} hostile ones, "
          f"{statistics.median(ratios):.2f} times as long at the median of "
          f"{', '.join(f'{ratio:.2f}' for ratio in ratios)}; {crowd.attacks} attacks; memory "
          f"{before >> 20} to {max(memory) >> 20} MiB", flush=True)
    check("the crowd worked", crowd.attacks >= ROUNDS and not crowd.wrong, crowd.wrong[:3])
    check(f"good agents' 99th percentile is within {RATIO_MAX:.0f} times",
          SANITIZED or statistics.median(ratios) <= RATIO_MAX, ratios)
    check("memory is bounded", SANITIZED or max(memory) - before < MEMORY_MORE_MAX,
          f"{before} to {memory}")
    check("the agent host is the same", daemon.host() == host)
    check("a clean stop", daemon.end() == 0)
    return 1 if Crowd.failed else 0


sys.exit(main())
