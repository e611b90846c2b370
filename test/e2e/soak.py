#!/usr/bin/python3
"""Churn, and whether anything grows by it: Agents come, change and go, in three classes of
isolation; instances are born, sleep and wake; hosts are killed; clients come and go. Memory, open
files and threads of the daemon and of each agent host, and the disk of each folder, are sampled all
the time, and what is left after the warm-up must be flat.

SW_MINUTES says how long (`make soak`: an hour); in less than ten minutes nothing is judged but that
all of this happened. SW_SOAK_CSV names a file for the samples."""
# timeout: 240
# labels: kill
import collections
import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time

from growth import Growth
from swarmd import Client, Daemon, apply, run
from waiting import wait_for

MINUTES = float(os.environ.get("SW_MINUTES", "0.4"))
JUDGED_MINUTES = 10
SEED = int(os.environ.get("SW_SEED", "1"))
SECONDS = MINUTES * 60
TMP = os.environ["SW_TMP"]
WARM_UP = 0.3  # Of the time.
SAMPLE_S = max(1.0, SECONDS / 720)
KILL_S = max(8.0, SECONDS / 40)
MODULE = os.path.join(os.environ["SW_BUILD"], "guests", "test_crier.wasm")
MIB = 1 << 20
# What a series may grow by in all, and which share of its median; the larger counts.
BOUNDS = {"rss": (8 * MIB, 0.10), "files": (6, 0.10), "threads": (4, 0.10),
          "disk": (24 * MIB, 0.15)}
STEADY = {"folk": 400, "ward": 100, "lone": 100}
failed = 0


def check(name, good, detail=""):
    global failed
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        failed += 1
        print(detail, flush=True)


def check_the_judge():
    """A leak is seen under noise, a saw and an outlier; those alone are none."""
    chance = random.Random(1)
    saw = [(second, 100 + second % 60 + chance.random() * 20) for second in range(0, 2400, 5)]
    saw[40] = (200, 5000)
    leak = [(second, value + second / 60 * 1.0) for second, value in saw]
    check("what is flat is called flat", Growth(saw, 10, 0.1).is_flat())
    check("a leak is called a leak", not Growth(leak, 10, 0.1).is_flat())


# --- Samples ------------------------------------------------------------------------------------

def folder_bytes(folder, below=True):
    total = 0
    for place, folders, files in os.walk(folder):
        if not below:
            folders.clear()
        for name in files:
            try:
                total += os.stat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                pass  # It went.
    return total


