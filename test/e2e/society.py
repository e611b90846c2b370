#!/usr/bin/python3
"""examples/society with 20,000 people (SW_PEOPLE): who is elected, and what everybody has at the
end, is what the same rules give here; also when daemon and agent hosts are killed in the middle."""
# timeout: 300
# serial: yes
# chaos: SW_PEOPLE=1000000
# chaos-timeout: 2400
import http.client
import os
import shutil
import signal
import sys
import threading
import time

from swarmd import Client, Daemon, run

SOURCE, TMP = os.environ["SW_SOURCE"], os.environ["SW_TMP"]
PEOPLE = int(os.environ.get("SW_PEOPLE", "20000"))
KILLS = 3
ROUNDS, CANDIDATES, ESTEEM_MAX = 8, 8, 1000000
MASK = (1 << 64) - 1
failed = 0


def check(name, good, detail=""):
    global failed
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        failed += 1
        print(detail)


def mix(x):
    x = (x + 0x9e3779b97f4a7c15) & MASK
    x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & MASK
    x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & MASK
    return x ^ (x >> 31)


class Person:
    __slots__ = ("coins", "grain", "favourite", "esteem")

    def __init__(self, seed, number):
        x = mix((mix(seed) + number) & MASK)
        self.coins = 50 + x % 101
        self.grain = 50 + (x >> 8 & 0xffffffff) % 101
        self.favourite = (x >> 16 & 0xffffffff) % CANDIDATES
        self.esteem = 1 + (x >> 24 & 0xffffffff) % 10

    def say(self):
        coins = grain = 0
        if self.coins > self.grain:
            coins = self.coins // 8
        else:
            grain = self.grain // 8
        self.coins -= coins
        self.grain -= grain
        return coins, grain, self.favourite, self.esteem

    def hear(self, coins, grain, favourite, esteem):
        self.coins += coins
        self.grain += grain
        if favourite == self.favourite:
            self.esteem = min(self.esteem + esteem // 2 + 1, ESTEEM_MAX)
        elif esteem > self.esteem:
            self.favourite, self.esteem = favourite, esteem - self.esteem
        else:
            self.esteem -= esteem


def expected(seed):
    """The words of the hall, when everybody has lived here, in rounds that all begin together."""
    people = [Person(seed, number) for number in range(PEOPLE)]
    for number in range(ROUNDS):
        shift = 1 + mix(seed << 32 | number) % (PEOPLE - 1)
        talks = [person.say() for person in people]
        for talker, talk in enumerate(talks):
            people[(talker + shift) % PEOPLE].hear(*talk)
    votes, total = [0] * CANDIDATES, 0
    for number, person in enumerate(people):
        votes[person.favourite] += 1
        has, wants = person.coins << 32 | person.grain, person.favourite << 32 | person.esteem
        total += mix(mix(mix(number) ^ has) ^ wants)
    mayor = votes.index(max(votes))
    return (f"mayor {mayor} votes {votes[mayor]} of {PEOPLE} "
            f"coins {sum(person.coins for person in people)} "
            f"grain {sum(person.grain for person in people)} "
            f"richest {max(person.coins for person in people)} check {total & MASK}\n")


def deploy(seed):
    """The example as it is, but for the town's size and seed."""
    folder = os.path.join(TMP, f"society-{seed}")
    example = os.path.join(SOURCE, "examples", "society")
    os.makedirs(folder)
    for name in ("citizen", "district", "town"):
        shutil.copy(os.path.join(example, name + ".wasm"), folder)
    with open(os.path.join(example, "society.yaml"), encoding="utf-8") as file:
        text = file.read()
    assert text.count('"7 1000000 8"') == 3
    with open(os.path.join(folder, "society.yaml"), "w", encoding="utf-8") as file:
        file.write(text.replace('"7 1000000 8"', f'"{seed} {PEOPLE} {ROUNDS}"'))
    run("swarm", "apply", "-f", folder)
    wait_ready()


def wait_ready():
    run("swarm", "wait", "agent/citizen", "agent/district", "agent/town",
        "--for=condition=Ready", "--timeout=60s")


def begin(daemon, seed, answers):
    """Begin under a name, as often as it takes, and add the answer."""
    client = Client(daemon)
    end = time.monotonic() + 2000
    while time.monotonic() < end:
        try:
            status, answer = client.send("town/hall", "begin", requestId=f"society-{seed}",
                                         timeout="50s")
        except (OSError, http.client.HTTPException):
            status, answer = 0, b""
        if status == 200:
            answers.append(answer.decode())
            break
        time.sleep(0.1)
    client.close()


def lives(daemon, seed, pauses_s):
    """The town's own words, the seconds that it took, and how many of the kills met it."""
    deploy(seed)
    answers, start, met = [], time.monotonic(), 0
    town = threading.Thread(target=begin, args=(daemon, seed, answers))
    town.start()
    for number, pause_s in enumerate(pauses_s):
        town.join(pause_s)
        met += town.is_alive()
        for pid in (daemon.process.pid, *daemon.hosts().values()):
            os.kill(pid, signal.SIGKILL)
        daemon.process.wait()
        daemon.process.stdout.close()
        daemon.start()
        wait_ready()
        print(f"  kill -9 of swarmd and its agent hosts, {number}", flush=True)
    town.join()
    return "".join(answers), time.monotonic() - start, met


def main():
    daemon = Daemon()
    daemon.start()
    try:
        spent_s = 0
        for seed, kills in ((7, 0), (8, KILLS)):
            words, spent_s, met = lives(daemon, seed, [spent_s / (2 * KILLS + 2)] * kills)
            right = expected(seed)
            print(f"{PEOPLE} people, {ROUNDS} rounds, {kills} kills: {spent_s:.1f} s: {words}",
                  end="", flush=True)
            check(f"a town as its rules make it, with {kills} kills", words == right,
                  f"expected {right}got {words}")
            if kills > 0:  # The last of them may come late, if this town was much quicker.
                check("kills met it", met > 0, f"{met}")
            run("swarm", "delete", "agent/citizen", "agent/district", "agent/town")
            run("swarm", "wait", "agent/citizen", "agent/district", "agent/town", "--for=delete",
                "--timeout=60s")
    finally:
        status = daemon.end()
    check("a clean stop", status == 0, f"status {status}")
    return 1 if failed else 0


sys.exit(main())
