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

The program is run once for each message; its memory is gone after that. Nothing but the standard
library is imported.
"""
from swarm import model
from swarm.agent import Agent, Message
from swarm.errors import Error, Refusal

__all__ = ["Agent", "Error", "Message", "Refusal", "model"]
