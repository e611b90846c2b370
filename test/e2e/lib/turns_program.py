"""An agent with the Python SDK in the protocol of turns: each of its words does one thing."""
import os

import swarm

agent = swarm.Agent(model="chatty")
seen = []  # Gone when the process is.


def count(message):
    agent.state["count"] = agent.state.get("count", 0) + 1
    seen.append(message.text)
    return {"count": agent.state["count"], "seen": len(seen), "key": message.key,
            "agent": message.agent, "attempt": message.attempt}


def ask(message):
    answer = swarm.ask("turns/other", "count", timeout=30)
    swarm.send("turns/noted", "count")
    return {"said": answer.json, "from": answer.sender}


def spend(message):
    """Three questions and two calls of a model, with a long wait between."""
    said = [swarm.ask("turns/spent", f"count {i}").json["count"] for i in range(2)]
    said.append(swarm.model.chat("first", model="chatty").text)
    swarm.ask("turns/marked", "count")
    swarm.sleep(1.5)
    said.append(swarm.model.chat("second", model="chatty").text)
    said.append(swarm.ask("turns/spent", "count 2").json["count"])
    agent.state["told"] = {"said": said, "attempt": message.attempt}


def level(message):
    return os.environ.get("LEVEL", "")


def many(message):
    said = []
    for i in range(4):
        said.append(swarm.ask(f"turns/asked-{message.key}", "count").json["count"])
        said.append(swarm.model.chat(f"{message.key} {i}", model="chatty").text)
        swarm.sleep(0.05)
        swarm.send(f"turns/sent-{message.key}", "count")
    agent.state["told"] = said


def keep(message):
    agent.state["told"] = message.text
    agent.state["count"] = agent.state.get("count", 0) + 1


def told(message):
    return agent.state.get("told", "")


def wander(message):
    """Asks for something else each time."""
    swarm.ask("turns/wandered", "keep " + os.urandom(8).hex())
    swarm.sleep(1.5)
    return "never"


def hear(message):
    swarm.subscribe("news.>")
    swarm.publish("news.one", "it rains")
    heard = {}
    for _ in range(2):
        came = swarm.receive(timeout=30)
        heard[came.subject] = came.text
        if came.wants_reply:
            came.reply("heard " + came.text)
    try:
        swarm.receive(timeout=0)
    except swarm.Error as error:
        heard["code"] = error.code
    return heard


def fail(message):
    agent.state["count"] = 1000
    raise KeyError("gone")


def refuse(message):
    if "late" in message.text:
        message.refuse(swarm.Error("DENIED", "not you"))
        return "lost"
    raise swarm.Error("NOT_FOUND", "no such order")


def codes(message):
    found = []
    for function in (lambda: swarm.ask("nobody/a", ""), lambda: swarm.call("swarm.nothing"),
                     lambda: swarm.ask("turns/" + message.key, ""),
                     lambda: swarm.send("a b", ""), lambda: swarm.publish("a..b", ""),
                     lambda: swarm.fetch("http://127.0.0.1/"), lambda: swarm.ask("turns/x", b"x" *
                                                                                 5000000)):
        try:
            function()
            found.append("none")
        except swarm.Error as error:
            found.append(error.code)
    return found


def log(message):
    print("printed")
    swarm.log.warn("warned\nof two lines")
    swarm.log.debug("a detail")


def grow(message):
    agent.state["text"] = "x" * int(message.text.split()[1])


def think(message):
    return agent.think(message.text) + "".join(swarm.model.stream("more", model="chatty"))


@agent.tool
def add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


@agent.on_message
def handle(message: swarm.Message):
    return globals()[message.text.split()[0]](message)


agent.run()
