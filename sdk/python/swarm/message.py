"""What comes to an agent, and what a body may be."""
from swarm import turns
from swarm.errors import CODES, Error, Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PRIORITIES = ("low", "normal", "high", "urgent")
WANTS_REPLY, PUBLISHED = 1, 4


class Message:
    """A message, an answer, or the result of a service."""
    __slots__ = ("body", "type", "sender", "namespace", "agent", "key", "subject", "time",
                 "priority", "attempt", "_handle")

    def __init__(self, body: bytes, type: str = "", sender: str = "", namespace: str = "",
                 agent: str = "", key: str = ""):
        self.body = body
        self.type = type            # Content type, such as "text/plain"; may be "".
        self.sender = sender        # "agent/key"; "" is a client.
        self.namespace = namespace
        self.agent = agent
        self.key = key              # Of the instance that it came to.
        self.subject = ""           # Of what was published only.
        self.time = 0.0             # When it was handled, in seconds since 1970.
        self.priority = "normal"
        self.attempt = 1            # More: an earlier process ended while it handled this.
        self._handle = 0

    def __repr__(self) -> str:
        return f"Message({self.body!r}, type={self.type!r}, sender={self.sender!r})"

    @property
    def text(self) -> str:
        """The body as UTF-8.  UnicodeDecodeError: it is none."""
        return self.body.decode()

    @property
    def json(self) -> "Any":
        """The body as JSON.  ValueError: it is none."""
        import json
        return json.loads(self.body)

    @property
    def wants_reply(self) -> bool:
        """Whether somebody waits for an answer that was not given yet."""
        return self._handle != 0

    def reply(self, body: "Any" = None, *, type: str | None = None) -> None:
        """Answer before the handler ends, or one that `receive` brought: once.
        Error: NOT_FOUND, nobody waits for it."""
        kind, sent = encode(body, type)
        self._answer(turns.Frame(turns.ANSWER, type=kind, body=sent))

    def refuse(self, error: "Exception | str") -> None:
        """Refuse with the code of an Error, or with words."""
        self._answer(turns.Frame(turns.ANSWER, status=status_of(error), type="text/plain",
                                 body=str(error).encode()))

    def _answer(self, frame: turns.Frame) -> None:
        if self._handle == 0:
            raise Error("NOT_FOUND", "nobody waits for this answer")
        frame.value = self._handle
        turns.opened().request(frame, "reply")
        self._handle = 0


def of_frame(frame: turns.Frame) -> Message:
    hello = turns.opened().hello
    message = Message(frame.body, frame.type, frame.name, hello.name, hello.subject,
                      hello.body.decode())
    message.subject = frame.subject if frame.flags & PUBLISHED else ""
    message.time = frame.time_ns / 1e9
    message.priority = PRIORITIES[min(frame.priority, len(PRIORITIES) - 1)]
    message.attempt = max(frame.value2, 1)
    message._handle = frame.value
    return message


def status_of(error: "BaseException | str") -> int:
    if isinstance(error, Error):
        return CODES.get(error.code, CODES["INTERNAL"])
    return CODES["PRECONDITION" if isinstance(error, (Refusal, str)) else "INTERNAL"]


def encode(body: "Any", type: str | None = None) -> tuple[str, bytes]:
    """Content type and bytes of what an agent says: bytes, a text, or what JSON can say."""
    if body is None:
        return type or "", b""
    if isinstance(body, (bytes, bytearray, memoryview)):
        return type or "application/octet-stream", bytes(body)
    if isinstance(body, str):
        return type or "text/plain", body.encode()
    import json
    return type or "application/json", json.dumps(body).encode()
