#!/usr/bin/python3
"""kill -9 at random moments under load: of the agent host, of the daemon, of both. Whatever was
acknowledged is there exactly once and in its sender's order, whatever was not is there at most
once, a named request gets its first reply again, and what nobody touched is as it was."""
# labels: kill
# timeout: 300
# serial: yes
import http.client
import os
import random
import signal
import statistics
import sys
import threading
import time

from swarmd import Client, Daemon, apply

SENDERS, NUMBERS = 12, 16384  # As test/guests/diary.c has them.
ROUNDS = ["host"] * 8 + ["daemon"] * 5 + ["both"] * 5
# A host that lives shorter than this before its next death is awaited longer each time.
LOAD_S = {"host": (0.9, 1.5), "daemon": (0.1, 0.8), "both": (0.1, 0.8)}
AGAIN = 0.3  # How often a kill follows a kill, in the middle of the recovery.
WAIT_S = 60
KEPT = 100
NAMED_BACK = 64  # How many requests ago a repeat may be of; all are from seconds ago.
BROKEN = (OSError, http.client.HTTPException)


class Sender(threading.Thread):
    """Sends rising numbers, one at a time, and remembers which were acknowledged."""

    def __init__(self, world, number):
        super().__init__()
        self.world, self.number = world, number
        self.to, self.reply, self.text = (
            ("diary/shared", False, "put"), ("diary/shared", True, "put"),
            ("diary/source", False, "relay target"), ("diary/shared", True, "put"))[number % 4]
        self.key = "target" if number % 4 == 2 else "shared"
        self.is_named = number % 4 == 3  # By request ids, and sent until answered.
        self.sent, self.acknowledged, self.wrong, self.answers = 0, [], [], {}

    def run(self):
        client = Client(self.world.daemon)
        while not self.world.is_over and self.sent < NUMBERS:
            self.world.is_up.wait()
            number = self.sent
            self.sent += 1
            answer = self.send(client, number)
            while self.is_named and answer is None and not self.world.is_over:
                self.world.is_up.wait()
                answer = self.send(client, number)
            if answer is not None:
                self.acknowledged.append(number)
                self.answers[number] = answer
            if self.is_named and answer is not None and number % 8 == 0:
                self.repeat(client, number)
                self.repeat(client, max(0, number - self.world.chance.randrange(NAMED_BACK)))
        client.close()

    def send(self, client, number):
        """The reply, or None when it is not known how the message ended."""
        named = {"requestId": f"{self.number}-{number}"} if self.is_named else {}
        try:
            status, body = client.send(
                self.to, f"{self.text} {self.number} {number}", self.reply, **named)
        except BROKEN:
            return None
        if status not in (200, 503):
            self.wrong.append(f"{status}: {body.decode()}")
        return body if status == 200 else None

    def repeat(self, client, number):
        """A repeat of a request id gets the first reply."""
        answer = self.send(client, number)
        if answer is not None and answer != self.answers.get(number, answer):
            self.wrong.append(f"the repeat of {number} got {answer}, not {self.answers[number]}")


