"""A program of the OpenAI Agents SDK as its documentation has it; nothing in it knows of Swarm."""
import asyncio
import sys

from agents import Agent, Runner, function_tool


@function_tool
def add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


agent = Agent(name="Calculator", instructions="You add numbers.", model="chatty", tools=[add])


async def main():
    result = await Runner.run(agent, sys.stdin.read())
    print(result.final_output)


if __name__ == "__main__":
    asyncio.run(main())
