"""An agent with the Python SDK: a model that calls a tool."""
import swarm

agent = swarm.Agent(model="chatty", instructions="You add numbers.")


@agent.tool
def add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


@agent.on_message
def handle(message: swarm.Message) -> str:
    return agent.think(message.text) + "\n"


agent.run()
