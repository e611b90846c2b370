"""Models of the namespace, within its budgets: the address and who asks are the sandbox's."""
import contextlib
import dataclasses
import http.client
import json
import os
import urllib.parse
from collections.abc import Iterator
from typing import Any, TypeVar

from swarm import schema
from swarm.errors import Error

T = TypeVar("T")
Messages = str | list[dict[str, Any]]
TIMEOUT_S = 600
CODES = {400: "INVALID", 402: "EXHAUSTED", 404: "NOT_FOUND", 429: "EXHAUSTED",
         503: "UNAVAILABLE", 504: "TIMEOUT"}


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a model answered."""
    text: str
    tool_calls: list[dict[str, Any]]  # As the protocol has them: id, and function with arguments.
    finish: str                       # "stop", "length", "tool_calls" ...
    usage: dict[str, Any]
    message: dict[str, Any]           # To be put into the next call as it is.


def chat(messages: Messages, *, model: str, **more: Any) -> Reply:
    """Ask, and wait for all of the answer. `messages` is a text of the user's, or a conversation as
    OpenAI's chat completions have it; what else they take can be named.
    Error: it was refused; EXHAUSTED if a budget or a provider has no more."""
    with post(body_of(messages, model, more)) as response:
        answer = json.loads(response.read())
    choice = answer["choices"][0]
    message = choice["message"]
    return Reply(message.get("content") or "", message.get("tool_calls") or [],
                 choice.get("finish_reason") or "", answer.get("usage") or {}, message)


def stream(messages: Messages, *, model: str, **more: Any) -> Iterator[str]:
    """As chat; the text in pieces, as they come."""
    with post(body_of(messages, model, more | {"stream": True})) as response:
        for line in response:
            if not line.startswith(b"data: ") or line.strip() == b"data: [DONE]":
                continue
            event = json.loads(line[len(b"data: "):])
            if "error" in event:
                raise Error("UNAVAILABLE", str(event["error"]))
            for choice in event.get("choices", []):
                if choice.get("delta", {}).get("content"):
                    yield choice["delta"]["content"]


def structured(kind: type[T], messages: Messages, *, model: str, repairs: int = 2,
               **more: Any) -> T:
    """An answer of that type, such as a dataclass. What is none is sent back with what is wrong
    with it, `repairs` times.  Error: INVALID, the last one was none either."""
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


def conversation(messages: Messages) -> list[dict[str, Any]]:
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return list(messages)


def body_of(messages: Messages, model: str, more: dict[str, Any]) -> bytes:
    return json.dumps({"model": model, "messages": conversation(messages)} | more).encode()


@contextlib.contextmanager
def post(body: bytes) -> Iterator[http.client.HTTPResponse]:
    base = urllib.parse.urlsplit(os.environ.get("OPENAI_BASE_URL", ""))
    if not base.hostname:
        raise Error("UNAVAILABLE", "OPENAI_BASE_URL names no address: this runs in no sandbox")
    connection = http.client.HTTPConnection(base.hostname, base.port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", base.path + "/chat/completions", body, {
            "content-type": "application/json",
            "authorization": "Bearer " + os.environ.get("OPENAI_API_KEY", "")})
        response = connection.getresponse()
    except OSError as error:
        connection.close()
        raise Error("UNAVAILABLE", f"the models cannot be reached: {error}") from error
    try:
        if response.status != 200:
            raise refusal(response)
        yield response
    finally:
        response.close()
        connection.close()


def refusal(response: http.client.HTTPResponse) -> Error:
    text = response.read().decode(errors="replace")
    try:
        text = json.loads(text)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        pass
    return Error(CODES.get(response.status, "INTERNAL"), text)
