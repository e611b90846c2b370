"""Models of the namespace, within its budgets: the address and who asks are the sandbox's.

With the protocol of turns a call is a request of the turn, whose result is kept; without it, it
goes over HTTP.
"""
from swarm import turns
from swarm.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import http.client
    from collections.abc import Iterator
    from typing import Any, TypeVar
    T = TypeVar("T")
    Messages = str | list[dict[str, Any]]

TIMEOUT_S = 600
CODES = {400: "INVALID", 402: "EXHAUSTED", 404: "NOT_FOUND", 429: "EXHAUSTED",
         503: "UNAVAILABLE", 504: "TIMEOUT"}


class Reply:
    """What a model answered."""

    def __init__(self, answer: "dict[str, Any]"):
        choice = answer["choices"][0]
        self.message: "dict[str, Any]" = choice["message"]  # For the next call, as it is.
        self.text: str = self.message.get("content") or ""
        # As the protocol has them: id, and function with arguments.
        self.tool_calls: "list[dict[str, Any]]" = self.message.get("tool_calls") or []
        self.finish: str = choice.get("finish_reason") or ""  # "stop", "length", "tool_calls" ...
        self.usage: "dict[str, Any]" = answer.get("usage") or {}


def chat(messages: "Messages", *, model: str, **more: "Any") -> Reply:
    """Ask, and wait for all of the answer. `messages` is a text of the user's, or a conversation as
    OpenAI's chat completions have it; what else they take can be named.
    Error: it was refused; EXHAUSTED if a budget or a provider has no more."""
    import json
    body = body_of(messages, model, more)
    if turns.is_there():
        from swarm.host import call
        return Reply(call("swarm.model.chat", body, type="application/json").json)
    with post(body) as response:
        return Reply(json.loads(response.read()))


def stream(messages: "Messages", *, model: str, **more: "Any") -> "Iterator[str]":
    """As chat; the text in pieces, as they come."""
    import json
    body = body_of(messages, model, more | {"stream": True})
    for line in called_lines(body) if turns.is_there() else posted_lines(body):
        if not line.startswith(b"data: ") or line.strip() == b"data: [DONE]":
            continue
        event = json.loads(line[len(b"data: "):])
        if "error" in event:
            raise Error("UNAVAILABLE", str(event["error"]))
        for choice in event.get("choices", []):
            if choice.get("delta", {}).get("content"):
                yield choice["delta"]["content"]


def called_lines(body: bytes) -> "Iterator[bytes]":
    """Each call for more brings whole events."""
    from swarm.host import call
    stream = call("swarm.model.chat", body, type="application/json")
    size, last = 0, stream.type != "application/vnd.swarm.stream"
    while not last:
        piece = call("swarm.model.next", f"{stream.text} {size}")
        size += len(piece.body)
        last = piece.type == "text/event-stream; last"
        yield from piece.body.splitlines()


def posted_lines(body: bytes) -> "Iterator[bytes]":
    with post(body) as response:
        yield from response


def structured(kind: "type[T]", messages: "Messages", *, model: str, repairs: int = 2,
               **more: "Any") -> "T":
    """An answer of that type, such as a dataclass. What is none is sent back with what is wrong
    with it, `repairs` times.  Error: INVALID, the last one was none either."""
    import json

    from swarm import schema
    more.setdefault("response_format", {"type": "json_schema", "json_schema": {
        "name": getattr(kind, "__name__", "answer"), "schema": schema.of(kind)}})
    talk = conversation(messages)
    for attempt in range(repairs + 1):
        reply = chat(talk, model=model, **more)
        try:
            return schema.read(kind, json.loads(plain(reply.text)))
        except ValueError as error:  # Of which wrong JSON is one.
            words = str(error)
        if attempt < repairs:
            talk = talk + [reply.message, {"role": "user", "content": (
                f"That is not what was asked for: {words}. Answer with JSON alone that fits the "
                f"schema {json.dumps(schema.of(kind))}")}]
    raise Error("INVALID", f"the model {model} gave no answer of the type that was asked for: "
                           f"{words}")


def plain(text: str) -> str:
    """JSON without the fence that some models put around it."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.strip("`").removeprefix("json")
    return text


def conversation(messages: "Messages") -> "list[dict[str, Any]]":
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return list(messages)


def body_of(messages: "Messages", model: str, more: "dict[str, Any]") -> bytes:
    import json
    return json.dumps({"model": model, "messages": conversation(messages)} | more).encode()


class post:
    """The response to a request, for a `with`.  Error: it was refused."""

    def __init__(self, body: bytes):
        self.body = body

    def __enter__(self) -> "http.client.HTTPResponse":
        import http.client
        import os
        import urllib.parse
        base = urllib.parse.urlsplit(os.environ.get("OPENAI_BASE_URL", ""))
        if not base.hostname:
            raise Error("UNAVAILABLE", "OPENAI_BASE_URL names no address: this runs in no sandbox")
        self.connection = http.client.HTTPConnection(base.hostname, base.port, timeout=TIMEOUT_S)
        try:
            self.connection.request("POST", base.path + "/chat/completions", self.body, {
                "content-type": "application/json",
                "authorization": "Bearer " + os.environ.get("OPENAI_API_KEY", "")})
            self.response = self.connection.getresponse()
        except OSError as error:
            self.connection.close()
            raise Error("UNAVAILABLE", f"the models cannot be reached: {error}") from error
        if self.response.status != 200:
            error = refusal(self.response)
            self.__exit__()
            raise error
        return self.response

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self.connection.close()


def refusal(response: "http.client.HTTPResponse") -> Error:
    import json
    text = response.read().decode(errors="replace")
    try:
        text = json.loads(text)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        pass
    return Error(CODES.get(response.status, "INTERNAL"), text)
