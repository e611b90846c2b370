"""Many clients of one Agent, what each of them saw, and whether it can have been so.

The load is build/test/history-load (test/history says what it does), the Agent test/guests/
chronicle.c, which keeps books of its own. A checker compares the two:
  lost        what was acknowledged is not there
  doubled     something is there twice: a request, a message between instances, a timer, a publish
  reordered   a sender's later request is there before an earlier one; a later answer counts less
  mismatched  an answer belongs to somebody else's request, or a repeat got another answer
What nobody acknowledged may be there or not, but at most once and in its place.

Each instance counts what it handled and answers with the count, so that answers of one instance
form a total order: two may not be equal, and an answer may not be below one that was there before
its request was made. That is linearizability, for a counter."""
import http.client
import json
import mmap
import os
import socket
import struct
import subprocess
import time

SENDERS_MAX, KEYS, SUBSCRIBERS, SENDERS_OF_KEY, GAPS = 2048, 16, 4, 128, 4096
ASKED, ANSWERED, REFUSED, UNKNOWN, WRONG = range(5)
EVENT = struct.Struct("<IIIiQ")
WAIT_S = 120
WRONG_MAX = 10  # Words about mistakes, per comparison.


class Load:
    """The process that asks. Commands go to it over a socket, which is its standard input."""

    def __init__(self, build, folder, senders=SENDERS_MAX):
        self.senders = senders
        self.path = os.path.join(folder, "history")
        counters = os.path.join(folder, "counters")
        self.control, theirs = socket.socketpair()
        self.control.settimeout(WAIT_S)
        with theirs:
            self.process = subprocess.Popen(
                [os.path.join(build, "test", "history-load"), self.path, counters, str(senders)],
                stdin=theirs)
        while not os.path.exists(counters) or os.path.getsize(counters) < 16:
            if self.process.poll() is not None:
                raise AssertionError("history-load did not start")
            time.sleep(0.001)
        with open(counters, "r+b") as file:
            self.counters = mmap.mmap(file.fileno(), 16)
        self.read_to = 0

    def tell(self, words):
        self.control.sendall(words.encode() + b"\n")

    def serve(self, address):
        self.tell(f"serve {address}")

    def go(self):
        self.tell("go")

    def settle(self):
        """Until each named request is answered, and no other one is under way."""
        self.tell("settle")
        if self.control.recv(64) != b"settled\n":
            raise AssertionError("history-load ended")

    def in_flight(self):
        asked, ended = struct.unpack("<QQ", self.counters[:16])
        return asked - ended

    def asked(self):
        return struct.unpack("<Q", self.counters[:8])[0]

    def events(self):
        """What was noted since the last call; the history is settled."""
        with open(self.path, "rb") as file:
            file.seek(self.read_to)
            data = file.read()
        self.read_to += len(data)
        return EVENT.iter_unpack(data)

    def refusals(self):
        """How many were refused so far, for as much of the history as is on the disk by now."""
        with open(self.path, "rb") as file:
            file.seek(self.read_to)
            data = file.read()
        whole = data[:len(data) // EVENT.size * EVENT.size]
        return sum(event[0] == REFUSED for event in EVENT.iter_unpack(whole))

    def end(self):
        self.control.close()
        return self.process.wait(timeout=WAIT_S)


class Books:
    """The answer of an instance to 'd', as test/guests/chronicle.c lays it out."""

    HEAD = struct.Struct("<Q6IQQQ")

    def __init__(self, data):
        (self.total, self.late, self.broken, self.misfired, self.refused, gaps, self.gaps_lost,
         self.set, self.cancelled, self.fired) = self.HEAD.unpack_from(data)
        at = self.HEAD.size
        self.sent = struct.unpack_from(f"<{KEYS}Q", data, at)
        self.got = struct.unpack_from(f"<{KEYS}Q", data, at + 8 * KEYS)
        (self.published,) = struct.unpack_from("<Q", data, at + 16 * KEYS)
        self.heard = struct.unpack_from(f"<{KEYS}Q", data, at + 16 * KEYS + 8)
        at += 24 * KEYS + 8
        self.next = struct.unpack_from(f"<{SENDERS_OF_KEY}I", data, at)
        self.counts = struct.unpack_from(f"<{SENDERS_OF_KEY}I", data, at + 4 * SENDERS_OF_KEY)
        at += 8 * SENDERS_OF_KEY
        self.gaps = [struct.unpack_from("<III", data, at + 12 * i) for i in range(gaps)]


class Sender:
    def __init__(self):
        self.asking, self.floor = -1, 0  # Its last number, and what was counted when it was made.
        self.ended = 0                   # Numbers below this one have ended.
        self.unknown, self.refused = set(), set()  # Of those which may, and may not, be there.
        self.answer = None               # (number, count) of the last, which may be asked again.
        self.following, self.count = 0, 0  # As the books had them last.


class Checker:
    """Takes events and books in, and gathers in `wrong` what cannot have been."""

    def __init__(self, senders=SENDERS_MAX):
        self.senders = [Sender() for _ in range(senders)]
        self.highest = [0] * KEYS       # Of all answers so far, by key.
        self.totals = [set() for _ in range(KEYS)]
        self.wrong = []
        self.answered = self.unknown = self.refused = self.repeated = 0

    def blame(self, words):
        if len(self.wrong) < WRONG_MAX:
            self.wrong.append(words)

    @staticmethod
    def is_named(sender):
        return sender // KEYS % 2 == 0

    def take(self, events):
        for kind, index, number, code, total in events:
            sender = self.senders[index]
            if kind == ASKED:
                if number != sender.asking:
                    sender.asking, sender.floor = number, self.highest[index % KEYS]
            elif kind == ANSWERED:
                self.take_answer(sender, index, number, total)
            elif kind == WRONG:
                self.blame(f"mismatched: sender {index} got for number {number}: {code} {total}")
            else:
                self.unknown += kind == UNKNOWN
                self.refused += kind == REFUSED
                if not self.is_named(index):  # A named one is asked until it is answered.
                    (sender.refused if kind == REFUSED else sender.unknown).add(number)
                    sender.ended = number + 1

    def take_answer(self, sender, index, number, total):
        key = index % KEYS
        self.answered += 1
        if sender.answer is not None and sender.answer[0] == number:
            self.repeated += 1
            if sender.answer[1] != total:
                self.blame(f"mismatched: the repeat of {index}-{number} got {total}, "
                           f"not {sender.answer[1]}")
            return
        if total <= sender.floor:
            self.blame(f"reordered: {index}-{number} counts {total}, after {sender.floor}")
        if total in self.totals[key]:
            self.blame(f"doubled: two answers of chronicle/{key} count {total}")
        self.totals[key].add(total)
        self.highest[key] = max(self.highest[key], total)
        sender.ended, sender.answer = number + 1, (number, total)

    def compare(self, key, books):
        """The books of an instance with what its clients saw; all have settled."""
        for words, count in (("reordered or doubled: requests", books.late),
                             ("lost, doubled or reordered: messages of instances", books.broken),
                             ("doubled: timers", books.misfired),
                             ("unknown: gaps", books.gaps_lost)):
            if count:
                self.blame(f"{words} of chronicle/{key}: {count}")
        if sum(books.counts) != books.total or self.highest[key] > books.total:
            self.blame(f"lost: chronicle/{key} counts {books.total}, has {sum(books.counts)}, "
                       f"answered {self.highest[key]}")
        gaps = {}
        for index, first, end in books.gaps:
            gaps.setdefault(index, set()).update(range(first, end))
        for at in range(SENDERS_OF_KEY):
            index = key + at * KEYS
            if index < len(self.senders):
                self.compare_sender(index, gaps.get(index, set()), books.next[at],
                                    books.counts[at])

    def compare_sender(self, index, gaps, following, count):
        """Numbers from the last comparison's `following` to this one's are there, or are gaps.
        Those behind it are not there, so far."""
        sender = self.senders[index]
        known = set(range(sender.following, following))
        lost = (gaps | set(range(following, sender.ended))) - sender.unknown - sender.refused
        if lost:
            self.blame(f"lost: {len(lost)} of sender {index}, such as {min(lost)}")
        if following > sender.ended:
            self.blame(f"made up: sender {index} never got to {following - 1}")
        came = (sender.refused & known) - gaps
        if came:
            self.blame(f"made up: sender {index} was refused {min(came)}, which is there")
        if count - sender.count != len(known - gaps) or not gaps <= known:
            self.blame(f"doubled: sender {index} came {count - sender.count} times from "
                       f"{sender.following} to {following - 1} without {len(gaps)}")
        sender.following, sender.count = following, count
        sender.unknown -= known
        sender.refused -= known


def is_quiet(books):
    """Whether all that instances sent, set or published has arrived."""
    return (all(books[b].got[a] == books[a].sent[b] for a in range(KEYS) for b in range(KEYS))
            and all(b.set == b.cancelled + b.fired for b in books)
            and all(books[s].heard[a] == books[a].published
                    for s in range(SUBSCRIBERS) for a in range(KEYS)))


class World:
    """A daemon with the Agent, its load, and the judgement of both."""

    def __init__(self, daemon, client, build, folder, senders=SENDERS_MAX):
        self.daemon, self.client = daemon, client
        self.load, self.checker = Load(build, folder, senders), Checker(senders)
        self.asked = 0
        self.load.serve(f"127.0.0.1:{daemon.port}")

    def ask(self, key, op, until):
        """What an instance answers, at the latest then. Each question has a name, so that it is
        handled once and what it empties is told."""
        self.asked += 1
        body = struct.pack("<III", ord(op), 0, 0)
        while True:
            try:
                status, answer = self.client.send(f"chronicle/{key}", body,
                                                  requestId=f"ask-{self.asked}")
            except (OSError, http.client.HTTPException) as error:
                status, answer = 0, repr(error).encode()
            if status == 200:
                return answer
            if time.monotonic() > until:
                raise AssertionError(f"chronicle/{key} does not answer: {status} {answer}")
            time.sleep(0.01)

    def wait_up(self):
        self.ask(0, "n", time.monotonic() + WAIT_S)

    def books(self, until):
        return [Books(self.ask(key, "d", until)) for key in range(KEYS)]

    def verify(self):
        """Settle, and compare all; words about the mistakes that were found since the last time."""
        self.load.settle()
        self.checker.take(self.load.events())
        until = time.monotonic() + WAIT_S
        books = self.books(until)
        for key in range(KEYS):
            self.checker.compare(key, books[key])
        while not is_quiet(books) and time.monotonic() < until:
            time.sleep(0.02)
            books = self.books(until)
        if not is_quiet(books):
            self.checker.blame("lost: " + json.dumps([vars(b) for b in books])[:4000])
        wrong, self.checker.wrong = self.checker.wrong, []
        return wrong
