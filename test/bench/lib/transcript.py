"""A conversation that grows call by call: the workload `transcript`, what the journal has of it."""
import glob
import hashlib
import json
import os
import struct
import sys

import figures
from daemon import Failure

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "e2e", "lib"))
from upstream import Upstream  # pylint: disable=wrong-import-position

CALLS, WORDS = 100, 665  # A word and its space are 8 bytes, which are 2 tokens.
SOURCE = """import { model, state } from "swarm";
export default async ({ text }) => {
  state.messages ??= [{ role: "system", content: "Be brief." }];
  state.messages.push({ role: "user", content: text });
  const answer = await model.chat({ model: "small", messages: state.messages });
  state.messages.push({ role: "assistant", content: answer.choices[0].message.content });
  return `${state.messages.length}`;
};
"""
GOAL = {"words": "at most 1.1 times the unique bytes", "alone": True,
        "reached": lambda line: line["value"] <= 1.1}


def write(daemon, name, content):
    path = os.path.join(daemon.folder, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def provide(daemon, upstream):
    price = {"inputPerMillion": "1", "outputPerMillion": "1"}
    provider = {"apiVersion": "swarm/v1", "kind": "ModelProvider", "metadata": {"name": "house"},
                "spec": {"protocol": "openai", "baseURL": upstream.url + "/v1",
                         "models": [{"name": "small", "price": price}]}}
    with open(os.path.join(daemon.build, "guests", "swarm_js.wasm"), "rb") as runtime:
        digest = hashlib.sha256(runtime.read()).digest()
    program = SOURCE.encode()
    bundle = write(daemon, "talks.bundle", b"\0swb" + struct.pack("<I", 1) + digest +
                   struct.pack("<I", len(program)) + program)
    agent = {"apiVersion": "swarm/v1", "kind": "Agent", "metadata": {"name": "talks"},
             "spec": {"module": bundle, "keyed": True,
                      "limits": {"memory": "64MiB", "deadline": "10s"}}}
    for each in (provider, agent):
        name = each["kind"] + ".json"
        daemon.swarm("apply", "-f", write(daemon, name, json.dumps(each).encode()))
    daemon.swarm("wait", "agent/talks", "--for=condition=Ready")


def text_of(number, words):
    """As many words, none of them twice in the conversation."""
    return " ".join(f"w{number * words + i:06d}" for i in range(words))


def journal_bytes(daemon):
    """Of all segments of the journal, without the room behind what is written."""
    size = 0
    for path in glob.glob(os.path.join(daemon.data, "agents", "journal-*.seg")):
        with open(path, "rb") as file:
            size += len(file.read().rstrip(b"\0"))
    return size


def talk(daemon, calls, words):
    """All of the conversation. Returns the bytes that the journal grew by."""
    path, before = os.path.join(daemon.folder, "text"), 0
    for number in range(calls + 1):  # The first one is not counted.
        with open(path, "w", encoding="ascii") as file:
            file.write(text_of(number, words))
        answer = daemon.swarm("send", "talks/one", "-f", path)
        if answer.strip() != str(2 * number + 3):
            raise Failure(f"turn {number} came to {answer}")
        if number == 0:
            before = journal_bytes(daemon)
    return journal_bytes(daemon) - before


def pages(daemon, view, name):
    """All that a command of the past tells of the conversation."""
    text, items = daemon.swarm("agent", view, "talks/one", "--all", "-o", "json"), []
    while text.strip():
        page, end = json.JSONDecoder().raw_decode(text.lstrip())
        items += page[name]
        text = text.lstrip()[end:]
    return items


def transcript(run):
    """What the journal grows by over what came: messages of the user and answers of the model,
    each once. The transcript has to have all of it."""
    calls = max(run.many(CALLS), 3)
    words = WORDS
    with Upstream() as upstream, run.daemon("transcript") as daemon:
        upstream.script(*[{"text": text_of(10000 + i, words // 2)} for i in range(calls + 1)])
        provide(daemon, upstream)
        grown = talk(daemon, calls, words)
        entries = pages(daemon, "transcript", "entries")
        came = [int(turn["sizeBytes"]) for turn in pages(daemon, "history", "turns")
                if int(turn.get("sizeBytes", 0)) > 0]
        messages = [entry for entry in entries if entry["kind"] == "message"]
        unique = sum(came[2:])  # Of each call what the user said, and what the model did.
        if len(messages) != 2 * calls + 3 or len({m["id"] for m in messages}) != len(messages):
            raise Failure(f"the transcript has {len(messages)} messages of {calls} calls")
        if len(came) != 2 * calls + 2:
            raise Failure(f"the history has {len(came)} messages of {calls} calls")
        asked = sum(len(request.body) for request in upstream.requests[1:])
    line = {"bench": "transcript", "case": f"calls={calls} bytes={unique}", "unit": "ratio",
            "value": figures.rounded(grown / unique), "journal_bytes": grown,
            "unique_bytes": unique, "asked_bytes": asked, "durability": "local", "tls": True,
            "fs": run.filesystem, "config": run.config, "rounds": 1}
    line.update(goal=GOAL["words"], reached=GOAL["reached"](line))
    figures.emit(**line)


WORKLOADS = {"transcript": transcript}
