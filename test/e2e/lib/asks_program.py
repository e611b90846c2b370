"""A program without the SDK that asks models over HTTP, as its library would: one after the other,
two at once, and in pieces."""
import hashlib
import http.client
import json
import os
import sys
import threading
import time


def chat(text, before=(), **more):
    connection = http.client.HTTPConnection("127.0.0.1", 7420, timeout=60)
    connection.request("POST", "/openai/v1/chat/completions", json.dumps(
        {"model": "chatty", "messages": [*before, {"role": "user", "content": text}]} | more))
    response = connection.getresponse()
    body = response.read().decode()
    if response.status != 200:
        raise SystemExit(f"{response.status} {body}")
    if "stream" in more:
        events = [json.loads(line[6:]) for line in body.split("\n")
                  if line.startswith("data: {")]
        return "".join(choice["delta"].get("content") or ""
                       for event in events for choice in event["choices"])
    return json.loads(body)["choices"][0]["message"]["content"]


def talk():
    """A conversation, which is sent whole with each of its requests."""
    said = []
    for i in range(12):
        words = "".join(hashlib.sha256(f"{i} {j}".encode()).hexdigest() for j in range(32))
        chat(words, before=said)
        said += [{"role": "user", "content": words}, {"role": "assistant", "content": "yes"}]
    return "talked"


def handle(text):
    if text == "talk":
        return talk()
    said = {"first": chat("first")}
    threads = [threading.Thread(target=lambda i=i: said.update({f"both {i}": chat(f"both {i}")}))
               for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said["stream"] = chat("stream", stream=True)
    if text == "slowly":
        chat("mark")
        time.sleep(1.5)
    said["last"] = chat("last" if text != "lost" else "lost", model="nothing"
                        if text == "lost" else "chatty")
    return json.dumps(said, sort_keys=True)


if "SWARM_FD" not in os.environ:
    print(handle(sys.stdin.read()), end="")
else:
    import swarm
    agent = swarm.Agent()
    agent.on_message(lambda message: [handle(message.text), swarm.ask(
        "turns/other", "count").json["key"]][0])
    agent.run()