def process_figures(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    return {"rss": int(status["VmRSS"].split()[0]) * 1024, "threads": int(status["Threads"]),
            "files": len(os.listdir(f"/proc/{pid}/fd"))}


class Samples:
    """Of the daemon and of the hosts of those who stay: `lone` is the uid of the Agent of one."""

    def __init__(self, daemon, lone, csv):
        self.daemon, self.lone, self.begin = daemon, lone, time.monotonic()
        self.series = collections.defaultdict(list)
        self.data = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
        self.csv = open(csv, "w", encoding="ascii") if csv else None
        if self.csv:
            self.csv.write("second,figure,of,value\n")

    def add(self, second, figure, name, value):
        self.series[figure, name].append((second, value))
        if self.csv:
            self.csv.write(f"{second:.1f},{figure},{name},{value}\n")

    def host_name(self, folder):
        relative = os.path.relpath(folder, self.data)
        if relative == "agents":
            return "host shared"
        kind = relative.removeprefix("hosts/").split("/")[0]
        return "host " + (kind if kind.startswith("namespace") else "agent")

    def take(self):
        second = time.monotonic() - self.begin
        processes = {"swarmd": self.daemon.process.pid}
        try:
            processes.update({self.host_name(folder): pid
                              for folder, pid in self.daemon.hosts().items()
                              if "agent-" not in folder or self.lone in folder})
        except OSError:
            pass
        for name, pid in processes.items():
            try:
                for figure, value in process_figures(pid).items():
                    self.add(second, figure, name, value)
            except (OSError, KeyError):
                pass  # It was killed just now.
        self.add(second, "disk", "all", folder_bytes(self.data))
        for entry in os.scandir(self.data):
            if entry.is_dir():
                self.add(second, "disk", entry.name, folder_bytes(entry.path))
        self.add(second, "disk", "its own files", folder_bytes(self.data, below=False))
        if self.csv:
            self.csv.flush()


# --- Churn --------------------------------------------------------------------------------------

class Churn:
    def __init__(self, daemon):
        self.daemon, self.over = daemon, threading.Event()
        self.done = collections.Counter()
        self.wrong, self.threads = [], []

    def start(self, work, *args):
        def forever():
            client, chance = Client(self.daemon), random.Random(f"{SEED} {work.__name__} {args}")
            while not self.over.is_set():
                try:
                    work(client, chance, *args)
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)  # A host, or its connection, is gone for a moment.
                except AssertionError as error:
                    self.wrong.append(f"{work.__name__}{args}: {error}")
            client.close()
        self.threads.append(threading.Thread(target=forever))
        self.threads[-1].start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def send(self, client, to, body, **options):
        status, _ = client.send(to, body, **options)
        self.done["messages" if status == 200 else "refused"] += 1
        return status == 200

    def talk(self, client, chance):
        """Those who stay are woken and sleep again; hosts write to each other."""
        agent = chance.choice(list(STEADY))
        key = chance.randrange(STEADY[agent])
        word = chance.random()
        if word < 0.02:
            other = chance.choice(list(STEADY))
            self.send(client, f"{agent}/{key}", f"go 5 {other}/{chance.randrange(STEADY[other])}",
                      reply=False)
        elif word < 0.03:
            self.send(client, f"{agent}/{key}", "cry hello", reply=False)
        else:
            self.send(client, f"{agent}/{key}", "told")
        time.sleep(0.002)

    def live(self, client, chance, number):
        """An Agent's life: born, peopled, asleep, awake, changed, gone."""
        name = f"churn-{number}-{chance.randrange(1 << 30):x}"
        isolation = chance.choice(["shared", "shared", "namespace", "agent"])
        spec = {"keyed": "true", "isolation": isolation, "pods": str(chance.randrange(1, 4)),
                "hibernation": '{after: "0s"}', "limits": "{memory: 4MiB}"}

        def put():
            fields = ", ".join(f"{key}: {value}" for key, value in spec.items())
            run("swarm", "apply", "-f", "-", data=(
                f"apiVersion: swarm/v1\nkind: Agent\nmetadata: {{name: {name}}}\n"
                f"spec: {{module: {MODULE}, {fields}}}\n").encode())
            run("swarm", "wait", f"agent/{name}", "--for=condition=Ready", "--timeout=60s")
        put()
        self.done["born"] += 1
        keys = [f"{name}/{i}" for i in range(chance.randrange(20, 60))]
        for word in ("told", "eat 1", "told"):
            for key in keys:
                self.send(client, key, word)
        spec["pods"] = str(chance.randrange(1, 4))
        spec["hibernation"] = '{after: "1s"}'
        put()
        self.done["changed"] += 1
        for key in keys:
            self.send(client, key, "told")
        run("swarm", "delete", "agent", name)
        self.done["gone"] += 1

    def look(self, client, chance):
        """Clients that come, read, and go."""
        agent = chance.choice(list(STEADY))
        for words in (("get", "instances", agent, "--count"), ("describe", "agent", agent),
                      ("logs", agent), ("get", "instances", agent, "--limit=20", "-o", "wide")):
            subprocess.run(("swarm", *words), capture_output=True, timeout=120, check=False)
        fresh = Client(self.daemon)
        fresh.get("/namespaces/default/events?limit=50")
        fresh.request("GET", "/metrics")
        fresh.close()
        self.done["looks"] += 1
        self.over.wait(1)

    def kill(self, client, chance):
        """kill -9 of an agent host; that of `ward` lives on."""
        del client
        if self.over.wait(KILL_S):
            return
        victims = [pid for folder, pid in sorted(self.daemon.hosts().items())
                   if "namespace" not in folder]
        if victims:
            os.kill(chance.choice(victims), signal.SIGKILL)
            self.done["killed"] += 1


