#!/usr/bin/python3
"""Disks that fail under a running daemon with a thousand requests in flight: syncs that fail now
and then (libfiu), a file system without room, and one whose disk fails underneath. What was
acknowledged is there after healing, exactly once and in order (test/e2e/lib/history.py); a host
stops at a failed sync, refuses and resumes at a full disk, and its errors say what to do."""
# labels: kill
# timeout: 300
# serial: yes
# chaos: SW_ROUNDS=30
# chaos-timeout: 2400
import contextlib
import itertools
import os
import random
import resource
import struct
import subprocess
import sys
import time

import history
from mounts import enter_private_mounts, mount
from swarmd import Client, Daemon, apply, run
from waiting import wait_for

TMP, BUILD = os.environ["SW_TMP"], os.environ["SW_BUILD"]
ROUNDS = int(os.environ.get("SW_ROUNDS", "1"))
SENDERS, WAIT_S, MIB = 1280, 60, 1 << 20
BALLAST_BODY = struct.pack("<III", ord("n"), 0, 0) + b" " * 200000
failed = 0


def check(name, good, detail=""):
    global failed
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        failed += 1
        print(detail, flush=True)


def until(words, function):
    return wait_for(function, words, WAIT_S, 0.01)


class Site:
    """A daemon whose agents' folder a test may put on a disk of its own before it starts."""

    def __init__(self, name):
        self.folder = os.path.join(TMP, name)
        self.agents = os.path.join(self.folder, "swarm", "agents")
        os.makedirs(self.agents, mode=0o700)
        os.makedirs(os.path.join(self.folder, "disk"))
        os.chmod(os.path.join(self.folder, "swarm"), 0o700)
        os.environ["XDG_DATA_HOME"] = self.folder
        self.daemon = self.client = self.world = None
        self.words = set()

    def start(self):
        self.daemon = Daemon()
        self.daemon.start()
        self.client = Client(self.daemon)
        apply("chronicle", "chronicle: keyed: true, limits: {mailbox: 4096}",
              "ballast: keyed: true")
        self.world = history.World(self.daemon, self.client, BUILD, self.folder, SENDERS)
        self.world.verify()

    def restart(self):
        self.daemon.start()
        self.world.load.serve(f"127.0.0.1:{self.daemon.port}")

    def log(self):
        with open(self.daemon.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def verify(self, name):
        wrong = self.world.verify()
        check(name, not wrong, "\n".join(wrong))

    def deaths(self):
        events = self.client.events("HostDown")
        self.words |= {event["message"] for event in events}  # An Event keeps the newest.
        return sum(int(event["count"]) for event in events)

    def end(self):
        checker = self.world.checker
        print(f"  {checker.answered} answered, {checker.unknown} of unknown end, "
              f"{checker.refused} refused, {checker.repeated} repeated", flush=True)
        check("the load ended", self.world.load.end() == 0)
        check("a clean stop", self.daemon.end() == 0)
        run("swarmctl", "journal", "verify", "--data", os.path.join(self.folder, "swarm"))


# --- Syncs that fail -----------------------------------------------------------------------------

def write_wrapper(path, chance_path):
    """The agent host with libfiu, which fails syncs with the chance that a file names."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700), "w",
              encoding="ascii") as file:
        file.write(f"""#!/bin/sh
chance=$(/bin/cat {chance_path})
[ "$chance" = 0 ] || export FIU_ENABLE="enable_random name=posix/io/sync/*,probability=$chance" \\
    LD_PRELOAD=/usr/lib/fiu/fiu_run_preload.so:/usr/lib/fiu/fiu_posix_preload.so
exec {BUILD}/libexec/swarm-agent-host "$@"
""")


def failing_syncs(chance):
    site = Site("syncs")
    chance_path, wrapper = (os.path.join(site.folder, name) for name in ("chance", "host"))

    def set_chance(value):
        with open(chance_path, "w", encoding="ascii") as file:
            file.write(str(value))

    set_chance(0)
    write_wrapper(wrapper, chance_path)
    os.environ["SWARM_AGENTS_HOST_PROGRAM"] = wrapper
    site.start()
    for number in range(ROUNDS):
        set_chance(0.003)
        os.kill(site.daemon.host(), 9)  # The next host is one whose syncs fail.
        site.world.load.go()
        deaths = site.deaths()
        until("no host died of a failed sync", lambda d=deaths: site.deaths() > d + 1 and any(
            "could not be written" in word for word in site.words))
        time.sleep(chance.uniform(0, 1))
        in_flight = site.world.load.in_flight()
        set_chance(0)
        host = site.daemon.host()
        if host is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(host, 9)
        site.verify(f"syncs {number}: what was acknowledged is there, {in_flight} were in flight")
    check("syncs: Events say that the journal could not be written, and what to do", any(
        "its journal could not be written: look after the disk" in word for word in site.words),
        site.words)
    check("syncs: the daemon stayed up", site.daemon.process.poll() is None)
    site.end()
    del os.environ["SWARM_AGENTS_HOST_PROGRAM"]


# --- A disk without room -------------------------------------------------------------------------

def take_room(site):
    """A file takes all the room that there is, also what a snapshot gave back. Where it is."""
    path = os.path.join(site.agents, "ballast")
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    room = os.statvfs(site.agents)
    free = room.f_bavail * room.f_frsize
    if free > 0:
        with contextlib.suppress(OSError):  # Somebody else was faster.
            os.posix_fallocate(file, os.fstat(file).st_size, free)
    os.close(file)
    return path


def fill(site, number):
    """Large messages, until one is refused for want of room, and some of the load; its words.
    Meanwhile a snapshot may come to count and give room back, which is taken as well."""
    refused, end = None, time.monotonic() + 2 * WAIT_S
    for piece in itertools.count():
        take_room(site)
        status, body = site.client.send("ballast/9", BALLAST_BODY, timeout="2s",
                                        requestId=f"fill-{number}-{piece}")
        if status not in (200, 504):  # Those in the epoch that waits for room time out.
            refused = status, body.decode()
        if refused is not None and site.world.load.refusals() > 0:
            return refused
        if time.monotonic() > end:
            raise AssertionError(f"the disk does not fill, or only the load goes on: {refused}")


def give_room(site, number):
    """Room for what waits, and not for a whole segment of the journal, is room."""
    path = take_room(site)
    os.truncate(path, max(0, os.path.getsize(path) - 32 * MIB))
    until("little room is none", lambda: site.client.send(
        "ballast/9", BALLAST_BODY[:12], timeout="2s", requestId=f"more-{number}")[0] == 200)


def full_disk():
    history_size = os.environ["SWARM_AGENTS_HISTORY_SIZE"]
    os.environ["SWARM_AGENTS_HISTORY_SIZE"] = "0"  # All that runs in 30 rounds has no room there.
    site = Site("full")
    mount("-t", "tmpfs", "-o", f"size={256 * MIB},mode=700", "none", site.agents)
    site.start()
    host = site.daemon.host()
    for number in range(ROUNDS):
        site.world.load.go()
        status, words = fill(site, number)
        check(f"full {number}: a message is refused with words", "disk" in words
              and status in (429, 503), f"{status} {words}")
        give_room(site, number)
        os.unlink(take_room(site))
        site.verify(f"full {number}: it goes on with room, and all is there")
        check(f"full {number}: the host never stopped", site.daemon.host() == host)
    check("full: the log says so, and that there is room again", all(
        words in site.log() for words in ("the disk is full", "the disk has room again")),
        site.log()[-2000:])
    os.kill(host, 9)
    site.verify("full: all is there after a kill")
    site.end()
    os.environ["SWARM_AGENTS_HISTORY_SIZE"] = history_size


# --- A disk that fails underneath ----------------------------------------------------------------

class Loop:
    """ext4 on an image in a tmpfs: when that is full, writes to the image fail."""

    def __init__(self, folder, place, size):
        self.folder, self.place, self.size = folder, place, size
        self.image = os.path.join(folder, "image")
        mount("-t", "tmpfs", "-o", f"size={size}", "none", folder)
        with open(self.image, "wb") as file:
            file.truncate(4096 * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1",
                        self.image], check=True)
        self.mount()

    def mount(self):
        """One page a request: of a longer one that fails halfway, the loop device says nothing."""
        mount("-o", "loop,errors=remount-ro", self.image, self.place)
        with open("/proc/self/mounts", encoding="utf-8") as file:
            device = next(line.split()[0] for line in file if line.split()[1] == self.place)
        with open(f"/sys/block/{os.path.basename(device)}/queue/max_sectors_kb", "w",
                  encoding="ascii") as file:
            file.write("4")

    def heal(self, size):
        """Room for the image; what the kernel has of the file system, and not on it, is lost."""
        mount("-o", f"remount,size={size}", self.folder)
        until("the file system is in use", lambda: subprocess.run(
            ["umount", self.place], check=False, stderr=subprocess.DEVNULL).returncode == 0)
        done = subprocess.run(["e2fsck", "-fy", self.image], check=False, capture_output=True)
        if done.returncode > 2:
            raise AssertionError(f"e2fsck: {done.stdout}{done.stderr}")
        self.mount()


def kill_hosts(folder):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read().endswith(b"\0" + folder.encode() + b"\0"):
                    os.kill(int(pid), 9)


def broken_disk():
    site = Site("broken")
    loop = Loop(os.path.join(site.folder, "disk"), site.agents, 160 * MIB)
    os.chmod(site.agents, 0o700)
    site.start()
    for number in range(min(ROUNDS, 10)):
        site.world.load.go()
        deaths = site.deaths()
        filler = 0
        while site.deaths() == deaths:
            with contextlib.suppress(OSError):
                site.client.send("ballast/9", BALLAST_BODY, requestId=f"b-{number}-{filler}",
                                 timeout="2s")
            filler += 1
            if filler > 5000:
                raise AssertionError("the disk does not fail")
        time.sleep(0.5)
        site.daemon.end(9)
        kill_hosts(site.agents)  # One that is just being started sees late that its link ended.
        loop.heal(160 * MIB * (number + 2))
        site.restart()
        site.verify(f"broken {number}: what was acknowledged is there after the disk was mended")
    check("broken: the log says what failed", "swarm-agent-host: " in site.log(),
          site.log()[-2000:])
    site.end()
    subprocess.run(["umount", site.agents], check=True)


# --- Snapshots that fail -------------------------------------------------------------------------

def let_it_open(pid, may_open):
    """The host can open no further file, or as many as it wants again."""
    used = set(map(int, os.listdir(f"/proc/{pid}/fd")))
    most = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    lowest = min(set(range(len(used) + 1)) - used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most if may_open else lowest, most))


def failing_snapshots():
    os.environ["SWARM_AGENTS_SNAPSHOT_SIZE"] = "1MiB"
    site = Site("snapshots")
    site.start()
    host = site.daemon.host()
    let_it_open(host, False)
    site.world.load.go()
    until("no Event of a snapshot that failed", lambda: site.client.events("SnapshotFailed"))
    event = site.client.events("SnapshotFailed")[0]
    check("snapshots: an Event on the Node says so, and why",
          event["involvedObject"]["kind"] == "Node" and
          "the journal goes on: " in event["message"], event)
    let_it_open(host, True)
    site.verify("snapshots: what was acknowledged is there")
    check("snapshots: the host never stopped", site.daemon.host() == host)
    site.end()
    del os.environ["SWARM_AGENTS_SNAPSHOT_SIZE"]


def main():
    enter_private_mounts()
    seed = int(os.environ.get("SW_SEED") or time.time())
    print(f"seed {seed} (SW_SEED repeats it)")
    parts = {"syncs": lambda: failing_syncs(random.Random(seed)), "full": full_disk,
             "broken": broken_disk, "snapshots": failing_snapshots}
    for name in sys.argv[1:] or parts:
        parts[name]()
    return 1 if failed else 0


sys.exit(main())
