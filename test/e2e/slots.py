#!/usr/bin/python3
"""An Agent is split into more and fewer Pods while hundreds of messages are on their way to its
instances, with a kill -9 in between: nothing is lost, doubled or reordered, and the Pods that there
are in the end hold each slot once."""
# labels: kill
# timeout: 240
# serial: yes
import json
import os
import random
import signal
import subprocess
import sys
import time

import history
from swarmd import Client, Daemon, apply

SENDERS = 640
SPLITS = (8, 1, 32, 3, 256, 4)


def chronicle(pods):
    apply("chronicle", f"chronicle: keyed: true, pods: {pods}, limits: {{mailbox: 4096}}")


def pods_of(agent):
    listed = subprocess.run(["swarm", "get", "pods", "-o", "json"], check=True,
                            capture_output=True).stdout
    return [pod for pod in json.loads(listed)["items"] if pod["spec"]["agentName"] == agent]


def until_split(pods):
    """Wait until there are so many Pods and no other; what is wrong with their slots."""
    end = time.monotonic() + 60
    while len(found := pods_of("chronicle")) != pods:
        if time.monotonic() > end:
            return f"{len(found)} Pods, not {pods}"
        time.sleep(0.02)
    slots = []
    for pod in found:
        for part in pod["spec"]["slots"]:
            slots += range(part.get("first", 0), part.get("first", 0) + part["count"])
    return "" if sorted(slots) == list(range(256)) else f"slots {sorted(slots)}"


def main():
    seed = int(os.environ.get("SW_SEED") or time.time())
    print(f"seed {seed} (SW_SEED repeats it)")
    chance = random.Random(seed)
    daemon = Daemon()
    daemon.start()
    client = Client(daemon)
    chronicle(4)
    world = history.World(daemon, client, os.environ["SW_BUILD"], os.environ["SW_TMP"], SENDERS)
    world.verify()
    failed = False
    for pods in SPLITS:
        world.load.go()
        time.sleep(chance.uniform(0.1, 0.4))
        begun = time.monotonic()
        chronicle(pods)
        wrong = [words] if (words := until_split(pods)) else []
        took = time.monotonic() - begun
        if pods == SPLITS[2] and (host := daemon.host()):
            os.kill(host, signal.SIGKILL)
            world.wait_up()
        wrong += world.verify()
        failed = failed or bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} - split into {pods} Pods in {took:.1f} s", *wrong,
              sep="\n" if wrong else "", flush=True)
    status = world.load.end()
    print(f"{'ok' if status == 0 else 'not ok'} - the load ended", flush=True)
    daemon.end()
    return 1 if failed or status != 0 else 0


sys.exit(main())
