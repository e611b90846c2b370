"""An agent: its handler for messages, its tools, and the loop that a model calls them in."""
import os
import sys

from swarm import turns
from swarm.errors import Error, Refusal
from swarm.message import Message, encode, of_frame, status_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from swarm import model as models
    F = TypeVar("F", bound=Callable[..., Any])

WORDS_MAX = 4096


class Tool:
    """A function that a model may call."""

    def __init__(self, function: "Callable[..., Any]"):
        """Schema and words from type hints and docstring.  TypeError: a parameter has no type."""
        import inspect
        import typing

        from swarm import schema
        hints = typing.get_type_hints(function)
        parameters = inspect.signature(function).parameters
        for name, parameter in parameters.items():
            if name not in hints or parameter.kind in (parameter.VAR_POSITIONAL,
                                                       parameter.VAR_KEYWORD):
                raise TypeError(f"{function.__name__}: the parameter {name} has no type")
        self.function = function
        self.required = [name for name, each in parameters.items() if each.default is each.empty]
        self.hints = {name: hints[name] for name in parameters}
        self.spec: "dict[str, Any]" = {"type": "function", "function": {
            "name": function.__name__, "description": inspect.getdoc(function) or "",
            "parameters": {"type": "object", "required": self.required,
                           "additionalProperties": False,
                           "properties": {name: schema.of(kind)
                                          for name, kind in self.hints.items()}}}}


class Agent:
    """`model` and `instructions` are for think; an agent without them only handles messages.

    `state` is what the instance remembers, of JSON: it is handed over when a turn begins, and kept
    with the reply, together or not at all; a refusal leaves it as it was. At most 1 MiB. Whatever
    else is in memory is there for as long as the process stays, and may be gone at any time."""

    def __init__(self, model: str = "", instructions: str = "", max_steps: int = 16):
        self.model, self.instructions, self.max_steps = model, instructions, max_steps
        self.tools: dict[str, Tool] = {}
        self.handler: "Callable[[Message], Any] | None" = None
        self.state: "dict[str, Any]" = {}

    def tool(self, function: "F") -> "F":
        """Let the model call a function: its parameters need types, its docstring says what it is
        good for. What it returns goes back as text, or as JSON; what it raises, as words."""
        self.tools[function.__name__] = Tool(function)
        return function

    def on_message(self, function: "F") -> "F":
        """The handler: it returns bytes, a text, or what JSON can say; None is an empty reply."""
        self.handler = function
        return function

    def think(self, messages: "models.Messages", **more: "Any") -> str:
        """Ask the model, call the tools that it wants, and again, until it has words for an answer.
        Error: as model.chat; EXHAUSTED, if that takes more than max_steps calls."""
        from swarm import model as models
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

    def act(self, call: "dict[str, Any]") -> str:
        """What a tool says; mistakes are for the model to hear of."""
        import json

        from swarm import schema
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
        """Handle messages until this process is to end: all that come to its instance, or, without
        the protocol of turns, the one that it was started for. An Error refuses with its code, a
        Refusal with its words; whatever else is raised, with its traceback in the log."""
        if self.handler is None:
            raise TypeError("there is no handler: decorate one with @agent.on_message")
        if turns.is_there():
            self.run_turns(turns.opened())
        else:
            self.run_once()

    def run_turns(self, channel: turns.Channel) -> None:
        while (begun := channel.begin()) is not None:
            channel.end(self.turn(begun))

    def turn(self, begun: turns.Frame) -> turns.Frame:
        """The end of a turn."""
        self.state = loads(begun.state)
        try:
            kind, reply = encode(self.handler(of_frame(begun)))
            state = dumps(self.state, begun.state)
            end = turns.Frame(turns.END, type=kind, body=reply)
            if state is not None:
                end.flags, end.state = turns.HAS_STATE, state
            end.encode()
            return end
        except Exception as error:
            words = str(error)
            if not isinstance(error, (Error, Refusal)):
                import traceback
                traceback.print_exc()
                words = f"{type(error).__name__}: {error}"
            return turns.Frame(turns.END, status=status_of(error), type="text/plain",
                               body=words[:WORDS_MAX].encode(errors="replace"))

    def run_once(self) -> None:
        have = os.environ.get
        message = Message(sys.stdin.buffer.read(), have("SWARM_TYPE", ""), have("SWARM_FROM", ""),
                          have("SWARM_NAMESPACE", ""), have("SWARM_AGENT", ""),
                          have("SWARM_KEY", ""))
        try:
            reply = encode(self.handler(message))[1]
        except Refusal as refusal:
            sys.exit(str(refusal))
        except Exception as error:
            import traceback
            traceback.print_exc()
            sys.exit(f"{getattr(error, 'code', type(error).__name__)}: {error}")
        sys.stdout.flush()
        sys.stdout.buffer.write(reply)
        sys.stdout.buffer.flush()


def loads(state: bytes) -> "dict[str, Any]":
    if not state:
        return {}
    import json
    found = json.loads(state)
    return found if isinstance(found, dict) else {"state": found}


def dumps(state: "dict[str, Any]", before: bytes) -> bytes | None:
    """None: it is as it was.  TypeError: JSON cannot say it."""
    if not state and not before:
        return None
    import json
    text = json.dumps(state, separators=(",", ":")).encode()
    return None if text == before else text
