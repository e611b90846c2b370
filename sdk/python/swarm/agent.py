"""An agent: its handler for messages, its tools, and the loop that a model calls them in."""
import dataclasses
import inspect
import json
import os
import sys
import traceback
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from swarm import model as models
from swarm import schema
from swarm.errors import Error, Refusal

F = TypeVar("F", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class Message:
    """What came, and to whom."""
    body: bytes
    type: str       # Content type, such as "text/plain"; may be "".
    sender: str     # "agent/key"; "" is a client.
    namespace: str
    agent: str
    key: str        # Of the instance that it came to.

    @property
    def text(self) -> str:
        """The body as UTF-8.  UnicodeDecodeError: it is none."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as JSON.  ValueError: it is none."""
        return json.loads(self.body)


@dataclasses.dataclass(frozen=True)
class Tool:
    function: Callable[..., Any]
    hints: dict[str, Any]
    required: list[str]
    spec: dict[str, Any]


def tool_of(function: Callable[..., Any]) -> Tool:
    """Schema and words from type hints and docstring.  TypeError: a parameter has no type."""
    hints = typing.get_type_hints(function)
    parameters = inspect.signature(function).parameters
    for name, parameter in parameters.items():
        if name not in hints or parameter.kind in (parameter.VAR_POSITIONAL,
                                                   parameter.VAR_KEYWORD):
            raise TypeError(f"{function.__name__}: the parameter {name} has no type")
    required = [name for name, each in parameters.items() if each.default is each.empty]
    wanted = {name: hints[name] for name in parameters}
    spec = {"type": "function", "function": {
        "name": function.__name__, "description": inspect.getdoc(function) or "",
        "parameters": {"type": "object", "required": required, "additionalProperties": False,
                       "properties": {name: schema.of(kind) for name, kind in wanted.items()}}}}
    return Tool(function, wanted, required, spec)


class Agent:
    """`model` and `instructions` are for think; an agent without them only handles messages."""

    def __init__(self, model: str = "", instructions: str = "", max_steps: int = 16):
        self.model, self.instructions, self.max_steps = model, instructions, max_steps
        self.tools: dict[str, Tool] = {}
        self.handler: Callable[[Message], Any] | None = None

    def tool(self, function: F) -> F:
        """Let the model call a function: its parameters need types, its docstring says what it is
        good for. What it returns goes back as text, or as JSON; what it raises, as words."""
        self.tools[function.__name__] = tool_of(function)
        return function

    def on_message(self, function: F) -> F:
        """The handler: it returns bytes, a text, or what JSON can say; None is an empty reply."""
        self.handler = function
        return function

    def think(self, messages: models.Messages, **more: Any) -> str:
        """Ask the model, call the tools that it wants, and again, until it has words for an answer.
        Error: as model.chat; EXHAUSTED, if that takes more than max_steps calls."""
        talk = models.conversation(messages)
        if self.instructions:
            talk = [{"role": "system", "content": self.instructions}] + talk
        if self.tools:
            more["tools"] = [tool.spec for tool in self.tools.values()]
        for _ in range(self.max_steps):
            reply = models.chat(talk, model=self.model, **more)
            if not reply.tool_calls:
                return reply.text
            talk = talk + [reply.message] + [
                {"role": "tool", "tool_call_id": call["id"], "content": self.act(call["function"])}
                for call in reply.tool_calls]
        raise Error("EXHAUSTED", f"no answer after {self.max_steps} calls of the model")

    def act(self, call: dict[str, Any]) -> str:
        """What a tool says; mistakes are for the model to hear of."""
        tool = self.tools.get(call.get("name", ""))
        if tool is None:
            return f"error: there is no tool {call.get('name')}"
        try:
            given = json.loads(call.get("arguments") or "{}")
            missing = [name for name in tool.required if name not in given]
            unknown = [name for name in given if name not in tool.hints]
            if missing or unknown:
                return f"error: missing {missing}, unknown {unknown}"
            result = tool.function(**{name: schema.read(tool.hints[name], value, name)
                                      for name, value in given.items()})
        except Exception as error:  # A tool's own, of whatever kind.
            return f"error: {error}"
        return result if isinstance(result, str) else json.dumps(result, default=str)

    def run(self) -> None:
        """Handle the message that this process was started for, and end it. A Refusal becomes a
        refusal with its words; anything else that is raised, with its traceback in the log."""
        if self.handler is None:
            raise TypeError("there is no handler: decorate one with @agent.on_message")
        have = os.environ.get
        message = Message(sys.stdin.buffer.read(), have("SWARM_TYPE", ""), have("SWARM_FROM", ""),
                          have("SWARM_NAMESPACE", ""), have("SWARM_AGENT", ""),
                          have("SWARM_KEY", ""))
        try:
            reply = bytes_of(self.handler(message))
        except Refusal as refusal:
            sys.exit(str(refusal))
        except Exception as error:
            traceback.print_exc()
            sys.exit(f"{getattr(error, 'code', type(error).__name__)}: {error}")
        sys.stdout.flush()
        sys.stdout.buffer.write(reply)
        sys.stdout.buffer.flush()


def bytes_of(reply: Any) -> bytes:
    if reply is None:
        return b""
    if isinstance(reply, bytes):
        return reply
    return (reply if isinstance(reply, str) else json.dumps(reply)).encode()
