"""A LangGraph program as its documentation has it; nothing in it knows of Swarm."""
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition


@tool
def add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


llm = ChatOpenAI(model="chatty").bind_tools([add])


def chatbot(state: MessagesState):
    return {"messages": [llm.invoke(state["messages"])]}


builder = StateGraph(MessagesState)
builder.add_node("chatbot", chatbot)
builder.add_node("tools", ToolNode([add]))
builder.add_edge(START, "chatbot")
builder.add_conditional_edges("chatbot", tools_condition)
builder.add_edge("tools", "chatbot")
graph = builder.compile()

if __name__ == "__main__":
    final = graph.invoke({"messages": [("user", sys.stdin.read())]})
    print(final["messages"][-1].content)
