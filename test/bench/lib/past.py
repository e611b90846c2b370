"""What was recorded, run again: the workload `replay`."""
import os
import re
import subprocess
import time

import actors
import figures
import forge
from daemon import Failure

PAIRS, ROUND_TRIPS = 4096, 121
TURNS = 3 + 2 * ROUND_TRIPS  # Of a pair: two starts, a request, and two for each round trip.
FACTOR = 0x5851f42d4c957f2d  # Of agents/mix.c.
REPORT = re.compile(r"replayed \S+: (\d+) segments of (\d+) instances, since the journal's "
                    r"beginning(; (\d+) are in the snapshot as they were)?\n")


def replay(daemon, status=0):
    """(seconds, what it prints, what it says of errors). Another status is a failure."""
    begun = time.monotonic()
    done = subprocess.run(["swarmctl", "journal", "replay", "--data", daemon.data],
                          capture_output=True, text=True, check=False, env=daemon.environment)
    seconds = time.monotonic() - begun
    if done.returncode != status:
        raise Failure(f"journal replay ended with {done.returncode}, not {status}: "
                      f"{done.stdout[:1000]}{done.stderr.strip()}")
    return seconds, done.stdout, done.stderr


def record(run, daemon, pairs):
    """Turns that are all in the journal; beside their module another was compiled that has one
    constant changed. Returns the digests of both."""
    daemon.environment["SWARM_AGENTS_HISTORY_SIZE"] = "1024GiB"
    path = os.path.join(run.build, "guests", "bench_mix.wasm")
    changed = os.path.join(daemon.folder, "changed.wasm")
    with open(path, "rb") as source, open(changed, "wb") as target:
        wasm = forge.with_constant(source.read(), FACTOR, FACTOR + 8)
        if wasm is None:
            raise Failure(f"{path} does not have the constant that is to be changed")
        target.write(wasm)
    daemon.start()
    try:
        daemon.apply_keyed("mix", "mix", durability="local", pods=figures.cores(),
                           config=str(ROUND_TRIPS))
        actors.play(daemon, "mix", pairs, ROUND_TRIPS, 0)
        daemon.swarm("agent", "push", changed)
    finally:
        daemon.stop()
    return forge.digest_of(path), forge.digest_of(changed)


def replay_all(daemon, pairs):
    """The report of one replay: each turn of all instances has run again, and came to the same."""
    seconds, words, _ = replay(daemon)
    found = REPORT.fullmatch(words)
    wanted = (str(TURNS * pairs), str(2 * pairs), str(2 * pairs))
    if found is None or (found[1], found[2], found[4]) != wanted:
        raise Failure(f"not all of {TURNS * pairs} turns came to the same again: {words[:1000]}")
    return {"count": TURNS * pairs, "seconds": seconds}


def replay_changed(daemon, pairs, digests):
    """With the changed module each instance that played is told to differ."""
    forge.replace_code(daemon.data, *digests)
    _, words, errors = replay(daemon, 1)
    different = len(re.findall(r"^differs default/mix/", words, re.M))
    if different < 2 * pairs or "came to something else" not in errors:
        raise Failure(f"a changed module shows in {different} of {2 * pairs} instances: {errors}")


def replay_recorded(run):
    """From the start of swarmctl to its end: guest code runs all that a journal holds once more."""
    pairs = run.many(PAIRS)
    daemon = run.new_daemon("replay")
    digests = record(run, daemon, pairs)
    reports, _ = run.alternate(lambda _: replay_all(daemon, pairs), None)
    replay_changed(daemon, pairs, digests)
    figures.emit_rates(dict(actors.head_of(run, "replay", "turns/s", "local"),
                            case=f"n={TURNS * pairs}"),
                       reports, None,
                       {"words": ">= 300k/s", "alone": True,
                        "reached": lambda line: line["value"] >= 300000})


WORKLOADS = {"replay": replay_recorded}