# --- All of it ----------------------------------------------------------------------------------

def settle():
    """What is kept for an hour by default is kept for a minute here."""
    for name, value in (("AGENTS_SNAPSHOT_SIZE", "4MiB"), ("AGENTS_MODULE_GRACE", "30s"),
                        ("STORE_HISTORY", "512"), ("STORE_HISTORY_SIZE", "1MiB"),
                        ("AGENTS_LOG_SIZE", "1MiB"), ("AGENTS_LOG_AGENT_SIZE", "64KiB")):
        os.environ["SWARM_" + name] = value
    os.environ.pop("SWARM_AGENTS_HISTORY_SIZE", None)
    folder = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "not-replayed"), "w", encoding="ascii") as file:
        file.write("the journal is not kept from its beginning, since its growth is judged\n")


def judge(samples):
    """The table; series that are there to the end are judged, if there was time."""
    is_judged, end = MINUTES >= JUDGED_MINUTES, max(s[-1][0] for s in samples.series.values())
    print(f"\n{'figure':8} {'of':24} {'begin':>10} {'end':>10} {'per hour':>10} {'grown':>10} "
          f"{'bound':>10}")
    for (figure, name), values in sorted(samples.series.items()):
        values = [sample for sample in values if sample[0] >= end * WARM_UP]
        if len(values) < 10 or values[-1][0] < end * 0.8:
            continue
        growth = Growth(values, *BOUNDS[figure])
        unit = 1024 if figure in ("rss", "disk") else 1
        print(f"{figure:8} {name:24} " + " ".join(f"{value / unit:10.1f}" for value in (
            growth.begin, growth.end, growth.per_hour, growth.grown, growth.bound)))
        if is_judged:
            check(f"{figure} of {name} is flat", growth.is_flat())
    print("(KiB of rss and disk; grown: by the slope of Theil and Sen, behind the warm-up)\n")


def main():
    check_the_judge()
    settle()
    daemon = Daemon()
    daemon.start()
    run("swarm", "apply", "-f", "-", data=b"apiVersion: swarm/v1\nkind: Cluster\n"
        b"metadata: {name: default}\nspec: {eventRetention: 1m}\n")
    apply("crier", *(f"{name}: keyed: true, pods: 2, isolation: {isolation}, hibernation: "
                     '{after: "1s"}' for name, isolation in
                     zip(STEADY, ("shared", "namespace", "agent"))))
    lone = run("swarm", "get", "agent/lone", "-o", "jsonpath={.metadata.uid}").strip()
    samples, churn = Samples(daemon, lone, os.environ.get("SW_SOAK_CSV")), Churn(daemon)
    for number in range(2):
        churn.start(churn.live, number)
    for work in (churn.talk, churn.look, churn.kill):
        churn.start(work)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        samples.take()
        time.sleep(SAMPLE_S)
    churn.end()
    client = Client(daemon)
    for agent, count in STEADY.items():
        for key in range(0, count, 10):
            wait_for(lambda to=f"{agent}/{key}": client.send(to, "told")[0] == 200,
                     f"{agent}/{key} answers")
    client.close()
    print(dict(churn.done), f"seed {SEED}, {MINUTES} minutes")
    for what in ("born", "changed", "gone", "killed", "messages", "looks"):
        check(f"there were some: {what}", churn.done[what] > 0)
    check("all went as it should", not churn.wrong, "\n".join(churn.wrong[:10]))
    judge(samples)
    check("the daemon ends", daemon.end() == 0)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
