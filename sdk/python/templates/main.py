"""An agent: it greets whoever writes to it, and counts. After a change of this file:

    swarm agent test . && swarm agent build . && swarm apply -f .

`agent.state` is durable, with each reply; what else is in memory is gone when the process ends.
"""
import os

import swarm

# MODEL stands in agent.program; one of the namespace's writes the greetings if it is named there.
agent = swarm.Agent(model=os.environ.get("MODEL", ""), instructions="You greet guests, in a line.")


@agent.on_message
def handle(message: swarm.Message) -> str:
    count = agent.state["count"] = agent.state.get("count", 0) + 1
    if agent.model:
        return agent.think(f"{message.text} is here, the guest of number {count}.")
    return f"Hello, {message.text}! You are number {count}.\n"


agent.run()
