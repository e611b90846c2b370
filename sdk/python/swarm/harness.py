"""Tests of an agent of the protocol of turns, without a server: its program runs as a process of
this machine, on a clock that only moves when it sleeps, and functions of the test and a scripted
model answer what it asks for.

    from swarm import harness

    model = harness.script({"tool": "order", "arguments": {"number": 7}}, "It is on its way.")
    with harness.start("main.py", model=model, agents={"shop": lambda message: "sent"}) as agent:
        assert agent.send("Where is my lamp?").text == "It is on its way."
        assert agent.send("And now?", lose_after=1).text == "It is here."

`lose_after` ends the process behind that many requests of the turn, as a crash would, and has the
message handled again by another one: what it asked for is answered as before, and a program that
asks for something else fails with PRECONDITION. There is no sandbox and no limit of time here.
"""
import collections
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from swarm import turns
from swarm.errors import NAMES, Error
from swarm.message import Message, encode, status_of
from swarm.turns import Frame

HANDLE = 1  # Of the message that a turn began with.
LEVELS = ("debug", "info", "warn", "error")
Handler = Callable[[Message], Any]


class Model:
    """Answers with one step after the other: a text, an Error, {"tool": name, "arguments": {}}, or
    a function of the request that gives one of these."""

    def __init__(self, steps: tuple[Any, ...]):
        self.steps = list(steps)
        self.requests: list[dict[str, Any]] = []

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        if not self.steps:
            raise Error("UNAVAILABLE", "the script of the model has no more steps")
        step = self.steps.pop(0)
        step = step(request) if callable(step) else step
        if isinstance(step, Exception):
            raise step
        message: dict[str, Any] = {"role": "assistant", "content": step}
        if isinstance(step, dict):
            message = {"role": "assistant", "content": None, "tool_calls": [{
                "id": f"call_{len(self.requests)}", "type": "function", "function": {
                    "name": step["tool"], "arguments": json.dumps(step.get("arguments", {}))}}]}
        return {"object": "chat.completion", "model": request.get("model"), "choices": [{
            "index": 0, "message": message,
            "finish_reason": "tool_calls" if isinstance(step, dict) else "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}


def script(*steps: Any) -> Model:
    return Model(steps)


class Agent:
    """One instance. `logs`, `sent` and `published` are what it did, `state` is its explicit state,
    `now` the seconds since 1970."""

    def __init__(self, program: str, model: Model | None, agents: dict[str, Handler],
                 services: dict[str, Handler], who: tuple[str, str, str], now: float):
        self.program, self.model, self.agents, self.services = program, model, agents, services
        self.who, self.now = who, now
        self.state: dict[str, Any] = {}
        self.logs: list[tuple[str, str]] = []
        self.sent: list[tuple[str, Message]] = []
        self.published: list[tuple[str, Message]] = []
        self.subscriptions: set[str] = set()
        self.attempts = 0  # Of the last turn.
        self.mailbox: collections.deque[Message] = collections.deque()
        self.answers: dict[int, Frame] = {}
        self.streams: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.channel: turns.Channel | None = None

    def __enter__(self) -> "Agent":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self, is_killed: bool = False) -> None:
        """End its process, as a restart would; the next message begins another one."""
        if self.process is None or self.channel is None:
            return
        if is_killed:
            self.process.kill()
        os.close(self.channel.file)
        self.process.wait()
        self.process = self.channel = None

    def post(self, body: Any = None, *, sender: str = "", subject: str = "") -> None:
        """Have a message wait for `swarm.receive`."""
        message = made(body, sender)
        message.subject = subject
        self.mailbox.append(message)

    def send(self, body: Any = None, *, sender: str = "", type: str | None = None,
             lose_after: int | None = None) -> Message:
        """Have a message handled; its answer.  Error: it was refused."""
        kind, sent = encode(body, type)
        begin = Frame(turns.BEGIN, flags=1, value=HANDLE, name=sender, type=kind,
                      state=json.dumps(self.state).encode() if self.state else b"", body=sent)
        begin.time_ns = int(self.now * 1e9)
        records: list[tuple[bytes, Frame]] = []
        self.attempts = 0
        self.answers.clear()
        end = None
        while end is None:
            self.attempts += 1
            end = self.turn(begin, records, lose_after if self.attempts == 1 else None)
        if end.status < 0:
            raise Error(NAMES.get(end.status, "INTERNAL"), end.body.decode(errors="replace"))
        if end.flags & turns.HAS_STATE:
            self.state = json.loads(end.state)
        said = self.answers.get(HANDLE, end)
        if said.status < 0:
            raise Error(NAMES.get(said.status, "INTERNAL"), said.body.decode(errors="replace"))
        return Message(said.body, said.type)

    def turn(self, begin: Frame, records: list[tuple[bytes, Frame]],
             lose_after: int | None) -> Frame | None:
        """One attempt at a turn; None: its process was lost, as it should be."""
        channel = self.begin()
        begin.number, begin.value2 = len(records), self.attempts
        channel.send(begin)
        while True:
            frame = channel.receive()
            if frame is None:
                self.end()
                return Frame(turns.END, status=-9, body=b"the program ended in the middle")
            if frame.kind == turns.LOG:
                self.logs.append((LEVELS[frame.status], frame.body.decode()))
            elif frame.kind == turns.END:
                return frame
            else:
                result = self.result_of(frame, records)
                if result.status == -9 and result.kind == turns.END:
                    self.end(is_killed=True)
                    return result
                if lose_after is not None and frame.number >= lose_after:
                    self.end(is_killed=True)
                    return None
                try:
                    channel.send(result)
                except BrokenPipeError:
                    pass  # It has ended, which is what comes next.

    def begin(self) -> turns.Channel:
        if self.channel is not None:
            return self.channel
        ours, theirs = socket.socketpair()
        path = os.path.abspath(self.program)
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, path], cwd=os.path.dirname(path), pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=sys.__stderr__, env=os.environ | {
                "SWARM_FD": str(theirs.fileno()), "PYTHONPATH": paths,
                "SWARM_NAMESPACE": self.who[0], "SWARM_AGENT": self.who[1]})
        theirs.close()
        self.channel = turns.Channel(ours.detach())
        self.channel.send(Frame(turns.HELLO, name=self.who[0], subject=self.who[1],
                                body=self.who[2].encode()))
        return self.channel

    def result_of(self, frame: Frame, records: list[tuple[bytes, Frame]]) -> Frame:
        request = frame.encode()
        if frame.number <= len(records):
            if records[frame.number - 1][0] == request:
                return records[frame.number - 1][1]
            return Frame(turns.END, status=-9, body=(
                f"request {frame.number} of this turn is not what it was when the message was "
                "handled before").encode())
        result = Frame(turns.RESULT, number=frame.number)
        try:
            self.perform(frame, result)
        except Exception as error:
            result.status, result.body = status_of(error), str(error).encode()
        result.time_ns = int(self.now * 1e9)
        records.append((request, result))
        return result

    def perform(self, frame: Frame, result: Frame) -> None:
        if frame.kind == turns.ASK:
            name = frame.name.partition("/")[0]
            if name not in self.agents:
                raise Error("UNAVAILABLE", f"the test has no agent {name}")
            message = Message(frame.body, frame.type, "/".join(self.who[1:]), self.who[0],
                              *frame.name.partition("/")[::2])
            result.name = frame.name
            result.type, result.body = encode(self.agents[name](message))
        elif frame.kind == turns.CALL:
            result.name = frame.name
            result.type, result.body = self.call(frame)
        elif frame.kind == turns.RECEIVE:
            if not self.mailbox:
                raise Error("TIMEOUT", "no message waits: post one before")
            message = self.mailbox.popleft()
            result.name, result.type, result.body = message.sender, message.type, message.body
            result.subject, result.flags = message.subject, 4 if message.subject else 1
            result.value = 0 if message.subject else frame.number + HANDLE
        elif frame.kind == turns.SLEEP:
            self.now += frame.value / 1e9
        elif frame.kind == turns.SEND:
            self.sent.append((frame.name, Message(frame.body, frame.type)))
        elif frame.kind == turns.PUBLISH:
            self.published.append((frame.subject, Message(frame.body, frame.type)))
        elif frame.kind == turns.SUBSCRIBE:
            self.subscriptions.add(frame.subject)
        elif frame.kind == turns.UNSUBSCRIBE:
            self.subscriptions.discard(frame.subject)
        elif frame.kind == turns.ANSWER:
            self.answers[frame.value] = frame

    def call(self, frame: Frame) -> tuple[str, bytes]:
        if frame.name in self.services:
            return encode(self.services[frame.name](Message(frame.body, frame.type)))
        if frame.name == "swarm.model.next":
            return "text/event-stream; last", self.streams[frame.body.decode().split()[0]].encode()
        if frame.name != "swarm.model.chat" or self.model is None:
            raise Error("NOT_FOUND", f"the test has no service {frame.name}")
        request = json.loads(frame.body)
        answer = self.model.answer(request)
        if not request.get("stream"):
            return "application/json", json.dumps(answer).encode()
        delta = answer["choices"][0].pop("message")
        answer["choices"][0]["delta"] = delta
        name = f"stream-{len(self.streams)}"
        self.streams[name] = f"data: {json.dumps(answer)}\n\ndata: [DONE]\n\n"
        return "application/vnd.swarm.stream", name.encode()


def made(body: Any, sender: str) -> Message:
    kind, sent = encode(body)
    return Message(sent, kind, sender)


def start(program: str, *, model: Model | None = None, agents: dict[str, Handler] | None = None,
          services: dict[str, Handler] | None = None, namespace: str = "default",
          agent: str = "agent", key: str = "", now: float = 1.7e9) -> Agent:
    """An instance of a program, which begins with its first message. What it asks agents and
    services for is answered by functions of a Message; what they raise refuses."""
    return Agent(program, model, agents or {}, services or {}, (namespace, agent, key), now)
