"""Workloads of the engine: messages between instances, durable turns, waits, recovery."""
import concurrent.futures
import functools
import json
import os
import signal
import statistics
import subprocess
import time

import figures
import peers
import waits
from daemon import Failure, output_of

PAIRS, ROUND_TRIPS, BODY_BYTES = 100, 20000, 128
INSTANCES, MILLION, SENDERS = 100000, 1000000, 8
AWAKE = {"hibernation": {"after": "1h"}}  # Others are measured meanwhile, and nobody is to sleep.
AWAKE_ROOM = {"SWARM_AGENTS_MEMORY_SIZE": "64GiB"}
RUNTIMES = {"erlang": peers.Erlang, "caf": peers.Caf, "pekko": peers.Pekko}


def head_of(run, bench, unit, durability):
    return {"bench": bench, "unit": unit, "durability": durability, "tls": True,
            "isolation": "an instance of WebAssembly each, in a sandboxed host",
            "fs": run.filesystem, "config": run.config}


def play(daemon, agent, pairs, round_trips, near=1):
    """The report of a play: messages and seconds. near: a pair's keys share what is in braces."""
    before = daemon.host_cpu_s()
    report = daemon.load("request", agent=agent, keys=1, near=near, workers=pairs,
                         count=pairs, warm=0, size=BODY_BYTES)
    report.update(count=2 * pairs * round_trips, cpu_s=daemon.host_cpu_s() - before)
    return report


def cpu_us(reports):
    """Processor time of a message, which says more than its rate on a machine with other work."""
    return figures.rounded(statistics.median(1e6 * one["cpu_s"] / one["count"]
                                             for one in reports))


def beside(run, head, workload, ours, words, goal, more=None):
    """A line for each runtime of actors that is asked for, which alternates with ours, or one for
    ours alone. ours is given the round's number; more makes further fields of reports, for ours
    with "" and for a peer's with "peer_" before their names."""
    def fields(reports, prefix):
        found = {f"{prefix}cpu_us": cpu_us(reports)}
        return found if more is None else {**found, **more(reports, prefix)}

    is_alone = True
    for name, kind in RUNTIMES.items():
        if workload not in kind.workloads:
            continue
        with run.other(name, kind) as other:
            if other is None:
                continue
            is_alone = False
            mine, theirs = run.alternate(ours, lambda _, o=other: o.measure(workload, *words))
            figures.emit_rates(dict(head, peer=name, peer_durability="none",
                                    peer_isolation="one memory", **fields(mine, ""),
                                    **fields(theirs, "peer_")), mine, theirs, goal)
    if is_alone:
        mine, _ = run.alternate(ours, None)
        figures.emit_rates(dict(head, **fields(mine, "")), mine, None, goal)


def pairs(run):
    """Of pairs whose keys keep them together, as a process that begins another at the peers keeps
    it near, and of pairs that lie anywhere."""
    round_trips = run.many(ROUND_TRIPS)
    with run.daemon("pairs", **AWAKE_ROOM) as daemon:
        daemon.apply_keyed("pairs", "pairs", durability="none", pods=figures.cores(),
                           config=str(round_trips), **AWAKE)
        for near, place in ((1, "near"), (0, "anywhere")):
            head = dict(head_of(run, "pairs", "messages/s", "none"),
                        case=f"n={PAIRS} mode=live place={place}")
            ours = functools.partial(play, daemon, "pairs", PAIRS, round_trips, near)
            ours()
            beside(run, head, "pairs", lambda _, o=ours: o(), (PAIRS, round_trips),
                   {"words": ">= 2x", "reached": lambda line: line["ratio"] >= 2})


def fan_out(daemon, agent, count):
    """The report of a play: so many messages, and the time until all have arrived."""
    before = daemon.host_cpu_s()
    report = daemon.load("request", agent=f"{agent}/sum", workers=1, count=1, warm=0, size=1)
    report.update(count=count, cpu_s=daemon.host_cpu_s() - before)
    return report


