"""Agents in Python: a handler for messages, models, and a loop that calls tools.

    import swarm

    agent = swarm.Agent(model="small", instructions="You add numbers.")

    @agent.tool
    def add(left: int, right: int) -> int:
        "Add two numbers."
        return left + right

    @agent.on_message
    def handle(message: swarm.Message) -> str:
        return agent.think(message.text)

    agent.run()

With "protocol": "turns" in agent.program the process stays, agent.state is durable, and ask, send,
publish, receive, sleep, approve and fetch are there. Otherwise the program is run once for each
message. Nothing but the standard library is imported.
"""
from swarm.agent import Agent
from swarm.errors import Error, Refusal
from swarm.message import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from swarm import model
    from swarm.host import (Approval, Response, approve, ask, call, fetch, log, now, publish,
                            receive, send, sleep, subscribe, unsubscribe)

__all__ = ["Agent", "Approval", "Error", "Message", "Refusal", "Response", "approve", "ask", "call",
           "fetch", "log", "model", "now", "publish", "receive", "send", "sleep", "subscribe",
           "unsubscribe"]


def __getattr__(name: str) -> "Any":
    """What not every program uses is imported when it is, since a first message waits for it."""
    if name == "model":
        import swarm.model as found
    elif name in __all__:
        from swarm import host
        found = getattr(host, name)
    else:
        raise AttributeError(f"module 'swarm' has no attribute {name!r}")
    globals()[name] = found
    return found
