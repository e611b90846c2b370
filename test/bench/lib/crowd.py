"""Workloads of very many instances: members with 128 bytes of state, whom pingers ping."""
import json
import os
import shutil
import statistics
import subprocess
import time

import actors
import figures
import limit
from daemon import Failure, Lacking, output_of

MEMBERS = (100000, 1000000)
REGISTERED = 10000000
IN_FLIGHT = 1024
LIVE = 10000        # Of those that wake and sleep again.
WAKES_LEAST = 0.95  # Of pings at random: a hundredth may meet somebody who is awake.
DISK_LIMIT_BYTES = 2 << 30
STATE_BYTES = 128
PARENTS, FLIGHT = 8, 64  # Eight ping, or begin others, with 64 of them under way each.
PAGE_BYTES = 65536       # Of a guest's memory; a member has one.
HOST_BYTES = 256 << 20
SLEEPERS_HOST_BYTES = 96 << 20  # Of a host in which a million sleep, and who is awake takes
AWAKE_BYTES = 12400             # so many.


def apply_both(daemon, durability, **spec):
    """The Agents `member` and `pinger`. Pingers are volatile: they only ask."""
    daemon.apply_keyed("member", "member", durability=durability, pods=4,
                       limits={"instances": 10000000, "mailbox": 100000}, **spec)
    daemon.apply_keyed("pinger", "pinger", durability="none", pods=4, limits={"mailbox": 100000})


def ping(daemon, first, keys, count=None, flight=FLIGHT, parents=PARENTS):
    """The report of a job: so many members are pinged once each, or, with a count, so many times at
    random. A wrong answer fails it, as do one too many and one too few; the rest is for judge."""
    text = f"member {0 if count is None else 1} {first} {keys} {count or keys} {parents} {flight}"
    before = daemon.host_cpu_s()
    report = daemon.load("request", agent="pinger/sum", workers=1, count=1, warm=0, text=text)
    report.update(count=count or keys, cpu_s=daemon.host_cpu_s() - before)
    return report


def judge(daemon, report, pings=None):
    """Look at what the last job came to: all have answered, and of all that did, the pings that
    they had had by then, which are returned, are so many. The report gets the times from a ping to
    its answer."""
    answers, found, *words = map(int, daemon.swarm("send", "pinger/sum", "?").split())
    wanted = found if pings is None else pings
    expect("answers, and pings of those that answered", (answers, found), (report["count"], wanted))
    times = list(zip(words[::2], words[1::2]))  # In their order: ns, and how many took that long.
    for name, share in (("p50_us", 0.5), ("p99_us", 0.99)):
        left = share * answers
        for time_ns, many in times:
            left -= many
            if left <= 0:
                report[name] = time_ns / 1000
                break
    return found


def expect(what, found, wanted):
    if found != wanted:
        raise Failure(f"{what}: {found} instead of {wanted}")


def resting(after):
    """The part of a member's spec that says when those that do nothing sleep."""
    return {"hibernation": {"after": after}}


