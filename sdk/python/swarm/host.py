"""What an agent does besides answering: the words are those of the SDK for JavaScript.

All of it needs the protocol of turns, and happens within a turn. Waits end a segment of the turn:
what came of them is kept, so that a program that has to begin again gets the same results without
anything being done twice. It has to ask for the same then: what changes from run to run, such as
the time of the machine or chance, should be part of no request. `now()` stands still until a wait.
"""
from swarm import turns
from swarm.errors import Error
from swarm.message import PRIORITIES, Message, encode, of_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def ns_of(timeout: float | None) -> int:
    """Seconds as the frames have them; None: as long as it takes."""
    if timeout is None:
        return turns.FOREVER
    if not timeout >= 0:
        raise Error("INVALID", "a time has at least 0 seconds")
    return min(int(timeout * 1e9), turns.FOREVER - 1)


def priority_of(name: str) -> int:
    if name not in PRIORITIES:
        raise Error("INVALID", f"a priority is one of {', '.join(PRIORITIES)}")
    return PRIORITIES.index(name)


def ask(to: str, body: "Any" = None, *, type: str | None = None, timeout: float | None = None,
        priority: str = "normal") -> Message:
    """Ask an agent, "name" or "name/key", and wait for its answer; timeout in seconds.
    Error: it refused, with its code and words; TIMEOUT, UNAVAILABLE, DEADLOCK ..."""
    kind, sent = encode(body, type)
    return of_frame(turns.opened().request(
        turns.Frame(turns.ASK, flags=priority_of(priority), value=ns_of(timeout), name=to,
                    type=kind, body=sent), f"ask {to}"))


def call(service: str, body: "Any" = None, *, type: str | None = None,
         timeout: float | None = None) -> Message:
    """Call a service outside of the agents and wait for its result.  Error: as ask."""
    kind, sent = encode(body, type)
    return of_frame(turns.opened().request(
        turns.Frame(turns.CALL, value=ns_of(timeout), name=service, type=kind, body=sent),
        f"call {service}"))


def receive(timeout: float | None = None) -> Message:
    """Wait for the next message, which the handler does not get. With timeout 0: one that is there.
    Error: TIMEOUT, none came."""
    return of_frame(turns.opened().request(turns.Frame(turns.RECEIVE, value=ns_of(timeout)),
                                           "receive"))


def sleep(seconds: float) -> None:
    """Wait so long, be it after a restart."""
    turns.opened().request(turns.Frame(turns.SLEEP, value=ns_of(seconds)), "sleep")


def send(to: str, body: "Any" = None, *, type: str | None = None,
         priority: str = "normal") -> None:
    """Send without an answer.  Error: as ask; UNAVAILABLE, there is no such Agent."""
    kind, sent = encode(body, type)
    turns.opened().request(turns.Frame(turns.SEND, flags=priority_of(priority), name=to, type=kind,
                                       body=sent), f"send to {to}")


def publish(subject: str, body: "Any" = None, *, type: str | None = None,
            priority: str = "normal") -> None:
    """Send to all who subscribed to the subject."""
    kind, sent = encode(body, type)
    turns.opened().request(turns.Frame(turns.PUBLISH, flags=priority_of(priority), subject=subject,
                                       type=kind, body=sent), f"publish {subject}")


def subscribe(pattern: str) -> None:
    """"*" stands for one part of a subject, a last ">" for one or more."""
    turns.opened().request(turns.Frame(turns.SUBSCRIBE, subject=pattern), f"subscribe {pattern}")


def unsubscribe(pattern: str) -> None:
    turns.opened().request(turns.Frame(turns.UNSUBSCRIBE, subject=pattern),
                           f"unsubscribe {pattern}")


def now() -> float:
    """The time, in seconds since 1970: that of the message, or of what the last wait brought."""
    return turns.opened().time_ns / 1e9


class Log:
    """Lines of the instance's log."""
    def debug(self, *values: object) -> None:
        self._say(0, values)

    def info(self, *values: object) -> None:
        self._say(1, values)

    def warn(self, *values: object) -> None:
        self._say(2, values)

    def error(self, *values: object) -> None:
        self._say(3, values)

    @staticmethod
    def _say(level: int, values: tuple[object, ...]) -> None:
        text = " ".join(str(value) for value in values)
        if turns.is_there():
            turns.opened().log(level, text)
        else:
            import sys
            print("".join(f"<{(7, 6, 4, 3)[level]}>{line}\n" for line in text.splitlines()),
                  end="", file=sys.stderr)


log = Log()


class Response:
    """What somebody outside answered."""

    def __init__(self, answer: "dict[str, Any]", url: str):
        self.status: int = answer["status"]
        self.url = url
        self.headers = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        self._answer = answer

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def body(self) -> bytes:
        if "bodyBase64" in self._answer:
            import base64
            return base64.b64decode(self._answer["bodyBase64"])
        return self._answer.get("body", "").encode()

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def json(self) -> "Any":
        import json
        return json.loads(self.body)


def fetch(url: str, *, method: str = "GET", headers: dict[str, str] | None = None,
          body: bytes | str | None = None, timeout: float | None = None) -> Response:
    """Ask over HTTP, as far as spec.egress lets the Agent. Redirects are answers.
    Error: DENIED, no rule allows it."""
    request: "dict[str, Any]" = {"url": url, "method": method.upper()}
    if headers:
        request["headers"] = dict(headers)
    if timeout is not None:
        request["timeoutMs"] = int(timeout * 1000)
    if isinstance(body, str):
        request["body"] = body
    elif body is not None:
        import base64
        request["bodyBase64"] = base64.b64encode(body).decode()
    return Response(call("swarm.http", request).json, url)


class Approval:
    """What people approved: the text as it was proposed, or changed."""

    def __init__(self, answer: "dict[str, Any]"):
        self.text: str = answer.get("text", "")
        self.decisions: "list[dict[str, Any]]" = answer.get("decisions", [])


def approve(title: str, text: str | None = None, *, editable: bool | None = None,
            quorum: int | None = None, timeout: float | None = None) -> Approval:
    """Ask people, as spec.approvals says, and wait.  Error: DENIED, they do not approve."""
    question: "dict[str, Any]" = {"title": title}
    for name, value in (("text", text), ("editable", editable), ("quorum", quorum)):
        if value is not None:
            question[name] = value
    if timeout is not None:
        question["timeoutMs"] = int(timeout * 1000)
    return Approval(call("swarm.approve", question).json)