def fan(run):
    """Messages to instances that are there: the first part makes them."""
    keys, messages = run.many(INSTANCES), run.many(2000000 // SENDERS)
    # Of each sender a last word to each, and from each one to who sums up.
    count = SENDERS * messages + (SENDERS + 1) * keys
    for number, mode in enumerate(("roundrobin", "random")):
        head = dict(head_of(run, "fan", "messages/s", "none"), case=f"n={keys} mode={mode}")
        with run.daemon(f"fan-{number}", **AWAKE_ROOM) as daemon:
            daemon.apply_keyed("fan", "fan", durability="none", pods=4,
                               limits={"mailbox": 1000000},
                               config=f"{number} {messages} {keys} {SENDERS}", **AWAKE)
            ours = functools.partial(fan_out, daemon, "fan", count)
            ours()
            beside(run, head, "fan", lambda _, o=ours: o(),
                   (keys, messages, SENDERS, number),
                   {"words": ">= 3M/s", "alone": True,
                    "reached": lambda line: line["value"] >= 3e6})


def raw(run, group):
    path = os.path.join(run.folder, "raw")
    return json.loads(output_of([os.path.join(run.build, "bench", "bench-raw"), path, str(group),
                                 "0.1" if run.is_quick else "1"]))


def durable(run):
    head = head_of(run, "durable", "turns/s", "local")
    head.update(peer="append and fdatasync", peer_durability="synced", peer_isolation="none")
    with run.daemon("durable", **AWAKE_ROOM) as daemon:
        daemon.apply("bench-echo", 1, "local")
        for group, count in ((1, 2000), (16, 30000), (64, 60000)):
            count = max(run.many(count), group)
            ours, theirs = run.alternate(
                lambda _, g=group, c=count: daemon.load("request", workers=g, count=c, warm=g,
                                                        size=BODY_BYTES),
                lambda _, g=group: raw(run, g))
            figures.emit_rates(dict(head, case=f"inflight={group} group={group}"), ours, theirs,
                               {"words": ">= 0.6x", "reached": lambda line: line["ratio"] >= 0.6})
        in_flight, rounds = run.many(4096), run.many(100)
        daemon.apply_keyed("chain", "pairs", durability="local", pods=figures.cores(),
                           config=str(rounds), **AWAKE)
        ours, theirs = run.alternate(lambda _: play(daemon, "chain", in_flight, rounds),
                                     lambda _: raw(run, 4096))
        figures.emit_rates(
            dict(head, case=f"inflight={in_flight} group=4096 mode=inside",
                 cpu_us=cpu_us(ours)),
            ours, theirs,
            {"words": ">= 1M/s", "reached": lambda line: line["value"] >= 1e6})
        daemon.apply_keyed("kept", "pairs", durability="local", pods=figures.cores(),
                           config=str(rounds), history={"maxBytes": "64GiB"}, **AWAKE)
        ours, _ = run.alternate(lambda _: play(daemon, "kept", in_flight, rounds), None)
        figures.emit_rates(
            dict(head_of(run, "durable", "turns/s", "local"), cpu_us=cpu_us(ours),
                 case=f"inflight={in_flight} group=4096 mode=inside history=all"), ours)


def start_again(daemon, agent, keys, samples, **options):
    """The report of a start: the first answer, and those from 0.5 s on, are measured by a process
    that is there before the daemon and asks on one connection."""
    with subprocess.Popen(
            daemon.load_words("recover", agent=agent, keys=keys, count=samples, workers=samples,
                              **options), env=daemon.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asking:
        daemon.start()
        report, words = asking.communicate()
        if asking.returncode != 0:
            raise Failure(f"after a start: {words.strip()}")
    return json.loads(report)


def restart(run, daemon, keys, seconds):
    """What is measured of a start of a daemon that was killed with 1,024 requests in flight, after
    so many seconds of them."""
    load = subprocess.Popen(daemon.load_words("request", workers=1024, count=10 ** 9, size=128),
                            env=daemon.environment, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    if load.poll() is not None:
        raise Failure("the load ended before the kill")
    daemon.kill()
    load.wait()
    return start_again(daemon, "fan", keys, run.many(1000), expect=2)


def replayed_turns(daemon):
    """How many turns were replayed since the start, once it is told that there were some."""
    end = time.monotonic() + 2  # What a host has counted is told a few times a second.
    replayed = 0
    while replayed == 0 and time.monotonic() < end:
        replayed = daemon.metric("swarm_agent_host_replayed_segments")
        time.sleep(0.05)
    return replayed


def ask_busiest(daemon):
    """The milliseconds until the instance answers that had answered all of the load, and how many
    turns were replayed for that: those since the last snapshot."""
    report = daemon.load("request", workers=1, count=1, warm=0, size=128)
    return report["max_us"] / 1000, replayed_turns(daemon)


def emit_start(head, case, reports, goal_ms):
    first = [one["first_us"] / 1000 for one in reports]
    value = statistics.median(first)
    figures.emit(**head, case=f"{case} mode=start", value=figures.rounded(value),
                 range=[figures.rounded(f(first)) for f in (min, max)], goal=f"<= {goal_ms} ms",
                 reached=value <= goal_ms)


def emit_samples(head, case, reports, goal_ms=50):
    worst = [one["max_us"] / 1000 for one in reports]
    value = statistics.median(worst)
    figures.emit(**head, case=f"{case} mode=random", value=figures.rounded(value),
                 p50_us=round(statistics.median(one["p50_us"] for one in reports)),
                 p99_us=round(statistics.median(one["p99_us"] for one in reports)),
                 range=[figures.rounded(f(worst)) for f in (min, max)],
                 **({} if goal_ms is None else
                    {"goal": f"<= {goal_ms} ms", "reached": value <= goal_ms}))


def recover(run):
    """kill -9 of daemon and host beside all those instances: the time from the start of the new
    daemon to the first answer, and of answers from 0.5 s on."""
    keys = run.many(INSTANCES)
    with run.daemon("recover", **AWAKE_ROOM) as daemon:
        daemon.environment["SWARM_API_LISTEN"] = daemon.address  # The next one has it, too.
        daemon.apply_keyed("fan", "fan", pods=4, config=f"0 {keys} {keys} 2",
                           limits={"mailbox": 1000000}, **AWAKE)
        daemon.apply("bench-echo", 1, "local")
        fan_out(daemon, "fan", 0)
        reports, busiest = [], []
        for number in range(run.rounds):  # So that what is behind the last snapshot differs.
            reports.append(restart(run, daemon, keys, 1 if run.is_quick else 1 + 2 * number))
            busiest.append(ask_busiest(daemon))
    head = dict(head_of(run, "recover", "ms", "local"), rounds=run.rounds,
                replayed=sum(replayed for _, replayed in busiest))
    emit_start(head, f"n={keys}", reports, 500)
    emit_samples(head, f"n={keys}", reports)
    waits = [one for one, _ in busiest]
    value = statistics.median(waits)
    figures.emit(**head, case="n=1 mode=busiest", value=figures.rounded(value),
                 range=[figures.rounded(f(waits)) for f in (min, max)], goal="<= 50 ms",
                 reached=value <= 50)


def wait_for(run, keys, least, most):
    """Memory is looked at while all of them wait, which is before the first call ends: what is done
    is an instance at rest, which is live as any other, and therefore deleted."""
    with run.daemon(f"wait-{keys}") as daemon, concurrent.futures.ThreadPoolExecutor() as pool:
        daemon.apply_keyed("wait", "wait", durability="none", pods=4, idle={"after": "1s"},
                           config=f"{keys} {least} {most}",
                           limits={"mailbox": 1000000, "instances": 10000000})
        before = daemon.memory_bytes()
        collected = pool.submit(daemon.swarm, "send", "wait/sum", "s", "--timeout=300s")
        begun = time.monotonic()
        daemon.swarm("send", "wait/a", "go")
        peak = 0
        while time.monotonic() - begun < 0.9 * least:
            peak = max(peak, daemon.memory_bytes())
            time.sleep(0.1)
        waiting = daemon.metric("swarm_agent_host_open_service_calls")
        packed = daemon.metric("swarm_agent_host_packed_bytes") / keys
        collected.result()
        seconds = time.monotonic() - begun
    if waiting < keys and not run.is_quick:
        raise Failure(f"only {waiting:.0f} of {keys} wait at once: the machine has too much else "
                      "to do")
    # Its own state is its memory as it is packed: pages that it has changed, and its globals.
    value = (peak - before) / keys - packed
    figures.emit(**head_of(run, "wait", "bytes", "none"), case=f"n={keys} mode=asleep",
                 value=figures.rounded(value), state=figures.rounded(packed),
                 seconds=figures.rounded(seconds), goal="<= 1 KiB beyond its own state",
                 reached=value <= 1024)


def wait(run):
    """Calls are so long that all have begun theirs before the first ends."""
    if run.is_quick:
        wait_for(run, run.many(INSTANCES), 2, 2)
    else:
        wait_for(run, INSTANCES, 10, 30)
        wait_for(run, MILLION, 25, 30)
    for language in ("c", "js"):
        waits.wait_for_model(run, run.many(INSTANCES), language)


WORKLOADS = {"pairs": pairs, "fan": fan, "durable": durable, "wait": wait}
