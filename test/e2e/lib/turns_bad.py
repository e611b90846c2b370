"""Programs that break the protocol of turns, without the SDK: what they do is the message."""
import os
import signal
import struct
import sys
import time

HEAD = struct.Struct("<IHHIiQQQIIIIII")
ASK, SLEEP, SEND, LOG, END, BEGIN, RESULT = 1, 4, 5, 10, 11, 65, 66


def frame(kind, number=0, name=b"", body=b"", value=0, size=None):
    whole = HEAD.size - 4 + len(name) + len(body) if size is None else size
    return HEAD.pack(whole, kind, 0, number, 0, value, 0, 0, 0, len(name), 0, 0, 0,
                     len(body)) + name + body


def say(content):
    while content:
        content = content[os.write(3, content):]


def read(size):
    have = b""
    while len(have) < size:
        piece = os.read(3, size - len(have))
        if not piece:
            sys.exit(0)
        have += piece
    return have


def hear():
    head = HEAD.unpack(read(HEAD.size))
    rest = read(head[0] + 4 - HEAD.size)
    return head[1], rest[len(rest) - head[13]:]


def garbage():
    say(b"\xffHTTP/1.1 200 OK\r\n\r\n")


def huge():
    say(frame(END, size=100 << 20))
    say(b"x" * (8 << 20))


def bad_type():
    say(HEAD.pack(HEAD.size - 4 + 3, END, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2) + b"\xff" + b"hi")


def lines():
    say(frame(LOG, body=b"\n" * 4000000))
    say(frame(END, body=b"said"))


def other_number():
    say(frame(SEND, 7, b"good/a", b"count"))


def twice():
    say(frame(END, body=b"one") + frame(END, body=b"two"))


def after():
    say(frame(END, body=b"one"))
    time.sleep(0.05)
    say(frame(END, body=b"two"))


def asks_and_ends():
    say(frame(SLEEP, 1, value=50000000) + frame(END, body=b"early"))


def asks_and_dies():
    say(frame(SLEEP, 1, value=100000000))
    os._exit(3)


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def closes():
    os.close(3)
    time.sleep(1000)


def spins():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass


def forks():
    try:
        while True:
            if os.fork() == 0:
                time.sleep(1000)
    except OSError as error:
        say(frame(END, body=error.strerror.encode()))


def service():
    say(frame(2, 1, b"swarm.process"))


def memory():
    have = []
    while True:
        have.append(b"x" * 1000000)


def good():
    say(frame(LOG, body=b"a line"))
    say(frame(END, body=b"%d" % os.getpid()))


while True:
    kind, words = hear()
    if kind == BEGIN:
        globals()[words.decode()]()
