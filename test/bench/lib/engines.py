"""Workloads of the engine classes: how quick each computes beside compact."""
import math
import statistics

import actors
import figures
from daemon import Failure

KERNELS = {"matrices": "m", "primes": "p", "heapsort": "s", "hash": "f", "hops": "h",
           "orbits": "o"}
OTHERS = ("compute", "replay", "fuel")  # fuel: compact, and counts what it runs.
ENGINES = {"fuel": "compact"}
COMPUTE_S = 1.0  # Of a measurement, about.
TICK_S = 0.01    # Processor time is told in ticks: nothing took less than one.
LIMITS = {"memory": "2MiB", "deadline": "10m"}
FUEL = {"fuel": 10 ** 15}


def run_kernel(daemon, engine, kernel, rounds):
    """(seconds of the processor, what came out)."""
    before = daemon.host_cpu_s()
    answer = daemon.swarm("send", f"{engine}/k", f"{KERNELS[kernel]}{rounds}", "--timeout=10m")
    return max(daemon.host_cpu_s() - before, TICK_S), answer.strip()


def rounds_for(daemon, kernel, seconds):
    """How many rounds take so long; the second run of all is warm."""
    rounds = 1
    while True:
        took, _ = run_kernel(daemon, "compact", kernel, rounds)
        if took >= seconds / 4:
            return max(1, round(rounds * seconds / took))
        rounds *= 2 if took < seconds / 100 else 4


def measure(daemon, kernel, rounds, number):
    """Seconds by engine, in another order each time."""
    engines = ("compact",) + OTHERS
    first = number % len(engines)
    engines = engines[first:] + engines[:first]
    found = {engine: run_kernel(daemon, engine, kernel, rounds) for engine in engines}
    if len({answer for _, answer in found.values()}) != 1:
        raise Failure(f"{kernel} came to {found}")
    return {engine: seconds for engine, (seconds, _) in found.items()}


def emit(head, case, ratios, **more):
    figures.emit(**head, case=case, value=figures.rounded(statistics.median(ratios)),
                 range=[figures.rounded(f(ratios)) for f in (min, max)], rounds=len(ratios), **more)


def compute(run):
    head = actors.head_of(run, "compute", "x of compact", "local")
    with run.daemon("compute") as daemon:
        for engine in ("compact",) + OTHERS:
            daemon.apply_keyed(engine, "kernels", engine=ENGINES.get(engine, engine),
                               limits=LIMITS | (FUEL if engine == "fuel" else {}), **actors.AWAKE)
        all_ratios = {engine: [] for engine in OTHERS}
        for kernel in KERNELS:
            rounds = rounds_for(daemon, kernel, COMPUTE_S / (20 if run.is_quick else 1))
            reports = [measure(daemon, kernel, rounds, number) for number in range(run.rounds)]
            for engine in OTHERS:
                ratios = [one["compact"] / one[engine] for one in reports]
                all_ratios[engine].append(ratios)
                emit(head, f"engine={engine} kernel={kernel} n={rounds}", ratios,
                     cpu_s=figures.middle(reports, engine))
        for engine in OTHERS:
            means = [math.prod(one) ** (1 / len(one)) for one in zip(*all_ratios[engine])]
            emit(head, f"engine={engine} kernel=all", means)


WORKLOADS = {"compute": compute}
