"""One line of JSON for each figure, with the goal it was measured for."""
import json
import os
import statistics


def filesystem_of(path):
    """The type of the filesystem that a path lies on."""
    best, kind = "", "unknown"
    path = os.path.realpath(path)
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            _, place, name, *_ = line.split()
            if (path + "/").startswith(place.rstrip("/") + "/") and len(place) >= len(best):
                best, kind = place, name
    return kind


def cores():
    return len(os.sched_getaffinity(0))


def rounded(value):
    return round(value, 3) if abs(value) < 100 else round(value, 1)


def middle(rounds, name):
    return rounded(statistics.median(one[name] for one in rounds))


def rate(measured):
    return measured["count"] / measured["seconds"]


def emit(**fields):
    print(json.dumps(fields), flush=True)


def emit_rates(head, ours, theirs=None, goal=None):
    """A rate, higher being better, from the reports of all rounds; beside a peer's when there is
    one. goal has the words of it, `reached`, which judges the line, and `alone` if that needs no
    peer."""
    rates = [rate(one) for one in ours]
    times = {name: middle(ours, name) for name in ("p50_us", "p99_us") if name in ours[0]}
    line = dict(head, value=rounded(statistics.median(rates)), unit=head["unit"], **times,
                range=[rounded(min(rates)), rounded(max(rates))], rounds=len(ours))
    if theirs:
        others = [rate(one) for one in theirs]
        line.update(peer_value=rounded(statistics.median(others)),
                    peer_range=[rounded(min(others)), rounded(max(others))],
                    peer_p50_us=middle(theirs, "p50_us"), peer_p99_us=middle(theirs, "p99_us"),
                    ratio=rounded(statistics.median(a / b for a, b in zip(rates, others))),
                    ratio_range=[rounded(f(a / b for a, b in zip(rates, others)))
                                 for f in (min, max)],
                    ratio_p99=rounded(statistics.median(
                        b["p99_us"] / a["p99_us"] for a, b in zip(ours, theirs))))
    if goal is not None and (theirs or goal.get("alone")):
        line.update(goal=goal["words"], reached=goal["reached"](line))
    emit(**line)
