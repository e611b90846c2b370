"""Workloads of very many instances: members with 128 bytes of state, whom pingers ping."""
import json
import shutil
import statistics
import subprocess
import time

import actors
import figures
from daemon import Failure

MEMBERS = (100000, 1000000)
REGISTERED = 10000000
IN_FLIGHT = 1024
STATE_BYTES = 128
PARENTS, FLIGHT = 8, 64  # Eight ping, or begin others, with 64 of them under way each.
PAGE_BYTES = 65536       # Of a guest's memory; a member has one.


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
    """What a daemon is to be told, so that a few more than so many may be awake."""
    return {"SWARM_AGENTS_MEMORY_SIZE": str((live + live // 4) * PAGE_BYTES)}


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
        actors.emit_samples(head, f"n={keys} after={end}", found)


WORKLOADS = {"spawn": spawn, "recover": recover, "start": start}
