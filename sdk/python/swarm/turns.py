"""The protocol of turns: frames on descriptor 3, a request and its result at a time.

It is laid out as pkg/agent/runtime/process/turn.h says. Nothing that takes long to import is
imported here, since the first message of a process waits for it.
"""
import _thread
import os
import struct

from swarm.errors import NAMES, Error

ASK, CALL, RECEIVE, SLEEP, SEND, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, ANSWER, LOG, END = range(1, 12)
HELLO, BEGIN, RESULT = 64, 65, 66
HAS_STATE = 1
HEAD = struct.Struct("<IHHIiQQQIIIIII")
FRAME_MAX = (4 << 20) - (96 << 10)
STATE_MAX = 1 << 20
FOREVER = (1 << 64) - 1


class Frame:
    """One frame: the names are those of turn.h."""
    __slots__ = ("kind", "flags", "number", "status", "value", "value2", "time_ns", "priority",
                 "name", "subject", "type", "state", "body")

    def __init__(self, kind: int, *, flags: int = 0, number: int = 0, status: int = 0,
                 value: int = 0, name: str = "", subject: str = "", type: str = "",
                 state: bytes = b"", body: bytes = b""):
        self.kind, self.flags, self.number, self.status = kind, flags, number, status
        self.value, self.value2, self.time_ns, self.priority = value, 0, 0, 0
        self.name, self.subject, self.type = name, subject, type
        self.state, self.body = state, body

    def encode(self) -> bytes:
        """Error: INVALID, a part of it is larger than a frame may be."""
        name, subject, kind = self.name.encode(), self.subject.encode(), self.type.encode()
        size = (HEAD.size + len(name) + len(subject) + len(kind) + len(self.state) +
                len(self.body))
        if size > FRAME_MAX or len(name) > 1024 or len(subject) > 1024 or len(kind) > 255:
            raise Error("INVALID", f"what is said at once has at most {FRAME_MAX} bytes, a name "
                                   "1024, and a type 255")
        if len(self.state) > STATE_MAX:
            raise Error("EXHAUSTED", f"the state has {len(self.state)} bytes as JSON, and "
                                     f"{STATE_MAX} are allowed")
        return b"".join((HEAD.pack(size - 4, self.kind, self.flags, self.number, self.status,
                                   self.value, self.value2, self.time_ns, self.priority,
                                   len(name), len(subject), len(kind), len(self.state),
                                   len(self.body)),
                         name, subject, kind, self.state, self.body))


def decode(head: tuple[int, ...], rest: bytes) -> Frame:
    frame = Frame(head[1], flags=head[2], number=head[3], status=head[4], value=head[5])
    frame.value2, frame.time_ns, frame.priority = head[6:9]
    parts, at = [], 0
    for size in head[9:]:
        parts.append(rest[at:at + size])
        at += size
    frame.name, frame.subject, frame.type = (each.decode() for each in parts[:3])
    frame.state, frame.body = parts[3:]
    return frame


class Channel:
    """To swarmd. Threads may ask at once: one waits for the other."""

    def __init__(self, file: int):
        self.file = file
        self.number = 0          # Of the last request of this turn.
        self.is_open = False     # A turn is under way.
        self.is_asking = False   # A request has gone out, and its result did not come yet.
        self.lock = _thread.allocate_lock()
        self.hello = Frame(HELLO)
        self.time_ns = 0

    def read(self, size: int) -> bytes:
        """So many bytes; fewer: the other end is closed."""
        pieces = []
        while size > 0:
            try:
                piece = os.read(self.file, min(size, 1 << 20))
            except ConnectionResetError:  # Closed, with words of ours unread.
                break
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def receive(self) -> Frame | None:
        """The next frame; None: no more comes."""
        bytes_ = self.read(HEAD.size)
        if len(bytes_) < HEAD.size:
            return None
        head = HEAD.unpack(bytes_)
        size = head[0] + 4 - HEAD.size
        rest = self.read(size)
        if len(rest) < size:
            return None
        frame = decode(head, rest)
        self.time_ns = frame.time_ns or self.time_ns
        return frame

    def send(self, frame: Frame) -> None:
        self.write(frame.encode())

    def write(self, said: bytes) -> None:
        left = memoryview(said)
        while left:
            left = left[os.write(self.file, left):]

    def begin(self) -> Frame | None:
        """The message of the next turn; None: the process is to end."""
        while (frame := self.receive()) is not None:
            if frame.kind == HELLO:
                self.hello = frame
            elif frame.kind == BEGIN:
                self.number, self.is_open = 0, True
                return frame
        return None

    def end(self, frame: Frame) -> None:
        with self.lock:
            self.stay_in_step()
            self.send(frame)
            self.is_open = False

    def stay_in_step(self) -> None:
        """After a request that was left in its middle, by a signal for example, each result would
        be taken for that of another one: the process ends, and the message is refused."""
        if self.is_asking:
            os.write(2, b"swarm: a request was left in its middle, by a signal for example, and "
                        b"its result would be taken for that of the next one\n")
            os._exit(1)

    def request(self, frame: Frame, words: str) -> Frame:
        """Ask, and wait for the result.  Error: it failed, and `words` says what was asked."""
        with self.lock:
            self.stay_in_step()
            if not self.is_open:
                raise Error("PRECONDITION", f"{words}: no message is being handled")
            frame.number = self.number + 1
            said = frame.encode()  # What cannot be said is no request.
            self.is_asking = True
            self.number += 1
            self.write(said)
            result = self.receive()
            self.is_asking = result is not None and result.number != frame.number
            self.stay_in_step()
        if result is None:
            raise SystemExit(0)  # Nobody is there to answer: this process was told to end.
        if result.status < 0:
            code = NAMES.get(result.status, "INTERNAL")
            raise Error(code, result.body.decode(errors="replace") or f"{words}: {code}")
        return result

    def log(self, level: int, text: str) -> None:
        with self.lock:
            self.send(Frame(LOG, status=level, body=text.encode(errors="replace")[:16384]))


channel: Channel | None = None


def opened() -> Channel:
    """The channel of this process.  Error: PRECONDITION, its protocol is not that of turns."""
    global channel
    if channel is None:
        file = os.environ.get("SWARM_FD")
        if file is None:
            raise Error("PRECONDITION", 'this needs "protocol": "turns" in agent.program')
        channel = Channel(int(file))
    return channel


def is_there() -> bool:
    return "SWARM_FD" in os.environ