def room_for(live):
    """What a daemon is to be told, so that a few more than so many may be awake: with less than an
    agent host takes for itself nobody would be."""
    return {"SWARM_AGENTS_MEMORY_SIZE": str(max((live + live // 4) * PAGE_BYTES, HOST_BYTES))}


# --- spawn --------------------------------------------------------------------------------------

def is_awake(keys):
    """Whether the memory of the guests is that of all members, and of nearly nobody else."""
    return lambda value: keys * PAGE_BYTES <= value <= (keys + 64) * PAGE_BYTES


def is_asleep(keys):
    """Whether the guests that there are may be those of pingers, but not of members."""
    return lambda value: value <= max(64, keys // 100) * PAGE_BYTES


def spawn_round(run, keys, is_right, spec, number):
    """The report of a round, in a daemon of its own; others than those that count warm it up."""
    warm = max(keys // 100, 1)
    with run.daemon(f"spawn-{number}", **room_for(keys + warm)) as daemon:
        apply_both(daemon, "none", **spec)
        ping(daemon, 10 ** 8, warm)
        before = daemon.memory_bytes()
        report = ping(daemon, 0, keys)
        judge(daemon, report, keys)
        daemon.wait_for_metric("swarm_agent_host_instances", lambda value: value >= keys + warm)
        daemon.wait_for_metric("swarm_agent_host_memory_bytes", is_right)
        if spec == resting("0s"):
            daemon.wait_for_metric("swarm_agent_host_sleeping_instances",
                                   lambda value: value >= keys + warm)
        report["bytes"] = daemon.memory_bytes() - before
    shutil.rmtree(daemon.folder)
    return report


def bytes_each(reports, prefix):
    return {f"{prefix}rss_bytes_per_item": figures.rounded(
        statistics.median(one["bytes"] / one["count"] for one in reports))}


def spawn_goal(ratio, most, words):
    return {"words": words,
            "reached": lambda line: line["ratio"] >= ratio and line["rss_bytes_per_item"] <= most}


def spawn(run):
    """Until each of so many instances has answered one ping; then all are live, or all sleep."""
    modes = (("live", is_awake, "1h", spawn_goal(1, 12288, ">= 1x, <= 12 KiB each")),
             ("asleep", is_asleep, "0s", spawn_goal(2, 300, ">= 2x, <= 300 bytes each")))
    for mode, is_right, after, goal in modes:
        spec = resting(after)
        for keys in map(run.many, MEMBERS):
            head = dict(actors.head_of(run, "spawn", "instances/s", "none"),
                        case=f"n={keys} mode={mode}", state_bytes=STATE_BYTES)
            actors.beside(
                run, head, "spawn",
                lambda number, k=keys, i=is_right, s=spec, m=mode: spawn_round(
                    run, k, i(k + max(k // 100, 1)), s, f"{m}-{k}-{number}"),
                (keys, PARENTS, FLIGHT), goal, bytes_each)


# --- wake ---------------------------------------------------------------------------------------

def woken(run, daemon, keys, count, **options):
    """The report of pings at random of whom nearly all sleep: of those alone that had to wake."""
    before = daemon.metric("swarm_agent_host_wakes")
    report = ping(daemon, 0, keys, count, **options)
    judge(daemon, report)
    least = (0.2 if run.is_quick else WAKES_LEAST) * count  # Few are met again before they sleep.
    wakes = daemon.wait_for_metric("swarm_agent_host_wakes",
                                   lambda value: value - before >= least) - before
    report.update(count=min(wakes, count), misses=wakes / count, pings=count)
    return report


def register_at_once(daemon, keys):
    """Members that have answered one ping each; more sleep than are awake. What they are on the
    disk, in bytes each."""
    for first in range(0, keys, MEMBERS[1]):
        many = min(MEMBERS[1], keys - first)
        judge(daemon, ping(daemon, first, many), many)
    daemon.wait_for_metric("swarm_agent_host_sleeping_instances", lambda value: value >= keys // 2,
                           lambda: daemon.swarm("send", "pinger/sum", "?"))
    return daemon.wait_for_metric("swarm_agent_host_shelf_bytes", lambda value: value > 0) / keys


def count_all(daemon, keys, pings):
    """Every member has had its pings, all of them together so many, and this one."""
    found = 0
    for first in range(0, keys, MEMBERS[1]):
        many = min(MEMBERS[1], keys - first)
        report = ping(daemon, first, many)
        found += judge(daemon, report)
    expect("pings of all members", found, keys + pings + keys)


def emit_wakes(head, reports, theirs, goal):
    misses = statistics.median(one["misses"] for one in reports)
    figures.emit_rates(dict(head, misses=figures.rounded(misses), cpu_us=actors.cpu_us(reports)),
                       reports, theirs, goal)


def wake_in_memory(run):
    keys, live = run.many(MEMBERS[1] // run.shrink), run.many(LIVE // run.shrink)
    room = SLEEPERS_HOST_BYTES + live * AWAKE_BYTES
    with run.daemon("wake-memory", SWARM_AGENTS_MEMORY_SIZE=str(room)) as daemon:
        apply_both(daemon, "none", **resting("10s"))
        each = register_at_once(daemon, keys)
        ours, _ = run.alternate(lambda _: woken(run, daemon, keys, keys), None)
        alone, _ = run.alternate(
            lambda _: woken(run, daemon, keys, keys // 20, flight=1, parents=1), None)
        count_all(daemon, keys, sum(one["pings"] for one in ours + alone))
    head = dict(actors.head_of(run, "wake", "wakes/s", "none"), live=live,
                bytes_each=figures.rounded(each))
    emit_wakes(dict(head, case=f"n={keys} mode=memory inflight={PARENTS * FLIGHT}"), ours, None,
               {"words": ">= 200k/s", "alone": True,
                "reached": lambda line: line["value"] >= 200000})
    emit_wakes(dict(head, case=f"n={keys} mode=memory inflight=1"), alone, None,
               {"words": "p99 <= 20 us", "alone": True,
                "reached": lambda line: line["p99_us"] <= 20})


def reads(run, before, size, each, threads):
    """The report of random reads of a file as large as what sleeps, in the same group; of several
    at once as many as are quickest."""
    path = os.path.join(run.folder, "reads")
    found = [json.loads(output_of([*before, os.path.join(run.build, "bench", "bench-reads"), path,
                                   str(size), str(each), str(many),
                                   "0.1" if run.is_quick else "2"])) for many in threads]
    return max(found, key=figures.rate)


def wake_on_disk(run, limited):
    """Here nobody is awake longer than his turn, since memory is for those who sleep: each ping
    wakes somebody."""
    keys, before = run.many(REGISTERED // run.shrink), [] if limited is None else limited.words()
    with run.daemon("wake-disk", before) as daemon:
        apply_both(daemon, "none", **resting("0s"))
        each = register_at_once(daemon, keys)
        size = int(each * keys)
        if size < 1.5 * DISK_LIMIT_BYTES and not run.is_quick:
            raise Failure(f"what sleeps is {size} bytes: too little for a limit of "
                          f"{DISK_LIMIT_BYTES}")
        if limited is not None:
            limited.set(DISK_LIMIT_BYTES)
        ours, theirs = run.alternate(
            lambda _: woken(run, daemon, keys, keys // 50),
            lambda _: reads(run, before, size, int(each), (4, 16, 64)))
        alone, theirs_alone = run.alternate(
            lambda _: woken(run, daemon, keys, keys // 1000, flight=1, parents=1),
            lambda _: reads(run, before, size, int(each), (1,)))
        if limited is not None:
            limited.set(None)
        count_all(daemon, keys, sum(one["pings"] for one in ours + alone))
    os.remove(os.path.join(run.folder, "reads"))
    head = dict(actors.head_of(run, "wake", "wakes/s", "none"), live=0,
                bytes_each=figures.rounded(each), limit_bytes=DISK_LIMIT_BYTES,
                peer="random reads", peer_durability="none", peer_isolation="none")
    emit_wakes(dict(head, case=f"n={keys} mode=disk inflight={PARENTS * FLIGHT}"), ours, theirs,
               {"words": ">= 0.5x", "reached": lambda line: line["ratio"] >= 0.5})
    emit_wakes(dict(head, case=f"n={keys} mode=disk inflight=1"), alone, theirs_alone, None)


def wake(run):
    """Pings at random of members of whom 99 of 100 sleep: in files that the page cache holds, and
    in files that it cannot hold."""
    wake_in_memory(run)
    try:
        with limit.memory_limit() as limited:
            wake_on_disk(run, limited)
    except Lacking:
        if not run.is_quick:
            raise
        wake_on_disk(run, None)  # Its work all the same.


# --- recover, start -----------------------------------------------------------------------------

def register(daemon, keys):
    """Members that have answered one ping each, and all sleep: it is stopped and started again."""
    daemon.environment["SWARM_API_LISTEN"] = daemon.address  # The next one has it, too.
    for first in range(0, keys, MEMBERS[1]):
        many = min(MEMBERS[1], keys - first)
        judge(daemon, ping(daemon, first, many), many)
    daemon.stop()
    daemon.start()
    daemon.wait_for_metric("swarm_agent_host_instances", lambda value: value >= keys)


def crash(run, daemon, keys, live, seconds):
    """The report of a start after a kill with so many live, beside pings that are in flight."""
    report = ping(daemon, 0, live)  # So that they are.
    daemon.wait_for_metric("swarm_agent_host_memory_bytes",
                           lambda value: value >= live * PAGE_BYTES)
    time.sleep(seconds)
    daemon.kill()
    report = actors.start_again(daemon, "member", keys, run.many(1000))
    report["replayed"] = actors.replayed_turns(daemon)
    return report


def recover_many(run):
    """kill -9 again and again beside a process that pings under names, 1,024 at once, and asks what
    was not answered again. In the end each member has had its pings once each, or the run fails."""
    keys, live = run.many(MEMBERS[1] // run.shrink), run.many(MEMBERS[0] // run.shrink)
    with run.daemon("recover-many", **room_for(live)) as daemon:
        apply_both(daemon, "local", **resting("1h"))
        register(daemon, keys)
        with subprocess.Popen(
                daemon.load_words("keep", agent="member", keys=live, workers=IN_FLIGHT,
                                  expect=1 + run.rounds), env=daemon.environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE) as keeping:
            reports = [crash(run, daemon, keys, live, 1 if run.is_quick else 1 + 2 * number)
                       for number in range(run.rounds)]
            keeping.terminate()
            kept, words = keeping.communicate()
            if keeping.returncode != 0:
                raise Failure(f"beside the kills: {words.strip()}")
    kept = json.loads(kept)
    if kept["again"] < 1000 * run.rounds:
        raise Failure(f"only {kept['again']} pings were in flight in {run.rounds} kills")
    head = dict(actors.head_of(run, "recover", "ms", "local"), rounds=run.rounds, live=live,
                pings=kept["count"], again=kept["again"],
                replayed=sum(one["replayed"] for one in reports))
    actors.emit_start(head, f"n={keys} inflight={IN_FLIGHT}", reports, 500)
    actors.emit_samples(head, f"n={keys} inflight={IN_FLIGHT}", reports)


def recover(run):
    actors.recover(run)
    recover_many(run)


def start(run):
    """From the start of the daemon to the first answer of any of very many that sleep, after a
    clean stop, and after a kill."""
    keys = run.many(REGISTERED // run.shrink)
    reports = {"stop": [], "kill": []}
    with run.daemon("start") as daemon:
        apply_both(daemon, "local", **resting("0s"))
        register(daemon, keys)
        for _ in range(run.rounds):
            for end, found in reports.items():
                (daemon.stop if end == "stop" else daemon.kill)()
                found.append(actors.start_again(daemon, "member", keys, run.many(1000)))
    head = dict(actors.head_of(run, "start", "ms", "local"), rounds=run.rounds)
    for end, found in reports.items():
        actors.emit_start(head, f"n={keys} after={end}", found, 2000)
        actors.emit_samples(head, f"n={keys} after={end}", found, None)


WORKLOADS = {"spawn": spawn, "wake": wake, "recover": recover, "start": start}