class World:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.daemon = Daemon()
        self.daemon.start()
        self.client = Client(self.daemon)
        apply("diary", "diary: keyed: true", "bystander: keyed: true",
              "volatile: keyed: true, durability: none")
        self.is_up, self.is_over = threading.Event(), False
        self.senders = [Sender(self, number) for number in range(SENDERS)]
        self.failed, self.host_kills, self.recoveries_ms, self.odd = 0, 0, [], []

    def check(self, name, good, detail=""):
        print(f"{'ok' if good else 'not ok'} - {name}")
        if not good:
            self.failed += 1
            print(detail)

    def until(self, words, function):
        """What function returns once it is neither None nor False; it may fail until then."""
        end = time.monotonic() + WAIT_S
        found = None
        while time.monotonic() < end:
            try:
                found = function()
            except BROKEN:
                found = None
            if found:
                return found
            time.sleep(0.005)
        raise AssertionError(f"after {WAIT_S} s: {words}")

    def dump(self, to):
        """(noted, disorders, counts by sender) of an instance, once it answers."""
        def ask():
            status, body = self.client.send(to, "dump")
            if status not in (200, 503):  # An Agent that is not up yet is no unknown one.
                self.odd.append(f"{status}: {body.decode()}")
            return body if status == 200 else None
        pages = self.until(f"{to} does not answer", ask)
        noted, disorders = (int.from_bytes(pages[at:at + 4], "little") for at in (0, 4))
        return noted, disorders, [pages[8 + i * NUMBERS:8 + (i + 1) * NUMBERS]
                                  for i in range(SENDERS)]

    def verify(self, when):
        """Compare what is there with what was acknowledged. A relay was acknowledged by its source;
        at its target it arrives a little later."""
        acknowledged = [list(sender.acknowledged) for sender in self.senders]
        wrong = self.odd + [words for sender in self.senders for words in sender.wrong]
        for key in ("shared", "target"):
            def missing(counts):
                return [(sender.number, number) for sender in self.senders if sender.key == key
                        for number in acknowledged[sender.number]
                        if counts[sender.number][number] == 0]
            pages = self.dump("diary/" + key)
            end = time.monotonic() + WAIT_S
            while missing(pages[2]) and key == "target" and time.monotonic() < end:
                pages = self.dump("diary/" + key)
            lost = missing(pages[2])
            wrong += [f"{key} lost {len(lost)}, such as {lost[:5]}"] if lost else []
            wrong += [f"{key} has {max(page)} times what sender {number} sent once"
                      for number, page in enumerate(pages[2]) if max(page) > 1]
            wrong += [f"{key} has {pages[1]} out of order"] if pages[1] else []
        noted = self.dump("bystander/calm")[0]
        wrong += [] if noted == KEPT else [f"the bystander has {noted} of {KEPT}"]
        self.check(when, not wrong, "\n".join(wrong))

    def kill_host(self, before=None):
        host = self.until("no host is started", lambda: (
            pid := self.daemon.host()) and pid != before and pid)
        os.kill(host, signal.SIGKILL)
        self.host_kills += 1
        return host

    def kill_daemon(self, what):
        host = self.daemon.host()
        victims = [self.daemon.process.pid] + ([host] if what == "both" and host else [])
        self.chance.shuffle(victims)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        self.daemon.process.wait()
        self.daemon.process.stdout.close()
        self.daemon.start()

    def kill(self, what, again):
        host = self.kill_host() if what == "host" else self.kill_daemon(what)
        while self.chance.random() < again:
            time.sleep(self.chance.uniform(0, 0.1))
            host = self.kill_host(host) if what == "host" else self.kill_daemon(what)

    def round(self, number, what):
        self.is_up.set()
        time.sleep(self.chance.uniform(*LOAD_S[what]))
        self.is_up.clear()
        pid = self.daemon.process.pid
        self.kill(what, AGAIN if what != "host" or number % 4 == 3 else 0)
        begin = time.monotonic()
        self.dump("diary/shared")
        self.recoveries_ms.append((time.monotonic() - begin) * 1000)
        self.verify(f"round {number}: kill -9 of {what}")
        if what == "host" and (self.daemon.process.pid != pid
                               or self.daemon.process.poll() is not None):
            self.check("swarmd stays up", False)

    def told(self):
        """Whether Events tell of each death of the host."""
        count = sum(int(event["count"]) for event in self.client.events("HostDown"))
        return count >= self.host_kills


def main():
    seed = int(os.environ.get("SW_SEED") or time.time())
    print(f"seed {seed} (SW_SEED repeats it)")
    world = World(seed)
    try:
        for number in range(KEPT):
            world.client.send("bystander/calm", f"put 0 {number}", reply=False)
        for sender in world.senders:
            sender.start()
        for number, what in enumerate(ROUNDS):
            if what != "host" and ROUNDS[number - 1] == "host":
                world.until("Events do not tell of each death of the host", world.told)
                world.check("each death of the host is an Event", True)
            world.round(number, what)
        world.check("a clean stop", world.daemon.end() == 0)
        world.daemon.start()
        world.verify("after a clean stop")
        world.kill_daemon("both")
        world.verify("after a kill that follows a clean stop")
    finally:
        world.is_over = True
        world.is_up.set()
        for sender in world.senders:
            if sender.is_alive():
                sender.join()
        world.daemon.end()
    acknowledged = sum(len(sender.acknowledged) for sender in world.senders)
    print(f"{sum(sender.sent for sender in world.senders)} sent, {acknowledged} acknowledged; "
          f"answers again after {statistics.median(world.recoveries_ms):.0f} ms (median), "
          f"{max(world.recoveries_ms):.0f} ms at most")
    world.check("there was load", acknowledged > 500)
    return 1 if world.failed else 0


sys.exit(main())
