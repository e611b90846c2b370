"""Workloads of very many instances: members with 128 bytes of state, whom pingers ping."""
import shutil
import statistics

import actors
import figures
from daemon import Failure

MEMBERS = (100000, 1000000)
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


def judge(daemon, report, pings):
    """Look at what the last job came to: all have answered, and of all that did, the pings that
    they had had by then are so many. The report gets the times from a ping to its answer."""
    answers, found, *words = map(int, daemon.swarm("send", "pinger/sum", "?").split())
    expect("answers, and pings of those that answered", (answers, found), (report["count"], pings))
    times = list(zip(words[::2], words[1::2]))  # In their order: ns, and how many took that long.
    for name, share in (("p50_us", 0.5), ("p99_us", 0.99)):
        left = share * answers
        for time_ns, many in times:
            left -= many
            if left <= 0:
                report[name] = time_ns / 1000
                break


def expect(what, found, wanted):
    if found != wanted:
        raise Failure(f"{what}: {found} instead of {wanted}")


# --- spawn --------------------------------------------------------------------------------------

def is_awake(keys):
    """Whether the memory of the guests is that of all members, and of nearly nobody else."""
    return lambda value: keys * PAGE_BYTES <= value <= (keys + 64) * PAGE_BYTES


def is_asleep(keys):
    """Whether the guests that there are may be those of pingers, but not of members."""
    return lambda value: value <= max(64, keys // 100) * PAGE_BYTES


def spawn_round(run, keys, is_right, spec, number):
    """The report of a round, in a daemon of its own; others than those that count warm it up."""
    with run.daemon(f"spawn-{number}") as daemon:
        apply_both(daemon, "none", **spec)
        warm = max(keys // 100, 1)
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
    modes = (("live", is_awake, {}, spawn_goal(1, 12288, ">= 1x, <= 12 KiB each")),
             ("asleep", is_asleep, {"hibernation": {"after": "0s"}},
              spawn_goal(2, 300, ">= 2x, <= 300 bytes each")))
    for mode, is_right, spec, goal in modes:
        for keys in map(run.many, MEMBERS):
            head = dict(actors.head_of(run, "spawn", "instances/s", "none"),
                        case=f"n={keys} mode={mode}", state_bytes=STATE_BYTES)
            actors.beside(
                run, head, "spawn",
                lambda number, k=keys, i=is_right, s=spec, m=mode: spawn_round(
                    run, k, i(k + max(k // 100, 1)), s, f"{m}-{k}-{number}"),
                (keys, PARENTS, FLIGHT), goal, bytes_each)


WORKLOADS = {"spawn": spawn}
