#!/usr/bin/python3
"""The benchmarks in a tiny form, so that they cannot rot; and they fail when the work is wrong."""
# timeout: 240
import json
import os
import re
import subprocess
import sys

SOURCE, TMP, BUILD = (os.environ[name] for name in ("SW_SOURCE", "SW_TMP", "SW_BUILD"))
sys.path.insert(0, os.path.join(SOURCE, "test", "bench", "lib"))
import crowd  # pylint: disable=wrong-import-position
import forge  # pylint: disable=wrong-import-position
from daemon import Daemon, Failure  # pylint: disable=wrong-import-position

CASES = {"idle": 3, "apply": 4, "store": 10, "request": 4, "pairs": 2, "fan": 2, "durable": 5,
         "recover": 5, "start": 4, "wait": 3, "spawn": 4, "wake": 4,
         "replay": 1, "compute": 21, "gateway": 2, "transcript": 1}
failed = 0


def check(name, good, detail=""):
    global failed
    print(f"{'ok' if good else 'not ok'} - {name}")
    if not good:
        failed += 1
        print(detail)


def fails(words, call, **options):
    """Whether the call fails with these words."""
    try:
        call(**options)
    except Failure as failure:
        return words in str(failure)
    return False


done = subprocess.run([os.path.join(SOURCE, "test", "bench", "run"), "--quick", BUILD],
                      capture_output=True, text=True, check=False,
                      env={k: v for k, v in os.environ.items() if k != "PEER"})
check("all benchmarks run and verify their work", done.returncode == 0, done.stderr)
lines = [json.loads(line) for line in done.stdout.splitlines()]
for bench, count in CASES.items():
    own = [line for line in lines if line["bench"] == bench]
    check(f"{bench}: a line for each case", len(own) == count, done.stdout)
    check(f"{bench}: each says what and how", all(
        line["value"] > 0 and line["unit"] and line["tls"] and line["durability"] and line["fs"]
        for line in own), done.stdout)

MODES = ("pairs", "durable", "fan", "publish", "wake", "snapshot", "append")
micro = os.path.join(BUILD, "bench", "bench-micro")
for mode in MODES:
    done = subprocess.run([micro, BUILD, mode, "1", "200"], capture_output=True, text=True,
                          check=False)
    figures = re.findall(r"^ +(?:\d+ records a commit: +)?(\d+\.\d) ns an? ", done.stdout, re.M)
    check(f"bench-micro {mode}: it says what it costs", done.returncode == 0 and figures
          and all(float(ns) > 0 for ns in figures), done.stdout + done.stderr)

daemon = Daemon(BUILD, os.path.join(TMP, "wrong"))
daemon.start()
try:
    daemon.namespace("few")
    daemon.load("put", space="few", workers=4, count=40, size=512)
    check("a list that lacks an object fails the run", fails(
        "does not have all", daemon.load, workload="list", space="few", objects=41, count=1))
    check("an object of another size fails the run", fails(
        "has changed", daemon.load, workload="get", space="few", workers=4, count=40, size=500))
    path = os.path.join(SOURCE, "examples", "hello")
    daemon.swarm("apply", "-f", path)
    daemon.swarm("wait", "agent/hello", "--for=condition=Ready")
    check("a wrong answer fails the run", fails(
        "answer is wrong", daemon.load, workload="request", agent="hello", count=1, size=128))
    crowd.apply_both(daemon, "none")
    report = crowd.ping(daemon, 0, 100)
    crowd.judge(daemon, report, 100)
    check("a ping that was lost, or handled twice, fails the run", fails(
        "(100, 100) instead of (100, 101)", crowd.judge, daemon=daemon, report=report, pings=101))
    before = daemon.metric("swarm_agent_host_segments")
    with subprocess.Popen(daemon.load_words("keep", agent="member", keys=100, workers=8, expect=0),
                          env=daemon.environment, stderr=subprocess.PIPE, text=True) as keeping:
        daemon.wait_for_metric("swarm_agent_host_segments", lambda value: value > before)
        keeping.terminate()
        _, words = keeping.communicate()
    check("a ping more than the pinger has made fails the run",
          keeping.returncode == 1 and "had a ping twice" in words, words)
    path = os.path.join(TMP, "changed.wasm")
    with open(os.path.join(BUILD, "guests", "bench_member.wasm"), "rb") as module:
        changed = forge.with_constant(module.read(), 0x9e3779b97f4a7c15, 0x9e3779b97f4a7c17)
    with open(path, "wb") as module:
        module.write(changed)
    daemon.apply_keyed("member", path, durability="none")
    check("a member whose state is another's fails the run", fails(
        "INVALID", crowd.ping, daemon=daemon, first=1000, keys=100))
finally:
    daemon.stop()
sys.exit(1 if failed else 0)
